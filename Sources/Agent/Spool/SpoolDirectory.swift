package import Files

/// A spool's directory on a real file system. Only the spool writes there; one descriptor is kept for the file that
/// was written last.
package final class SpoolDirectory: SpoolDisk {
  private let path: String
  private var open: (name: String, file: OpenFile)?

  /// A class around the descriptor: a tuple cannot hold a value that is not copyable.
  private final class OpenFile {
    let descriptor: Descriptor
    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
  }

  /// Makes the directory where it is missing, for this user alone.
  package init(path: String) throws(FileError) {
    self.path = path
    try HostFiles.makeDirectory(path)
  }

  private func full(_ name: String) -> String { path + "/" + name }

  package func list() throws(FileError) -> [String] { try HostFiles.list(path) }

  package func size(of name: String) throws(FileError) -> UInt64 {
    try FileStatus.of(path: full(name)).sizeBytes
  }

  package func read(_ name: String, at offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
    let file = try Descriptor.open(full(name), .read)
    var bytes: [UInt8] = []
    while bytes.count < count {
      let got = try file.read(into: &bytes, count: count - bytes.count, at: offset + UInt64(bytes.count))
      guard let got, got > 0 else { break }
    }
    return bytes
  }

  package func append(_ bytes: [UInt8], to name: String) throws(FileError) {
    try writing(name).descriptor.write(bytes.span)
  }

  package func sync(_ name: String) throws(FileError) {
    try writing(name).descriptor.sync()
  }

  private func writing(_ name: String) throws(FileError) -> OpenFile {
    if let open, open.name == name { return open.file }
    let file = OpenFile(try Descriptor.open(full(name), .append))
    open = (name, file)
    return file
  }

  package func syncDirectory() throws(FileError) { try HostFiles.syncDirectory(path) }

  package func rename(_ name: String, to newName: String) throws(FileError) {
    if open?.name == name { open = nil }
    try HostFiles.rename(full(name), to: full(newName))
  }

  package func remove(_ name: String) throws(FileError) {
    if open?.name == name { open = nil }
    try HostFiles.remove(full(name))
  }

  package func freeBytes() throws(FileError) -> UInt64 { try FileSystemSpace.availableBytes(path) }
}
