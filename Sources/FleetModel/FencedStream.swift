/// How a collector ends a stream that a newer connection of the same identity has taken over.
package enum FencedStream {
  /// The gRPC status message beside ABORTED. Agents recognise it: two machines with one identity must not take the stream from each
  /// other without pause.
  package static let statusMessage = "fenced by a newer connection of this identity"
}
