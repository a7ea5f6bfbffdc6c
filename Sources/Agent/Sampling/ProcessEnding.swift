internal import FleetModel

/// The end of a process as an event that people and rules read.
enum ProcessEnding {
  /// - Parameter end: how, and of which process.
  static func event(of end: ProcessEnd, name: String, user: String, timeNs: Int64) -> Event {
    var event = Event()
    event.timeNs = timeNs
    event.kind = .processExit
    event.level = level(end.exit)
    event.subject = "\(name)[\(end.pid)]"
    event.message = message(of: end, event.subject, user, timeNs)
    event.processEnd = end
    return event
  }

  /// `python3[42] was ended by SIGKILL after 3h (user ann, slurm:7/0)`.
  private static func message(of end: ProcessEnd, _ subject: String, _ user: String, _ timeNs: Int64) -> String {
    var text = subject + " " + (end.exit?.text ?? "ended")
    if end.startedNs > 0 { text += " after " + TimeSpan.age(max(0, timeNs - end.startedNs)) }
    text += " (user \(user)\(end.job.isEmpty ? "" : ", " + end.job))"
    if end.exit == nil { text += "; how is not known" }
    if end.isOutOfMemory { text += "; the kernel killed for lack of memory in its control group" }
    return text
  }

  /// What a scheduler, a person or a parent does at every orderly end is no warning.
  private static func level(_ exit: ProcessExit?) -> Level {
    switch exit {
    case nil, .code(0), .signal(1, _), .signal(2, _), .signal(15, _): .info
    default: .warn
    }
  }
}

/// What of a command line may leave the host: program, module and script. All other words may be secrets.
enum ProcessCommand {
  private static let scripts = [".py", ".pyz", ".jl", ".sh"]

  /// - Parameter bytes: /proc/PID/cmdline: words that end with NUL; proc_pid_cmdline(5).
  static func shown(_ bytes: [UInt8]) -> String {
    shown(bytes.split(separator: 0).map { SafeText.make($0, bytesMax: SamplingLimits.textBytesMax) })
  }

  static func shown(_ words: [String]) -> String {
    guard let program = words.first else { return "" }
    var shown = [program]
    let arguments = words.dropFirst()
    // Of other programs -m is a message, a mode or a password.
    if program.split(separator: "/").last?.hasPrefix("py") == true, let option = arguments.firstIndex(of: "-m"),
      option + 1 < words.count
    {
      shown += ["-m", words[option + 1]]
    }
    let script = arguments.first { word in !word.hasPrefix("-") && scripts.contains(where: word.hasSuffix) }
    if let script { shown.append(script) }
    return SafeText.make(shown.joined(separator: " ").utf8, bytesMax: SamplingLimits.textBytesMax)
  }
}
