internal import Files

/// Takes segments away that the collector has: first out of what is followed, then, when the followers are done with them, off the disk.
package final class SegmentCleaner {
  /// Names of the inbox that one turn may cost: any user may fill it.
  private static let namesPerTurn = 256

  private let streams: FollowedStreams
  /// Where the last turn stopped in the inbox.
  private var inbox: DirectoryStream?

  package init(_ streams: FollowedStreams) { self.streams = streams }

  /// Cheap where there is nothing: two directories are listed. Errors are for the next time.
  /// - Returns: whether all was looked at; else the next turn goes on.
  package func clean(_ followers: Followers) -> Bool {
    if inbox == nil {
      // Where the journal is gone on from stands in its newest lines.
      cleanJournal(keeping: 2, followers)
      inbox = try? DirectoryStream(streams.inbox)
    }
    let names = inbox?.next(Self.namesPerTurn) ?? []
    for entry in names { clean(streams.inbox + "/" + entry.name, in: streams.inbox, followers) }
    if names.count == Self.namesPerTurn { return false }
    inbox = nil
    return true
  }

  private func cleanJournal(keeping newest: Int, _ followers: Followers) {
    var segments: [String: [String]] = [:]
    for name in (try? HostFiles.list(streams.journal)) ?? [] {
      let path = streams.journal + "/" + name
      guard let stream = FollowedStreams.name(of: path, in: streams.journal) else { continue }
      if path.hasSuffix(".done") {
        clean(path, in: streams.journal, followers)
      } else {
        segments[stream, default: []].append(path)
      }
    }
    for paths in segments.values {
      for path in paths.sorted().dropLast(newest) { clean(path, in: streams.journal, followers) }
    }
  }

  private func clean(_ path: String, in directory: String, _ followers: Followers) {
    guard FollowedStreams.name(of: path, in: directory) != nil else { return }
    if path.hasSuffix(".done") {
      if !followers.isFollowing(path) { _ = try? HostFiles.remove(path) }
    } else if followers.isAllCommitted(path), !isWritten(path), followers.isAllCommitted(path) {
      // Asked again: what was added before the lock was let go must be committed too.
      try? HostFiles.rename(path, to: path.dropLast(4) + ".done")
    }
  }

  private func isWritten(_ path: String) -> Bool {
    guard let file = try? Descriptor.open(path, .read) else { return true }
    return !file.lockForWriting()
  }
}
