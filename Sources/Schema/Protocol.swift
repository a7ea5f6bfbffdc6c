internal import FleetModel

/// What agents and collectors agree on: the version, the calls, and the limits that one side keeps to and the other one enforces.
///
/// The messages are in `proto/`; transport is gRPC over HTTP/2 over TLS 1.3 with the content type `RPCHeaders.contentType`. How a
/// collector refuses an identity is in `IdentityRefusal`, because a TLS handshake reports it as well.
package enum FleetProtocol {
  /// `Hello.protocol_version`. A collector ends a stream of another version with INVALID_ARGUMENT. New fields and frames need no new
  /// version, because both sides skip what they do not know; what an older side would misread does.
  package static let version: UInt32 = 1

  // MARK: Calls

  /// A service of `proto/`, by its full name: what a health check asks for and what the paths begin with.
  package enum Service: String, Sendable, CaseIterable {
    /// `report.proto`.
    case collector = "signalbox.v1.Collector"
    /// `enrolment.proto`.
    case enrolment = "signalbox.v1.Enrolment"
  }

  /// A call. The raw value is its name in `proto/`.
  package enum Call: String, Sendable, CaseIterable {
    /// A host's stream: Hello and Batches in, Welcome, Marks, Acks and Settings out. Needs the host's certificate.
    case report = "Report"
    /// One `JoinRequest`, one `CertificateReply`. Needs a join token and no certificate.
    case join = "Join"
    /// One `RenewRequest`, one `CertificateReply`. Needs the host's certificate, which may be past its end.
    case renew = "Renew"

    package var service: Service { self == .report ? .collector : .enrolment }

    /// The HTTP/2 `:path`: "/SERVICE/CALL". Source: grpc/doc/PROTOCOL-HTTP2.md.
    package var path: String { "/\(service.rawValue)/\(rawValue)" }
  }

  /// The status message beside ABORTED with which a collector ends a stream that a newer connection of the same identity has taken
  /// over. An agent recognises it by its text and waits longer: two machines with one identity would otherwise take the stream from
  /// each other without pause.
  package static let fencedMessage = "fenced by a newer connection of this identity"

  // MARK: Limits of a stream

  /// Batches that a stream may have sent and not acked. The agent's window closes there, the collector ends a stream that has more.
  package static let unackedBatches = 32
  /// Encoded bytes of a batch at most as the agent makes it: large enough to fill a link, small enough that a collector holds
  /// thousands at once.
  package static let batchBytes = 1 << 20
  /// Bytes of one frame, which is one gRPC message. A batch of `batchBytes` may end with one more line, and newer agents may add
  /// fields.
  package static let frameBytes = batchBytes + 128 << 10
  /// Spooled records of one batch, all lanes together; agents keep to half of it.
  package static let spooledPerBatch = 4096
  /// File deltas of one batch; agents keep to a quarter of it.
  package static let filesPerBatch = 1024
  /// Log lines of one delta: 16 bytes a line in a full batch.
  package static let linesPerDelta = 65_536
  /// Samples, events, steps or losses in one list.
  package static let recordsPerList = 16_384
  /// Figures that a training program reports beside a step; RLlib's results have about 150.
  package static let metricsPerStep = 512
  /// Of one process that has ended.
  package static let runsOfEnd = 32
  /// Bytes at a file's start by which it is known again.
  package static let fileHeadBytes: UInt32 = 1024
  /// Marks of one frame, for collectors that send all of them in the Welcome.
  package static let marksPerFrame = 16_384
  /// Glob patterns in the settings.
  package static let followPatterns = 1024
  /// Probes in the settings; the lengths of their texts are `ProbeSetting`'s.
  package static let probes = ProbeSetting.probesPerHost
  package static let metricPatterns = MetricPattern.patternsPerHost
  /// Addresses of collectors in Hello or Welcome: as many as a join token holds, and one in use.
  package static let collectors = 9

  // MARK: Limits of texts and of single calls

  /// Bytes of names, paths, commands: PATH_MAX of Linux. The encoder cuts longer ones, the decoder refuses them.
  package static let textBytes = 4096
  /// Bytes of messages and JSON details: as long as the longest log line.
  package static let detailBytes = 64 << 10
  /// A join or renewal request: a signing request and short texts. Also what a connection without a certificate may send at most.
  package static let enrolmentRequestBytes = 16 << 10
  /// PKCS #10 in DER: with a P-256 key it takes 300 bytes, with RSA-4096 1 700.
  package static let signingRequestBytes = 4096
  /// A certificate reply: two chains of a few certificates in PEM.
  package static let certificateReplyBytes = 128 << 10
  /// A health check carries one service name.
  package static let healthCheckBytes = 4 << 10
}
