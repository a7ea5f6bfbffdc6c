package import FleetModel

/// Where file deltas come from, as the uplink sees it. The followers are one; the simulation has its own file system below them.
package protocol DeltaSource: AnyObject {
  /// Everything un-acked is forgotten: each file goes on from its mark, files without a mark from their start.
  /// Called once for each stream, when the last mark has come and before any `nextDelta`.
  func resume(from marks: [FileMark], nowNs: Int64)
  /// The next range to report, in order for each file, or nil where there is nothing new.
  /// - Parameter byteBudget: about how many bytes of content it may hold.
  func nextDelta(byteBudget: Int, nowNs: Int64) -> FileDelta?
  /// The collector has committed the file up to `offset`: what was held open only for it may be let go.
  func committed(_ file: FileKey, offset: UInt64)
  /// Bytes known to be unread.
  var backlogBytes: UInt64 { get }
}
