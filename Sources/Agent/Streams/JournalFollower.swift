internal import EventLoop
internal import Files
internal import FleetModel
internal import RPC

/// Follows the journal of one unit, or all of it: a `journalctl` beside the agent prints entries, which are kept in segments until
/// the collector has them.
///
/// The cursor is in the segments' last line, so what was printed and what is known cannot differ: nothing is lost or doubled
/// over a kill -9. The journal is its own buffer: where the segments are full, `journalctl` waits.
/// - Source: journalctl(1).
final class JournalFollower {
  static let limitBytes: UInt64 = 64 << 20
  private static let readBytes = 64 << 10
  private static let fullPauseNs: Int64 = 1_000_000_000
  private static let historyAttempts = 3
  private static let fields = "MESSAGE,PRIORITY,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER"
  private static let terminate: Int32 = 15

  private let loop: EventLoop
  private let unit: String
  private let streams: FollowedStreams
  /// When this agent first followed the unit, ns since 1970: entries before are history, kept in segments of their own.
  private let firstNs: Int64
  private var isHistory = false
  /// By this process.
  private var hasReadHistory = false
  private var historyFailures = 0
  private var writer: SegmentWriter?
  private var child: Child?
  private var output: Watch?
  private var errors: Watch?
  private var pending: [UInt8] = []
  private var bytes = [UInt8](repeating: 0, count: JournalFollower.readBytes)
  /// Of an entry too long to be kept, so far.
  private var leftOut = 0
  private var backoff = Backoff(firstNs: 1_000_000_000, capNs: 60_000_000_000)
  private var lastComplaint = ""
  private var isClosed = false

  init(unit: String, streams: FollowedStreams, firstNs: Int64, loop: EventLoop) {
    self.unit = unit
    self.firstNs = firstNs
    self.streams = streams
    self.loop = loop
  }

  func start() {
    guard !isClosed else { return }
    pending.removeAll()
    leftOut = 0
    lastComplaint = ""
    do {
      let segments = try self.segments()
      let last = segments.last.map { FollowedStreams.serial(of: $0) } ?? 0
      // What comes after the first start is never added to a segment of history.
      if last >= FollowedStreams.firstLiveSerial || hasReadHistory { isHistory = false } else { isHistory = true }
      let writer = SegmentWriter(
        directory: streams.journal, name: unit,
        serial: max(last.addingClamped(1), isHistory ? 1 : FollowedStreams.firstLiveSerial), limitBytes: Self.limitBytes
      )
      try writer.adopt(
        segments.filter { FollowedStreams.isHistory(serial: FollowedStreams.serial(of: $0)) == isHistory })
      self.writer = writer
      try spawn(after: try cursor(segments))
    } catch {
      again("\(error)")
    }
  }

  func close() {
    isClosed = true
    child?.signal(Self.terminate)
  }

  /// In order: serials have the same number of digits.
  private func segments() throws(FileError) -> [String] {
    try HostFiles.list(streams.journal).map { streams.journal + "/" + $0 }.filter {
      $0.hasSuffix(".log") && FollowedStreams.name(of: $0, in: streams.journal) == unit
    }.sorted()
  }

  /// Of the last entry that is kept.
  private func cursor(_ segments: [String]) throws(FileError) -> String? {
    for path in segments.suffix(2).reversed() {
      let bytes = try HostFiles.read(path, limitBytes: 64 << 20)
      var end = bytes.lastIndex(of: UInt8(ascii: "\n")) ?? 0
      while end > 0 {
        let start = (bytes[..<end].lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1
        let entry = JournalEntry(bytes.span, start..<end)
        if entry.isWhole { return entry.cursor }
        end = max(0, start - 1)
      }
    }
    return nil
  }

  /// Without a cursor everything of this boot is reported, as a file is from its start: first what is older than this agent.
  private func spawn(after cursor: String?) throws {
    guard let program = Self.program() else { return again("journalctl was not found on PATH") }
    var arguments = [program, "--output=json", "--output-fields=" + Self.fields, "--all", "--quiet"]
    let firstSecond = firstNs / 1_000_000_000
    arguments += isHistory ? ["--until=@\(firstSecond)"] : ["--follow", "--no-tail"]
    arguments.append(cursor.map { "--after-cursor=" + $0 } ?? (isHistory ? "--boot" : "--since=@\(firstSecond)"))
    if unit != FollowedStreams.wholeJournal { arguments.append("--unit=" + unit) }
    let child = try Child.spawn(program, arguments: arguments, environment: Self.environment, on: loop) {
      [weak self] exit in self?.ended(exit)
    }
    child.closeInput()
    self.child = child
    output = try loop.watch(child.output.raw, .read) { [weak self] _ in self?.read() }
    errors = try loop.watch(child.errors.raw, .read) { [weak self] _ in self?.readErrors() }
  }

  private static let environment = ["LC_ALL=C.UTF-8", "SYSTEMD_COLORS=0"]

  private static func program() -> String? {
    let path = Process.environment("PATH") ?? "/usr/bin:/bin"
    return path.split(separator: ":").map { $0 + "/journalctl" }.map(String.init).first {
      (try? FileStatus.of(path: $0))?.kind == .file
    }
  }

  /// - Returns: whether something came.
  @discardableResult
  private func read() -> Bool {
    guard let child, let writer, output != nil else { return false }
    guard writer.hasRoom(for: pending.count + Self.readBytes) else {
      pause()
      return false
    }
    guard let got = (try? child.output.reread(into: &bytes, from: 0, at: nil)) ?? nil else { return false }
    // The end of its output is not yet its end, but nothing will follow.
    guard got > 0 else {
      if let output { loop.unwatch(output) }
      output = nil
      return false
    }
    backoff.reset()
    let shared = bytes
    take(shared.span.extracting(0..<got))
    do {
      let end = (pending.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1
      try writer.append(pending.span.extracting(0..<end))
      pending.removeFirst(end)
      return true
    } catch {
      // The disk is full, or worse: begun anew, from what is there.
      lastComplaint = "\(error)"
      child.signal(Self.terminate)
      if let output { loop.unwatch(output) }
      output = nil
      return false
    }
  }

  /// Gathers whole lines; one that is too long to be kept becomes a line that states so.
  private func take(_ part: Span<UInt8>) {
    for index in 0..<part.count {
      let byte = part[index]
      if leftOut > 0 {
        leftOut += 1
        guard byte == UInt8(ascii: "\n") else { continue }
        pending += Array("An entry of \(leftOut) bytes was left out: it is too long.\n".utf8)
        leftOut = 0
      } else {
        pending.append(byte)
        if byte != UInt8(ascii: "\n"), pending.count >= TrainingLimits.lineBytesMax,
          lineStart() + TrainingLimits.lineBytesMax <= pending.count
        {
          leftOut = pending.count - lineStart()
          pending.removeLast(leftOut)
        }
      }
    }
  }

  private func lineStart() -> Int { (pending.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1 }

  /// No room: the pipe fills, and `journalctl` waits.
  private func pause() {
    guard let output else { return }
    loop.change(output, [])
    loop.after(Self.fullPauseNs) { [weak self] in
      guard let self, self.output == output else { return }
      loop.change(output, .read)
    }
  }

  private func readErrors() {
    guard let child else { return }
    var text: [UInt8] = []
    let got = (try? child.errors.read(into: &text, count: 4096)) ?? 0
    if got == 0, let errors {
      loop.unwatch(errors)
      self.errors = nil
    }
    let line = ValueFile.firstLine(text)
    if !line.isEmpty { lastComplaint = line }
  }

  private func ended(_ exit: Child.Exit) {
    // What it printed last is still in the pipe.
    while read() {}
    readErrors()
    for watch in [output, errors] { if let watch { loop.unwatch(watch) } }
    output = nil
    errors = nil
    child = nil
    writer = nil
    if isHistory, !isClosed {
      historyFailures += exit == .status(0) ? 0 : 1
      // What is new must not wait for ever for what is old.
      hasReadHistory = exit == .status(0) || historyFailures >= Self.historyAttempts
      if hasReadHistory { return start() }
    }
    again(lastComplaint.isEmpty ? "journalctl ended" : lastComplaint)
  }

  private func again(_ reason: String) {
    guard !isClosed else { return }
    AgentLog.warning("journalctl is started again", [("unit", unit), ("reason", reason)])
    var random = SystemRandomNumberGenerator()
    loop.after(backoff.nextNs(random: random.next())) { [weak self] in self?.start() }
  }
}
