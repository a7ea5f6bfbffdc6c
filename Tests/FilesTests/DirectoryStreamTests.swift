import Files
import Foundation
import Testing

@Suite struct DirectoryStreamTests {
  private static func scratch() throws -> String {
    let directory = "/tmp/signalbox-directory-\(HostFiles.randomBytes(6).map(String.init).joined())"
    try HostFiles.makeDirectory(directory)
    return directory
  }

  @Test func namesComeInPartsAndEachOnce() throws {
    let directory = try Self.scratch()
    defer { try? HostFiles.removeTree(directory) }
    for number in 0..<100 { try HostFiles.replace(directory + "/f\(number)", with: [1, 2]) }
    try HostFiles.makeDirectory(directory + "/below")
    try HostFiles.link(directory + "/f0", at: directory + "/link")
    let stream = try DirectoryStream(directory)
    var entries: [DirectoryStream.Entry] = []
    while true {
      let part = stream.next(7)
      #expect(part.count <= 7)
      if part.isEmpty { break }
      entries += part
    }
    #expect(Set(entries.map(\.name)).count == 102 && entries.count == 102)
    #expect(try stream.status(of: "below", followingLinks: false).kind == .directory)
    #expect(try stream.status(of: "link", followingLinks: false).kind == .link)
    #expect(try stream.status(of: "link", followingLinks: true).sizeBytes == 2)
    #expect(stream.realPath == directory)
    #expect(throws: FileError.self) { try stream.status(of: "missing", followingLinks: false) }
    #expect(throws: FileError.self) { try DirectoryStream(directory + "/missing") }
  }

  @Test func theDataBehindAHoleIsFound() throws {
    let directory = try Self.scratch()
    defer { try? HostFiles.removeTree(directory) }
    let file = try Descriptor.open(directory + "/sparse", .update)
    try file.write([65].span, at: 1 << 30)
    let data = file.nextData(from: 0)
    #expect(data.map { $0 <= 1 << 30 } == true)
    #expect(file.nextData(from: (1 << 30) + 1) == nil)
    try file.truncate(to: 1 << 31)
    let behind = file.nextData(from: (1 << 30) + (1 << 20))
    // A file system without holes gives the offset itself.
    #expect(behind == nil || behind == (1 << 30) + (1 << 20))
  }

  /// A user may set a file's times to any: the difference to now must be a number all the same.
  @Test(arguments: [1.5e10, -1.5e10]) func timesBeyondWhatNanosecondsHoldAreTheLargest(seconds: Double) throws {
    let directory = try Self.scratch()
    defer { try? HostFiles.removeTree(directory) }
    let path = directory + "/far"
    try HostFiles.replace(path, with: [1])
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: seconds)], ofItemAtPath: path)
    let modifiedNs = try FileStatus.of(path: path).modifiedNs
    #expect(!Clock.wallNs().subtractingReportingOverflow(modifiedNs).overflow)
    #expect(abs(modifiedNs) <= .max / 2)
  }
}
