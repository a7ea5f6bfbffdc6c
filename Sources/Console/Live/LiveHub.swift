internal import HTTPTypes
internal import EventLoop
internal import Files
internal import FleetModel
internal import NIOCore
internal import Store
internal import Synchronization

/// All who watch the fleet. The database is asked while there is a viewer, once for all of them, and each frame is encoded once.
///
/// A viewer holds no queue: it takes the newest frame when it has written the one before. So one that reads slowly loses frames, and costs what
/// its connection buffers.
final class LiveHub: Sendable {
  enum Limits {
    /// A browser has one stream a tab.
    static let streamsOfOne = 32
    static let streams = 2_000
    /// From one question to the next: what was committed right behind one is shown within a second.
    static let period = Duration.milliseconds(900)
    /// How long a stream may outlive its session or token.
    static let credentialsNs: Int64 = 2_000_000_000
    static let commentNs: Int64 = 15_000_000_000
  }

  /// Why a stream ends.
  enum End: String, Sendable {
    case credential = "the session or token that it was opened with has ended"
    case stopping = "this console is being stopped"
    case gone = "the viewer has closed it"
  }

  /// What a viewer writes next.
  enum Step: Sendable {
    /// Everything. - Parameter lost: frames that this viewer did not get.
    case whole(LiveFrame, lost: Int)
    /// What differs from the frame that it took before.
    case changes(ByteBuffer)
    /// The database does not answer; encoded.
    case away(ByteBuffer)
    case comment
    case end(End)
  }

  private struct Viewer {
    let credentialID: String
    /// Of the last frame that it took; nil before the first.
    var sequence: Int?
    var notice = 0
    var waiting: CheckedContinuation<Step, Never>?
    var end: End?
  }

  private struct State {
    var viewers: [Int: Viewer] = [:]
    var nextID = 0
    var frame: LiveFrame?
    var shown: FleetState?
    /// While the database is away: what viewers get instead of a frame. Numbered, so that each gets it once.
    var notice: (number: Int, step: Step)?
    var notices = 0
    var isAsking = false
    /// Frames that viewers did not get, since the start.
    var lost = 0
  }

  private let read: @Sendable () async throws -> Kept<FleetState>.Reading
  private let inForce: @Sendable (_ credentialIDs: [String]) async throws -> Set<String>
  private let state = Mutex(State())

  /// - Parameters:
  ///   - read: the fleet as it is now.
  ///   - inForce: those of the credentials that have not ended.
  init(
    read: @escaping @Sendable () async throws -> Kept<FleetState>.Reading,
    inForce: @escaping @Sendable (_ credentialIDs: [String]) async throws -> Set<String>
  ) {
    self.read = read
    self.inForce = inForce
  }

  convenience init(feed: FleetFeed, database: DatabasePool) {
    self.init(
      read: { try await feed.state(maxAgeNs: 0) },
      inForce: { ids in
        let nowNs = Clock.wallNs()
        return try await database.change { store throws(StoreError) in
          try store.credentialsInForce(ids, nowNs: nowNs)
        }
      })
  }

  /// Streams that are open, and frames that viewers did not get.
  var figures: (streams: Int, lostFrames: Int) { state.withLock { ($0.viewers.count, $0.lost) } }

  // MARK: Viewers

  static let tooMany = Problem(
    .tooManyRequests,
    "too many live streams are open: close some; one token or session has \(Limits.streamsOfOne) at most")

  /// - Throws: `Problem` 429 where this caller, or all of them, have too many streams open.
  func requireRoom(for caller: Caller) throws(Problem) {
    if !state.withLock({ Self.hasRoom(caller, $0) }) { throw Self.tooMany }
  }

  private static func hasRoom(_ caller: Caller, _ state: borrowing State) -> Bool {
    state.viewers.count < Limits.streams
      && state.viewers.values.count { $0.credentialID == caller.credentialID } < Limits.streamsOfOne
  }

  /// - Returns: nil where there is no room.
  func join(_ caller: Caller) -> Int? {
    let joined: (id: Int, isFirst: Bool)? = state.withLock { state in
      guard Self.hasRoom(caller, state) else { return nil }
      state.nextID += 1
      state.viewers[state.nextID] = Viewer(credentialID: caller.credentialID)
      let isFirst = !state.isAsking
      state.isAsking = true
      return (state.nextID, isFirst)
    }
    guard let joined else { return nil }
    // Ends when the last viewer has left.
    if joined.isFirst { Task { await ask() } }
    return joined.id
  }

  func leave(_ id: Int) {
    let waiting = state.withLock { $0.viewers.removeValue(forKey: id)?.waiting }
    waiting?.resume(returning: .end(.gone))
  }

  /// - Parameter why: written to the viewer as the stream's last event.
  func end(_ id: Int, _ why: End) {
    let waiting = state.withLock { state in
      state.viewers[id]?.end = why
      let waiting = state.viewers[id]?.waiting
      state.viewers[id]?.waiting = nil
      return waiting
    }
    waiting?.resume(returning: .end(why))
  }

  /// Waits until there is something that this viewer has not had.
  func next(_ id: Int) async -> Step {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let step: Step? = state.withLock { state in
          guard let step = Self.ready(id, &state) else {
            state.viewers[id]?.waiting = continuation
            return nil
          }
          return step
        }
        if let step { continuation.resume(returning: step) }
      }
    } onCancel: {
      end(id, .gone)
    }
  }

  /// nil: nothing yet.
  private static func ready(_ id: Int, _ state: inout State) -> Step? {
    guard let viewer = state.viewers[id] else { return .end(.gone) }
    if let end = viewer.end { return .end(end) }
    if let frame = state.frame, frame.sequence != viewer.sequence {
      state.viewers[id]?.sequence = frame.sequence
      state.viewers[id]?.notice = state.notices
      guard let taken = viewer.sequence else { return .whole(frame, lost: 0) }
      let lost = frame.sequence - taken - 1
      state.lost += lost
      return lost == 0 ? frame.changes.map(Step.changes) ?? .whole(frame, lost: 0) : .whole(frame, lost: lost)
    }
    if let notice = state.notice, notice.number > viewer.notice {
      state.viewers[id]?.notice = notice.number
      return notice.step
    }
    return nil
  }

  /// Gives every viewer that waits what it has not had.
  private func wake(_ change: (inout State) -> Void) {
    let ready = state.withLock { state in
      change(&state)
      return state.viewers.keys.compactMap { id -> (CheckedContinuation<Step, Never>, Step)? in
        guard let waiting = state.viewers[id]?.waiting, let step = Self.ready(id, &state) else { return nil }
        state.viewers[id]?.waiting = nil
        return (waiting, step)
      }
    }
    for (waiting, step) in ready { waiting.resume(returning: step) }
  }

  // MARK: The one question

  private func ask() async {
    var checkedNs = Clock.monotonicNs()
    var saidNs = checkedNs
    var awayNs: Int64?
    while isWatched {
      let began = ContinuousClock.now
      do {
        let reading = try await Deadline.wait(.seconds(3), for: read)
        publish(reading)
        (saidNs, awayNs) = (Clock.monotonicNs(), nil)
      } catch {
        let sinceNs = awayNs ?? Clock.wallNs()
        if awayNs == nil {
          notice(.away(away(sinceNs)))
        } else if Clock.monotonicNs() - saidNs > Limits.commentNs {
          notice(.comment)
          saidNs = Clock.monotonicNs()
        }
        awayNs = sinceNs
      }
      if Clock.monotonicNs() - checkedNs > Limits.credentialsNs, awayNs == nil {
        await checkCredentials()
        checkedNs = Clock.monotonicNs()
      }
      try? await Task.sleep(until: began + Limits.period, clock: .continuous)
    }
  }

  private var isWatched: Bool {
    state.withLock { state in
      if state.viewers.isEmpty {
        // Who comes next gets the present, not the last that was shown.
        (state.isAsking, state.frame, state.shown, state.notice) = (false, nil, nil, nil)
      }
      return state.isAsking
    }
  }

  func publish(_ reading: Kept<FleetState>.Reading) {
    let (number, shown) = state.withLock { (($0.frame?.sequence ?? 0) + 1, $0.shown) }
    let frame = LiveFrame(reading.value, asOfNs: reading.asOfNs, sequence: number, previous: shown)
    wake { state in
      state.frame = frame
      state.shown = reading.value
      state.notice = nil
    }
  }

  private func notice(_ step: Step) {
    wake { state in
      state.notices += 1
      state.notice = (state.notices, step)
    }
  }

  private func away(_ sinceNs: Int64) -> ByteBuffer {
    LiveFrame.event("away", [("since", .text(Timestamp.text(sinceNs, digits: 0)))])
  }

  private func checkCredentials() async {
    let ids = state.withLock { Set($0.viewers.values.map(\.credentialID)) }
    guard let inForce = try? await Deadline.wait(.seconds(3), for: { [inForce] in try await inForce(Array(ids)) })
    else {
      return
    }
    let ended = state.withLock { state in
      state.viewers.filter { ids.contains($0.value.credentialID) && !inForce.contains($0.value.credentialID) }.map(
        \.key)
    }
    for id in ended { end(id, .credential) }
  }
}
