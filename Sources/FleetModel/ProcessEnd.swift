/// How one process ended, and by what it is recognised.
///
/// It belongs to the process with this pid and start: a number is used again, and two processes may end in the same minute.
package struct ProcessEnd: Sendable, Equatable {
  /// nil: it ended, and how is not known.
  package var exit: ProcessExit?
  package var pid: UInt32 = 0
  /// As in `ProcessSample`; 0 = not known.
  package var startedNs: Int64 = 0
  package var cgroup: String = ""
  /// `ProcessJob.text`; empty where its control group belongs to nothing that is known.
  package var job: String = ""
  /// The file that its standard output went to; empty where it is none, or where the agent may not see it.
  package var output: String = ""
  /// The same of standard error, where it is another file.
  package var errors: String = ""
  package var directory: String = ""
  /// Runs that no other process writes any more: `RunUpdate.run`.
  package var runs: [String] = []
  /// Program and script, redacted, without the other arguments.
  package var command: String = ""
  /// Processes of its control group that the kernel killed for lack of memory in the 30 s before; nil: not known.
  package var oomKills: Int32?
  /// When it was last looked at; 0 = not known.
  package var parent: UInt32 = 0

  package init() {}

  /// Whether it was one of those that the kernel killed for lack of memory: the kernel kills by SIGKILL.
  package var isOutOfMemory: Bool {
    guard let oomKills, oomKills > 0, case .signal(9, _)? = exit else { return false }
    return true
  }
}

/// What wait(2) reports of a process that ended.
package enum ProcessExit: Sendable, Equatable {
  /// By itself; 0…255.
  case code(Int32)
  /// By a signal; signal(7).
  case signal(UInt32, coreDumped: Bool)

  /// - Parameter waitStatus: as wait(2) and PIDFD_GET_INFO give it.
  package init(waitStatus: Int32) {
    let signal = UInt32(bitPattern: waitStatus) & 0x7f
    self =
      signal == 0
      ? .code(waitStatus >> 8 & 0xff)
      : .signal(signal, coreDumped: waitStatus & 0x80 != 0)
  }

  /// Behind the name of the process: "ended with exit code 7", "was ended by SIGKILL".
  package var text: String {
    switch self {
    case .code(let code): "ended with exit code \(code)"
    case .signal(let number, let coreDumped):
      "was ended by \(SignalName.text(of: number))\(coreDumped ? ", which wrote a core dump," : "")"
    }
  }
}

/// Names of signals; signal(7), the numbers of x86-64 and ARM64.
package enum SignalName {
  private static let names = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
  ]

  /// - Returns: `SIGKILL`; `signal 40` for one without a name.
  package static func text(of number: UInt32) -> String {
    number >= 1 && number <= names.count ? "SIG" + names[Int(number) - 1] : "signal \(number)"
  }
}
