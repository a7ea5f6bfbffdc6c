import FleetModel
import Schema
import TestSupport
import Testing

@testable import Agent

/// A backlog without end: every delta takes what it may.
final class EndlessSource: DeltaSource {
  private(set) var offset: UInt64 = 0
  private(set) var resumedFrom: [[FileMark]] = []
  private(set) var committedTo: UInt64 = 0
  var isEmpty = false
  /// Bytes that are counted and not given: half a line, a record that may go on.
  var heldBytes: UInt64 = 0
  var backlogBytes: UInt64 { isEmpty ? heldBytes : 10 << 30 }

  func resume(from marks: [FileMark], nowNs: Int64) {
    resumedFrom.append(marks)
    offset = marks.first?.offset ?? 0
  }

  func nextDelta(byteBudget: Int, nowNs: Int64) -> FileDelta? {
    guard !isEmpty else { return nil }
    var identity = FileIdentity(key: FileKey(high: 1, low: 1), path: "/logs/a")
    identity.inode = 9
    var delta = FileDelta(file: identity, from: offset, to: offset + UInt64(byteBudget))
    delta.lines.text = [UInt8](repeating: 0, count: byteBudget)
    delta.lines.lengths = [UInt32(byteBudget)]
    offset = delta.to
    return delta
  }

  func committed(_ file: FileKey, offset: UInt64) { committedTo = offset }
}

@Suite struct UplinkTests {
  static let second: Int64 = 1_000_000_000

  static func time(_ ns: Int64) -> HostTime { HostTime(wallNs: ns, monotonicNs: ns) }

  static func make(_ source: EndlessSource, limits: UplinkLimits = UplinkLimits()) -> UplinkSession {
    var random = SplitMix(seed: 5)
    let spool = Spool(disk: MemoryDisk(), boot: SpoolTests.boot, nowNs: 0, random: &random)
    return UplinkSession(spool: spool, source: source, hello: Hello(), limits: limits, random: random)
  }

  static func established(_ source: EndlessSource, limits: UplinkLimits = UplinkLimits()) throws -> UplinkSession {
    let session = make(source, limits: limits)
    #expect(session.shouldConnect(nowNs: 0))
    session.connected(nowNs: 0)
    _ = session.nextFrame(time: time(0))
    _ = try session.received(.welcome(Welcome()), time: time(0))
    return session
  }

  static func batch(_ frame: OutgoingFrame?) -> OutgoingBatch? {
    if case .batch(let batch)? = frame { batch } else { nil }
  }

  @Test func helloGoesFirstAndNothingBeforeWelcome() throws {
    let source = EndlessSource()
    let session = Self.make(source)
    session.append([1], nowNs: 0)
    #expect(session.nextFrame(time: Self.time(0)) == nil)
    #expect(session.shouldConnect(nowNs: 0) && !session.shouldConnect(nowNs: 0))
    session.connected(nowNs: 0)
    guard case .hello(let hello)? = session.nextFrame(time: Self.time(7)) else {
      Issue.record("no Hello")
      return
    }
    #expect(hello.spoolID == session.spool.id && hello.wallNs == 7)
    #expect(hello.protocolVersion == FleetProtocol.version)
    #expect(session.nextFrame(time: Self.time(0)) == nil)
    #expect(throws: UplinkError.frameBeforeWelcome) {
      _ = try session.received(.ack(number: 1), time: Self.time(0))
    }
    _ = try session.received(.welcome(Welcome()), time: Self.time(0))
    let batch = try #require(Self.batch(session.nextFrame(time: Self.time(0))))
    #expect(batch.number == 1)
    // Kept while there was no stream: backfill.
    #expect(batch.spooled.map(\.lane) == [.backfill])
  }

  /// Two machines with one identity take turns of seconds to a minute; a stream that lasted begins anew.
  @Test func whoIsFencedWaitsLongerEachTimeAndBeginsAnewAfterALongStream() throws {
    let source = EndlessSource()
    let session = Self.make(source)
    var nowNs: Int64 = 0
    func stream(lastingNs: Int64) throws -> Int64 {
      #expect(session.shouldConnect(nowNs: nowNs))
      session.connected(nowNs: nowNs)
      _ = session.nextFrame(time: Self.time(nowNs))
      _ = try session.received(.welcome(Welcome()), time: Self.time(nowNs))
      nowNs += lastingNs
      session.fenced(nowNs: nowNs)
      let waitNs = (session.wakeAtNs ?? 0) - nowNs
      nowNs += waitNs
      return waitNs
    }
    for ceiling in [5, 10, 20, 40, 60, 60] as [Int64] {
      let waitNs = try stream(lastingNs: Self.second)
      #expect(waitNs >= ceiling * Self.second / 2 && waitNs <= ceiling * Self.second)
    }
    #expect(try stream(lastingNs: 601 * Self.second) <= 5 * Self.second)
    #expect(session.failures == 0)
  }

  private static func mark(_ offset: UInt64) -> FileMark {
    FileMark(file: FileIdentity(key: FileKey(high: 1, low: offset), path: "/logs/a"), offset: offset, tailHash: 0)
  }

  @Test func recordsGoAtOnceAndFilesWhenTheLastMarkHasCome() throws {
    let source = EndlessSource()
    let session = Self.make(source)
    _ = session.shouldConnect(nowNs: 0)
    session.connected(nowNs: 0)
    guard case .hello(let hello)? = session.nextFrame(time: Self.time(0)) else {
      Issue.record("no Hello")
      return
    }
    #expect(hello.takesMarks)
    var welcome = Welcome()
    welcome.files = [Self.mark(7)]
    welcome.marksFollow = true
    _ = try session.received(.welcome(welcome), time: Self.time(0))
    session.append([1], nowNs: 0)
    let first = try #require(Self.batch(session.nextFrame(time: Self.time(0))))
    #expect(first.spooled.count == 1 && first.files.isEmpty && source.resumedFrom.isEmpty)
    _ = try session.received(.marks([Self.mark(8)], more: true), time: Self.time(0))
    #expect(source.resumedFrom.isEmpty)
    _ = try session.received(.marks([Self.mark(9)], more: false), time: Self.time(0))
    #expect(source.resumedFrom.map { $0.map(\.offset) } == [[7, 8, 9]])
    let next = try #require(Self.batch(session.nextFrame(time: Self.time(Self.second))))
    #expect(next.files.map(\.from) == [7])
    #expect(throws: UplinkError.unexpectedMarks) {
      _ = try session.received(.marks([], more: false), time: Self.time(0))
    }
  }

  @Test func marksOfABrokenStreamAreForgottenAndTooManyEndIt() throws {
    let source = EndlessSource()
    var limits = UplinkLimits()
    limits.marksMax = 2
    let session = Self.make(source, limits: limits)
    var welcome = Welcome()
    welcome.files = [Self.mark(7)]
    welcome.marksFollow = true
    for _ in 0..<2 {
      _ = session.shouldConnect(nowNs: .max)
      session.connected(nowNs: 0)
      _ = session.nextFrame(time: Self.time(0))
      _ = try session.received(.welcome(welcome), time: Self.time(0))
      session.disconnected(nowNs: 0)
    }
    #expect(session.sendsFiles && source.resumedFrom.isEmpty)
    _ = session.shouldConnect(nowNs: .max)
    session.connected(nowNs: 0)
    _ = session.nextFrame(time: Self.time(0))
    _ = try session.received(.welcome(welcome), time: Self.time(0))
    #expect(throws: UplinkError.tooManyMarks(limit: 2)) {
      _ = try session.received(.marks([Self.mark(8), Self.mark(9)], more: false), time: Self.time(0))
    }
  }

  @Test func recordsOfALongStallGoToBackfillAndTheFirstAfterItIsLive() throws {
    let source = EndlessSource()
    source.isEmpty = true
    let session = try Self.established(source)
    #expect(session.append([1], nowNs: 0) == .live)
    #expect(Self.batch(session.nextFrame(time: Self.time(0)))?.number == 1)
    #expect(session.append([2], nowNs: 30 * Self.second) == .live)
    #expect(session.append([3], nowNs: 31 * Self.second) == .backfill)
    _ = try session.received(.ack(number: 1), time: Self.time(40 * Self.second))
    #expect(session.append([4], nowNs: 40 * Self.second) == .live)
    let batch = try #require(Self.batch(session.nextFrame(time: Self.time(41 * Self.second))))
    #expect(batch.spooled.map(\.lane) == [.live, .live, .backfill])
  }

  @Test func theWindowBoundsWhatIsUnderWay() throws {
    let source = EndlessSource()
    let session = try Self.established(source)
    func fill() -> (batches: Int, bytes: Int, last: UInt64) {
      var all = (batches: 0, bytes: 0, last: UInt64(0))
      while let batch = Self.batch(session.nextFrame(time: Self.time(0))) {
        all.batches += 1
        all.bytes += batch.files.reduce(0) { $0 + $1.lines.text.count }
        all.last = batch.number
      }
      return all
    }
    // Nobody knows yet how slow the link is.
    var under = fill()
    #expect(under.batches == 1 && under.bytes <= 64 << 10)
    // Each round of timely acks doubles it, up to the limit, and frees what is committed.
    for _ in 0..<10 {
      _ = try session.received(.ack(number: under.last), time: Self.time(0))
      under = fill()
    }
    #expect(under.batches <= 32 && under.batches >= 8)
    #expect(under.bytes <= 9 << 20 && under.bytes >= 4 << 20)
    _ = try session.received(.ack(number: under.last - 2), time: Self.time(0))
    #expect(source.committedTo > 0)
    #expect(Self.batch(session.nextFrame(time: Self.time(100 * Self.second))) != nil)
    #expect(throws: UplinkError.unknownAck(number: 1000)) {
      _ = try session.received(.ack(number: 1000), time: Self.time(0))
    }
  }

  @Test func aFileIsNamedWholeOnceInAStream() throws {
    let session = try Self.established(EndlessSource())
    let first = try #require(Self.batch(session.nextFrame(time: Self.time(0))))
    _ = try session.received(.ack(number: first.number), time: Self.time(0))
    let second = try #require(Self.batch(session.nextFrame(time: Self.time(Self.second))))
    #expect(first.files[0].file.path == "/logs/a" && first.files[0].file.inode == 9)
    #expect(second.files[0].file == FileIdentity(key: first.files[0].file.key, path: ""))
  }

  @Test func aLoneRecordLeavesAtOnceAndCompanyIsAwaitedUnderLoad() throws {
    let source = EndlessSource()
    source.isEmpty = true
    let session = try Self.established(source)
    session.append([1], nowNs: 0)
    #expect(Self.batch(session.nextFrame(time: Self.time(0)))?.spooled.count == 1)
    session.append([2], nowNs: 0)
    #expect(session.nextFrame(time: Self.time(1_000_000)) == nil)
    #expect(session.wakeAtNs.map { $0 <= 20_000_000 } == true)
    session.append([3], nowNs: 0)
    #expect(Self.batch(session.nextFrame(time: Self.time(20_000_000)))?.spooled.count == 2)
  }

  /// With acks that stayed away, half a line kept the agent on one whole core: its timer was armed for a time that had passed.
  @Test func heldBytesArmNoTimerThatHasPassed() throws {
    let source = EndlessSource()
    source.isEmpty = true
    let session = try Self.established(source)
    session.append([1], nowNs: 0)
    #expect(Self.batch(session.nextFrame(time: Self.time(0))) != nil)
    source.heldBytes = 11
    #expect(session.coalescingUntilNs == 20_000_000)
    #expect(session.nextFrame(time: Self.time(20_000_000)) == nil)
    #expect(session.coalescingUntilNs == nil)
    // The rest of the line is sent as soon as it is there.
    source.isEmpty = false
    #expect(Self.batch(session.nextFrame(time: Self.time(30_000_000))) != nil)
  }

  @Test func whatWasNotAckedIsSentAgainFromTheMarks() throws {
    let source = EndlessSource()
    let session = try Self.established(source)
    session.append([1], nowNs: 0)
    session.append([2], nowNs: 0)
    let first = try #require(Self.batch(session.nextFrame(time: Self.time(0))))
    #expect(first.spooled.map(\.firstSequence) == [1, 2])
    session.disconnected(nowNs: 0)
    var nowNs: Int64 = 0
    while !session.shouldConnect(nowNs: nowNs) { nowNs = session.wakeAtNs ?? nowNs }
    #expect(nowNs <= Self.second)
    session.connected(nowNs: nowNs)
    _ = session.nextFrame(time: Self.time(nowNs))
    var welcome = Welcome()
    welcome.lanes = [LaneMark(lane: .live, sequence: 1)]
    _ = try session.received(.welcome(welcome), time: Self.time(nowNs))
    let again = try #require(Self.batch(session.nextFrame(time: Self.time(nowNs))))
    #expect(again.number == 1)
    #expect(again.spooled.map(\.firstSequence) == [2])
    #expect(source.resumedFrom.count == 2)
  }

  @Test func backoffGrowsWithFullJitterUpToItsCap() {
    let session = Self.make(EndlessSource())
    var delays: [Int64] = []
    for _ in 0..<40 {
      session.disconnected(nowNs: 0)
      delays.append(session.wakeAtNs ?? -1)
    }
    #expect(delays.allSatisfy { $0 >= 0 && $0 <= 30 * Self.second })
    #expect(delays[0] <= 250_000_000)
    #expect(Set(delays).count > 30)
    #expect((delays[20...].max() ?? 0) > 15 * Self.second)
    #expect((delays[20...].min() ?? .max) < 15 * Self.second)
  }

  /// A link of some rate with acks after a commit: samples of every second beside a backlog of 10 GB.
  @Test(arguments: [100_000, 1_000_000, 50_000_000])
  func freshSamplesStayFreshWhileABacklogDrains(bytesPerSecond: Int64) throws {
    let session = try Self.established(EndlessSource())
    var nowNs: Int64 = 0
    var linkFreeNs: Int64 = 0
    var acks: [(atNs: Int64, number: UInt64)] = []
    var takenNs: [UInt64: Int64] = [:]
    var worstAgeNs: Int64 = 0
    var drained = 0
    var nextSampleNs: Int64 = 0
    while nowNs < 60 * Self.second {
      if nowNs >= nextSampleNs {
        session.append([UInt8](repeating: 1, count: 500), nowNs: nowNs)
        takenNs[session.spool.lastSequence(.live)] = nowNs
        nextSampleNs += Self.second
      }
      while let first = acks.first, first.atNs <= nowNs {
        _ = try session.received(.ack(number: first.number), time: Self.time(nowNs))
        acks.removeFirst()
      }
      // The transport buffers one frame beyond what the link has taken.
      while linkFreeNs <= nowNs + 50_000_000, let batch = Self.batch(session.nextFrame(time: Self.time(nowNs))) {
        let bytes = batch.files.reduce(0) { $0 + $1.lines.text.count }
        drained += bytes
        linkFreeNs = max(nowNs, linkFreeNs) + Int64(bytes + 600) * Self.second / bytesPerSecond
        let committedNs = linkFreeNs + 60_000_000
        acks.append((committedNs, batch.number))
        for item in batch.spooled {
          if let taken = takenNs[item.firstSequence] { worstAgeNs = max(worstAgeNs, committedNs - taken) }
        }
      }
      nowNs += 5_000_000
    }
    #expect(worstAgeNs > 0)
    #expect(worstAgeNs <= 5 * Self.second, "\(worstAgeNs / 1_000_000) ms")
    // And the link is used.
    #expect(Double(drained) >= 0.8 * Double(min(bytesPerSecond, 20_000_000)) * 60)
  }
}
