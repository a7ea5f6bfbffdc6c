import FleetModel
import Files
import Foundation
import TestSupport
import Testing

@testable import Agent

/// TensorBoard's event files: what real writers wrote, compared with what TensorBoard's own loader reads of it.
@Suite struct EventReaderTests {
  private struct Row: Decodable {
    var step: Int64
    var time: Double
    var metrics: [Metric]

    struct Metric: Decodable {
      var name: String
      var value: Double

      init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        name = try list.decode(String.self)
        value = try list.decode(Double.self)
      }
    }
  }

  private static let files = [
    "classic/PPO_1/events.out.tfevents.1795300000.host", "classic/PPO_1/events.out.tfevents.1795300001.host",
    "hparams/events.out.tfevents.1795300000.host", "tensors/train/events.out.tfevents.1795300000.host",
  ]

  private static func expected(_ name: String) throws -> [Row] {
    let text = try ReaderHarness(fixture: "tensorboard/expected.json").file
    let decoder = JSONDecoder()
    // As Python writes them.
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try #require(try decoder.decode([String: [Row]].self, from: Data(text))[name])
  }

  private static func expectRows(_ steps: [TrainingStep], of name: String) throws {
    // Those of a step that follow each other within a second are one row, with the time of the first.
    let rows = try expected(name)
    var at = 0
    for step in steps {
      guard at < rows.count else { break }
      #expect(step.timeNs == Int64(rows[at].time * 1e9) && step.episode == -1)
      for metric in step.metrics {
        let row = try #require(at < rows.count ? rows[at] : nil)
        let wanted = row.metrics[0]
        #expect(row.step == step.step && row.metrics.count == 1 && wanted.name == metric.name)
        #expect(metric.value == wanted.value || metric.value.isNaN && wanted.value.isNaN)
        at += 1
      }
    }
    #expect(at == rows.count && Set(steps.map(\.step)) == Set(rows.map(\.step)))
    #expect(steps.count == grouped[name])
  }

  /// Rows of each file.
  private static let grouped = Dictionary(uniqueKeysWithValues: zip(files, [60, 5, 1, 20]))

  @Test("rows are those that TensorBoard reads", arguments: files)
  func rows(_ name: String) throws {
    let file = try ReaderHarness(fixture: "tensorboard/" + name)
    #expect(file.identity.format == .eventFile)
    let delta = file.pass(isFinished: true)
    try Self.expectRows(delta.steps, of: name)
    #expect(delta.to == UInt64(file.file.count) && delta.lines.isEmpty && delta.losses.isEmpty)
    #expect(Set(delta.runs.map(\.state)) == [.running, .completed] && Set(delta.runs.map(\.run)).count == 1)
  }

  @Test("the same in pieces of 97 bytes, with one reader and with a new one for each", arguments: files)
  func pieces(_ name: String) throws {
    let file = try ReaderHarness(fixture: "tensorboard/" + name)
    for isNew in [false, true] {
      let delta = file.grown(by: 97, isNew: isNew)
      #expect(delta.to == UInt64(file.file.count) && delta.losses.isEmpty)
      try Self.expectRows(delta.steps, of: name)
    }
  }

  @Test("resumed at any record it goes on with the next", arguments: [1, 500, 5000, 20_000, 40_000, 49_000])
  func resumed(cut: Int) throws {
    let file = try ReaderHarness(fixture: "tensorboard/" + Self.files[0])
    let deltas = file.resumed(at: cut, isFinished: true)
    try Self.expectRows(deltas.flatMap(\.steps), of: Self.files[0])
    #expect(deltas.allSatisfy { $0.losses.isEmpty })
  }

  @Test("all files of a directory are one run, named by it")
  func runOfDirectory() throws {
    let runs = try Self.files.prefix(2).map { try ReaderHarness(fixture: "tensorboard/" + $0).pass().runs[0] }
    #expect(runs[0].run == runs[1].run && runs[0].run.hasPrefix("classic/PPO_1-") && runs[0].framework == "tensorboard")
  }

  @Test("parameters come from a table of text and from the plugin of hyperparameters, without their secrets")
  func parameters() throws {
    var file = try ReaderHarness(fixture: "tensorboard/" + Self.files[0])
    file.make = { EventReader(context: $0, redactor: Redactor()) }
    #expect(
      file.pass().runs[0].detail
        == #"{"detail": {"learning_rate": "0.0003", "env_id": "CartPole-v1", "api_key": "[redacted:key]"}}"#)
    let plugin = try ReaderHarness(fixture: "tensorboard/" + Self.files[2]).pass().runs.map(\.detail)
    let detail = try #require(plugin.first { $0.contains("lr") })
    for member in [#""lr": 0.001"#, #""optimizer": "adam""#, #""amsgrad": true"#] { #expect(detail.contains(member)) }
  }

  // MARK: Damage

  @Test("a record begins as the format's own tests have it")
  func vector() {
    // tensorboard/data/server/tf_record.rs, `test_from_str`.
    let record: [UInt8] =
      [24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22] + [0x09, 0, 0, 0x80, 0x38, 0x99, 0xd6, 0xd7, 0x41, 0x1a, 0x0d]
      + Array("brain.Event:2".utf8) + [0x12, 0x4b, 0x36, 0xab]
    let whole = RecordFrame.at(record.span, 0, limitBytes: 100)
    #expect(whole == .whole(data: 12..<36, end: 40, isIntact: true))
    #expect(EventFile.record(Array(record[12..<36])) == record)
    for count in 0..<40 {
      #expect(RecordFrame.at(record.span.extracting(0..<count), 0, limitBytes: 100) == .incomplete)
    }
  }

  private static func reader(_ bytes: [UInt8], isFinal: Bool = false) -> FileDelta {
    var file = ReaderHarness(bytes) { EventReader(context: $0) }
    file.path = "/srv/runs/a/events.out.tfevents.1.host"
    var delta = FileDelta(file: file.identity, from: 0, to: 0)
    var reader = file.make(file.context(at: 0, known: 0))
    delta.to = UInt64(file.read(&reader, from: 0, to: bytes.count, isFinal: isFinal, budget: .max, into: &delta))
    return delta
  }

  @Test("data that are damaged cost their record, and are a loss; a damaged length ends the file")
  func damage() throws {
    let (head, records) = (EventFile.head, (1...4).map { EventFile.scalar("loss", Float($0), step: Int64($0)) })
    var data = head + records[0]
    let start = data.count
    data += records[1]
    data[start + 20] ^= 1
    data += records[2]
    let delta = Self.reader(data, isFinal: true)
    #expect(delta.steps.map(\.step) == [1, 3] && delta.to == UInt64(data.count))
    #expect(delta.losses.map(\.reason) == [.unreadable])
    #expect(delta.losses.map(\.from) == [UInt64(start)] && delta.losses[0].to == UInt64(start + records[1].count))

    var length = head + records[0]
    length += records[1]
    length[start] ^= 1
    length += records[2] + records[3]
    let ended = Self.reader(length)
    #expect(ended.steps.map(\.step) == [1] && ended.to == UInt64(length.count))
    #expect(ended.losses.map(\.from) == [UInt64(start)] && ended.losses[0].to == UInt64(length.count))
    // Also for what comes later, by whoever reads it, though it begins with a record.
    var file = ReaderHarness(length + records[0]) { EventReader(context: $0) }
    file.path = "/srv/runs/a/events.out.tfevents.1.host"
    let later = file.resumed(at: length.count, isFinished: true)
    #expect(later.flatMap(\.steps).map(\.step) == [1])
    #expect(later[1].losses.map(\.from) == [UInt64(length.count)])
  }

  @Test("a record that is not whole is waited for; at a file's end it is a loss")
  func short() {
    let file = EventFile.head + EventFile.scalar("loss", 1, step: 1)
    for cut in EventFile.head.count..<file.count {
      let delta = Self.reader(Array(file[..<cut]))
      #expect(delta.to == UInt64(EventFile.head.count) && delta.steps.isEmpty && delta.losses.isEmpty)
    }
    let ended = Self.reader(Array(file.dropLast()), isFinal: true)
    #expect(ended.losses.map(\.to) == [UInt64(file.count - 1)] && ended.to == UInt64(file.count - 1))
    // Space that is written to later.
    let unwritten = Self.reader(EventFile.head + [UInt8](repeating: 0, count: 64))
    #expect(unwritten.to == UInt64(EventFile.head.count) && unwritten.losses.isEmpty)
  }

  @Test(
    "tensors of one number are scalars, whatever their type",
    arguments: [
      ([0x08, 1, 0x12, 0, 0x22, 4, 0, 0, 0xc0, 0x3f], 1.5), ([0x08, 1, 0x2a, 4, 0, 0, 0xc0, 0x3f], 1.5),
      ([0x08, 1, 0x2d, 0, 0, 0xc0, 0x3f], 1.5), ([0x08, 2, 0x22, 8, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f], 1.5),
      ([0x08, 3, 0x22, 4, 0xfe, 0xff, 0xff, 0xff], -2), ([0x08, 9, 0x52, 1, 7], 7), ([0x08, 9, 0x50, 7], 7),
      ([0x08, 19, 0x22, 2, 0, 0x3e], 1.5), ([0x08, 19, 0x6a, 2, 0x80, 0x7c], 1.5),
      ([0x08, 14, 0x22, 2, 0xc0, 0x3f], 1.5),
      ([0x08, 10, 0x22, 1, 1], 1), ([0x08, 4, 0x22, 1, 200], 200),
      // Two numbers, none, of an unknown size, of another length than its type.
      ([0x08, 1, 0x12, 4, 0x12, 2, 0x08, 2, 0x2a, 8, 0, 0, 0, 0, 0, 0, 0, 0], nil),
      ([0x08, 1, 0x12, 4, 0x12, 2, 0x08, 0, 0x22, 4, 0, 0, 0, 0], nil), ([0x08, 1], nil),
      ([0x08, 2, 0x22, 4, 0, 0, 0xc0, 0x3f], nil),
    ] as [([UInt8], Double?)])
  func tensors(_ bytes: [UInt8], _ value: Double?) {
    let tensor = TensorScalar(bytes.span, 0..<bytes.count)
    let found = tensor.flatMap { $0.value(bytes.span) }
    #expect(tensor != nil && found == value)
  }

  // MARK: Followed

  @Test("a followed file gives each row once, in pieces, over kills and a record that is too long")
  func followed() throws {
    let harness = try FollowingHarness(["**"])
    try HostFiles.makeDirectory(harness.path("run"))
    let name = "run/events.out.tfevents.1.host"
    var steps = 0
    func append(_ bytes: [UInt8]) throws {
      try Descriptor.open(harness.path(name), .append).write(bytes.span)
    }
    try append(EventFile.head)
    harness.run(seconds: 1)
    for round in 0..<6 {
      var bytes: [UInt8] = []
      for _ in 0..<30 {
        steps += 1
        bytes += EventFile.scalar("loss", Float(steps), step: Int64(steps))
      }
      if round == 2 { bytes += EventFile.record([UInt8](repeating: 0, count: 3 << 20)) }
      // The last record of a round stays incomplete for a while.
      let cut = bytes.count - 7 - round
      try append(Array(bytes[..<cut]))
      if round == 4 { try harness.restartAgent() }
      harness.run(seconds: 8)
      try append(Array(bytes[cut...]))
      harness.take(3)
      if round % 2 == 0 { harness.reconnect(committing: 1) } else { try harness.restartAgent() }
      harness.run(seconds: 3)
    }
    #expect(harness.collector.steps.map(\.step) == (1...Int64(steps)).map { $0 })
    #expect(harness.collector.losses.isEmpty && harness.collector.texts.isEmpty)
    #expect(harness.collector.violations.isEmpty)
  }

  @Test("the last record comes at once, also where its checksum ends with a NUL")
  func lastByte() throws {
    let harness = try FollowingHarness(["*"])
    let record = try #require(
      (0..<5000).lazy.map { EventFile.scalar("loss", Float($0), step: Int64($0)) }.first { $0.last == 0 })
    let name = "events.out.tfevents.1.host"
    try Descriptor.open(harness.path(name), .append).write((EventFile.head + record).span)
    harness.run(seconds: 2)
    #expect(harness.collector.steps.count == 1)
  }

  @Test("a run ends with the last of its files")
  func ends() throws {
    var limits = FollowingLimits()
    limits.closedIdleNs = 20_000_000_000
    let harness = try FollowingHarness(["*"], limits: limits)
    for number in 1...2 {
      let path = harness.path("events.out.tfevents.\(number).host")
      try Descriptor.open(path, .append).write((EventFile.head + EventFile.scalar("a", 1, step: 1)).span)
      harness.run(seconds: 12)
    }
    #expect(harness.collector.runs.allSatisfy { $0.state == .running })
    harness.run(seconds: 30)
    #expect(Set(harness.collector.runs.map(\.run)).count == 1)
    #expect(harness.collector.runs.count { $0.state == .completed } == 1)
  }

  @Test("from the end: what comes later is read, what was there is left out")
  func fromEnd() throws {
    let record = EventFile.scalar("loss", 1, step: 1)
    let name = "events.out.tfevents.1.host"
    let history = FollowedHistory(isNoted: true, from: .end)
    let harness = try FollowingHarness(["*"], history: history) { directory in
      try Descriptor.open(directory + "/" + name, .append).write((EventFile.head + record).span)
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: -3600)], ofItemAtPath: directory + "/" + name)
      // Its birth must be before the agent's start by more than a tick of the kernel.
      usleep(30_000)
    }
    harness.run(seconds: 2)
    try Descriptor.open(harness.path(name), .append).write(EventFile.scalar("loss", 2, step: 2).span)
    harness.run(seconds: 2)
    #expect(harness.collector.steps.map(\.step) == [2])
    #expect(harness.collector.losses.map(\.reason) == [.skipped])
  }
}

/// Writes event files as their format says.
enum EventFile {
  static func record(_ data: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(data.count))
    let checksums = [length, data].map { littleEndian(RecordFrame.masked($0.span, 0..<$0.count)) }
    return length + checksums[0] + data + checksums[1]
  }

  static let head = record([0x09, 0, 0, 0x80, 0x38, 0x99, 0xd6, 0xd7, 0x41, 0x1a, 0x0d] + Array("brain.Event:2".utf8))

  /// - Parameter step: 0…127 to 2^56.
  static func scalar(_ tag: String, _ value: Float, step: Int64) -> [UInt8] {
    let inner = field(1, Array(tag.utf8)) + [0x15] + littleEndian(value.bitPattern)
    return record(
      [0x09] + littleEndian((1_795_300_000.0).bitPattern) + [0x10] + varint(UInt64(step)) + field(5, field(1, inner)))
  }

  private static func littleEndian<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
    (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Number($0 * 8)) }
  }

  private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [number << 3 | 2] + varint(UInt64(bytes.count)) + bytes
  }

  private static func varint(_ value: UInt64) -> [UInt8] {
    value < 128 ? [UInt8(value)] : [UInt8(value & 127) | 128] + varint(value >> 7)
  }
}
