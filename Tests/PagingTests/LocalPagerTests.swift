import Files
import FleetModel
import Incidents
import Foundation
import Paging
import SiteConfiguration
import Store
import Testing

/// Paging from memory alone, with a real receiver.
@Suite(.timeLimit(.minutes(10))) struct LocalPagerTests {
  /// It stands in for the duty and the lead: the end must not overtake the second message.
  @Test func theFallbackHearsOfTheEndWhenNothingIsUnderWayToIt() throws {
    let receiver = try TestReceiver()
    var configuration = PagingConfiguration()
    configuration.receivers = [
      "duty": .webhook(url: receiver.url("400/duty"), secrets: []),
      "lead": .webhook(url: receiver.url("400/lead"), secrets: []),
      "safety": .webhook(url: receiver.url("slow-200/safety"), secrets: []),
    ]
    configuration.policies = [.p0: [.init(to: "duty"), .init(to: "lead", afterNs: 2_500_000_000)]]
    configuration.fallback = "safety"
    let pager = try LocalPager(configuration) { 0 }
    func heard(_ name: String) -> [String] {
      receiver.requests().filter { $0.path.hasSuffix(name) }.compactMap { $0.body["event"] as? String }
    }
    func take(_ kind: IncidentChange.Kind) {
      _ = pager.take([PagingStage.change(kind, "gpu 3")], nowNs: Clock.wallNs(), monotonicNs: Clock.monotonicNs())
    }
    func work(until isDone: () -> Bool) {
      let deadline = Date(timeIntervalSinceNow: 15)
      while !isDone(), Date() < deadline {
        // Its patience is over at once.
        _ = pager.plan(nowNs: Clock.wallNs(), monotonicNs: Clock.monotonicNs() + LocalPager.patienceNs)
        pager.begin(nowNs: Clock.wallNs())
        _ = pager.wait(maximumMs: 20, descriptors: []) { Clock.wallNs() }
      }
    }
    take(.opened)
    work { heard("safety") == ["trigger", "escalate"] }
    take(.cleared)
    work { heard("safety").contains("resolve") }
    #expect(pager.told.count { $0.receiver == "safety" && $0.answer != nil } == 2)
    work { !pager.isSending }
    #expect(heard("safety") == ["trigger", "escalate", "resolve"])
  }

  /// A host that was down before the database went away, as the database last had it.
  @Test func whatFollowsFromAnIncidentOfTheDatabaseIsNotPagedFromMemory() throws {
    let receiver = try TestReceiver()
    var configuration = PagingConfiguration()
    configuration.receivers = ["duty": .webhook(url: receiver.url("200/duty"), secrets: [])]
    configuration.policies = [.p0: [.init(to: "duty")]]
    let pager = try LocalPager(configuration) { 0 }
    func change(_ kind: IncidentChange.Kind, _ rule: String, host: Int32 = 1) -> IncidentChange {
      var change = PagingStage.change(kind, "")
      (change.rule, change.hostNumber) = (rule, host)
      return change
    }
    /// Pages about a change.
    func planned(_ change: IncidentChange, after seconds: Int64 = 0) -> Int {
      let before = pager.told.count
      _ = pager.take([change], nowNs: Clock.wallNs(), monotonicNs: Clock.monotonicNs())
      let nowNs = Clock.wallNs() + seconds * 1_000_000_000
      _ = pager.plan(nowNs: nowNs, monotonicNs: Clock.monotonicNs() + LocalPager.patienceNs)
      pager.begin(nowNs: nowNs)
      return pager.told.count - before
    }
    var muting = Muting(spreads: ["NET-01": 9])
    let down = change(.opened, "HOST-DOWN")
    muting.add(MuteCause(number: 7, identity: down.identity, rule: "HOST-DOWN", mutes: ["EPI-*"]), on: 1)
    pager.take(muting)
    #expect(planned(change(.opened, "EPI-01")) == 0 && planned(change(.opened, "NET-01", host: 2)) == 0)
    #expect(planned(change(.opened, "RES-01")) == 1 && planned(change(.opened, "EPI-01", host: 2)) == 1)
    // It ends while the database is away; what follows from it ends a little later. An older answer of the database changes nothing.
    #expect(planned(change(.cleared, "HOST-DOWN")) == 0)
    pager.take(muting)
    #expect(planned(change(.opened, "EPI-02"), after: 30) == 0)
    #expect(planned(change(.opened, "EPI-03"), after: 61) == 1)
  }

  @Test func aPauseThatTheDatabaseKnowsHoldsPagesFromMemory() throws {
    let receiver = try TestReceiver()
    var configuration = PagingConfiguration()
    configuration.receivers = ["duty": .webhook(url: receiver.url("200/duty"), secrets: [])]
    configuration.policies = [.p0: [.init(to: "duty")]]
    let pager = try LocalPager(configuration) { 0 }
    let nowNs = Clock.wallNs()
    pager.take(pauses: ["duty": nowNs + 30_000_000_000])
    pager.take(pauses: ["duty": nowNs])
    _ = pager.take([PagingStage.change(.opened, "gpu 3")], nowNs: nowNs, monotonicNs: 0)
    _ = pager.plan(nowNs: nowNs, monotonicNs: LocalPager.patienceNs)
    pager.begin(nowNs: nowNs + 29_000_000_000)
    #expect(!pager.isSending)
    pager.begin(nowNs: nowNs + 30_000_000_000)
    #expect(pager.isSending)
  }
}
