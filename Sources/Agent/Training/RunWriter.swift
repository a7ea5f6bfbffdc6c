internal import FleetModel

/// The process that writes a run's files.
package struct RunWriter: Sendable {
  package let pid: UInt32
  package let startTicks: UInt64
  /// `ProcessJob.text`; empty where none is known.
  package let job: String
  /// Program and script.
  package let command: String
  /// Words that end with NUL.
  package let commandLine: [UInt8]

  /// What the run was started with: the program, and the options that have a name. `--lr 3e-4`, `--lr=3e-4` and Hydra's
  /// `optimizer.lr=3e-4` are such; a word alone may be anything, and stays here.
  func parameters(_ redactor: Redactor?) -> RunParameters {
    var parameters = RunParameters(redactor)
    parameters.add("command".utf8, text: command.utf8)
    let words = commandLine.split(separator: 0, omittingEmptySubsequences: false)
    var at = 1
    while at < words.count {
      let word = words[at]
      at += 1
      let name = word.drop { $0 == UInt8(ascii: "-") }
      let dashes = word.count - name.count
      guard dashes <= 2 else { continue }
      if let equals = name.firstIndex(of: UInt8(ascii: "=")) {
        if isName(name[..<equals]) { parameters.add(name[..<equals], text: name[name.index(after: equals)...]) }
      } else if dashes == 2, isName(name) {
        let value = at < words.count && words[at].first != UInt8(ascii: "-") && !words[at].isEmpty ? words[at] : nil
        if let value {
          parameters.add(name, text: value)
          at += 1
        } else {
          parameters.add(name, isTrue: true)
        }
      }
    }
    return parameters
  }

  /// Code that stands in the command line has no names.
  private func isName(_ name: some Collection<UInt8>) -> Bool {
    guard let first = name.first, first != UInt8(ascii: "."), name.count <= TrainingLimits.metricNameBytesMax else {
      return false
    }
    return name.allSatisfy { byte in
      byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z") || byte &- 48 <= 9
        || "_.-/+@".utf8.contains(byte)
    }
  }
}

extension ProcessEnd {
  /// Whether the file is its output, or lies where it worked.
  func mayWrite(_ path: String) -> Bool {
    output == path || errors == path || directory.utf8.count > 1 && path.hasPrefix(directory + "/")
  }
}

/// Which process writes which run, so that it is reported once.
struct RunWriters {
  private var known: [String: UInt64] = [:]

  /// What is new of the runs that go on, each with the process that writes one of its files, as far as that is known.
  mutating func updates(_ open: [(update: RunUpdate, writer: RunWriter?)], _ redactor: Redactor) -> [RunUpdate] {
    var updates: [RunUpdate] = []
    var next: [String: UInt64] = [:]
    for (run, writer) in open {
      guard let writer else {
        next[run.run] = next[run.run] ?? known[run.run]
        continue
      }
      let mark = writer.startTicks << 22 ^ UInt64(writer.pid)
      let isKnown = (next[run.run] ?? known[run.run]) == mark
      next[run.run] = mark
      if isKnown { continue }
      var update = run
      // Of a Slurm job or a pod without its step or container: those change from one attempt to the next.
      if !writer.job.isEmpty { update.job = String(writer.job.prefix { $0 != "/" }) }
      update.state = .running
      update.detail = writer.parameters(redactor).detail
      updates.append(update)
    }
    known = next
    return updates
  }
}
