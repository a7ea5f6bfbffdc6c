import Files
import Testing

@Suite struct DirectoryLockTests {
  @Test func `A directory is one holder's until that ends, and names it`() throws {
    let path = "/tmp/signalbox-lock-\(HostFiles.randomBytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })"
    try HostFiles.makeDirectory(path)
    defer { try? HostFiles.removeTree(path) }
    do {
      let first = try DirectoryLock.take(path)
      let isHeld = first != nil
      #expect(isHeld)
      let second = try DirectoryLock.take(path)
      let isRefused = second == nil
      #expect(isRefused)
      #expect(DirectoryLock.isHeld(path))
      #expect(DirectoryLock.holder(path) == " (process \(Process.id))")
      _ = consume first
    }
    #expect(!DirectoryLock.isHeld(path) && !DirectoryLock.isHeld(path + "/none"))
    let third = try DirectoryLock.take(path)
    let isFree = third != nil
    #expect(isFree)
    #expect(throws: FileError.self) { _ = try DirectoryLock.take(path + "/none") }
  }
}
