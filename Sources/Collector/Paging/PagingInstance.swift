internal import Files
internal import FleetModel

/// Where this collector keeps what belongs to its paging: `paging/` below its state directory.
final class PagingInstance: Sendable {
  let directory: String
  /// Names this process among all collectors: `instance/process`. The place stays over restarts, so that a new process takes over at once
  /// from the one before it.
  let holder: String
  /// Nobody else works here.
  let isOwn: Bool
  /// Held as long as this lives.
  private let lock: Descriptor?

  /// - Parameter stateDirectory: of the collector. Where another process works in it, or it cannot be written, this one is a place
  ///   of its own.
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
