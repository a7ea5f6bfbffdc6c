import FleetModel
import Testing

@testable import Agent

@Suite struct FollowingLogReaderTests {
  private func reader(offset: UInt64 = 0, preceding: String = "", predecessor: String = "") -> LogReader {
    let file = FileIdentity(key: FileKey(high: 1, low: 1), path: "/logs/a.log")
    return LogReader(
      ReaderContext(
        file: file, offset: offset, head: [], preceding: Array(preceding.utf8), predecessorTail: Array(predecessor.utf8)
      ),
      redactor: Redactor(), zone: { _ in 7200 })
  }

  struct Row: Equatable {
    var text: String
    var level: Level
    var timeUs: Int64
    var flags: LineFlags
    init(_ text: String, _ level: Level = .unknown, timeUs: Int64 = 1000, _ flags: LineFlags = []) {
      self.text = text
      self.level = level
      self.timeUs = timeUs
      self.flags = flags
    }
  }

  private func rows(_ delta: FileDelta) -> [Row] {
    var at = 0
    return (0..<delta.lines.count).map { index in
      defer { at += Int(delta.lines.lengths[index]) }
      return Row(
        String(decoding: delta.lines.text[at..<at + Int(delta.lines.lengths[index])], as: UTF8.self),
        Level(rawValue: delta.lines.levels[index])!, timeUs: delta.lines.timesUs[index],
        LineFlags(rawValue: delta.lines.flags[index]))
    }
  }

  /// Reads everything at once.
  private func read(_ bytes: [UInt8], _ reader: LogReader, isFinal: Bool = true) -> (rows: [Row], taken: Int) {
    var reader = reader
    var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 1), path: ""), from: 0, to: 0)
    let taken = reader.read(
      bytes.span, at: 0, isFinal: isFinal, nowNs: 1_000_000, budget: .max, into: &delta)
    return (rows(delta), taken)
  }

  private func read(_ text: String, isFinal: Bool = true) -> [Row] {
    read(Array(text.utf8), reader(), isFinal: isFinal).rows
  }

  @Test func aMarkAtTheFilesStartIsNoneOfTheText() {
    let mark = "\u{feff}"
    let found = read(mark + "2025-05-14 22:06:26 DEBUG x\n" + mark + "second\n")
    #expect(found.first?.text.unicodeScalars.starts(with: "2025-05-14".unicodeScalars) == true)
    #expect(found.first?.level == .debug)
    #expect(read(mark + "no newline").first?.text == "no newline")
    #expect(read("a\n" + mark + "b\n").last?.text.unicodeScalars.contains("\u{feff}") == true)
    // Every byte of the file belongs to a row.
    var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 1), path: ""), from: 0, to: 0)
    var whole = reader()
    let bytes = Array((mark + "x\n").utf8)
    #expect(whole.read(bytes.span, at: 0, isFinal: true, nowNs: 0, budget: .max, into: &delta) == 5)
    #expect(delta.lines.advances == [5] && delta.lines.lengths == [1])
  }

  // MARK: Times and levels

  private static let heads: [(String, Int64?, Level)] = [
    ("2025-05-14 22:06:26,210 - INFO - PATCH: Number of episodes in buffer: 2", 1_747_253_186_210_000, .info),
    ("2025-05-14 22:06:26,210 - trainer.ppo_agent - ERROR - failed", 1_747_253_186_210_000, .error),
    ("2025-05-14 22:06:26,210 - WARNING - slow", 1_747_253_186_210_000, .warn),
    ("2025-05-14 22:06:26 DEBUG x", 1_747_253_186_000_000, .debug),
    ("2025-05-14T22:06:26.123456Z info: started", 1_747_260_386_123_456, .info),
    ("2025-05-14T22:06:26+05:30 CRITICAL gone", 1_747_240_586_000_000, .error),
    ("2025-05-14T22:06:26.5-0700 [warning] x", 1_747_285_586_500_000, .warn),
    ("2025/05/14 22:06:26 ERROR x", 1_747_253_186_000_000, .error),
    ("[2025-05-14 22:06:26,210] [INFO] [engine.py:12] x", 1_747_253_186_210_000, .info),
    ("[2025-05-14 22:06:26,210][trainer][WARNING] x", 1_747_253_186_210_000, .warn),
    ("INFO 2025-05-14 22:06:26,210 worker.py:1529 -- x", 1_747_253_186_210_000, .info),
    ("[INFO] 2025-05-14 22:06:26,210 x", 1_747_253_186_210_000, .info),
    ("(RolloutWorker pid=123) 2025-05-14 22:06:26,210 WARNING x", 1_747_253_186_210_000, .warn),
    ("2025-05-14 22:06:26.210 | SUCCESS  | module:function:12 - x", 1_747_253_186_210_000, .info),
    ("I0514 22:06:26.210000   12345 file.cc:12] x", 1_747_253_186_210_000, .info),
    ("E0514 22:06:26.210000       1 main.go:12] x", 1_747_253_186_210_000, .error),
    ("May 14 22:06:26 gpu-07 kernel: NVRM: Xid", 1_747_253_186_000_000, .unknown),
    ("May  4 02:06:26 gpu-07 app[1]: ERROR x", 1_746_317_186_000_000, .error),
    (
      "{\"timestamp\": \"2025-05-14T22:06:26.210Z\", \"level\": \"error\", \"message\": \"x\"}", 1_747_260_386_210_000,
      .error
    ),
    ("{\"ts\": 1747260386.25, \"severity\": \"WARNING\", \"a\": {\"level\": \"debug\"}}", 1_747_260_386_250_000, .warn),
    ("{\"level\": 40, \"time\": 1747260386250, \"msg\": \"a \\\" b\"}", 1_747_260_386_250_000, .error),
    ("time=\"2025-05-14T22:06:26Z\" level=warning msg=x", 1_747_260_386_000_000, .warn),
    ("INFO:root:started", nil, .info), ("WARNING: something", nil, .warn), ("[ERROR] something", nil, .error),
    ("an ordinary line with an ERROR in it", nil, .unknown), ("Episode 12 finished", nil, .unknown),
    ("", nil, .unknown),
    ("2025-13-14 22:06:26 INFO x", nil, .unknown), ("2025-05-14 25:06:26 x", nil, .unknown),
    ("9999-99-99 99:99:99 x", nil, .unknown), ("{\"level", nil, .unknown), ("{}", nil, .unknown),
  ]

  @Test(arguments: heads.indices) func timeAndLevelAreRead(_ index: Int) {
    let (line, timeUs, level) = Self.heads[index]
    var parser = LineHeadParser(zone: { _ in 7200 })
    let bytes = Array(line.utf8)
    let head = parser.parse(bytes.span, 0..<bytes.count, nowNs: 1_747_260_400_000_000_000)
    #expect(head == LineHead(timeUs: timeUs, level: level), "\(line)")
    // Cut anywhere it is still a line, and never a trap.
    for end in bytes.indices { _ = parser.parse(bytes.span, 0..<end, nowNs: 0) }
  }

  // MARK: Lines

  @Test func tracebackGoesToItsRecord() {
    let text = """
      2025-05-14 22:06:26,210 - INFO - before
      2025-05-14 22:06:26,211 - ERROR - PATCH: Exception
      Traceback (most recent call last):
        File "a.py", line 1, in f
          g()
      ValueError: bad

      During handling of the above exception, another exception occurred:

      Traceback (most recent call last):
        File "b.py", line 2
      KeyError: 'x'
      2025-05-14 22:06:26,212 - INFO - after

      """
    let rows = read(text)
    #expect(rows.count == 3)
    #expect(rows[1].text.hasSuffix("KeyError: 'x'"))
    #expect(rows[1].flags == [.timed, .joined])
    #expect(rows[1].level == .error)
    #expect(rows[1].text.split(separator: "\n", omittingEmptySubsequences: false).count == 11)
  }

  @Test func tracebackWithoutARecordIsARowOfItsOwn() {
    let rows = read("epoch 1\nTraceback (most recent call last):\n  File \"a.py\", line 1\nValueError: bad\nepoch 2\n")
    #expect(
      rows.map(\.text) == [
        "epoch 1", "Traceback (most recent call last):\n  File \"a.py\", line 1\nValueError: bad", "epoch 2",
      ])
    #expect(rows.map(\.level) == [.unknown, .error, .unknown])
  }

  @Test func errorIsHeldUntilItIsKnownThatNoTracebackFollows() {
    let text = Array("2025-05-14 22:06:26,210 - INFO - a\n2025-05-14 22:06:26,211 - ERROR - b\n".utf8)
    let held = read(text, reader(), isFinal: false)
    #expect(held.rows.map(\.text.count) == [34])
    #expect(held.taken == 35)
    #expect(read(text, reader()).rows.count == 2)
  }

  @Test func traceInTheNextFileKeepsTimeAndLevelOfItsRecord() {
    let old = "2025-05-14 22:06:26,211 - ERROR - b\nTraceback (most recent call last):\n  File \"a.py\", line 1\n"
    let rest = Array("ValueError: bad\n2025-05-14 22:06:27,000 - INFO - c\n".utf8)
    for reader in [reader(predecessor: old), reader(offset: UInt64(old.utf8.count), preceding: old)] {
      let rows = read(rest, reader).rows
      #expect(rows.count == 2)
      #expect(
        rows[0] == Row("ValueError: bad", .error, timeUs: 1_747_253_186_211_000, [.timed, .joined, .continuation]))
    }
  }

  @Test func progressBarIsCollapsedToItsLastState() {
    #expect(read("0%\r50%\r100%\nnext\r\n") == [Row("100%", .unknown, .joined), Row("next")])
    #expect(read("10%\r20%\r") == [Row("20%", .unknown, [.joined, .partial])])
    let bar = Array(String(repeating: "step 123/1000\r", count: 10_000).utf8)
    let (rows, taken) = read(bar, reader(), isFinal: false)
    #expect(taken >= bar.count - 15)
    #expect(rows.last?.text == "step 123/1000")
  }

  /// What the screen shows last is the text; the record's own head says when and how grave, wherever in the line it stands.
  private static let rewritten: [(line: String, text: String, level: Level, second: Int64?)] = [
    (
      "2025-05-14 22:06:26 INFO epoch 1\r2025-05-14 22:06:31 ERROR failed", "2025-05-14 22:06:31 ERROR failed", .error,
      31
    ),
    ("2025-05-14 22:06:26 WARNING loading: 10%\rloading: 20%\rloading: 100%", "loading: 100%", .warn, 26),
    ("2025-05-14 22:06:26 INFO loading\rERROR: failed", "ERROR: failed", .error, 26),
    ("  5%|5 | 5/100 [00:01<00:19]\r2025-05-14 22:06:31 ERROR failed", "2025-05-14 22:06:31 ERROR failed", .error, 31),
    // tqdm does not end its line before another writer goes on.
    (
      "\r  5%|▌    | 5/100 [00:01<00:19,  5.00it/s, loss=[1, 2]]2025-05-14 22:06:31 ERROR failed",
      "2025-05-14 22:06:31 ERROR failed", .error, 31
    ),
    ("\rTrain:  5%|▌ | 5/100 [00:01<00:19]WARNING: slow", "WARNING: slow", .warn, nil),
    ("\r5it [00:01,  5.00it/s]2025-05-14 22:06:31 ERROR failed", "2025-05-14 22:06:31 ERROR failed", .error, 31),
    ("\r  5%|▌ | 5/100 [00:01<00:19, loss=[1, 2]]", "  5%|▌ | 5/100 [00:01<00:19, loss=[1, 2]]", .unknown, nil),
    // Several returns before the newline; a bar that is cleared.
    ("2025-05-14 22:06:26 ERROR failed\r\r", "2025-05-14 22:06:26 ERROR failed", .error, 26),
    ("2025-05-14 22:06:26 ERROR failed\r        \r", "2025-05-14 22:06:26 ERROR failed", .error, 26),
    ("2025-05-14 22:06:26 ERROR failed\u{1b}[2K\r", "2025-05-14 22:06:26 ERROR failed", .error, 26),
    ("bar\r\u{1b}[K2025-05-14 22:06:31 ERROR failed", "\u{1b}[K2025-05-14 22:06:31 ERROR failed", .error, 31),
    ("bar\u{1b}[2K\r2025-05-14 22:06:31 ERROR failed", "2025-05-14 22:06:31 ERROR failed", .error, 31),
    ("bar\u{1b}[1A\u{1b}[2K2025-05-14 22:06:31 ERROR failed", "2025-05-14 22:06:31 ERROR failed", .error, 31),
    ("\r  5%|▌ | 5/9\u{1b}[A2025-05-14 22:06:31 ERROR failed", "2025-05-14 22:06:31 ERROR failed", .error, 31),
    // Colours move nothing.
    (
      "\u{1b}[31m\u{1b}[K2025-05-14 22:06:31\u{1b}[m\u{1b}[K ERROR failed",
      "\u{1b}[31m\u{1b}[K2025-05-14 22:06:31\u{1b}[m\u{1b}[K ERROR failed", .error, 31
    ),
  ]

  @Test(arguments: rewritten.indices) func rewrittenLineKeepsTimeAndLevel(_ index: Int) throws {
    let (line, text, level, second) = Self.rewritten[index]
    let timeUs = second.map { 1_747_253_160_000_000 + $0 * 1_000_000 } ?? 1000
    for end in ["\n", "\r\n", "\r\r\n"] {
      let row = try #require(read("before\n" + line + end + "after\n").dropFirst().first)
      #expect(row.text == text && row.level == level && row.timeUs == timeUs, "\(line)")
      #expect(row.flags.contains(.timed) == (second != nil))
    }
    // After its first part was sent, as that of a bar which stood still.
    guard let cut = line.firstIndex(of: "\r"), line[cut...].contains("2025-05-14 22:06:31") else { return }
    var reader = reader()
    var last: Row?
    for part in [String(line[..<cut]) + (cut == line.startIndex ? " 4%|" : ""), String(line[cut...]) + "\n"] {
      var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 1), path: ""), from: 0, to: 0)
      let bytes = Array(part.utf8)
      #expect(
        reader.read(bytes.span, at: 0, isFinal: true, nowNs: 1_000_000, budget: .max, into: &delta) == bytes.count)
      last = rows(delta).last
    }
    #expect(last?.text == text && last?.level == level && last?.timeUs == timeUs, "\(line)")
  }

  @Test func tracebackBehindABarIsOne() {
    let rows = read(
      "\r  5%|▌ | 5/9 [00:01<00:01]Traceback (most recent call last):\n  File \"a.py\", line 1\nValueError: bad\nepoch 2\n"
    )
    #expect(
      rows.map(\.text) == [
        "Traceback (most recent call last):\n  File \"a.py\", line 1\nValueError: bad", "epoch 2",
      ])
    #expect(rows[0].level == .error)
  }

  @Test func brokenTextIsRepairedAndMarked() {
    #expect(
      read([0x61, 0xff, 0x62, 0x0a, 0x63, 0, 0x64, 0x0a], reader()).rows == [
        Row("a\u{fffd}b", .unknown, .repaired), Row("c\u{fffd}d", .unknown, .repaired),
      ])
    #expect(read("Grüße 漢字 🚀\n") == [Row("Grüße 漢字 🚀")])
    // Surrogates and overlong forms are no characters.
    #expect(read([0xed, 0xa0, 0x80, 0xc0, 0x80, 0x0a], reader()).rows.first?.flags == .repaired)
  }

  @Test func longLineIsCutBetweenCharactersAndItsRestLeftOut() {
    let long = String(repeating: "ä", count: 100_000)
    let rows = read("a\n" + long + "\nb\n")
    #expect(rows.map(\.text.utf8.count) == [1, 65_536, 1])
    #expect(rows[1].flags == .truncated)
    let odd = read("x" + long + "\n")
    #expect(odd[0].text.utf8.count == 65_535)
    #expect(odd[0].flags == .truncated)
  }

  @Test func endlessLineIsTakenInPartsAndShownOnce() {
    var reader = reader()
    let part = [UInt8](repeating: UInt8(ascii: "x"), count: 100_000)
    var all: [Row] = []
    for bytes in [part, part, part, Array("end\nnext\n".utf8)] {
      var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 1), path: ""), from: 0, to: 0)
      let taken = reader.read(bytes.span, at: 0, isFinal: false, nowNs: 1_000_000, budget: .max, into: &delta)
      #expect(taken == bytes.count)
      all += rows(delta)
    }
    #expect(all.map(\.text.count) == [65_536, 4])
  }

  @Test func partialLineNeverEndsInsideACharacter() {
    let bytes = Array("abc 🚀".utf8)
    for end in 1...bytes.count {
      let (rows, taken) = read(Array(bytes[..<end]), reader())
      let expected = end <= 4 ? end : end == 8 ? 8 : 4
      #expect(taken == expected)
      #expect(rows.first?.flags == .partial)
    }
    let rest = read(Array("def\nnext\n".utf8), reader(offset: 3, preceding: "abc")).rows
    #expect(rest == [Row("def", .unknown, .continuation), Row("next")])
    #expect(read(Array("\nnext\n".utf8), reader(offset: 3, preceding: "abc")).rows == [Row("next")])
  }

  @Test func keyThatSpansLinesIsGoneFromAllOfThem() {
    let key =
      "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----\nafter\n"
    let rows = read("before\n" + key)
    #expect(
      rows.map(\.text) == ["before", "[redacted:pem]", "[redacted:pem]", "[redacted:pem]", "[redacted:pem]", "after"])
    let all = Array(("before\n" + key).utf8)
    for cut in 8..<all.count where all[cut - 1] == UInt8(ascii: "\n") {
      let before = String(decoding: all[..<cut], as: UTF8.self)
      let rest = read(Array(all[cut...]), reader(offset: UInt64(cut), preceding: before)).rows
      #expect(!rest.contains { $0.text.contains("MII") || $0.text.contains("BKc") })
      #expect(rest.last?.text == "after")
    }
  }

  // MARK: Any bytes, cut anywhere

  /// A plain splitter: what the reader must agree with as far as lines go.
  private func reference(_ bytes: [UInt8]) -> [String] {
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
    lines.removeLast()
    return lines.map { line in
      var line = line
      while line.last == UInt8(ascii: "\r") { line.removeLast() }
      // A state of blanks alone clears the one before it, and shows nothing.
      let states = line.split(separator: UInt8(ascii: "\r"), omittingEmptySubsequences: false).map(Array.init)
      line = states.last { $0.contains { $0 != 0 && $0 != UInt8(ascii: " ") } } ?? states.last ?? []
      // A hole before it.
      line = Array(line.drop { $0 == 0 })
      return line.contains(0) || String(validating: line, as: UTF8.self) == nil
        ? "repaired" : String(decoding: line, as: UTF8.self)
    }
  }

  private func random(_ keys: KeyGenerator, _ count: Int) -> [UInt8] {
    let alphabet: [UInt8] = Array("ab c\n\n\r=:-.[".utf8) + [0, 0xc3, 0xa4, 0xe6, 0xbc, 0xa2, 0xff]
    return (0..<count).map { _ in alphabet[keys.below(alphabet.count)] }
  }

  @Test(arguments: 0..<40) func anyBytesSplitAnywhereGiveTheSameLines(_ seed: Int) {
    let keys = KeyGenerator(seed: UInt64(seed))
    let bytes = random(keys, 200) + [0x0a]
    let expected = reference(bytes)
    let whole = read(bytes, reader()).rows
    #expect(whole.map { $0.flags.contains(.repaired) ? "repaired" : $0.text } == expected, "seed \(seed)")
    for cut in 0...bytes.count {
      var reader = reader()
      var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 1), path: ""), from: 0, to: 0)
      let first = reader.read(
        bytes.span.extracting(0..<cut), at: 0, isFinal: false, nowNs: 1_000_000, budget: .max, into: &delta)
      let second = reader.read(
        bytes.span.extracting(first..<bytes.count), at: UInt64(first), isFinal: false, nowNs: 1_000_000, budget: .max,
        into: &delta)
      #expect(first + second == bytes.count)
      #expect(rows(delta) == whole, "seed \(seed) cut \(cut)")
      #expect(delta.lines.advances.reduce(Int(delta.lines.firstOffset)) { $0 + Int($1) } == bytes.count)
    }
  }

  /// The rest of a file, read by a reader that starts in the middle of it after a partial line was sent.
  @Test(arguments: 0..<20) func truncationAtEveryByteLosesNothing(_ seed: Int) {
    let keys = KeyGenerator(seed: UInt64(1000 + seed))
    let bytes = random(keys, 120) + [0x0a]
    for cut in 1..<bytes.count {
      var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 1), path: ""), from: 0, to: 0)
      var early = reader()
      let taken = early.read(
        bytes.span.extracting(0..<cut), at: 0, isFinal: true, nowNs: 1_000_000, budget: .max, into: &delta)
      #expect(taken <= cut && taken > 0)
      var late = LogReader(
        ReaderContext(
          file: delta.file, offset: UInt64(taken), head: [], preceding: Array(bytes[..<taken])), redactor: Redactor(),
        zone: { _ in 7200 })
      let rest = late.read(
        bytes.span.extracting(taken..<bytes.count), at: UInt64(taken), isFinal: true, nowNs: 1_000_000, budget: .max,
        into: &delta)
      #expect(taken + rest == bytes.count)
      #expect(delta.lines.advances.reduce(0) { $0 + Int($1) } == bytes.count)
    }
  }
}
