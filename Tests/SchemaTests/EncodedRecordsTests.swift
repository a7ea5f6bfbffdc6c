import FleetModel
import Schema
import Testing

@Suite struct EncodedRecordsTests {
  @Test("records that are already encoded are read as if they had been encoded with the batch", arguments: 1...10)
  func embedded(seed: Int) throws {
    var random = RandomModel(seed: UInt64(seed))
    var batch = random.batch()
    let kept = (0..<3).map { _ in random.spooled() }
    var bytes: [UInt8] = []
    Wire.encode(batch, spooled: kept.map(Self.encodedRecords), into: &bytes)
    batch.spooled += kept
    #expect(try Wire.decodeAgentFrame(bytes.span) == .batch(batch))
    #expect(bytes == encoded { Wire.encode(.batch(batch), into: &$0) })
  }

  private static func encodedRecords(_ spooled: SpooledRecords) -> EncodedRecords {
    EncodedRecords(
      lane: spooled.lane, firstSequence: spooled.firstSequence, lastSequence: spooled.lastSequence,
      bytes: encoded { Wire.encode(spooled.records, into: &$0) })
  }

  @Test("fields that this version does not know pass from the spool to the wire as they are")
  func unknownFieldsPass() throws {
    var records = Records()
    records.hosts = [HostSample()]
    let unknown: [UInt8] = [0xa2, 6, 5, 0xde, 0xad, 0xbe, 0xef, 0]
    let kept = encoded { Wire.encode(records, into: &$0) } + unknown
    var bytes: [UInt8] = []
    let spooled = EncodedRecords(lane: .backfill, firstSequence: 9, lastSequence: 12, bytes: kept)
    Wire.encode(Batch(), spooled: [spooled], into: &bytes)
    #expect(bytes.suffix(kept.count) == kept[...])
    guard case .batch(let batch) = try Wire.decodeAgentFrame(bytes.span) else { return #expect(Bool(false)) }
    #expect(batch.spooled[0].lane == .backfill && batch.spooled[0].lastSequence == 12)
    #expect(batch.spooled[0].records.hosts.count == 1)
  }
}
