/// What one program on the local socket may cost the agent. Beyond it lines are dropped and counted, never waited for: the
/// program trains, and must not hang on us.
package struct SocketLimits: Sendable {
  /// A line longer than this is refused.
  package var lineBytesMax = 64 << 10
  /// Of the JSON object that goes along with a run.
  package var detailBytesMax = 4096
  package var runBytesMax = 200
  package var metricsMax = 256
  /// Lines a second over a longer time …
  package var linesPerSecond = 1000
  /// … and at once.
  package var burstLines = 5000
  /// Complaints written to one connection; after that it gets no further one.
  package var repliesMax = 100
  package var connectionsMax = 64

  package init() {}
}
