import FleetModel
import Incidents
import Testing

@Suite struct MutingTests {
  private static let nowNs: Int64 = 1_000_000_000_000_000
  private static let secondNs: Int64 = 1_000_000_000

  private static func subject(
    _ rule: String, host: Int32? = 1, name: String = "trainer-1", entity: String = "gpu 3", severity: Severity = .p1
  ) -> MuteSubject {
    MuteSubject(rule: rule, host: host, hostName: name, entity: entity, severity: severity)
  }

  private static func silence(_ number: Int64?, rule: String? = nil, from: Int64 = -1, to: Int64 = 60) -> Silence {
    var silence = Silence(
      author: "ann", reason: "work", startsNs: nowNs + from * secondNs, endsNs: nowNs + to * secondNs)
    (silence.number, silence.rule) = (number, rule)
    return silence
  }

  private static func cause(
    _ number: Int64?, _ rule: String, mutes: [String] = ["*"], endedNs: Int64? = nil
  ) -> MuteCause {
    MuteCause(number: number, identity: "\(rule)|1|", rule: rule, mutes: mutes, endedNs: endedNs)
  }

  private static func muting(
    _ silences: [Silence] = [], _ causes: [MuteCause] = [], spreads: [String: Int64] = [:]
  ) -> Muting {
    var muting = Muting(silences: silences, spreads: spreads)
    for cause in causes { muting.add(cause, on: 1) }
    return muting
  }

  private static func reason(_ muting: Muting, _ rule: String = "GPU-07", after seconds: Int64 = 0) -> String? {
    muting.reason(for: subject(rule), nowNs: nowNs + seconds * secondNs)?.text
  }

  @Test(
    arguments: [
      // The expected reason as text.
      (muting(), nil),
      (muting([silence(3)]), "silence #3 by ann: work"),
      (muting([silence(nil)]), "silence by ann: work"),
      (muting([silence(3, from: 1)]), nil),
      (muting([silence(3, to: 0)]), nil),
      (muting([silence(3, rule: "RES-*")]), nil),
      // The silence that ends last; of two that end together the first.
      (muting([silence(3, to: 10), silence(4, to: 20), silence(5, to: 15)]), "silence #4 by ann: work"),
      (muting([silence(3), silence(4)]), "silence #3 by ann: work"),
      // The first incident of the host that mutes it, in the order of their numbers.
      (muting([], [cause(9, "HOST-DOWN"), cause(7, "NET-01")]), "incident #7 NET-01 on the same host"),
      (muting([], [cause(nil, "NET-01"), cause(9, "HOST-DOWN")]), "incident #9 HOST-DOWN on the same host"),
      (muting([], [cause(nil, "NET-01")]), "incident NET-01 on the same host"),
      (
        muting([], [cause(7, "NET-01", mutes: ["RES-*"]), cause(9, "HOST-DOWN")]),
        "incident #9 HOST-DOWN on the same host"
      ),
      // No incident mutes one of its own rule.
      (muting([], [cause(7, "GPU-07")]), nil),
      (muting(spreads: ["GPU-07": 12, "RES-01": 13]), "incident #12, the same on many hosts"),
      (muting(spreads: ["RES-01": 13]), nil),
      // A silence before an incident on the same host, that before one on many hosts.
      (muting([silence(3)], [cause(7, "NET-01")], spreads: ["GPU-07": 12]), "silence #3 by ann: work"),
      (muting([], [cause(7, "NET-01")], spreads: ["GPU-07": 12]), "incident #7 NET-01 on the same host"),
    ] as [(Muting, String?)])
  func theReasonThatCounts(_ muting: Muting, _ expected: String?) {
    #expect(Self.reason(muting) == expected)
  }

  @Test func eachFieldOfASilenceMustMatch() {
    func isMuted(_ change: (inout Silence) -> Void) -> Bool {
      var silence = Self.silence(1)
      change(&silence)
      return Self.muting([silence]).reason(for: Self.subject("GPU-07"), nowNs: Self.nowNs) != nil
    }
    #expect(isMuted { $0.rule = "GPU-*" } && !isMuted { $0.rule = "gpu-07" })
    #expect(isMuted { $0.host = "trainer-1" } && !isMuted { $0.host = "trainer-2" })
    #expect(isMuted { $0.entity = "gpu *" } && !isMuted { $0.entity = "gpu" })
    #expect(isMuted { $0.severity = .p1 } && !isMuted { $0.severity = .p0 })
  }

  @Test func anIncidentWithoutAHostFollowsFromNone() {
    let muting = Self.muting([], [Self.cause(7, "NET-01")], spreads: ["GPU-07": 12])
    #expect(muting.reason(for: Self.subject("GPU-07", host: nil), nowNs: Self.nowNs) == nil)
    #expect(muting.reason(for: Self.subject("GPU-08", host: 2), nowNs: Self.nowNs) == nil)
  }

  /// What mutes everything is the silence of a host: with its end the rest is known.
  @Test(arguments: [(["GPU-*"], Int64(60)), (["*"], Int64(10))] as [([String], Int64)])
  func whatFollowsFromAnIncidentIsMutedForAWhileAfterItsEnd(_ mutes: [String], _ tail: Int64) {
    for isByNumber in [true, false] {
      var muting = Self.muting([], [Self.cause(7, "HOST-DOWN", mutes: mutes)])
      #expect(muting.nextEndNs(after: Self.nowNs) == nil)
      #expect(Self.reason(muting, after: 86_400) != nil)
      if isByNumber {
        muting.end([7], atNs: Self.nowNs)
      } else {
        muting.end(identity: "HOST-DOWN|1|", on: 1, atNs: Self.nowNs)
      }
      #expect(Self.reason(muting, after: tail - 1) != nil && Self.reason(muting, after: tail) == nil)
      let end = Self.nowNs + tail * Self.secondNs
      #expect(muting.nextEndNs(after: Self.nowNs) == end && muting.nextEndNs(after: end) == nil)
      // A later end of the same changes nothing.
      muting.end([7], atNs: Self.nowNs + 30 * Self.secondNs)
      #expect(Self.reason(muting, after: tail) == nil)
      muting.remove(7, on: 1)
      muting.add(Self.cause(7, "HOST-DOWN", mutes: mutes), on: 1)
      #expect(Self.reason(muting, after: tail) != nil)
    }
  }

  @Test func theEndOfAnIncidentOnManyHostsMutesNoLonger() {
    var muting = Self.muting(spreads: ["GPU-07": 12, "RES-01": 13])
    muting.end([12], atNs: Self.nowNs)
    #expect(Self.reason(muting) == nil && Self.reason(muting, "RES-01") != nil)
  }

  @Test func onlyAPagedBeginningOnAHostMutes() {
    var change = IncidentChange(
      .opened, rule: "HOST-DOWN", severity: .p0, hostNumber: 1, hostName: "trainer-1", eventNs: Self.nowNs,
      detectedNs: Self.nowNs)
    #expect(MuteCause(change) == nil)
    change.mutes = ["*"]
    #expect(MuteCause(change, number: 4)?.reason.text == "incident #4 HOST-DOWN on the same host")
    var (observed, ended, fleet) = (change, change, change)
    observed.isObserved = true
    ended.kind = .cleared
    fleet.hostNumber = nil
    #expect([observed, ended, fleet].allSatisfy { MuteCause($0) == nil })
  }
}
