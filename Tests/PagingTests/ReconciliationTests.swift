import FleetModel
import Incidents
import Paging
import Postgres
import Store
import TestSupport
import Testing

/// Rows that are reserved while their messages may be sent from memory, and their states after the report.
@Suite(.timeLimit(.minutes(10))) struct ReconciliationTests {
  static let secondNs: Int64 = 1_000_000_000
  static let nowNs: Int64 = 1_790_000_000 * secondNs
  static let name = "memory instance/process/1"

  let database: TestDatabase
  let store: Store
  let lease: Lease

  init() throws { try self.init(on: TestDatabase()) }

  private init(on database: TestDatabase) throws {
    self.database = database
    store = try Store.open(database.url, migrating: true)
    lease = try #require(try store.takeLease("paging", holder: "other/process", seconds: 3600))
  }

  private let policy = PagingPolicy(fallback: "safety") { _, nowNs in
    [
      PlannedDelivery(receiver: "duty", dueNs: nowNs),
      PlannedDelivery(receiver: "lead", dueNs: nowNs + 900 * secondNs, step: 1),
    ]
  }

  private func change(
    _ kind: IncidentChange.Kind, _ entity: String = "gpu 3", at seconds: Int64 = 0
  ) -> IncidentChange {
    let ns = Self.nowNs + seconds * Self.secondNs
    return IncidentChange(
      kind, rule: "RES-01", severity: .p0, hostName: "trainer-1", entity: entity, eventNs: ns, detectedNs: ns)
  }

  private func apply(_ changes: [IncidentChange], _ name: String = name, paged: Bool = false, at seconds: Int64 = 0)
    throws
  {
    let reservation = Reservation(name: name, mayBePaged: paged ? Set(changes.map(\.dedupKey)) : [])
    try store.apply(
      changes, policy: policy, reservation: reservation, nowNs: Self.nowNs + seconds * Self.secondNs)
  }

  private func page(
    _ change: IncidentChange, _ event: Delivery.Event = .trigger, to receiver: String = "duty", at seconds: Int64 = 0,
    taken: Bool = true
  ) -> LocalPage {
    var page = LocalPage(
      dedupKey: change.dedupKey, receiver: receiver,
      messageID: PageID.of(
        dedupKey: change.dedupKey, change: event == .resolve ? 2 : 1, event: event, receiver: receiver, step: 0),
      atNs: Self.nowNs + seconds * Self.secondNs)
    page.identity = change.identity
    page.event = event
    if taken { page.answer = "200" }
    return page
  }

  private func reconcile(_ pages: [LocalPage], freeing: [String] = [name], at seconds: Int64 = 0) throws {
    try store.reconcile(pages, freeing: freeing, nowNs: Self.nowNs + seconds * Self.secondNs)
  }

  /// Sends what is due, with answers at once. - Returns: the messages, as `receiver event key`.
  private func send(at seconds: Int64) throws -> [String] {
    let nowNs = Self.nowNs + seconds * Self.secondNs
    return try store.claimDeliveries(lease, loads: [:], policy: policy, nowNs: nowNs).map { delivery in
      try store.settle(delivery, .delivered(answer: "200"), lease, policy: policy, nowNs: nowNs)
      return "\(delivery.receiver) \(delivery.event.rawValue) \(Message(delivery, nowNs: nowNs).dedupKey)"
    }
  }

  private func rows(_ condition: String = "true") throws -> [String] {
    let rows = try store.connection.query(
      "select concat_ws(' ', receiver, event, state) from signalbox.outbox where \(condition) order by number")
    return (0..<rows.count).map { rows.text($0, 0) ?? "" }
  }

  // MARK: Reservation

  @Test func aReservedRowIsClaimedByNobodyUntilItIsFree() throws {
    try apply([change(.opened)])
    #expect(try send(at: 19) == [])
    try reconcile([], at: 19)
    #expect(try send(at: 19) == ["duty trigger \(change(.opened).dedupKey)"])
  }

  /// The collector that reserved it has ended.
  @Test func aReservationThatIsNotFreedEnds() throws {
    try apply([change(.opened)])
    #expect(try send(at: 20).count == 1)
  }

  @Test func aCollectorThatStartsAgainFreesWhatItHadReserved() throws {
    try apply([change(.opened)])
    try store.freeReservations(ofInstance: "instance/process", nowNs: Self.nowNs)
    #expect(try send(at: 1) == [])
    try store.freeReservations(ofInstance: "elsewhere/next", nowNs: Self.nowNs)
    #expect(try send(at: 1) == [])
    try store.freeReservations(ofInstance: "instance/next", nowNs: Self.nowNs)
    #expect(try send(at: 1).count == 1)
  }

  /// Collectors that could not reach the database could not report either.
  @Test func aReservationThatEndedWithoutTheDatabaseIsKeptForAMoment() throws {
    try apply([change(.opened)])
    let until = Self.nowNs + 35 * Self.secondNs
    try store.extendClaims(from: Self.nowNs + 10 * Self.secondNs, to: until)
    #expect(try send(at: 34) == [])
    #expect(try send(at: 35).count == 1)
  }

  /// Claimed once without an answer, then begun from memory: the next holder of the lease waits for the answer from
  /// memory.
  @Test func whatMemoryHasBegunIsNotTakenOverWithTheLease() throws {
    try apply([change(.opened)])
    try reconcile([])
    #expect(try store.claimDeliveries(lease, loads: [:], policy: policy, nowNs: Self.nowNs).count == 1)
    try reconcile([page(change(.opened), at: 1, taken: false)], freeing: [], at: 1)
    try store.releaseLease(lease)
    let next = try #require(try store.takeLease("paging", holder: "next/process", seconds: 3600))
    try store.adoptDeliveries(next, atNs: Self.nowNs + 2 * Self.secondNs)
    #expect(try store.claimDeliveries(next, loads: [:], policy: policy, nowNs: Self.nowNs + 3 * Self.secondNs).isEmpty)
  }

  // MARK: Messages from memory

  @Test func whatWasTakenIsNotSentAndItsEndFollows() throws {
    try apply([change(.opened)])
    try reconcile([page(change(.opened))])
    #expect(try send(at: 1) == [])
    try apply([change(.cleared, at: 2)], at: 2)
    try reconcile([], at: 2)
    #expect(try send(at: 3) == ["duty resolve \(change(.opened).dedupKey)"])
  }

  /// The store has written no row for the fallback's page.
  @Test func whoWasPagedInPlaceOfAnotherIsSentTheEnd() throws {
    try apply([change(.opened)])
    try reconcile([page(change(.opened), to: "safety")])
    try apply([change(.cleared, at: 2)], at: 2)
    try reconcile([], at: 2)
    #expect(try Set(send(at: 3) + send(at: 4)).contains("safety resolve \(change(.opened).dedupKey)"))
  }

  /// The cause that mutes it was unknown to memory.
  @Test func whatIsMutedAndWasPagedIsEnded() throws {
    var silence = Silence(
      author: "ann", reason: "work", startsNs: Self.nowNs, endsNs: Self.nowNs + 3600 * Self.secondNs)
    silence.rule = "RES-*"
    _ = try store.addSilence(silence, nowNs: Self.nowNs)
    try apply([change(.opened)])
    #expect(try rows() == [])
    try reconcile([page(change(.opened))])
    try apply([change(.cleared, at: 2)], at: 2)
    try reconcile([], at: 2)
    #expect(try send(at: 3) == ["duty resolve \(change(.opened).dedupKey)"])
  }

  /// An incident that comes back and is paged from memory.
  private func pagedReturn() throws -> IncidentChange {
    try apply([change(.opened), change(.cleared, at: 2)])
    try reconcile([])
    #expect(try send(at: 3).count == 1 && send(at: 4).count == 1)
    let back = change(.opened, at: 60)
    try apply([back], at: 60)
    try reconcile([page(back, at: 63)], at: 64)
    return back
  }

  /// A reopened incident keeps its first key; the page from memory has the key of the new beginning.
  @Test func aReturnThatWasPagedFromMemoryIsOneMessageAndItsOwnAlert() throws {
    let back = try pagedReturn()
    #expect(
      try send(at: 65) == [] && rows("event = 'trigger'") == ["duty trigger delivered", "duty trigger delivered"])
    try apply([change(.cleared, at: 90)], at: 90)
    try reconcile([], at: 90)
    #expect(try send(at: 120) == ["duty resolve \(back.dedupKey)"])
  }

  /// Memory's attempt had no answer: the rows repeat it with its id and the key of the alert, not that of the incident.
  @Test func anEndOfAReturnThatMemoryBeganIsRepeatedUnderTheSameKey() throws {
    let back = try pagedReturn()
    try apply([change(.cleared, at: 90)], at: 90)
    let end = page(back, .resolve, at: 91, taken: false)
    try reconcile([end], at: 92)
    let again = try #require(
      try store.claimDeliveries(lease, loads: [:], policy: policy, nowNs: Self.nowNs + 120 * Self.secondNs).first)
    #expect(again.messageID == end.messageID)
    #expect(Message(again, nowNs: Self.nowNs).dedupKey == back.dedupKey)
  }

  /// Its end waits for the answer of the page in flight; meanwhile a return is paged from memory as an alert of its own.
  @Test func aReturnThatWasPagedFromMemoryDoesNotEndTheAlertBefore() throws {
    let opened = change(.opened)
    try apply([opened])
    try reconcile([])
    let inFlight = try #require(
      try store.claimDeliveries(lease, loads: [:], policy: policy, nowNs: Self.nowNs + Self.secondNs).first)
    let back = change(.opened, at: 5)
    try apply([change(.cleared, at: 3), back], at: 6)
    try reconcile([page(back, at: 6)], at: 7)
    #expect(try send(at: 8) == [])
    try store.settle(inFlight, .delivered(answer: "200"), lease, policy: policy, nowNs: Self.nowNs + 9 * Self.secondNs)
    #expect(try send(at: 40) == ["duty resolve \(opened.dedupKey)"])
    try apply([change(.cleared, at: 50)], at: 50)
    try reconcile([], at: 50)
    #expect(try send(at: 80) == ["duty resolve \(back.dedupKey)"])
  }

  /// Its message is no list either: later pages are sent singly.
  @Test func aReturnThatWasPagedFromMemoryBeginsNoStorm() throws {
    _ = try pagedReturn()
    let others = ["gpu 4", "gpu 5"].map { entity in
      var other = change(.opened, at: 65)
      other.entity = entity
      return other
    }
    try apply(others, at: 65)
    try reconcile([], at: 65)
    #expect(try send(at: 66) == others.map { "duty trigger \($0.dedupKey)" })
  }

  /// A change of state before the end gives the row of the end another id; the end is sent once all the same.
  @Test func anEndFromMemoryIsTheRowsEndUnderWhateverNumber() throws {
    let opened = change(.opened)
    try apply([opened])
    try reconcile([page(opened)])
    try store.acknowledge(incident: 1, actor: "ann", nowNs: Self.nowNs + Self.secondNs)
    #expect(try send(at: 2) == ["duty acknowledge \(opened.dedupKey)"])
    try apply([change(.cleared, at: 3)], at: 3)
    try reconcile([page(opened, .resolve, at: 4)], at: 5)
    #expect(try send(at: 6) == [] && rows("event = 'resolve'") == ["duty resolve delivered"])
  }

  /// Another collector sent the end while this one paged on without the database.
  @Test func aPageThatWasTakenAfterItsEndIsEndedAgain() throws {
    let opened = change(.opened)
    try apply([opened])
    try reconcile([page(opened, at: 1)], at: 2)
    try apply([change(.cleared, at: 3)], at: 3)
    try reconcile([], at: 3)
    #expect(try send(at: 4).count == 1)
    try reconcile([page(opened, at: 9)], freeing: [], at: 10)
    #expect(try send(at: 11) == ["duty resolve \(opened.dedupKey)"])
  }

  /// Memory's message was taken, and the same one is in flight from the rows: an end before its answer could be overtaken.
  @Test func anEndWaitsForTheAnswerOfWhatMemoryHasSentAsWell() throws {
    let opened = change(.opened)
    try apply([opened])
    try reconcile([])
    let inFlight = try #require(
      try store.claimDeliveries(lease, loads: [:], policy: policy, nowNs: Self.nowNs + Self.secondNs).first)
    try reconcile([page(opened, at: 1)], freeing: [], at: 2)
    try apply([change(.cleared, at: 3)], at: 3)
    try reconcile([], at: 3)
    #expect(try send(at: 4) == [])
    try store.settle(inFlight, .delivered(answer: "200"), lease, policy: policy, nowNs: Self.nowNs + 5 * Self.secondNs)
    #expect(try send(at: 6) == ["duty resolve \(opened.dedupKey)"])
  }

  /// An incident has come back while memory's end of its first beginning is in flight to a receiver of which the rows know nothing yet: the page of
  /// the second waits.
  @Test func aReturnWaitsForTheEndThatMemoryHasInFlight() throws {
    let soon = PagingPolicy { _, nowNs in
      [
        PlannedDelivery(receiver: "duty", dueNs: nowNs),
        PlannedDelivery(receiver: "lead", dueNs: nowNs + Self.secondNs, step: 1),
      ]
    }
    let opened = change(.opened)
    try store.apply(
      [opened, change(.cleared, at: 2), change(.opened, at: 5)], policy: soon,
      reservation: Reservation(name: Self.name, mayBePaged: []), nowNs: Self.nowNs + 6 * Self.secondNs)
    var paged = page(opened, .escalate, to: "lead", at: 1)
    paged.step = 1
    paged.messageID = PageID.of(dedupKey: opened.dedupKey, change: 1, event: .escalate, receiver: "lead", step: 1)
    let end = page(opened, .resolve, to: "lead", at: 6, taken: false)
    try reconcile([page(opened, at: 1), page(opened, .resolve, at: 6), paged, end], at: 6)
    #expect(try send(at: 8) == ["duty trigger \(opened.dedupKey)"])
    try reconcile([page(opened, .resolve, to: "lead", at: 7)], freeing: [], at: 9)
    #expect(try send(at: 10) == ["lead escalate \(opened.dedupKey)"])
  }

  /// It refused the rows' message, and memory's may have arrived: it is sent the end.
  @Test func whoRefusedAMessageAndMayHaveTakenMemorysIsSentTheEnd() throws {
    let opened = change(.opened)
    try apply([opened])
    try reconcile([])
    let refused = try #require(
      try store.claimDeliveries(lease, loads: [:], policy: policy, nowNs: Self.nowNs + Self.secondNs).first)
    try store.settle(refused, .refused(answer: "400"), lease, policy: policy, nowNs: Self.nowNs + Self.secondNs)
    try reconcile([page(opened, at: 2, taken: false)], freeing: [], at: 3)
    try apply([change(.cleared, at: 20)], at: 20)
    try reconcile([], at: 20)
    #expect(try (send(at: 60) + send(at: 61)).contains("duty resolve \(opened.dedupKey)"))
  }

  /// Memory sent a list, and the rows their messages by themselves: two alerts.
  @Test func whatWentOutBothWaysIsEndedBothWays() throws {
    let opened = change(.opened)
    try apply([opened])
    try reconcile([])
    #expect(try send(at: 1).count == 1)
    var listed = page(opened, at: 1)
    listed.bundle = "msg_list"
    try reconcile([listed], freeing: [], at: 2)
    try apply([change(.cleared, at: 3)], at: 3)
    try reconcile([], at: 3)
    #expect(
      try Set(send(at: 4) + send(at: 40)) == [
        "duty resolve \(opened.dedupKey)", "duty resolve signalbox|digest|msg_list",
      ])
  }

  /// The rows sent them by themselves, and memory in a list: begun in one release and taken in the next, reported together.
  @Test func aSecondAlertThatWasBegunAndTakenIsTaken() throws {
    let opened = (1...3).map { change(.opened, "gpu \($0)") }
    try apply(opened)
    try reconcile([])
    #expect(try send(at: 1).count == 3)
    func reports(taken: Bool) -> [LocalPage] {
      opened.map { one in
        var report = page(one, at: taken ? 3 : 1, taken: taken)
        report.bundle = "msg_list"
        return report
      }
    }
    try reconcile(reports(taken: false) + reports(taken: true), freeing: [], at: 4)
    let expected = Array(repeating: "duty trigger delivered", count: 3)
    #expect(try rows("message_id like '%/msg_list'") == expected)
  }

  /// Begun in a list by another collector's memory, and taken only after its end.
  @Test func aSecondAlertThatIsTakenAfterItsEndIsEndedAgain() throws {
    let opened = change(.opened)
    try apply([opened])
    try reconcile([])
    #expect(try send(at: 1).count == 1)
    var listed = page(opened, at: 1, taken: false)
    listed.bundle = "msg_list"
    try reconcile([listed], freeing: [], at: 2)
    try apply([change(.cleared, at: 3)], at: 3)
    try reconcile([], at: 3)
    let end = "duty resolve signalbox|digest|msg_list"
    #expect(try (send(at: 4) + send(at: 40)).contains(end))
    (listed.attempts, listed.answer, listed.atNs) = (0, "200", Self.nowNs + 50 * Self.secondNs)
    try reconcile([listed], freeing: [], at: 51)
    #expect(try (send(at: 120) + send(at: 180)).contains(end))
  }

  /// Another collector sent the end while this one, cut off, went on paging whom it pages in place of others.
  @Test func anAlertThatTwoPagesOpenedIsEndedOnce() throws {
    let opened = change(.opened)
    let key = opened.dedupKey
    func pages(at seconds: Int64) -> [LocalPage] {
      [page(opened, to: "safety", at: seconds), page(opened, .escalate, to: "safety", at: seconds)]
    }
    func toSafety(at seconds: Int64) throws -> [String] {
      try send(at: seconds).filter { $0.hasPrefix("safety") }
    }
    try apply([opened])
    try reconcile(pages(at: 1), at: 2)
    try apply([change(.cleared, at: 3)], at: 3)
    try reconcile([], at: 3)
    #expect(try toSafety(at: 4) == ["safety resolve \(key)"])
    try reconcile(pages(at: 9), freeing: [], at: 10)
    #expect(try toSafety(at: 11) == ["safety resolve \(key)"])
    #expect(try rows("receiver = 'safety' and event = 'resolve'").count == 2)
  }

  /// The rows sent its first page in a list, and another collector's memory by itself; its return was paged under the same key.
  @Test func whatIsOpenAgainUnderTheSameKeyIsNotEnded() throws {
    let storm = (1...7).map { change(.opened, "gpu \($0)") }
    try apply(storm)
    try reconcile([])
    #expect(try send(at: 1).count == 1)
    try apply([change(.cleared, "gpu 1", at: 2)], at: 2)
    try reconcile([], at: 2)
    #expect(try send(at: 30).count == 1)
    try apply([change(.opened, "gpu 1", at: 100)], at: 100)
    try reconcile([], at: 100)
    #expect(try send(at: 101) == ["duty trigger \(storm[0].dedupKey)"])
    try reconcile([page(storm[0], at: 1)], freeing: [], at: 102)
    #expect(try rows("message_id like '%/%'") == ["duty trigger delivered"])
    #expect(try send(at: 103) == [])
  }

  /// Where upper and lower case sort together, as in most languages, another list would come first than in memory.
  @Test func endsOfSeveralAlertsHaveMemorysIdsUnderAnyCollation() throws {
    try ReconciliationTests(on: TestDatabase(icuLocale: "en")).endSeveralAlerts()
  }

  private func endSeveralAlerts() throws {
    let storm = (1...7).map { change(.opened, "gpu \($0)") }
    let key = storm[0].dedupKey
    try apply(storm)
    try reconcile([])
    #expect(try send(at: 1).count == 1)
    try reconcile([page(storm[0], at: 1)], freeing: [], at: 2)
    try apply([change(.cleared, "gpu 1", at: 3)], at: 3)
    try reconcile([], at: 3)
    #expect(try send(at: 30).count == 1)
    let id = page(storm[0], .resolve).messageID
    #expect(try rows("message_id = '\(id)' and list = '\(key)'") == ["duty resolve delivered"])
    #expect(try rows("event = 'resolve' and list like 'msg_%'").count == 1)
  }

  /// The page was claimed once more after its end was written.
  @Test func theFallbackHasThePageBeforeItsEnd() throws {
    try apply([change(.opened)])
    try reconcile([])
    #expect(try store.claimDeliveries(lease, loads: [:], policy: policy, nowNs: Self.nowNs).count == 1)
    try apply([change(.cleared, at: 1)], at: 1)
    try reconcile([], at: 1)
    let nowNs = Self.nowNs + 61 * Self.secondNs
    let again = try store.claimDeliveries(lease, loads: [:], policy: policy, nowNs: nowNs)
    #expect(again.map(\.event) == [.trigger])
    try store.settle(try #require(again.first), .refused(answer: "400"), lease, policy: policy, nowNs: nowNs)
    #expect(try rows("receiver = 'safety'") == ["safety trigger waiting", "safety resolve waiting"])
  }

  @Test func whatHasNoIncidentChangesNothing() throws {
    try reconcile([page(change(.opened)), page(change(.opened), .resolve)])
    #expect(try rows() == [])
  }
}
