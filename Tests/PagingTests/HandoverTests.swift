import FleetModel
import Incidents
import Paging
import SiteConfiguration
import Testing

/// The state machine alone: events in, actions out, time is a number.
@Suite struct HandoverTests {
  static let secondNs: Int64 = 1_000_000_000
  static let nowNs: Int64 = 1_790_000_000 * secondNs

  private var configuration: PagingConfiguration {
    var configuration = PagingConfiguration()
    configuration.receivers = [
      "duty": .webhook(url: "", secrets: []), "lead": .webhook(url: "", secrets: []),
      "safety": .webhook(url: "", secrets: []),
    ]
    configuration.policies = [.p0: [.init(to: "duty"), .init(to: "lead", afterNs: 10 * Self.secondNs)]]
    configuration.fallback = "safety"
    return configuration
  }

  private func moment(_ seconds: Double) -> Handover.Moment {
    let ns = Int64(seconds * 1e9)
    return Handover.Moment(wallNs: Self.nowNs + ns, monotonicNs: ns)
  }

  private func change(
    _ kind: IncidentChange.Kind, _ entity: String = "gpu 3", rule: String = "RES-01", host: Int32? = nil,
    at seconds: Int64 = 0
  ) -> IncidentChange {
    let ns = Self.nowNs + seconds * Self.secondNs
    return IncidentChange(
      kind, rule: rule, severity: .p0, hostNumber: host, hostName: "trainer-1", entity: entity, eventNs: ns,
      detectedNs: ns)
  }

  private func sends(_ actions: [Handover.Action]) -> [(tag: Int, delivery: Delivery)] {
    actions.compactMap { if case .send(let tag, let delivery) = $0 { (tag, delivery) } else { nil } }
  }

  private func releases(_ actions: [Handover.Action]) -> [Release] {
    actions.compactMap { if case .release(let release) = $0 { release } else { nil } }
  }

  private func kept(_ actions: [Handover.Action]) -> (changes: [IncidentChange], pages: [LocalPage]) {
    actions.reduce(into: ([], [])) { kept, action in
      guard case .keep(let changes, let pages) = action else { return }
      kept = (kept.0 + changes, kept.1 + pages)
    }
  }

  private func writes(_ actions: [Handover.Action]) -> [NumberedChange] {
    actions.reduce(into: []) { if case .write(let changes) = $1 { $0 += changes } }
  }

  /// From memory as from the rows: two receivers refuse one incident, and the fallback is paged once.
  @Test func theFallbackIsPagedOnceForAnIncident() {
    var two = configuration
    two.policies = [.p0: [.init(to: "duty"), .init(to: "lead")]]
    var handover = Handover(two)
    var actions = handover.turn([.changes([change(.opened)])], at: moment(0))
    var receivers: [String] = []
    for turn in 2..<8 {
      let sent = sends(actions)
      receivers += sent.map(\.delivery.receiver)
      let answers = sent.map { tag, delivery in
        Handover.Event.answered(
          tag: tag, delivery.receiver == "safety" ? .delivered(answer: "") : .refused(answer: "410"),
          closedUntilNs: nil)
      }
      actions = handover.turn(answers, at: moment(Double(turn)))
    }
    #expect(receivers.sorted() == ["duty", "lead", "safety"])
  }

  // MARK: Which side sends

  @Test func whatTheDatabaseConfirmsInTimeIsReleasedAndNotPaged() {
    var handover = Handover(configuration)
    #expect(writes(handover.turn([.changes([change(.opened)])], at: moment(0))).map(\.number) == [1])
    #expect(sends(handover.turn([], at: moment(1.9))).isEmpty)
    let actions = handover.turn([.committed(through: 1)], at: moment(1.95))
    #expect(releases(actions) == [Release(number: 1, through: 1, pages: [])])
    #expect(sends(handover.turn([], at: moment(60))).isEmpty && handover.count == 0)
  }

  /// A begun message is written to the journal before it is sent, because the next process must not send it as a new
  /// one.
  @Test func whatIsNotConfirmedIsKeptAndThenSent() throws {
    var handover = Handover(configuration)
    _ = handover.turn([.changes([change(.opened)])], at: moment(0))
    let actions = handover.turn([], at: moment(2))
    let keep = try #require(actions.firstIndex { if case .keep = $0 { true } else { false } })
    let send = try #require(actions.firstIndex { if case .send = $0 { true } else { false } })
    #expect(keep < send && kept(actions).changes.count == 1)
    #expect(kept(actions).pages.map(\.receiver) == ["duty"] && kept(actions).pages[0].answer == nil)
    let tag = sends(actions)[0].tag
    let taken = handover.turn([.answered(tag: tag, .delivered(answer: "200"), closedUntilNs: nil)], at: moment(2.1))
    #expect(kept(taken).pages.map(\.answer) == ["200"])
  }

  /// After the commit no message is begun; begun messages are reported at once, and their answers when they arrive.
  @Test func aCommitEndsSendingAndReportsWhatWasBegun() {
    var handover = Handover(configuration)
    _ = handover.turn([.changes([change(.opened), change(.opened, "disk")])], at: moment(0))
    let begun = sends(handover.turn([], at: moment(2)))
    #expect(begun.count == 2)
    let committed = handover.turn([.committed(through: 2)], at: moment(3))
    #expect(releases(committed).first?.pages.map(\.answer) == [nil, nil])
    #expect(sends(handover.turn([], at: moment(13))).isEmpty)
    let answer = Handover.Event.answered(tag: begun[0].tag, .delivered(answer: "200"), closedUntilNs: nil)
    let late = releases(handover.turn([answer], at: moment(13.1)))
    #expect(late.map(\.number) == [2] && late.first?.pages.map(\.answer) == ["200"])
    #expect(late.first?.pages.first?.attempts == 0)
    let failed = Handover.Event.answered(
      tag: begun[1].tag, .retry(atNs: Self.nowNs, answer: "no answer"), closedUntilNs: nil)
    #expect(releases(handover.turn([failed], at: moment(13.2))).isEmpty && handover.count == 0)
  }

  @Test func whatWasKeptIsClearedOnlyWhenTheRowsHaveIt() {
    var handover = Handover(configuration)
    _ = handover.turn([.changes([change(.opened)])], at: moment(0))
    let tag = sends(handover.turn([], at: moment(2)))[0].tag
    _ = handover.turn([.answered(tag: tag, .delivered(answer: "200"), closedUntilNs: nil)], at: moment(2.1))
    #expect(!handover.turn([.committed(through: 1)], at: moment(3)).contains(.clearKept))
    #expect(handover.turn([.reconciled(release: 1)], at: moment(3.1)).contains(.clearKept))
  }

  @Test func aRequestThatCouldNotBeBegunIsNoAttempt() {
    var handover = Handover(configuration)
    _ = handover.turn([.changes([change(.opened)])], at: moment(0))
    let tag = sends(handover.turn([], at: moment(2)))[0].tag
    #expect(sends(handover.turn([.notBegun(tag: tag)], at: moment(2.1))).isEmpty)
    #expect(handover.everythingReported.isEmpty)
    #expect(sends(handover.turn([], at: moment(3.1))).map(\.delivery.attempts) == [1])
  }

  // MARK: Restart

  /// A restarted collector has the change twice: from its journal, and from the agent, whose batch was not
  /// acknowledged.
  @Test func aChangeThatComesAgainIsPagedOnceAndWrittenAgain() {
    var handover = Handover(configuration, isKept: true)
    let opened = change(.opened)
    let written = writes(handover.turn([.restored([opened]), .changes([opened])], at: moment(0)))
    #expect(written.map(\.number) == [1, 1] && handover.count == 1)
    #expect(sends(handover.turn([], at: moment(2))).count == 1)
  }

  @Test func whatAnEarlierProcessSentIsNotSentAgain() {
    var first = Handover(configuration)
    let opened = change(.opened)
    _ = first.turn([.changes([opened])], at: moment(0))
    let begun = first.turn([], at: moment(2))
    let answer = Handover.Event.answered(tag: sends(begun)[0].tag, .delivered(answer: "200"), closedUntilNs: nil)
    let taken = first.turn([answer], at: moment(2.1))
    var second = Handover(configuration, pages: kept(begun).pages + kept(taken).pages, isKept: true)
    _ = second.turn([.restored([opened])], at: moment(5))
    #expect(sends(second.turn([], at: moment(7))).map(\.delivery.receiver) == [])
    // A message that was only begun may have arrived or not: it is sent again under the same id, and its end is sent.
    var third = Handover(configuration, pages: kept(begun).pages, isKept: true)
    _ = third.turn([.restored([opened])], at: moment(5))
    let again = sends(third.turn([], at: moment(7)))
    #expect(again.map(\.delivery.messageID) == sends(begun).map(\.delivery.messageID))
    #expect(again.map(\.delivery.attempts) == [2])
  }

  /// A release reports messages of an earlier process also for changes for which this one planned none.
  @Test func aReleaseReportsWhatAnEarlierProcessSent() {
    var page = LocalPage(dedupKey: change(.opened).dedupKey, receiver: "safety", messageID: "m", atNs: 1)
    page.answer = "200"
    var handover = Handover(configuration, pages: [page], isKept: true)
    _ = handover.turn([.restored([change(.opened)])], at: moment(0))
    #expect(releases(handover.turn([.committed(through: 1)], at: moment(0.1))).first?.pages == [page])
  }

  // MARK: Ends

  private func events(_ actions: [Handover.Action]) -> [Delivery.Event] { sends(actions).map(\.delivery.event) }

  @Test func anEndFollowsThePageAndEndsOnlyWhatCameRightBeforeIt() {
    var handover = Handover(configuration)
    _ = handover.turn([.changes([change(.opened)])], at: moment(0))
    let tag = sends(handover.turn([], at: moment(2)))[0].tag
    _ = handover.turn([.changes([change(.cleared, at: 3)])], at: moment(3))
    // Not before the page's answer.
    #expect(events(handover.turn([], at: moment(5))) == [])
    let answered = Handover.Event.answered(tag: tag, .delivered(answer: "200"), closedUntilNs: nil)
    #expect(events(handover.turn([answered], at: moment(6))) == [.resolve])
    // The end of a beginning that is not held must not end the one before.
    #expect(events(handover.turn([.changes([change(.cleared, at: 7)])], at: moment(7))) == [])
    #expect(events(handover.turn([], at: moment(9))) == [])
  }

  /// The rows may send the page once more, so that only they can order its end after it.
  @Test func ofWhatIsCommittedTheEndIsNotSentFromMemory() {
    var handover = Handover(configuration)
    _ = handover.turn([.changes([change(.opened)])], at: moment(0))
    _ = handover.turn([], at: moment(2))
    _ = handover.turn([.committed(through: 1), .changes([change(.cleared, at: 3)])], at: moment(3))
    #expect(events(handover.turn([], at: moment(6))) == [])
  }

  // MARK: Knowledge of the database

  /// Pages about a change that is not confirmed.
  private func planned(_ handover: inout Handover, _ change: IncidentChange, at seconds: Double) -> Int {
    _ = handover.turn([.changes([change])], at: moment(seconds))
    _ = handover.turn([], at: moment(seconds + 2))
    return handover.everythingReported.count { $0.dedupKey == change.dedupKey && $0.receiver == "duty" }
  }

  @Test func whatFollowsFromAnIncidentOfTheDatabaseIsNotPaged() {
    var handover = Handover(configuration)
    var muting = Muting(spreads: ["NET-01": 9])
    let down = change(.opened, "", rule: "HOST-DOWN", host: 1)
    muting.add(MuteCause(number: 7, identity: down.identity, rule: "HOST-DOWN", mutes: ["EPI-*"]), on: 1)
    _ = handover.turn([.known(.init(muting: muting))], at: moment(0))
    #expect(planned(&handover, change(.opened, "a", rule: "EPI-01", host: 1), at: 0) == 0)
    #expect(planned(&handover, change(.opened, "a", rule: "NET-01", host: 2), at: 1) == 0)
    #expect(planned(&handover, change(.opened, "a", rule: "RES-01", host: 1), at: 2) == 1)
    #expect(planned(&handover, change(.opened, "a", rule: "EPI-01", host: 2), at: 3) == 1)
    // The cause ends while the database is away, and mutes for a little longer. Older knowledge of the database does
    // not reopen it.
    #expect(planned(&handover, change(.cleared, "", rule: "HOST-DOWN", host: 1, at: 4), at: 4) == 0)
    _ = handover.turn([.known(.init(muting: muting))], at: moment(7))
    #expect(planned(&handover, change(.opened, "a", rule: "EPI-02", host: 1, at: 30), at: 30) == 0)
    #expect(planned(&handover, change(.opened, "a", rule: "EPI-03", host: 1, at: 70), at: 70) == 1)
  }

  @Test func aPauseThatTheDatabaseKnowsHoldsPages() {
    var handover = Handover(configuration)
    _ = handover.turn([.known(.init(pauses: ["duty": Self.nowNs + 30 * Self.secondNs]))], at: moment(0))
    _ = handover.turn([.known(.init(pauses: ["duty": Self.nowNs])), .changes([change(.opened)])], at: moment(0))
    #expect(sends(handover.turn([], at: moment(9))).isEmpty)
    #expect(sends(handover.turn([], at: moment(30))).contains { $0.delivery.receiver == "duty" })
  }

  // MARK: The database's side

  /// A COMMIT without an answer is repeated unchanged under the same name; a release frees the reservations up to its
  /// number only.
  @Test func aGroupStaysTheSameUntilItIsWritten() throws {
    var queue = WriteQueue(holder: "instance/process")
    func numbered(_ numbers: ClosedRange<UInt64>) -> [NumberedChange] {
      numbers.map { NumberedChange(number: $0, change: change(.opened, "gpu \($0)"), takenNs: 0) }
    }
    queue.add(numbered(1...2))
    let first = queue.nextGroup()
    let group = try #require(first)
    queue.add(numbered(3...150))
    #expect(queue.nextGroup() == group && group.changes.count == 2)
    queue.wroteGroup()
    let next = queue.nextGroup()
    let second = try #require(next)
    #expect(queue.committed == 2 && second.changes.count == 100 && second.reservation != group.reservation)
    queue.wroteGroup()
    #expect(queue.nextReconciliation == nil)
    let page = LocalPage(dedupKey: "k", receiver: "duty", messageID: "m", atNs: 0)
    queue.add(Release(number: 1, through: 2, pages: [page]))
    let done = try #require(queue.nextReconciliation)
    #expect(done.pages == [page] && done.freeing == [group.reservation] && done.holding == second.reservation)
    queue.add(Release(number: 2, through: 102, pages: []))
    queue.wrote(done)
    #expect(queue.reconciled == 1 && queue.nextReconciliation?.freeing == [second.reservation])
  }
}
