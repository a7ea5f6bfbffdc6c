import FleetModel
import Schema
import Testing

/// What a peer may send by mistake or on purpose.
@Suite struct HostileInputTests {
  private static func frame(seed: UInt64) -> [UInt8] {
    var random = RandomModel(seed: seed)
    return encoded { Wire.encode(.batch(random.batch()), into: &$0) }
  }

  /// Decodes and, where it succeeds, encodes again: what was accepted must be fit to be sent.
  private static func exercise(_ bytes: [UInt8]) {
    if let frame = try? Wire.decodeAgentFrame(bytes.span) {
      let again = encoded { Wire.encode(frame, into: &$0) }
      // The same bytes, because numbers that are NaN do not equal themselves.
      let twice = encoded { copy in
        if let frame = try? Wire.decodeAgentFrame(again.span) { Wire.encode(frame, into: &copy) }
      }
      #expect(again == twice)
    }
    _ = try? Wire.decodeCollectorFrame(bytes.span)
    _ = try? Wire.decodeRecords(bytes.span)
    _ = try? Wire.decodeJoinRequest(bytes.span)
    _ = try? Wire.decodeCertificateReply(bytes.span)
    _ = try? Wire.decodeHealthCheckResponse(bytes.span)
  }

  @Test("a frame cut at any byte is refused or is a shorter valid one", arguments: [3, 5, 7] as [UInt64])
  func truncation(seed: UInt64) {
    let bytes = Self.frame(seed: seed)
    for length in 0..<min(bytes.count, 4000) {
      #expect(throws: SchemaError.self) { try Wire.decodeAgentFrame(bytes.span.extracting(first: length)) }
      Self.exercise(Array(bytes[..<length]))
    }
  }

  @Test("a frame with any byte changed never traps", arguments: [11, 13] as [UInt64])
  func flips(seed: UInt64) {
    var bytes = Self.frame(seed: seed)
    for index in bytes.indices.prefix(3000) {
      for mask: UInt8 in [0x01, 0x08, 0x80, 0xff] {
        bytes[index] ^= mask
        Self.exercise(bytes)
        bytes[index] ^= mask
      }
    }
  }

  @Test("random bytes never trap", arguments: 1...20 as ClosedRange<UInt64>)
  func randomBytes(seed: UInt64) {
    var random = RandomModel(seed: seed)
    for _ in 0..<200 { Self.exercise(random.bytes(random.below(200))) }
  }

  @Test("64 KiB of empty sub-messages or of unknown fields cost at most the arena's limit")
  func bombs() {
    let empty = [UInt8](repeating: 0, count: 32 << 10).flatMap { [0x0a as UInt8, $0] }
    let limit = Limits.arenaBaseBytes + Limits.arenaAmplification * empty.count
    #expect(throws: SchemaError.arenaExhausted(limitBytes: limit)) { try Wire.decodeRecords(empty.span) }
    // Field 15, varint 0: 32 768 unknown fields are allocated one by one and then ignored.
    let unknown = [UInt8](repeating: 0, count: 32 << 10).flatMap { [0x78 as UInt8, $0] }
    if let records = try? Wire.decodeRecords(unknown.span) { #expect(records.isEmpty) }
    #expect(throws: SchemaError.self) { try Wire.decodeRecords((empty + unknown + empty).span) }
  }

  @Test("a frame longer than the limit is refused before it is looked at")
  func tooLong() {
    let bytes = [UInt8](repeating: 0xff, count: FleetProtocol.frameBytes + 1)
    let error = SchemaError.tooLarge(limitBytes: FleetProtocol.frameBytes)
    #expect(throws: error) { try Wire.decodeAgentFrame(bytes.span) }
    #expect(throws: error) { try Wire.decodeCollectorFrame(bytes.span) }
  }

  @Test("a file's head is read up to its limit, whatever length the peer names")
  func lengthOfTheHead() throws {
    var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 1), path: "/a"), from: 0, to: 0)
    delta.file.headLength = .max
    var batch = Batch()
    batch.files = [delta]
    let bytes = encoded { Wire.encode(AgentFrame.batch(batch), into: &$0) }
    guard case .batch(let decoded) = try Wire.decodeAgentFrame(bytes.span) else { throw SchemaError.unknownFrame }
    #expect(decoded.files.map(\.file.headLength) == [FleetProtocol.fileHeadBytes])
  }

  @Test("an empty frame and a frame of a newer kind say so")
  func unknownFrames() {
    let newer: [UInt8] = [0x7a, 2, 8, 1]
    #expect(throws: SchemaError.unknownFrame) { try Wire.decodeAgentFrame([UInt8]().span) }
    #expect(throws: SchemaError.unknownFrame) { try Wire.decodeCollectorFrame(newer.span) }
  }

  private static func batch(_ change: (inout FileDelta) -> Void) -> [UInt8] {
    var random = RandomModel(seed: 4)
    var batch = Batch()
    var delta = random.fileDelta()
    delta.lines = LogLines()
    for line in ["first", "second", "third"] {
      delta.lines.text += Array(line.utf8)
      delta.lines.lengths.append(UInt32(line.utf8.count))
      delta.lines.advances.append(UInt32(line.utf8.count + 1))
      delta.lines.timesUs.append(5)
      delta.lines.levels.append(1)
      delta.lines.flags.append(0)
    }
    change(&delta)
    batch.files = [delta]
    return encoded { Wire.encode(.batch(batch), into: &$0) }
  }

  @Test("lines whose lengths do not add up to their text are refused")
  func lineLengths() {
    let error = SchemaError.inconsistent(field: "LogLines.length_bytes")
    let short = Self.batch { $0.lines.lengths[1] -= 1 }
    #expect(throws: error) { try Wire.decodeAgentFrame(short.span) }
    let long = Self.batch { $0.lines.lengths[0] = .max }
    #expect(throws: error) { try Wire.decodeAgentFrame(long.span) }
  }

  @Test("a range that ends before it starts, and a missing identity, are refused")
  func ranges() {
    let backward = Self.batch { $0.from = $0.to + 1 }
    #expect(throws: SchemaError.inconsistent(field: "FileDelta.to_bytes")) {
      try Wire.decodeAgentFrame(backward.span)
    }
    // Batch { files { from_bytes: 1 } }: no file.
    let nameless: [UInt8] = [0x12, 4, 0x2a, 2, 0x10, 1]
    #expect(throws: SchemaError.missing(field: "FileDelta.file")) { try Wire.decodeAgentFrame(nameless.span) }
    // Batch { files { file { key: "abc" } } }
    let shortKey: [UInt8] = [0x12, 9, 0x2a, 7, 0x0a, 5, 0x0a, 3, 97, 98, 99]
    #expect(throws: SchemaError.badIdentifier(field: "FileIdentity.key")) {
      try Wire.decodeAgentFrame(shortKey.span)
    }
  }

  @Test("a lane that is not known is refused: its sequence would move another's mark")
  func unknownLane() {
    let bytes: [UInt8] = [0x12, 8, 0x22, 6, 0x08, 9, 0x10, 1, 0x18, 1]
    #expect(throws: SchemaError.inconsistent(field: "lane")) { try Wire.decodeAgentFrame(bytes.span) }
  }

  @Test("kinds of a newer version become unknown, and the rest of the message stays")
  func unknownEnums() throws {
    // Records { events { time_ns: 7, kind: 200, level: 99, message: "m" } probes { state: 300 } gpus { state: -1 } }
    let event: [UInt8] = [0x3a, 10, 8, 7, 0x10, 0xc8, 1, 0x18, 99, 0x2a, 1, 109]
    let probe: [UInt8] = [0x32, 3, 0x18, 0xac, 2]
    let gpu: [UInt8] = [0x12, 12, 0xd0, 1] + [UInt8](repeating: 0xff, count: 9) + [1]
    let records = try Wire.decodeRecords((event + probe + gpu).span)
    #expect(records.events[0].kind == .other && records.events[0].level == .unknown)
    #expect(records.events[0].timeNs == 7 && records.events[0].message == "m")
    #expect(records.probes[0].state == .unknown && records.gpus[0].state == .present)
  }

  @Test("levels of a newer version become unknown")
  func unknownLevels() throws {
    let bytes = Self.batch { $0.lines.levels = [4, 5, 255] }
    guard case .batch(let batch) = try Wire.decodeAgentFrame(bytes.span) else { return #expect(Bool(false)) }
    #expect(batch.files[0].lines.levels == [4, 0, 0])
  }

  @Test("fields of a newer version are passed over")
  func unknownFields() throws {
    let known = encoded { Wire.encode(CollectorFrame.ack(number: 5), into: &$0) }
    // Ack gets field 100 (bytes), the frame gets field 90 (varint).
    let ack = Array(known[2...]) + [0xa2, 6, 3, 1, 2, 3]
    let bytes = [0x12, UInt8(ack.count)] + ack + [0xd0, 5, 1]
    #expect(try Wire.decodeCollectorFrame(bytes.span) == .ack(number: 5))
  }
}
