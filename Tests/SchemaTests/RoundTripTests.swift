import FleetModel
import Schema
import Testing

@Suite struct RoundTripTests {
  static let seeds: [UInt64] = Array(1...40)

  @Test("an agent's frame comes back as it was sent", arguments: seeds)
  func agentFrame(seed: UInt64) throws {
    var random = RandomModel(seed: seed)
    let frame = random.agentFrame()
    var bytes: [UInt8] = []
    Wire.encode(frame, into: &bytes)
    #expect(try Wire.decodeAgentFrame(bytes.span) == frame)
  }

  @Test("a collector's frame comes back as it was sent", arguments: seeds)
  func collectorFrame(seed: UInt64) throws {
    var random = RandomModel(seed: seed)
    let frame = random.collectorFrame()
    var bytes: [UInt8] = []
    Wire.encode(frame, into: &bytes)
    #expect(try Wire.decodeCollectorFrame(bytes.span) == frame)
  }

  @Test("spooled records come back as they were written", arguments: seeds)
  func records(seed: UInt64) throws {
    var random = RandomModel(seed: seed)
    let records = random.records()
    var bytes: [UInt8] = []
    Wire.encode(records, into: &bytes)
    #expect(try Wire.decodeRecords(bytes.span) == records)
  }

  @Test("enrolment and health messages come back as they were sent", arguments: seeds)
  func enrolment(seed: UInt64) throws {
    var random = RandomModel(seed: seed)
    let join = random.joinRequest()
    #expect(try Wire.decodeJoinRequest(encoded { Wire.encode(join, into: &$0) }.span) == join)
    let renew = RenewRequest(signingRequest: random.bytes(300))
    #expect(try Wire.decodeRenewRequest(encoded { Wire.encode(renew, into: &$0) }.span) == renew)
    let reply = random.certificateReply()
    #expect(try Wire.decodeCertificateReply(encoded { Wire.encode(reply, into: &$0) }.span) == reply)
    let check = HealthCheckRequest(service: random.text())
    #expect(try Wire.decodeHealthCheckRequest(encoded { Wire.encode(check, into: &$0) }.span) == check)
    let response = HealthCheckResponse(status: random.element(HealthCheckResponse.ServingStatus.allCases))
    #expect(try Wire.decodeHealthCheckResponse(encoded { Wire.encode(response, into: &$0) }.span) == response)
  }

  @Test("encoding appends and leaves what stands before it")
  func appends() throws {
    var bytes: [UInt8] = [1, 2, 3, 4, 5]
    Wire.encode(CollectorFrame.ack(number: 7), into: &bytes)
    #expect(bytes == [1, 2, 3, 4, 5, 0x12, 2, 8, 7])
  }

  @Test("not a number stays one, and minus zero is not the default")
  func specialNumbers() throws {
    var records = Records()
    var sample = HostSample()
    sample.load1 = -0.0
    records.hosts = [sample]
    let decoded = try Wire.decodeRecords(encoded { Wire.encode(records, into: &$0) }.span)
    #expect(decoded.hosts[0].cpuUserPercent.isNaN && decoded.hosts[0].load1.sign == .minus)
  }

  @Test("a delta of the largest number of lines comes back, and one more is refused")
  func manyLines() throws {
    for count in [FleetProtocol.linesPerDelta, FleetProtocol.linesPerDelta + 1] {
      var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 2), path: "/a"), from: 0, to: 1 << 20)
      delta.lines.text = [UInt8](repeating: 65, count: count)
      delta.lines.lengths = [UInt32](repeating: 1, count: count)
      delta.lines.advances = [UInt32](repeating: 2, count: count)
      delta.lines.timesUs = (0..<count).map { 1_760_000_000_000_000 + Int64($0) }
      delta.lines.levels = [UInt8](repeating: 2, count: count)
      delta.lines.flags = [UInt8](repeating: 0, count: count)
      var batch = Batch()
      batch.files = [delta]
      let bytes = encoded { Wire.encode(.batch(batch), into: &$0) }
      if count == FleetProtocol.linesPerDelta {
        #expect(try Wire.decodeAgentFrame(bytes.span) == .batch(batch))
      } else {
        #expect(
          throws: SchemaError.tooMany(field: "LogLines.length_bytes", count: count, limit: FleetProtocol.linesPerDelta)
        ) {
          try Wire.decodeAgentFrame(bytes.span)
        }
      }
    }
  }
}

func encoded(_ encode: (inout [UInt8]) -> Void) -> [UInt8] {
  var bytes: [UInt8] = []
  encode(&bytes)
  return bytes
}
