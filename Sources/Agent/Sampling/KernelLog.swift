internal import FleetModel

/// One record of the kernel's log; Documentation/ABI/testing/dev-kmsg:
/// `priority,sequence,microseconds,flags[,…];text`, then lines that begin with a blank and belong to it.
struct KernelRecord: Equatable {
  /// syslog(2): 0 emergency … 7 debug.
  var priority: UInt8 = 6
  var sequence: UInt64 = 0
  /// Since the start of the kernel.
  var timeUs: UInt64 = 0
  /// Where its text stands.
  var text: Range<Int> = 0..<0

  /// Reads the record at the cursor and moves to the next; nil for a line that is none.
  static func next(_ bytes: Span<UInt8>, _ cursor: inout ProcCursor) -> KernelRecord? {
    defer { _ = cursor.nextLine(bytes) }
    guard cursor.at < bytes.count, bytes[cursor.at] != 0x20 else { return nil }
    let comma = UInt8(ascii: ",")
    var record = KernelRecord()
    guard let facility = cursor.number(bytes), cursor.skip(comma, bytes),
      let sequence = cursor.number(bytes), cursor.skip(comma, bytes), let time = cursor.number(bytes)
    else { return nil }
    let rest = cursor.restOfLine(bytes)
    guard let semicolon = ProcText.find([UInt8(ascii: ";")], bytes, in: rest) else { return nil }
    record.priority = UInt8(facility & 7)
    record.sequence = sequence
    record.timeUs = time
    record.text = (semicolon + 1)..<rest.upperBound
    return record
  }
}

/// What a kernel message means to an operator.
struct KernelFinding: Equatable {
  var kind: EventKind
  var level: Level
  /// Device or process.
  var subject: String
  var message: String
}

/// Recognises the messages that report trouble.
///
/// Sources: mm/oom_kill.c, block/blk-core.c, kernel/hung_task.c, drivers/nvme/host/pci.c, fs/ext4, fs/xfs, NVIDIA's Xid
/// catalogue and the forms that its drivers wrote over the years (with and without `PCI:`, with and without a process).
enum KernelMessages {
  /// What to look for and what it is; the first that fits counts.
  private struct Pattern {
    let words: [UInt8]
    let kind: EventKind
    let level: Level
    let subject: Subject

    init(_ words: String, _ kind: EventKind, _ level: Level, _ subject: Subject) {
      self.words = Array(words.utf8)
      self.kind = kind
      self.level = level
      self.subject = subject
    }
  }

  private enum Subject {
    /// `Killed process 12 (name)` behind the words.
    case killed
    /// `name:12` behind the words.
    case task
    /// The word behind the words, up to a comma, colon or bracket.
    case wordAfter
    /// The word before the words.
    case wordBefore
    /// `name[12]` at the start of the line.
    case lineStart
    case none
  }

  private static let patterns: [Pattern] = [
    Pattern("Killed process ", .oomKill, .error, .killed),
    Pattern("I/O error, dev ", .ioError, .error, .wordAfter),
    Pattern("Buffer I/O error on dev ", .ioError, .error, .wordAfter),
    Pattern("Buffer I/O error on device ", .ioError, .error, .wordAfter),
    Pattern("critical medium error, dev ", .ioError, .error, .wordAfter),
    Pattern("critical target error, dev ", .ioError, .error, .wordAfter),
    Pattern("EXT4-fs error (device ", .ioError, .error, .wordAfter),
    Pattern("Remounting filesystem read-only", .ioError, .error, .none),
    Pattern("Filesystem has been shut down", .ioError, .error, .none),
    Pattern("BTRFS error (device ", .ioError, .error, .wordAfter),
    Pattern("forced readonly", .ioError, .error, .none),
    Pattern("metadata I/O error", .ioError, .error, .none),
    Pattern("controller is down; will reset", .ioError, .error, .wordBefore),
    Pattern("Disk failure on ", .ioError, .error, .wordAfter),
    Pattern("not responding, still trying", .ioError, .warn, .wordBefore),
    Pattern("not responding, timed out", .ioError, .error, .wordBefore),
    Pattern(" blocked for more than ", .hungTask, .error, .task),
    Pattern("soft lockup - CPU#", .kernel, .error, .wordAfter),
    Pattern("rcu_sched self-detected stall", .kernel, .error, .none),
    Pattern(": segfault at ", .kernel, .warn, .lineStart),
    Pattern("Kernel panic", .kernel, .error, .none),
    Pattern("Hardware Error", .kernel, .error, .none),
    Pattern("Machine check events logged", .kernel, .error, .none),
    Pattern("general protection fault", .kernel, .error, .lineStart),
    Pattern("clock throttled", .kernel, .warn, .none),
  ]

  private static let xid = Array("Xid ".utf8)
  private static let xidBracket = Array("Xid (".utf8)
  private static let offBus = Array("fallen off the bus".utf8)
  private static let nvme = Array("nvme ".utf8)
  private static let timeout = Array("timeout".utf8)
  private static let pci = Array("PCI:".utf8)

  /// - Parameter text: where the message stands in `bytes`.
  static func finding(_ bytes: Span<UInt8>, _ text: Range<Int>) -> KernelFinding? {
    if let xid = xidFinding(bytes, text) { return xid }
    for pattern in patterns {
      guard let position = ProcText.find(pattern.words, bytes, in: text) else { continue }
      let behind = position + pattern.words.count
      let subject = subject(pattern.subject, bytes, text, position, behind)
      return KernelFinding(
        kind: pattern.kind, level: pattern.level, subject: subject, message: ProcText.string(bytes, text))
    }
    return nvmeFinding(bytes, text)
  }

  private static func subject(
    _ subject: Subject, _ bytes: Span<UInt8>, _ text: Range<Int>, _ position: Int, _ behind: Int
  ) -> String {
    switch subject {
    case .none: return ""
    case .wordAfter: return ProcText.string(bytes, word(bytes, behind..<text.upperBound))
    case .wordBefore: return ProcText.string(bytes, wordBefore(bytes, text, position))
    case .task: return task(ProcText.string(bytes, wordBefore(bytes, text, position)))
    case .lineStart: return ProcText.string(bytes, word(bytes, text, endsAtBracket: false))
    case .killed: return killed(bytes, behind..<text.upperBound)
    }
  }

  /// `1234 (python3) total-vm:…` or, before Linux 5, `1234 (python3), UID 0, …` as `python3[1234]`.
  private static func killed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
    var cursor = ProcCursor(at: range.lowerBound)
    guard let pid = cursor.number(bytes) else { return "" }
    guard let open = ProcText.find([UInt8(ascii: "(")], bytes, in: cursor.at..<max(cursor.at, range.upperBound)),
      let close = ProcText.find([UInt8(ascii: ")")], bytes, in: open..<range.upperBound)
    else { return "[\(pid)]" }
    return "\(ProcText.string(bytes, (open + 1)..<close))[\(pid)]"
  }

  /// `python3:1234` as `python3[1234]`.
  private static func task(_ word: String) -> String {
    guard let colon = word.utf8.lastIndex(of: UInt8(ascii: ":")) else { return word }
    return "\(word[..<colon])[\(word[word.utf8.index(after: colon)...])]"
  }

  private static func word(_ bytes: Span<UInt8>, _ range: Range<Int>, endsAtBracket: Bool = true) -> Range<Int> {
    var end = range.lowerBound
    while end < range.upperBound {
      let byte = bytes[end]
      if byte <= 0x20 || byte == UInt8(ascii: ",") || byte == UInt8(ascii: ":") { break }
      if endsAtBracket, byte == UInt8(ascii: ")") || byte == UInt8(ascii: "]") { break }
      end += 1
    }
    return range.lowerBound..<end
  }

  private static func wordBefore(_ bytes: Span<UInt8>, _ text: Range<Int>, _ position: Int) -> Range<Int> {
    var end = position
    while end > text.lowerBound, bytes[end - 1] == 0x20 || bytes[end - 1] == UInt8(ascii: ":") { end -= 1 }
    var start = end
    while start > text.lowerBound, bytes[start - 1] > 0x20 { start -= 1 }
    return start..<end
  }

  /// `nvme nvme0: I/O 12 QID 3 timeout, aborting`, and since Linux 6.5 `nvme nvme0: I/O tag 12 (…) … timeout`.
  private static func nvmeFinding(_ bytes: Span<UInt8>, _ text: Range<Int>) -> KernelFinding? {
    guard ProcText.matches(nvme, bytes, at: text.lowerBound), ProcText.find(timeout, bytes, in: text) != nil else {
      return nil
    }
    let device = word(bytes, min(text.lowerBound + nvme.count, text.upperBound)..<text.upperBound)
    return KernelFinding(
      kind: .ioError, level: .error, subject: ProcText.string(bytes, device), message: ProcText.string(bytes, text))
  }

  /// `NVRM: Xid (PCI:0000:05:00): 79, pid=…`, the same without `PCI:`, and lines of a lost GPU that name no Xid, which are 79.
  /// The message begins `Xid CODE on DEVICE:`, so that one pattern fits all forms.
  private static func xidFinding(_ bytes: Span<UInt8>, _ text: Range<Int>) -> KernelFinding? {
    if let position = ProcText.find(xidBracket, bytes, in: text) {
      var start = position + xidBracket.count
      if ProcText.matches(pci, bytes, at: start) { start += pci.count }
      guard start <= text.upperBound,
        let close = ProcText.find([UInt8(ascii: ")")], bytes, in: start..<text.upperBound)
      else { return nil }
      return xidFinding(bytes, text, device: ProcText.string(bytes, start..<close), codeAt: close + 1)
    }
    if let position = ProcText.find(xid, bytes, in: text) {
      return xidFinding(bytes, text, device: "", codeAt: position + xid.count)
    }
    guard ProcText.find(offBus, bytes, in: text) != nil else { return nil }
    return xidFinding(bytes, text, device: address(bytes, text), code: 79)
  }

  private static func xidFinding(
    _ bytes: Span<UInt8>, _ text: Range<Int>, device: String, codeAt: Int
  ) -> KernelFinding? {
    var cursor = ProcCursor(at: min(codeAt, text.upperBound))
    _ = cursor.skip(UInt8(ascii: ":"), bytes)
    guard let code = cursor.number(bytes), code < 10_000 else { return nil }
    return xidFinding(bytes, text, device: device, code: code)
  }

  private static func xidFinding(
    _ bytes: Span<UInt8>, _ text: Range<Int>, device: String, code: UInt64
  ) -> KernelFinding {
    let name = device.isEmpty ? "an unknown GPU" : device
    return KernelFinding(
      kind: .xid, level: .error, subject: device,
      message: "Xid \(code) on \(name): \(ProcText.string(bytes, text))")
  }

  /// The first word that looks like `0000:05:00`.
  private static func address(_ bytes: Span<UInt8>, _ text: Range<Int>) -> String {
    var start = text.lowerBound
    while start < text.upperBound {
      var end = start
      var colons = 0
      while end < text.upperBound, isAddressByte(bytes[end]) {
        if bytes[end] == UInt8(ascii: ":") { colons += 1 }
        end += 1
      }
      // The sentence goes on behind it with a colon of its own.
      if end > start, bytes[end - 1] == UInt8(ascii: ":") {
        end -= 1
        colons -= 1
      }
      if colons == 2, end - start >= 8 { return ProcText.string(bytes, start..<end) }
      start = max(end, start) + 1
    }
    return ""
  }

  private static func isAddressByte(_ byte: UInt8) -> Bool {
    byte &- 48 <= 9 || (byte | 0x20) &- 97 <= 5 || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
  }
}
