import FleetModel
import Incidents
import Testing

@Suite struct MutingTests {
  private static let nowNs: Int64 = 1_000_000_000_000_000
  private static let secondNs: Int64 = 1_000_000_000

  private static func subject(_ rule: String, host: Int32? = 1, entity: String = "gpu 3") -> MuteSubject {
    MuteSubject(rule: rule, host: host, hostName: "trainer-1", entity: entity, severity: .p1)
  }

  private static func silence(_ rule: String?, seconds: Int64 = 60) -> Silence {
    var silence = Silence(
      author: "ann", reason: "work", startsNs: nowNs - secondNs, endsNs: nowNs + seconds * secondNs)
    silence.rule = rule
    return silence
  }

  @Test func aSilenceMutesWhatItMatchesWhileItHoldsAndTheLongestIsNamed() {
    let muting = Muting(silences: [
      (1, Self.silence("GPU-*")), (2, Self.silence(nil, seconds: 90)), (3, Self.silence("RES")),
    ])
    let longest = MuteReason.silence(number: 2, author: "ann", reason: "work")
    #expect(muting.reason(for: Self.subject("GPU-07"), nowNs: Self.nowNs) == longest)
    #expect(muting.reason(for: Self.subject("GPU-07"), nowNs: Self.nowNs + 90 * Self.secondNs) == nil)
    #expect(longest.text == "silence #2 by ann: work")
  }

  @Test func whatFollowsFromAnIncidentOnItsHostIsMutedUntilAMinuteAfterItsEnd() {
    let cause = MuteCause(number: 7, rule: "HOST-DOWN", mutes: ["*"])
    var muting = Muting(causes: [1: [cause]])
    let reason = MuteReason.sameHost(number: 7, rule: "HOST-DOWN")
    #expect(muting.reason(for: Self.subject("GPU-07"), nowNs: Self.nowNs) == reason)
    #expect(muting.reason(for: Self.subject("GPU-07", host: 2), nowNs: Self.nowNs) == nil)
    // None follows from its own rule.
    #expect(muting.reason(for: Self.subject("HOST-DOWN"), nowNs: Self.nowNs) == nil)
    muting.setEnd(Self.nowNs, of: 7, on: 1)
    #expect(muting.reason(for: Self.subject("GPU-07"), nowNs: Self.nowNs + 59 * Self.secondNs) == reason)
    #expect(muting.reason(for: Self.subject("GPU-07"), nowNs: Self.nowNs + 60 * Self.secondNs) == nil)
  }

  @Test func theSameOnManyHostsMutesItsMembersAndNotTheFleets() {
    let muting = Muting(spread: ["RES-01": 9])
    #expect(muting.reason(for: Self.subject("RES-01"), nowNs: Self.nowNs) == .manyHosts(number: 9))
    #expect(muting.reason(for: Self.subject("RES-01", host: nil), nowNs: Self.nowNs) == nil)
  }
}
