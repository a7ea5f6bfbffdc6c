/// Keeps a directory for one process: flock(2) on a file in it, which the kernel gives back when the process ends, however it ends.
package struct DirectoryLock: ~Copyable, Sendable {
  private let file: Descriptor

  private init(_ file: consuming Descriptor) { self.file = file }

  /// - Parameter directory: must exist. The file `lock` in it stays, with the number of the process that held it last.
  /// - Returns: nil where another process, or another opening of this one, holds it.
  package static func take(_ directory: String) throws(FileError) -> DirectoryLock? {
    let file = try Descriptor.open(directory + "/lock", .update)
    guard file.lockForWriting() else { return nil }
    // For people who look; a full disk must not keep the program from starting.
    try? file.truncate(to: 0)
    try? file.write(Array("\(Process.id)\n".utf8).span, at: 0)
    return DirectoryLock(file)
  }

  /// Whether a process holds the directory now; false where that cannot be determined. The lock is had for a moment where none does.
  package static func isHeld(_ directory: String) -> Bool {
    let path = directory + "/lock"
    guard (try? FileStatus.exists(path)) == true, let file = try? Descriptor.open(path, .update) else { return false }
    return !file.lockForWriting()
  }

  /// The process that holds the directory, for a message; "" where it is not known.
  package static func holder(_ directory: String) -> String {
    let bytes = (try? HostFiles.read(directory + "/lock", limitBytes: 32)) ?? []
    let digits = String(decoding: bytes.prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self)
    return digits.isEmpty ? "" : " (process \(digits))"
  }
}
