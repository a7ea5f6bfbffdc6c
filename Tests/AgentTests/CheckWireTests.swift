import FleetModel
import Testing

@testable import Agent

@Suite struct CheckWireTests {
  private func probe(_ kind: ProbeKind) -> ProbeSetting {
    var probe = ProbeSetting(kind, "name", target: "/target ü")
    probe.everyNs = 7_000_000_000
    probe.timeoutNs = 300_000_000
    probe.settleNs = 1_000_000
    probe.socket = "/s"
    probe.service = "service"
    probe.arguments = ["a", "", "ü b"]
    probe.expectStatus = 401
    probe.expectBody = "ok"
    return probe
  }

  private func question(_ frame: [UInt8]) -> (number: UInt32, probe: ProbeSetting)? {
    let body = Array(frame[4...])
    return CheckWire.question(body.span).map { ($0.number, $0.probe) }
  }

  private func answer(_ frame: [UInt8]) -> (number: UInt32, answer: CheckAnswer)? {
    let body = Array(frame[4...])
    return CheckWire.answer(body.span)
  }

  @Test func `Questions come through as they were asked, cut ones not at all`() throws {
    for kind in ProbeKind.allCases {
      let frame = CheckWire.encode(probe(kind), number: 9)
      let read = question(frame)
      #expect(read?.number == 9 && read?.probe == probe(kind))
      for length in 4..<frame.count { #expect(question(Array(frame[..<length])) == nil) }
    }
  }

  @Test func `The longest question fits, as often as questions may be under way, into a pipe`() {
    var probe = ProbeSetting(
      .command, String(repeating: "n", count: ProbeSetting.nameBytes),
      target: String(repeating: "t", count: ProbeSetting.targetBytes))
    probe.socket = String(repeating: "s", count: ProbeSetting.socketBytes)
    probe.service = String(repeating: "s", count: ProbeSetting.serviceBytes)
    probe.expectBody = String(repeating: "b", count: ProbeSetting.expectBodyBytes)
    probe.arguments = Array(
      repeating: String(repeating: "a", count: ProbeSetting.argumentBytesTotal / ProbeSetting.arguments),
      count: ProbeSetting.arguments)
    let count = CheckWire.encode(probe, number: 1).count
    #expect(count <= CheckWire.questionBytesMax)
    #expect(CheckWire.questionBytesMax * CheckSupervisor.underWayMax <= 65_536)
  }

  @Test func `Answers come through with their figures; too much is cut, and still fits`() throws {
    var whole = CheckAnswer(.failed, 2.5, "no")
    whole.durationMs = 7
    whole.add("bytes", 1e12)
    whole.add("busy", 1, .failed)
    whole.figures.append(.init(name: "up", labels: "{a=\"b\"}", value: 3))
    let frame = CheckWire.encode(whole, number: 3)
    #expect(answer(frame)?.answer == whole && answer(frame)?.number == 3)
    for length in 4..<frame.count { #expect(answer(Array(frame[..<length])) == nil) }
    var long = CheckAnswer(.ok, 1, String(repeating: "ü", count: 5000))
    for index in 0..<40 { long.add("f\(index)" + String(repeating: "x", count: 100), 1) }
    let cut = CheckWire.encode(long, number: 1)
    let read = try #require(answer(cut))
    #expect(read.answer.detail == String(repeating: "ü", count: 512))
    #expect(read.answer.figures.count == 16 && cut.count <= 4096)
  }
}
