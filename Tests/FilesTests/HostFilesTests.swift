import Files
import Testing

@Suite struct HostFilesTests {
  @Test func replacedFileIsReadBackWhole() throws {
    let directory = "/tmp/signalbox-files-\(HostFiles.randomBytes(4).map(String.init).joined())"
    try HostFiles.makeDirectory(directory + "/deep/er")
    let path = directory + "/deep/er/file"
    let content = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    try HostFiles.replace(path, with: content)
    #expect(try HostFiles.read(path) == content)
    #expect(try HostFiles.list(HostFiles.directory(of: path)) == ["file"])
    #expect(try FileStatus.of(path: path).sizeBytes == 70_000)
    #expect(try HostFiles.remove(path))
    #expect(try !HostFiles.remove(path))
  }

  @Test func missingFileSaysWhichAndWhy() {
    let error = #expect(throws: FileError.self) { try HostFiles.read("/nonexistent/file") }
    #expect(error?.isNotFound == true)
    #expect(error?.description == "cannot open /nonexistent/file: No such file or directory")
  }
}
