import FleetModel
import Incidents
import Testing

@Suite struct MutingTests {
  private static let nowNs: Int64 = 1_000_000_000_000_000
  private static let secondNs: Int64 = 1_000_000_000

  private static func subject(_ rule: String, host: Int32? = 1) -> MuteSubject {
    MuteSubject(
      IncidentChange(
        .opened, rule: rule, severity: .p1, hostNumber: host, hostName: "trainer-1", entity: "gpu 3", eventNs: nowNs,
        detectedNs: nowNs))
  }

  @Test func aSilenceMutesWhatItMatchesWhileItHolds() {
    var silence = Silence(
      author: "ann", reason: "work", startsNs: Self.nowNs - Self.secondNs, endsNs: Self.nowNs + 60 * Self.secondNs)
    silence.rule = "GPU-*"
    let muting = Muting(silences: [silence])
    #expect(muting.mutes(Self.subject("GPU-07"), nowNs: Self.nowNs))
    #expect(!muting.mutes(Self.subject("RES-01"), nowNs: Self.nowNs))
    #expect(!muting.mutes(Self.subject("GPU-07"), nowNs: Self.nowNs + 60 * Self.secondNs))
    #expect(!muting.mutes(Self.subject("GPU-07"), nowNs: Self.nowNs - 2 * Self.secondNs))
  }

  @Test func whatFollowsFromAnIncidentOnItsHostIsMutedUntilAMinuteAfterItsEnd() {
    func muting(endedNs: Int64?) -> Muting {
      var muting = Muting(silences: [])
      muting.add(MuteCause(rule: "HOST-DOWN", mutes: ["*"], endedNs: endedNs), on: 1)
      return muting
    }
    let open = muting(endedNs: nil)
    #expect(open.mutes(Self.subject("GPU-07"), nowNs: Self.nowNs))
    #expect(!open.mutes(Self.subject("GPU-07", host: 2), nowNs: Self.nowNs))
    #expect(!open.mutes(Self.subject("GPU-07", host: nil), nowNs: Self.nowNs))
    // None follows from its own rule.
    #expect(!open.mutes(Self.subject("HOST-DOWN"), nowNs: Self.nowNs))
    let ended = muting(endedNs: Self.nowNs)
    #expect(ended.mutes(Self.subject("GPU-07"), nowNs: Self.nowNs + 59 * Self.secondNs))
    #expect(!ended.mutes(Self.subject("GPU-07"), nowNs: Self.nowNs + 60 * Self.secondNs))
  }
}
