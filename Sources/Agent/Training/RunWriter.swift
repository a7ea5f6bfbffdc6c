internal import FleetModel

/// The process that writes a run's files.
package struct RunWriter: Sendable {
  package let pid: UInt32
  package let startTicks: UInt64
  /// `ProcessJob.whole`; empty where none is known.
  package let job: String
  /// Program and script.
  package let command: String
  /// Words that end with NUL.
  package let commandLine: [UInt8]
  /// Ranks of the job that run beside it on this host.
  package let ranks: [UInt32]

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
  /// Of each run, with the ranks of its job: a worker may be seen later than what started it.
  private var known: [String: Set<UInt64>] = [:]

  /// What is new of the runs that go on, each with the process that writes one of its files, as far as that is known. Several ranks are
  /// several updates.
  mutating func updates(_ open: [(update: RunUpdate, writer: RunWriter?)], _ redactor: Redactor) -> [RunUpdate] {
    var updates: [RunUpdate] = []
    var next: [String: Set<UInt64>] = [:]
    for (run, writer) in open {
      let before = known[run.run] ?? []
      guard let writer else {
        next[run.run] = next[run.run] ?? before
        continue
      }
      let mark = writer.mark
      let isKnown = before.contains(mark) || next[run.run]?.contains(mark) == true
      next[run.run, default: []].insert(mark)
      if isKnown { continue }
      var update = run
      if !writer.job.isEmpty { update.job = writer.job }
      update.state = .running
      update.detail = writer.parameters(redactor).detail
      update.rank = writer.ranks.first ?? update.rank
      updates.append(update)
      update.detail = ""
      for rank in writer.ranks.dropFirst() {
        update.rank = rank
        updates.append(update)
      }
    }
    known = next
    return updates
  }
}

extension RunWriter {
  /// The same while nothing changes of what it says of its run.
  fileprivate var mark: UInt64 {
    var hash = ContentHash()
    hash.update(Array(job.utf8).span)
    let mark = hash.value ^ startTicks << 22 ^ UInt64(pid)
    return ranks.reduce(mark) { ($0 ^ UInt64($1) &+ 1) &* 0x100_0000_01b3 }
  }
}
