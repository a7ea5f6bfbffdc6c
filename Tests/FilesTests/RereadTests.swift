import Testing

@testable import Files

@Suite struct RereadTests {
  private func directory() throws -> String {
    let path = "/tmp/sampling-files-\(HostFiles.randomBytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })"
    try HostFiles.makeDirectory(path)
    return path
  }

  @Test func `A file is read again into the same bytes, from any index`() throws {
    let path = try directory() + "/file"
    try HostFiles.replace(path, with: Array("abcdef".utf8))
    let file = try Descriptor.open(path, .read)
    var buffer = [UInt8](repeating: 0x2E, count: 8)
    #expect(try file.reread(into: &buffer, from: 2, at: 1) == 5)
    #expect(buffer == Array("..bcdef.".utf8))
    #expect(try file.reread(into: &buffer, from: 8, at: 0) == 0, "no room is no error")
    #expect(try file.reread(into: &buffer, from: 0, at: 6) == 0, "the end")
    #expect(try file.reread(into: &buffer, from: 0, at: nil) == 6)
  }

  @Test func `Names that are numbers are process ids, others are not`() throws {
    let path = try directory()
    for name in ["1", "4194304", "self", "12x", "12345678901234567890", "0"] {
      try HostFiles.replace(path + "/" + name, with: [])
    }
    var ids: [UInt32] = [99]
    try HostFiles.numbers(path, into: &ids, limit: 100)
    #expect(ids.sorted() == [0, 1, 4_194_304])
    try HostFiles.numbers(path, into: &ids, limit: 2)
    #expect(ids.count == 2)
    #expect(try HostFiles.entryCount(path) == 6)
    #expect(throws: FileError.self) { try HostFiles.entryCount(path + "/none") }
  }

  @Test func `A file system tells its size, and its used share is df's`() throws {
    let usage = try FileSystemUsage.of("/")
    #expect(usage.totalBytes > 0 && usage.availableBytes <= usage.freeBytes)
    #expect((0...100).contains(usage.usedPercent))
    var reserved = FileSystemUsage()
    reserved.totalBytes = 100
    reserved.freeBytes = 30
    reserved.availableBytes = 20
    #expect(abs(reserved.usedPercent - 77.78) < 0.01)
    #expect(FileSystemUsage().usedPercent.isNaN)
    #expect(throws: FileError.self) { try FileSystemUsage.of("/none/such") }
  }

  @Test func `The machine knows itself`() {
    #expect(Machine.pageSizeBytes() >= 4096 && Machine.pageSizeBytes().nonzeroBitCount == 1)
    #expect(!Machine.architecture().isEmpty)
    #expect(Machine.cpuNs() > 0)
    #expect(Machine.environment("PATH")?.isEmpty == false)
    #expect(Machine.environment("SIGNALBOX_NO_SUCH_VARIABLE") == nil)
  }
}
