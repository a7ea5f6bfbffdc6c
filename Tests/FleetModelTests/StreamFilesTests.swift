import FleetModel
import TestSupport
import Testing

/// Both ends of a stream forget names on their own, and never so that one of them is missing.
@Suite struct StreamFilesTests {
  private static func file(_ number: Int, pathBytes: Int, generation: Int = 0) -> FileIdentity {
    var file = FileIdentity(
      key: FileKey(high: 0, low: UInt64(number)), path: "/" + String(repeating: "p", count: pathBytes - 1))
    file.generation = UInt32(generation)
    return file
  }

  /// As many files as `**` can find, with short and with the longest paths, again and again, some renamed, some finished.
  @Test(arguments: [12, 200, 4096]) func everyKeyIsKnown(pathBytes: Int) throws {
    var random = SplitMix(seed: 7)
    var agent = AnnouncedFiles()
    var collector = NamedFiles()
    var (keysAlone, most) = (0, 0)
    for _ in 0..<60_000 {
      let number = Int.random(in: 0..<(Bool.random(using: &random) ? 100 : 30_000), using: &random)
      let generation = Int.random(in: 0..<20, using: &random) == 0 ? 1 : 0
      let file = Self.file(number, pathBytes: pathBytes, generation: generation)
      let sent = agent.announce(file)
      if sent.path.isEmpty {
        keysAlone += 1
        let known = try #require(collector[sent.key])
        #expect(known == file)
      } else {
        collector.name(sent)
      }
      if Int.random(in: 0..<10, using: &random) == 0 {
        agent.finished(file.key)
        collector.finished(file.key)
      }
      most = max(most, collector.count)
    }
    #expect(keysAlone > 1000)
    #expect(most <= 2 * StreamFileLimits.files)
    #expect(most * pathBytes <= 2 * (StreamFileLimits.pathBytes + pathBytes))
  }
}
