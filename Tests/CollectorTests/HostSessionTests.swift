import FleetModel
import Postgres
import Schema
import Store
import Testing

@testable import Collector

@Suite struct HostSessionTests {
  static let host = HostID(high: 1, low: 1)

  static func hello() -> AgentFrame {
    var hello = Hello()
    hello.protocolVersion = FleetProtocol.version
    hello.spoolID = SpoolID(high: 2, low: 2)
    return .hello(hello)
  }

  static func fence() -> Fence {
    Fence(
      hostNumber: 7, hostName: "a", epoch: 3, lanes: [LaneMark(lane: .live, sequence: 9)], files: [],
      isSuspectedClone: false)
  }

  static func batch(_ number: UInt64, _ change: (inout Batch) -> Void = { _ in }) -> AgentFrame {
    var batch = Batch()
    batch.number = number
    change(&batch)
    return .batch(batch)
  }

  static func streaming(_ limits: HostSessionLimits = HostSessionLimits()) -> HostSession {
    var session = HostSession(host: host, limits: limits)
    _ = session.received(hello(), bytes: 10, nowNs: 0)
    _ = session.fenceReceived(fence(), settings: Settings(), nowNs: 0)
    return session
  }

  static func acks(_ actions: [HostSession.Action]) -> [UInt64] {
    actions.compactMap { if case .send(.ack(let number)) = $0 { number } else { nil } }
  }

  static func end(_ action: HostSession.Action?) -> HostSessionEnd? {
    if case .close(let end)? = action { end } else { nil }
  }

  @Test func helloIsFencedBeforeItIsWelcomed() throws {
    var session = HostSession(host: Self.host)
    guard case .fence(let hello)? = session.received(Self.hello(), bytes: 10, nowNs: 0) else {
      Issue.record("no fence")
      return
    }
    #expect(hello.spoolID == SpoolID(high: 2, low: 2))
    #expect(!session.wantsInput)
    guard case .send(.welcome(let welcome))? = session.fenceReceived(Self.fence(), settings: Settings(), nowNs: 5).first
    else {
      Issue.record("no welcome")
      return
    }
    #expect(welcome.epoch == 3 && welcome.hostID == Self.host && welcome.serverNs == 5)
    #expect(welcome.lanes == [LaneMark(lane: .live, sequence: 9)])
    #expect(session.wantsInput)
  }

  @Test func aBatchIsStagedUnderTheCertificatesHostAndTheFencesEpoch() {
    var session = Self.streaming()
    guard case .stage(let staged, let bytes)? = session.received(Self.batch(1), bytes: 100, nowNs: 8) else {
      Issue.record("not staged")
      return
    }
    #expect(staged.host == Self.host && staged.hostNumber == 7 && staged.epoch == 3 && staged.receivedNs == 8)
    #expect(bytes == 100 && session.stagedBytes == 100)
  }

  @Test func onlyWhatIsCommittedIsAckedWithOneAck() {
    var session = Self.streaming()
    for number in 1...3 as ClosedRange<UInt64> { _ = session.received(Self.batch(number), bytes: 10, nowNs: 0) }
    #expect(session.lastAcked == 0)
    let result13 = session.settled([.committed, .duplicate])
    #expect(Self.acks(result13) == [2])
    #expect(session.stagedBatches == 1 && session.stagedBytes == 10)
    let result14 = session.settled([.committed])
    #expect(Self.acks(result14) == [3])
  }

  @Test(arguments: [(CommitOutcome.fenced, HostSessionEnd.fenced), (.outOfOrder, .outOfOrder)])
  func whatIsNotCommittedEndsTheStreamBehindTheAck(outcome: CommitOutcome, end: HostSessionEnd) {
    var session = Self.streaming()
    for number in 1...3 as ClosedRange<UInt64> { _ = session.received(Self.batch(number), bytes: 10, nowNs: 0) }
    let actions = session.settled([.committed, outcome, .committed])
    #expect(Self.acks(actions) == [1])
    #expect(Self.end(actions.last) == end)
    let result15 = session.settled([.committed])
    #expect(result15.isEmpty)
  }

  @Test func whatNoAgentSendsEndsTheStream() {
    let wrong: [(AgentFrame, String)] = [
      (Self.batch(2), "batch 2 after 0"), (Self.batch(0), "batch 0 after 0"), (Self.hello(), "a second Hello"),
      (
        Self.batch(1) {
          $0.spooled = [SpooledRecords(lane: .live, firstSequence: 5, lastSequence: 4, records: Records())]
        }, "sequences 5 to 4"
      ),
      (
        Self.batch(1) {
          $0.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: .max, records: Records())]
        }, "sequences 1 to 18446744073709551615"
      ),
      (
        Self.batch(1) {
          $0.files = [FileDelta(file: FileIdentity(key: FileKey(high: 0, low: 1), path: "/a"), from: 2, to: 1)]
        },
        "file range 2 to 1"
      ),
    ]
    for (frame, text) in wrong {
      var session = Self.streaming()
      let result16 = session.received(frame, bytes: 1, nowNs: 0)
      #expect(Self.end(result16) == .invalid(text))
      let result17 = session.received(Self.batch(1), bytes: 1, nowNs: 0)
      #expect(result17 == nil)
    }
    var newer = Hello()
    newer.protocolVersion = FleetProtocol.version + 1
    var session = HostSession(host: Self.host)
    let refused = session.received(.hello(newer), bytes: 1, nowNs: 0)
    #expect(Self.end(refused) == .invalid("protocol version 2 is not known here"))
    var early = HostSession(host: Self.host)
    let result18 = early.received(Self.batch(1), bytes: 1, nowNs: 0)
    #expect(Self.end(result18) == .invalid("a Batch before Welcome"))
  }

  @Test func aFileIsNamedOnceAndKnownAfterwards() {
    var session = Self.streaming()
    var identity = FileIdentity(key: FileKey(high: 0, low: 1), path: "/a")
    identity.inode = 5
    _ = session.received(Self.batch(1) { $0.files = [FileDelta(file: identity, from: 0, to: 1)] }, bytes: 1, nowNs: 0)
    let again = FileIdentity(key: identity.key, path: "")
    let action = session.received(
      Self.batch(2) { $0.files = [FileDelta(file: again, from: 1, to: 2)] }, bytes: 1, nowNs: 0)
    guard case .stage(let staged, _)? = action else {
      Issue.record("not staged")
      return
    }
    #expect(staged.batch.files[0].file == identity)
    let stranger = FileIdentity(key: FileKey(high: 0, low: 2), path: "")
    let refused = session.received(
      Self.batch(3) { $0.files = [FileDelta(file: stranger, from: 0, to: 1)] }, bytes: 1, nowNs: 0)
    #expect(Self.end(refused) != nil)
  }

  @Test func readingStopsWhileTheWriterIsBehindAndTooMuchEndsTheStream() {
    var limits = HostSessionLimits()
    limits.stagedBatchesPause = 2
    limits.batchesMax = 4
    var session = Self.streaming(limits)
    for number in 1...4 as ClosedRange<UInt64> { _ = session.received(Self.batch(number), bytes: 1, nowNs: 0) }
    #expect(!session.wantsInput)
    let result19 = session.received(Self.batch(5), bytes: 1, nowNs: 0)
    #expect(Self.end(result19) == .overLimit("4 batches un-acked"))
    var other = Self.streaming(limits)
    for number in 1...2 as ClosedRange<UInt64> { _ = other.received(Self.batch(number), bytes: 1, nowNs: 0) }
    #expect(!other.wantsInput)
    _ = other.settled([.committed])
    #expect(other.wantsInput)
  }

  @Test func aFenceThatFailsEndsTheStream() {
    var session = HostSession(host: Self.host)
    _ = session.received(Self.hello(), bytes: 10, nowNs: 0)
    let result20 = session.fenceFailed("no route")
    #expect(Self.end(result20) == .unavailable("no route"))
    let result21 = session.fenceReceived(Self.fence(), settings: Settings(), nowNs: 0)
    #expect(result21.isEmpty)
  }

  private static func mark(_ key: UInt64) -> FileMark {
    FileMark(file: FileIdentity(key: FileKey(high: 0, low: key), path: "/logs/\(key)"), offset: key, tailHash: 0)
  }

  private static func fenceOfManyFiles() -> Fence {
    var fence = fence()
    fence.files = [mark(1), mark(2)]
    fence.moreFilesAfter = 2
    return fence
  }

  @Test func marksOfManyFilesFollowTheWelcomePageByPage() throws {
    var session = HostSession(host: Self.host)
    var hello = Hello()
    hello.protocolVersion = FleetProtocol.version
    hello.takesMarks = true
    _ = session.received(.hello(hello), bytes: 10, nowNs: 0)
    let first = session.fenceReceived(Self.fenceOfManyFiles(), settings: Settings(), nowNs: 0)
    guard case .send(.welcome(let welcome))? = first.first, case .readMarks(let after)? = first.last else {
      Issue.record("no welcome, or no further page")
      return
    }
    #expect(welcome.marksFollow && welcome.files == [Self.mark(1), Self.mark(2)] && after == 2)
    // Records are taken meanwhile.
    #expect(session.wantsInput && session.fence?.files.isEmpty == true)
    let second = session.marksReceived(FileMarkPage(files: [Self.mark(3)], moreAfter: 3))
    guard case .send(.marks(let files, let more))? = second.first, case .readMarks(3)? = second.last else {
      Issue.record("no second page")
      return
    }
    #expect(files == [Self.mark(3)] && more)
    let last = session.marksReceived(FileMarkPage(files: [Self.mark(4)], moreAfter: nil))
    guard case .send(.marks(_, let goesOn))? = last.first else {
      Issue.record("no last page")
      return
    }
    #expect(!goesOn && last.count == 1)
  }

  @Test func anAgentThatTakesNoMarksGetsAllOfThemInItsWelcome() throws {
    var session = HostSession(host: Self.host)
    _ = session.received(Self.hello(), bytes: 10, nowNs: 0)
    let first = session.fenceReceived(Self.fenceOfManyFiles(), settings: Settings(), nowNs: 0)
    #expect(first.count == 1 && !session.wantsInput)
    let last = session.marksReceived(FileMarkPage(files: [Self.mark(3)], moreAfter: nil))
    guard case .send(.welcome(let welcome))? = last.first else {
      Issue.record("no welcome")
      return
    }
    #expect(!welcome.marksFollow && welcome.files.map(\.offset) == [1, 2, 3])
    #expect(session.wantsInput)
  }

  @Test func marksThatCannotBeReadEndTheStream() {
    var session = HostSession(host: Self.host)
    _ = session.received(Self.hello(), bytes: 10, nowNs: 0)
    _ = session.fenceReceived(Self.fenceOfManyFiles(), settings: Settings(), nowNs: 0)
    let end = session.marksFailed("no route")
    #expect(Self.end(end) == .unavailable("no route"))
    let late = session.marksReceived(FileMarkPage(files: [Self.mark(3)], moreAfter: nil))
    #expect(late.isEmpty)
  }

  /// Each failure is answered with its own cause; only a database that is away is called away.
  @Test func failedFenceSaysItsTrueCause() {
    let cases: [(error: StoreError, part: String, isRefusal: Bool)] = [
      (.revokedHost, "revoked", true), (.unknownHost, "not known", true),
      (.database(PostgresError(sqlState: "", message: "refused", doing: "connect")), "does not answer", false),
      (.database(PostgresError(sqlState: "25006", message: "read-only", doing: "x")), "does not answer", false),
      (.database(PostgresError(sqlState: "42501", message: "secret", doing: "x")), "collector's log", false),
      (.newerSchema(found: 9, known: 1), "collector's log", false),
    ]
    for (error, part, isRefusal) in cases {
      let failure = FenceFailure(error)
      #expect(failure.reason.contains(part) && failure.isRefusal == isRefusal, "\(failure)")
      #expect(
        failure.reason.contains("does not answer") == (part == "does not answer") && !failure.reason.contains("secret"))
    }
    var session = HostSession(host: Self.host)
    _ = session.received(Self.hello(), bytes: 10, nowNs: 0)
    let action = session.fenceFailed("this host has been revoked", isRefusal: true)
    let end = Self.end(action)
    #expect(end?.statusCode == 7 && end?.description == "this host has been revoked")
  }
}
