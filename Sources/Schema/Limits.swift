internal import FleetModel

/// What the decoder accepts and the producers keep to. Every bound is checked before memory is taken for what it bounds.
package enum Limits {
  /// A batch as the agent makes it: large enough to fill a link, small enough that a collector holds thousands at once.
  package static let batchBytes = 1 << 20
  /// One frame on the wire. A batch of `batchBytes` may end with one more line, and newer agents may add fields.
  package static let frameBytes = batchBytes + 128 << 10
  /// A join or renewal request: a signing request of 4 KiB and short texts.
  package static let enrolmentRequestBytes = 16 << 10
  /// A certificate reply: two chains of a few certificates in PEM.
  package static let certificateReplyBytes = 128 << 10
  /// A health check carries one service name.
  package static let healthCheckBytes = 4 << 10

  /// Memory that the tree of one message may take. An honest frame takes up to 4 times its size, one of empty
  /// sub-messages 156 times.
  package static let arenaBytes = 16 << 20
  /// A small frame may not take the whole arena: at most so many times its size, and `arenaBaseBytes`.
  package static let arenaAmplification = 32
  package static let arenaBaseBytes = 64 << 10

  /// Names, paths, commands: PATH_MAX of Linux.
  package static let textBytes = 4096
  /// Messages and JSON details: as long as the longest log line.
  package static let detailBytes = 64 << 10
  /// PKCS #10 with a P-256 key takes 300 bytes, with RSA-4096 1 700.
  package static let signingRequestBytes = 4096

  /// Spooled records of one batch.
  package static let spooledPerBatch = 8192
  /// File deltas of one batch.
  package static let filesPerBatch = 4096
  /// Log lines of one delta: 16 bytes a line in a full batch.
  package static let linesPerDelta = 65_536
  /// Samples, events, steps or losses in one list.
  package static let recordsPerList = 16_384
  /// What a writer tells beside a step; RLlib's results have about 150 numbers.
  package static let metricsPerStep = 512
  /// Marks of one frame, for collectors that send all of them in the Welcome.
  package static let marksPerFrame = 16_384
  /// Glob patterns in the settings.
  package static let followPatterns = 1024
  /// Probes in the settings; the lengths of their texts are `ProbeSetting`'s.
  package static let probes = ProbeSetting.probesPerHost
}
