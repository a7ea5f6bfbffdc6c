import RPC
import TestSupport
import Testing

@Suite struct RPCHeadersTests {
  @Test(
    "grpc-timeout is read in each unit",
    arguments: [
      ("1H", 3_600_000_000_000), ("2M", 120_000_000_000), ("3S", 3_000_000_000), ("4m", 4_000_000), ("5u", 5_000),
      ("6n", 6), ("0S", 0), ("99999999H", 31_536_000_000_000_000),
    ])
  func timeout(text: String, ns: Int) { #expect(RPCHeaders.timeoutNs(text) == Int64(ns)) }

  @Test(
    "a malformed grpc-timeout is none",
    arguments: ["", "S", "1", "-1S", "1s", "1.5S", "123456789S", " 1S", "1 S", "1SS"])
  func badTimeout(text: String) { #expect(RPCHeaders.timeoutNs(text) == nil) }

  @Test(
    "a timeout that is written is never shorter than what was asked for",
    arguments: [0, 1, 999, 123_456_789_012, 10_000_000_000_000_000])
  func writtenTimeout(ns: Int) {
    let text = RPCHeaders.timeout(ns: Int64(ns))
    #expect(text.utf8.count <= 9)
    #expect((RPCHeaders.timeoutNs(text) ?? -1) >= Int64(ns))
  }

  @Test(
    "a message survives its coding",
    arguments: ["", "plain text", "100% sure", "line\nbreak", "größer ✓", "%41", "\u{0}"])
  func message(text: String) {
    let coded = RPCHeaders.encode(message: text)
    #expect(coded.utf8.allSatisfy { (0x20...0x7e).contains($0) })
    #expect(RPCHeaders.decode(message: coded) == text)
  }

  @Test("what is no escape stays", arguments: [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("a%20b%", "a b%")])
  func lenientDecoding(text: String, expected: String) { #expect(RPCHeaders.decode(message: text) == expected) }

  @Test(
    "only gRPC content types are taken",
    arguments: [
      ("application/grpc", true), ("application/grpc+proto", true), ("application/grpc;charset=utf-8", true),
      ("Application/GRPC", true), ("application/grpc-web", false), ("application/json", false), ("", false),
    ])
  func contentType(text: String, expected: Bool) { #expect(RPCHeaders.isGRPC(contentType: text) == expected) }

  @Test("a path has a service and a method", arguments: ["/a.B/C"])
  func path(text: String) {
    let parts = RPCHeaders.split(path: text)
    #expect(parts?.service == "a.B" && parts?.method == "C")
  }

  @Test("anything else is no path", arguments: ["", "/", "a/b", "/a", "/a/", "//b", "/a/b/c"])
  func badPath(text: String) { #expect(RPCHeaders.split(path: text) == nil) }
}

@Suite struct BackoffTests {
  @Test("waits stay below a ceiling that doubles up to the cap")
  func ceiling() {
    var backoff = Backoff(firstNs: 1000, capNs: 5000)
    #expect(backoff.nextNs(random: .max) == 999)
    #expect(backoff.nextNs(random: .max) == 1999)
    #expect(backoff.nextNs(random: .max) == 3999)
    for _ in 0..<100 { #expect(backoff.nextNs(random: .max) == 4999) }
    #expect(backoff.nextNs(random: 0) == 0)
    backoff.reset()
    #expect(backoff.ceilingNs == 1000)
  }

  @Test("at the cap the waits are still spread evenly")
  func spread() {
    var backoff = Backoff(firstNs: 1000, capNs: 1000)
    var generator = SplitMix(seed: 1)
    let waits = (0..<4000).map { _ in backoff.nextNs(random: generator.next()) }
    for quarter in 0..<4 {
      let count = waits.count { $0 / 250 == Int64(quarter) }
      #expect((900...1100).contains(count))
    }
  }
}

@Suite struct FlowCreditTests {
  @Test("a message larger than the window is let through while nothing waits")
  func largeMessage() {
    var credit = FlowCredit()
    credit.received(65_536)
    #expect(credit.take(partialBytes: 65_536) == 65_536)
  }

  @Test("what is behind an unconsumed message is held until it is consumed")
  func holds() {
    var credit = FlowCredit()
    credit.received(2000)
    credit.delivered(1000)
    #expect(credit.take(partialBytes: 1000) == 0)
    credit.received(60_000)
    #expect(credit.take(partialBytes: 61_000) == 0)
    credit.consumed(1000)
    #expect(credit.take(partialBytes: 61_000) == 62_000)
    #expect(credit.heldBytes == 0)
  }

  @Test("consuming more than was delivered gives back only what was received")
  func overConsume() {
    var credit = FlowCredit()
    credit.received(10)
    credit.delivered(10)
    credit.consumed(.max / 2)
    #expect(credit.take(partialBytes: 0) == 10)
    #expect(credit.take(partialBytes: 0) == 0)
    #expect(credit.unconsumedBytes == 0)
  }

  @Test("an ended stream gives back all")
  func ends() {
    var credit = FlowCredit()
    credit.received(30)
    credit.delivered(20)
    #expect(credit.takeAll() == 30)
    #expect(credit.takeAll() == 0)
  }
}
