internal import FleetModel

/// What a followed file has raised since it last went on as usual: a failure under way, or an exception that is handled.
struct FailureCase: Equatable {
  /// The file, among the host's entities.
  let file: Int
  /// The ones that say most, by weight and then by time; at most `suspectsMax`.
  private(set) var suspects: [Suspect] = []
  /// Further raised lines.
  private(set) var folded = 0
  /// When the last of them was written, the host's clock.
  private(set) var lastNs: Int64 = 0
  /// When the first of them came in, the collector's clock.
  private(set) var beganNs: Int64 = 0
  /// When the file's last line came in, the collector's clock.
  var quietSinceNs: Int64 = 0
  /// The file went on as usual for longer than a program takes to end: what was raised was handled, unless its process ends badly soon.
  var isHandled = false
  /// Nothing has followed what was raised last.
  var isLast = false
  /// An incident was opened for it, by then.
  var concludedNs: Int64 = 0

  static let suspectsMax = 8

  init(file: Int) { self.file = file }

  var first: Suspect? { suspects.first }

  /// An exception: where nothing follows it, its program has ended.
  var hasTraceback: Bool { suspects.contains { $0.isTraceback } }
  /// The file's last word names what usually ends a program.
  var endsWithRoot: Bool { isLast && !isHandled && suspects.first?.weight == .root }
  /// A program's end was reported in the file.
  var saysEnd: Bool { suspects.contains { $0.isEnd } }

  /// - Parameter arrivedNs: the collector's clock.
  mutating func add(_ suspect: Suspect, arrivedNs: Int64) {
    // What comes after it was handled is something else.
    if isHandled || concludedNs > 0 { self = FailureCase(file: file) }
    if suspects.isEmpty { beganNs = arrivedNs }
    isLast = true
    lastNs = max(lastNs, suspect.atNs)
    let place = suspects.firstIndex { suspect.weight < $0.weight } ?? suspects.count
    suspects.insert(suspect, at: place)
    if suspects.count > Self.suspectsMax { suspects.removeLast() }
    folded += 1
  }

  init(
    file: Int, suspects: [Suspect], folded: Int, lastNs: Int64, beganNs: Int64, quietSinceNs: Int64, isHandled: Bool,
    isLast: Bool, concludedNs: Int64
  ) {
    self.file = file
    self.suspects = suspects
    self.folded = folded
    self.lastNs = lastNs
    self.beganNs = beganNs
    self.quietSinceNs = quietSinceNs
    self.isHandled = isHandled
    self.isLast = isLast
    self.concludedNs = concludedNs
  }
}

/// The end of a training process, until it is judged.
struct EndedProcess: Equatable {
  /// How it ended, and by what it is recognised; of an agent that does not look at that, nothing but its number.
  var process = ProcessEnd()
  /// `name[pid]`.
  var subject = ""
  var atNs: Int64 = 0
  /// What the agent says of it.
  var message = ""
  /// When it is judged, the collector's clock: what belongs to it may come a little later.
  var dueNs: Int64 = 0

  /// nil = it was ended by a signal, or it is not known how it ended.
  var code: Int32? { if case .code(let code)? = process.exit { code } else { nil } }
  var signal: Int32? { if case .signal(let signal, _)? = process.exit { Int32(clamping: signal) } else { nil } }
  /// It is known that it went wrong.
  var isBad: Bool { process.exit.map { $0 != .code(0) } ?? false }
  var isFine: Bool { process.exit == .code(0) }

  /// A shell shows a signal as 128 and its number.
  var shownSignal: Int32? {
    if let signal { return signal }
    guard let code, (129...159).contains(code) else { return nil }
    return code - 128
  }

  /// One sentence; the agent's own words where it has any.
  var text: String { message.hasPrefix(subject) ? message : "\(subject) \(words)" }

  /// How, behind its name.
  var words: String { process.exit?.text ?? "ended; how is not known" }

  func writes(to path: String) -> Bool { process.output == path || process.errors == path }
}

/// A failure for which an incident was opened: what else ends of the same crash belongs to it.
struct ConcludedFailure: Equatable {
  var atNs: Int64
  var directory = ""
  var job = ""
  // These two are not saved: after a restart, what another process of the crash says for itself may be a second finding.
  var failureClass = ""
  /// Path of the log that showed it; empty where none did.
  var file = ""
}

/// What the kernel or a device reported.
struct KernelMessage: Equatable {
  var atNs: Int64
  var isOutOfMemory: Bool
  var text: String
}

/// What a host's failures are known by, while they come about.
struct FailureWatch {
  var cases: [FailureCase] = []
  var ends: [EndedProcess] = []
  var concluded: [ConcludedFailure] = []
  /// What the kernel and the devices reported last.
  var messages: [KernelMessage] = []

  /// Whether time alone may conclude something.
  var isBusy: Bool {
    !ends.isEmpty
      || cases.contains { $0.concludedNs == 0 && ($0.saysEnd || $0.endsWithRoot || !$0.isHandled && $0.hasTraceback) }
  }
  var isEmpty: Bool { cases.isEmpty && ends.isEmpty && concluded.isEmpty && messages.isEmpty }

  static let casesMax = 64
  static let endsMax = 64
  static let concludedMax = 16
  static let messagesMax = 8
}
