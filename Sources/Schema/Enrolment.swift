package import FleetModel

/// Asks for a host's first certificate; `proto/signalbox/v1/enrolment.proto`.
package struct JoinRequest: Sendable, Equatable {
  package var tokenID = ""
  package var secret = ""
  /// PKCS #10, DER.
  package var signingRequest: [UInt8] = []
  /// What the machine calls itself; the collector may choose another name.
  package var hostName = ""
  package var machineIDHash = MachineIDHash(high: 0, low: 0)
  /// The host that this state directory was before; nil for a new one.
  package var previousHost: HostID?

  package init() {}
}

/// Asks for a certificate with a new key for the host of the certificate in use.
package struct RenewRequest: Sendable, Equatable {
  /// PKCS #10, DER.
  package var signingRequest: [UInt8] = []

  package init(signingRequest: [UInt8] = []) { self.signingRequest = signingRequest }
}

package struct CertificateReply: Sendable, Equatable {
  package var hostID = HostID(high: 0, low: 0)
  package var hostName = ""
  /// PEM: the host's, then the issuing CA's.
  package var certificateChain: [UInt8] = []
  /// PEM: root CAs to trust.
  package var certificateAuthority: [UInt8] = []
  /// The collector's clock, ns since 1970.
  package var serverNs: Int64 = 0

  package init() {}
}

/// `grpc.health.v1`: is this service served?
package struct HealthCheckRequest: Sendable, Equatable {
  /// Empty = the server as a whole.
  package var service = ""

  package init(service: String = "") { self.service = service }
}

package struct HealthCheckResponse: Sendable, Equatable {
  package enum ServingStatus: UInt8, Sendable, CaseIterable {
    case unknown = 0
    case serving = 1
    case notServing = 2
    case serviceUnknown = 3
  }
  package var status: ServingStatus

  package init(status: ServingStatus) { self.status = status }
}
