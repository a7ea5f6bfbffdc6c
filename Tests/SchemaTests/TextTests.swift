import FleetModel
import Testing

@testable import Schema

@Suite struct TextTests {
  private func isValid(_ bytes: [UInt8]) -> Bool { Text.isValid(bytes.span) }

  @Test("UTF-8 is judged as Swift judges it, over all short sequences of telling bytes")
  func agreesWithSwift() {
    let telling: [UInt8] = [
      0x01, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
      0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
    ]
    func judge(_ bytes: [UInt8]) {
      let expected = String(validating: bytes, as: UTF8.self) != nil
      #expect(isValid(bytes) == expected, "\(bytes)")
    }
    for first in telling {
      judge([first])
      for second in telling {
        judge([first, second])
        for third in telling {
          judge([first, second, third])
          if first >= 0xf0 { for fourth in telling { judge([first, second, third, fourth]) } }
        }
      }
    }
  }

  @Test("a bad byte is found at every place of a long text, and none where there is none")
  func everyPlace() {
    for count in [1, 7, 8, 9, 63, 64, 65, 127, 128, 200] {
      var bytes = [UInt8](repeating: 0x7f, count: count)
      #expect(isValid(bytes))
      for index in bytes.indices {
        for bad: UInt8 in [0, 0x80, 0xff, 0xe2] {
          bytes[index] = bad
          #expect(!isValid(bytes))
        }
        bytes[index] = 1
      }
    }
  }

  @Test("log text with a NUL, with bad UTF-8 or with a character cut between two lines is refused")
  func logText() {
    func decode(_ lines: [[UInt8]]) throws -> AgentFrame {
      var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 1), path: "/a"), from: 0, to: 100)
      for line in lines {
        delta.lines.text += line
        delta.lines.lengths.append(UInt32(line.count))
        delta.lines.advances.append(UInt32(line.count + 1))
        delta.lines.timesUs.append(0)
        delta.lines.levels.append(0)
        delta.lines.flags.append(0)
      }
      var batch = Batch()
      batch.files = [delta]
      return try Wire.decodeAgentFrame(encoded { Wire.encode(.batch(batch), into: &$0) }.span)
    }
    #expect(throws: Never.self) { try decode([[0xc3, 0xa9], [0x41]]) }
    let error = SchemaError.badText(field: "LogLines.text")
    #expect(throws: error) { try decode([[0x41, 0], [0x41]]) }
    #expect(throws: error) { try decode([[0xff]]) }
    #expect(throws: error) { try decode([[0x41, 0xc3], [0xa9]]) }
  }

  @Test("a text that is too long is cut at a character, and a NUL becomes a question mark")
  func encoderKeepsLimits() throws {
    var records = Records()
    var event = Event()
    event.subject = "x" + String(repeating: "é", count: FleetProtocol.textBytes)
    event.message = "a\0b"
    records.events = [event]
    let decoded = try Wire.decodeRecords(encoded { Wire.encode(records, into: &$0) }.span).events[0]
    #expect(decoded.subject == "x" + String(repeating: "é", count: FleetProtocol.textBytes / 2 - 1))
    #expect(decoded.message == "a?b")
  }

  @Test("a text from outside that is too long is refused")
  func tooLong() {
    // Records { events { subject: 4 097 bytes } }
    let subject = [0x22, 0x81, 0x20] + [UInt8](repeating: 0x61, count: FleetProtocol.textBytes + 1)
    let bytes = [0x3a, 0x84, 0x20] + subject
    #expect(throws: SchemaError.tooLong(field: "Event.subject", count: 4097, limitBytes: 4096)) {
      try Wire.decodeRecords(bytes.span)
    }
  }
}
