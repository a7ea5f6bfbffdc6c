import Files
import FleetModel
import Incidents
import Foundation
import Paging
import SiteConfiguration
import Store
import Testing

/// Paging from memory alone, with a real receiver.
@Suite(.timeLimit(.minutes(10))) struct MemoryPagerTests {
  /// It stands in for the duty and the lead: the end must not overtake the second message.
  @Test func theFallbackIsSentTheEndAfterItsPages() throws {
    let receiver = try TestReceiver()
    var configuration = PagingConfiguration()
    configuration.receivers = [
      "duty": .webhook(url: receiver.url("400/duty"), secrets: []),
      "lead": .webhook(url: receiver.url("400/lead"), secrets: []),
      "safety": .webhook(url: receiver.url("slow-200/safety"), secrets: []),
    ]
    configuration.policies = [.p0: [.init(to: "duty"), .init(to: "lead", afterNs: 2_500_000_000)]]
    configuration.fallback = "safety"
    let pager = try MemoryPager(Handover(configuration)) { 0 }
    func received(_ name: String) -> [String] {
      receiver.requests().filter { $0.path.hasSuffix(name) }.compactMap { $0.body["event"] as? String }
    }
    func take(_ kind: IncidentChange.Kind) {
      pager.turn(
        [.changes([PagingStage.change(kind, "gpu 3")])],
        at: .init(wallNs: Clock.wallNs(), monotonicNs: Clock.monotonicNs()))
    }
    func work(until isDone: () -> Bool) {
      let deadline = Date(timeIntervalSinceNow: 15)
      while !isDone(), Date() < deadline {
        // `patienceNs` has passed at once.
        pager.turn(
          at: .init(wallNs: Clock.wallNs(), monotonicNs: Clock.monotonicNs() + Handover.patienceNs))
        pager.wait(maximumMs: 20, descriptors: []) { Clock.wallNs() }
      }
    }
    take(.opened)
    work { received("safety") == ["trigger", "escalate"] }
    take(.cleared)
    work { received("safety").contains("resolve") }
    work { !pager.handover.isSending }
    #expect(pager.handover.everythingReported.count { $0.receiver == "safety" && $0.answer != nil } == 3)
    #expect(received("safety") == ["trigger", "escalate", "resolve"])
  }
}
