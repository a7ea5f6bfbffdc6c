internal import FleetModel

extension Followers {
  /// The file of that name is followed, and the collector has all that is in it now.
  func isAllCommitted(_ path: String) -> Bool {
    if let entry = parked.entry(at: path), let mark = entry.mark, let found = fileSystem.find(path) {
      return found.status.sizeBytes == mark.offset
    }
    guard let file = byPath[path], file.phase == .following, let handle = file.handle,
      let status = fileSystem.status(of: handle)
    else { return false }
    return status.sizeBytes == file.offset && file.committed == file.offset
  }

  /// There is more to be reported, or received, of the file that has this name now.
  func isFollowing(_ path: String) -> Bool {
    guard let handle = fileSystem.open(path) else { return true }
    defer { fileSystem.close(handle) }
    guard let status = fileSystem.status(of: handle) else { return true }
    let node = node(status)
    return parked[node] != nil || byNode[node] != nil || files.contains { $0.node == node }
  }
}
