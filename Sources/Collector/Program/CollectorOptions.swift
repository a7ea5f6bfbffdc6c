package import EventLoop
package import Postgres

/// Options of the command line and the environment.
package struct CollectorOptions: Sendable {
  package var stateDirectory: String
  package var listen: SocketAddress
  /// nil runs a private server in the state directory.
  package var database: DatabaseURL?
  package var configurationPath: String?
  /// `host:port` under which agents reach this collector; when empty the listening address, and this machine's name in
  /// place of a wildcard.
  package var advertise: [String]
  package var metrics: SocketAddress
  package var gateways: Int?
  package var writers: Int?
  /// Life of agents' certificates, s.
  package var certificateSeconds: Int64?
  /// Life of the collector's own certificate, s.
  package var serverCertificateSeconds: Int64?
  /// The fleet shall trust this state directory's authority, whatever it trusted before.
  package var replacesAuthority = false

  package init(stateDirectory: String, listen: SocketAddress, metrics: SocketAddress) {
    self.stateDirectory = stateDirectory
    self.listen = listen
    self.metrics = metrics
    advertise = []
  }
}

/// Why the collector does not start, or ended: one sentence, and the contract's exit code.
package struct CollectorFailure: Error, Sendable, CustomStringConvertible {
  package enum Code: Int32, Sendable {
    case failed = 1
    case usage = 2
    case notReachable = 4
  }

  package let code: Code
  package let description: String

  package init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
