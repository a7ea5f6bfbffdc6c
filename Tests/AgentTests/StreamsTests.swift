import FleetModel
import Files
import Testing

@testable import Agent

@Suite struct StreamsTests {
  private static let streams = FollowedStreams(inbox: "/state/inbox", journal: "/state/journal")

  @Test(
    arguments: [
      ("/state/inbox/train.00000000000000000001.log", "pipe:train"),
      ("/state/inbox/train.v2.1.done", "pipe:train.v2"),
      ("/state/journal/ssh.service.00000000000000000007.log", "journal:ssh.service"),
      ("/state/journal/all.7.log", "journal"),
      ("/state/inbox/below/train.1.log", "/state/inbox/below/train.1.log"),
      ("/state/inbox/train.log", "/state/inbox/train.log"), ("/srv/a.1.log", "/srv/a.1.log"),
    ])
  func segmentsAreShownUnderTheNameOfTheirStream(_ path: String, _ shown: String) {
    #expect(Self.streams.shown(path) == shown)
    let back = Self.streams.path(ofShown: shown)
    #expect(Self.streams.shown(back) == shown)
    if shown != path { #expect(HostFiles.directory(of: back) == HostFiles.directory(of: path)) }
  }

  @Test(arguments: ["", ".", "..", ".hidden", "a/b", "a b", "a:b", "é", String(repeating: "a", count: 201)])
  func aNameThatIsNoFilesIsRefused(_ name: String) { #expect(!FollowedStreams.isName(name)) }

  @Test(arguments: ["train", "user@1000.service", "dev-disk-by\\x2duuid.device"])
  func namesOfUnitsAreTaken(_ name: String) { #expect(FollowedStreams.isName(name)) }

  // MARK: Journal

  private struct Row: Equatable {
    var text: String
    var level: Level
    var timeUs: Int64
    var flags: LineFlags
  }

  private static func rows(_ text: String, namesUnits: Bool = false) -> (rows: [Row], delta: FileDelta, taken: Int) {
    let file = FileIdentity(key: FileKey(high: 1, low: 1), path: "/state/journal/all.1.log")
    var reader = JournalReader(
      ReaderContext(file: file, offset: 0, head: [], preceding: []), redactor: Redactor(), zone: { _ in 0 },
      namesUnits: namesUnits)
    var delta = FileDelta(file: file, from: 0, to: 0)
    let bytes = Array(text.utf8)
    let taken = reader.read(bytes.span, at: 0, isFinal: false, nowNs: 5_000, budget: .max, into: &delta)
    var rows: [Row] = []
    var at = 0
    for index in 0..<delta.lines.count {
      let end = at + Int(delta.lines.lengths[index])
      rows.append(
        Row(
          text: String(decoding: delta.lines.text[at..<end], as: UTF8.self),
          level: Level(rawValue: delta.lines.levels[index]) ?? .unknown, timeUs: delta.lines.timesUs[index],
          flags: LineFlags(rawValue: delta.lines.flags[index])))
      at = end
    }
    return (rows, delta, taken)
  }

  /// As journalctl 252 printed them.
  private static let printed = """
    {"MESSAGE":"number 4 of the journal","__REALTIME_TIMESTAMP":"1763700000004000","SYSLOG_IDENTIFIER":"python","PRIORITY":"4","_SYSTEMD_UNIT":"train.service","__CURSOR":"s=6c29;i=4;b=0123;m=fa0;t=6441;x=6b82","_BOOT_ID":"0123","__MONOTONIC_TIMESTAMP":"4000"}
    {"__MONOTONIC_TIMESTAMP":"5000","__CURSOR":"s=6c29;i=5;b=0123;m=1388;t=6441;x=1089","__REALTIME_TIMESTAMP":"1763700000005000","MESSAGE":[116,119,111,10,108,105,110,101,115,32,255],"PRIORITY":"5","_BOOT_ID":"0123","SYSLOG_IDENTIFIER":"python","_SYSTEMD_UNIT":"train.service"}

    """

  @Test func anEntryBecomesARowWithItsTimeAndLevel() {
    let (rows, delta, taken) = Self.rows(Self.printed)
    #expect(
      rows == [
        Row(text: "number 4 of the journal", level: .warn, timeUs: 1_763_700_000_004_000, flags: .timed),
        Row(
          text: "two\nlines \u{fffd}", level: .info, timeUs: 1_763_700_000_005_000,
          flags: [.timed, .repaired, .joined]),
      ])
    #expect(taken == Self.printed.utf8.count)
    #expect(delta.lines.firstOffset == 0)
    #expect(delta.lines.advances.reduce(0, +) == UInt32(taken))
  }

  @Test func theWholeJournalTellsWhoWrote() {
    #expect(Self.rows(Self.printed, namesUnits: true).rows.first?.text == "train.service: number 4 of the journal")
  }

  @Test func whatAServicePrintsHasItsOwnLevelAndNoSecret() {
    let entry =
      #"{"__CURSOR":"c","PRIORITY":"6","MESSAGE":"2025-05-14 22:06:26,210 - ERROR - api_key=AbCdEf0123456789xyz failed"}"#
    let row = Self.rows(entry + "\n").rows.first
    #expect(row?.level == .error)
    #expect(row?.flags.contains(.redacted) == true)
    #expect(row?.text.contains("AbCdEf0123456789xyz") == false)
  }

  @Test(arguments: [
    "{\"MESSAGE\":\"no cursor\"}", "An entry of 2000000 bytes was left out: it is too long.", "{\"a", "{}",
  ])
  func whatIsNoEntryIsSeenAllTheSame(_ line: String) {
    let rows = Self.rows(line + "\n").rows
    #expect(rows.count == 1)
    #expect(rows.first?.text == line)
    #expect(rows.first?.flags.contains(.malformed) == true)
  }

  @Test func halfAnEntryWaits() {
    let (rows, _, taken) = Self.rows(Self.printed + "{\"__CURSOR\":\"c\",\"MESS")
    #expect(rows.count == 2)
    #expect(taken == Self.printed.utf8.count)
  }

  // MARK: Segments

  private static func withDirectory(_ body: (String) throws -> Void) throws {
    let directory = "/tmp/signalbox-streams-\(Clock.monotonicNs())-\(UInt64.random(in: 0..<1 << 40))"
    try HostFiles.makeDirectory(directory)
    defer { try? HostFiles.removeTree(directory) }
    try body(directory)
  }

  private static func segments(_ directory: String) throws -> [String] {
    try HostFiles.list(directory).map { directory + "/" + $0 }.sorted()
  }

  @Test func segmentsAreCutBetweenLinesAndHoldEverything() throws {
    try Self.withDirectory { directory in
      let writer = SegmentWriter(directory: directory, name: "a", serial: 1, segmentBytes: 100, limitBytes: 1 << 20)
      var all: [UInt8] = []
      for number in 0..<200 {
        // Pieces end anywhere.
        let text = Array("line \(number) of a stream\nhalf a l".utf8)
        try writer.append(text.span)
        all += text
      }
      let paths = try Self.segments(directory)
      #expect(paths.count > 20)
      var read: [UInt8] = []
      for path in paths {
        let bytes = try HostFiles.read(path)
        #expect(path == paths.last || bytes.last == UInt8(ascii: "\n"))
        read += bytes
      }
      #expect(read == all)
    }
  }

  @Test func theLimitHoldsAndTakenSegmentsMakeRoom() throws {
    try Self.withDirectory { directory in
      let writer = SegmentWriter(directory: directory, name: "a", serial: 1, segmentBytes: 1000, limitBytes: 4000)
      let line = Array((String(repeating: "x", count: 99) + "\n").utf8)
      var written = 0
      while writer.hasRoom(for: line.count) {
        try writer.append(line.span)
        written += line.count
      }
      #expect(written == 4000)
      try HostFiles.remove(try #require(try Self.segments(directory).first))
      #expect(writer.hasRoom(for: line.count))
    }
  }

  @Test func aLineCutByAKillIsRemovedBecauseItComesAgain() throws {
    try Self.withDirectory { directory in
      let path = FollowedStreams.segment(directory, "a", serial: 3)
      try Descriptor.open(path, .append).write(Array("one\ntwo\nthr".utf8).span)
      let writer = SegmentWriter(directory: directory, name: "a", serial: 4, limitBytes: 1 << 20)
      try writer.adopt([path])
      try writer.append(Array("three\n".utf8).span)
      #expect(String(decoding: try HostFiles.read(path), as: UTF8.self) == "one\ntwo\nthree\n")
    }
  }

  @Test func aSegmentIsLockedAsLongAsItsWriterLives() throws {
    try Self.withDirectory { directory in
      var writer: SegmentWriter? = SegmentWriter(directory: directory, name: "a", serial: 1, limitBytes: 1 << 20)
      try writer?.append(Array("one\n".utf8).span)
      let path = try #require(try Self.segments(directory).first)
      #expect(try !Descriptor.open(path, .read).lockForWriting())
      writer = nil
      #expect(try Descriptor.open(path, .read).lockForWriting())
    }
  }
}
