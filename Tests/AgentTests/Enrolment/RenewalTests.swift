import TLS
import Testing

@testable import Agent

private let second: Int64 = 1_000_000_000
private let day: Int64 = 86_400 * second

@Suite struct RenewalTests {
  private let begin: Int64 = 1_800_000_000 * second
  private var end: Int64 { begin + 30 * day }

  private func machine(_ random: Double = 0.5) -> RenewalStateMachine {
    RenewalStateMachine(notBeforeNs: begin, notAfterNs: end, random: random)
  }

  @Test(arguments: [(0.0, 17.0), (0.5, 20.0), (1.0, 23.0)])
  func `A certificate is renewed at two thirds of its life, give or take a tenth`(random: Double, days: Double) {
    var machine = machine(random)
    let due = begin + Int64(days * Double(day))
    guard case .wait(let untilNs) = machine.timePassed(nowNs: begin) else {
      Issue.record("no wait")
      return
    }
    #expect(abs(untilNs - due) < second)
    #expect(machine.timePassed(nowNs: untilNs - 1) == .wait(untilNs: untilNs))
    #expect(machine.timePassed(nowNs: untilNs) == .renew)
  }

  @Test func `One attempt is made at a time`() {
    var machine = machine()
    #expect(machine.timePassed(nowNs: begin + 25 * day) == .renew)
    guard case .wait = machine.timePassed(nowNs: begin + 25 * day) else {
      Issue.record("a second attempt")
      return
    }
  }

  @Test func `Failed attempts are repeated with pauses that grow to an hour and no further`() {
    var machine = machine()
    var now = begin + 21 * day
    var pauses: [Int64] = []
    for _ in 0..<20 {
      #expect(machine.timePassed(nowNs: now) == .renew)
      machine.failed(nowNs: now, refusal: nil, random: 1)
      guard case .waiting(let untilNs) = machine.state else {
        Issue.record("stopped")
        return
      }
      pauses.append((untilNs - now) / second)
      now = untilNs
    }
    #expect(Array(pauses.prefix(4)) == [90, 150, 270, 510])
    #expect(pauses.last == 3_630)
    #expect(machine.failures == 20)
  }

  @Test func `Pauses are random and never zero`() {
    var low = machine()
    #expect(low.timePassed(nowNs: end - day) == .renew)
    low.failed(nowNs: end - day, refusal: nil, random: 0)
    #expect(low.state == .waiting(untilNs: end - day + 30 * second))
  }

  @Test func `After its end a certificate is renewed for thirty days more, then the host must join again`() {
    var machine = machine()
    #expect(machine.timePassed(nowNs: end + 29 * day) == .renew)
    machine.failed(nowNs: end + 29 * day, refusal: .expired, random: 0)
    guard case .waiting = machine.state else {
      Issue.record("stopped within the grace")
      return
    }
    #expect(machine.timePassed(nowNs: end + 30 * day) == .stopped(.graceOver))
    #expect(machine.timePassed(nowNs: begin) == .stopped(.graceOver))
  }

  @Test func `A refusal stops or goes on by its reason`() {
    for (refusal, stop) in [(.unknown, .unknown), (.revoked, .revoked)] as [(IdentityRefusal, RenewalStateMachine.Stop)]
    {
      var machine = machine()
      _ = machine.timePassed(nowNs: end)
      machine.failed(nowNs: end, refusal: refusal, random: 0.5)
      #expect(machine.timePassed(nowNs: end) == .stopped(stop))
    }
    var machine = machine()
    _ = machine.timePassed(nowNs: end)
    machine.failed(nowNs: end, refusal: .clock, random: 0.5)
    #expect(machine.timePassed(nowNs: end + day) == .renew)
  }

  @Test func `Without a connection an attempt stays due, and is no failure`() {
    var machine = machine()
    #expect(machine.timePassed(nowNs: end + day) == .renew)
    machine.notConnected(nowNs: end + day)
    #expect(machine.failures == 0)
    #expect(machine.connected(nowNs: end + day + second) == .renew)
  }

  @Test func `A connection with an ended certificate is used at once, one with a good one after the pause`() {
    var machine = machine()
    #expect(machine.timePassed(nowNs: end - second) == .renew)
    machine.failed(nowNs: end - second, refusal: nil, random: 1)
    #expect(machine.connected(nowNs: end - second) == .wait(untilNs: end + 89 * second))
    #expect(machine.connected(nowNs: end) == .renew)
    // One attempt at a time, and none after the grace.
    #expect(machine.connected(nowNs: end + second) != .renew)
    machine.failed(nowNs: end + second, refusal: nil, random: 1)
    #expect(machine.connected(nowNs: end + 30 * day) == .stopped(.graceOver))
  }

  @Test func `A new certificate starts the count anew`() {
    var machine = machine()
    _ = machine.timePassed(nowNs: end)
    machine.failed(nowNs: end, refusal: nil, random: 0)
    machine.renewed(notBeforeNs: end, notAfterNs: end + 30 * day, random: 0.5)
    #expect(machine.failures == 0)
    #expect(machine.timePassed(nowNs: end + day) == .wait(untilNs: end + 20 * day))
  }

  @Test func `A clock that was ahead and set back does not put off the next attempt`() {
    var machine = machine()
    #expect(machine.timePassed(nowNs: end + 20 * day) == .renew)
    machine.failed(nowNs: end + 20 * day, refusal: nil, random: 0.5)
    #expect(machine.timePassed(nowNs: begin + 2 * day) == .renew)
  }

  @Test func `Certificates of seconds are retried within seconds`() {
    var machine = RenewalStateMachine(notBeforeNs: begin, notAfterNs: begin + 10 * second, random: 0.5)
    #expect(machine.timePassed(nowNs: begin + 7 * second) == .renew)
    machine.failed(nowNs: begin + 7 * second, refusal: nil, random: 1)
    guard case .waiting(let untilNs) = machine.state else {
      Issue.record("stopped")
      return
    }
    #expect(untilNs < begin + 8 * second)
  }

  @Test func `Times at the ends of the scale do not trap`() {
    var machine = RenewalStateMachine(notBeforeNs: .min, notAfterNs: .max, random: 2)
    _ = machine.timePassed(nowNs: .max)
    machine.failed(nowNs: .max, refusal: nil, random: -1)
    _ = machine.timePassed(nowNs: .max)
    var reversed = RenewalStateMachine(notBeforeNs: .max, notAfterNs: 0, random: 0)
    _ = reversed.timePassed(nowNs: .max)
    reversed.failed(nowNs: .max, refusal: .expired, random: 1)
  }
}
