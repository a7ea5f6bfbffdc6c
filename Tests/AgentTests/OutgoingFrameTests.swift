import Agent
import FleetModel
import Schema
import Testing

/// The bytes that leave the agent, read as a collector reads them.
@Suite struct OutgoingFrameTests {
  private static func frame(_ outgoing: OutgoingFrame) throws -> AgentFrame {
    var bytes: [UInt8] = []
    outgoing.encode(into: &bytes)
    return try Wire.decodeAgentFrame(bytes.span)
  }

  @Test func helloArrivesAsItWasSent() throws {
    var hello = Hello()
    hello.protocolVersion = 7
    hello.agentVersion = "1.2"
    hello.spoolID = SpoolID(high: 1, low: 2)
    hello.knownCollectors = ["a:1", "b:2"]
    #expect(try Self.frame(.hello(hello)) == .hello(hello))
  }

  @Test func recordsAndGapsArriveInOrder() throws {
    var event = Event()
    event.timeNs = 5
    var records = Records()
    records.events = [event]
    var kept: [UInt8] = []
    Wire.encode(records, into: &kept)
    var loss = Loss()
    loss.from = 3
    loss.to = 4
    var outgoing = OutgoingBatch(number: 9, time: HostTime(wallNs: 11, monotonicNs: 12))
    outgoing.spooled = [
      SpooledItem(lane: .live, firstSequence: 4, lastSequence: 4, content: .encoded(kept)),
      SpooledItem(lane: .backfill, firstSequence: 5, lastSequence: 8, content: .gap([loss])),
    ]
    outgoing.files = [FileDelta(file: FileIdentity(key: FileKey(high: 0, low: 1), path: "/a"), from: 2, to: 3)]
    outgoing.health = AgentHealth()

    var gap = Records()
    gap.losses = [loss]
    var batch = Batch()
    batch.number = 9
    batch.wallNs = 11
    batch.monotonicNs = 12
    batch.spooled = [
      SpooledRecords(lane: .live, firstSequence: 4, lastSequence: 4, records: records),
      SpooledRecords(lane: .backfill, firstSequence: 5, lastSequence: 8, records: gap),
    ]
    batch.files = outgoing.files
    batch.health = outgoing.health
    #expect(try Self.frame(.batch(outgoing)) == .batch(batch))
  }
}
