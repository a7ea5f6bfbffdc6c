internal import Files
internal import FleetModel

/// The identity of this collector in paging, and its directory: `paging/` below the state directory.
final class PagingInstance: Sendable {
  let directory: String
  /// Names this process among all collectors: `instance/process`. The instance is read from the file `place` and stays
  /// over restarts; by it a new process takes over the lease and the reservations of the one before it at once.
  let holder: String
  /// This process holds the lock of the directory.
  let isOwn: Bool
  /// Keeps the lock until the process ends.
  private let lock: Descriptor?

  /// - Parameter stateDirectory: of the collector. Where another process holds its lock, or it cannot be written, this
  ///   process is an instance of its own without a directory.
  init(stateDirectory: String) {
    directory = stateDirectory + "/paging"
    let process = Hex.text(HostFiles.randomBytes(8))
    if let file = Self.locked(directory), let name = Self.name(directory) {
      lock = consume file
      isOwn = true
      holder = "\(name)/\(process)"
    } else {
      lock = nil
      isOwn = false
      holder = "collector-" + process
    }
  }

  private static func locked(_ directory: String) -> Descriptor? {
    guard (try? HostFiles.makeDirectory(directory)) != nil,
      let file = try? Descriptor.open(directory + "/lock", .append), file.lockForWriting()
    else { return nil }
    return consume file
  }

  private static func name(_ directory: String) -> String? {
    let path = directory + "/place"
    if let known = try? HostFiles.read(path, limitBytes: 100), known.count == 26 {
      return String(decoding: known, as: UTF8.self)
    }
    let name = "collector-" + Hex.text(HostFiles.randomBytes(8))
    guard (try? HostFiles.replace(path, with: Array(name.utf8))) != nil else { return nil }
    return name
  }
}
