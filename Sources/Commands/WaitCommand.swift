internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Store

struct WaitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wait", abstract: "Waits until a run or a host has reached a state.",
    discussion: """
      runs/ID or runs/NAME reaches completed, failed, running, or ended: completed or failed.
      hosts/NAME reaches live. While database or console are away it goes on waiting.
      Exit codes: 0 reached; 1 the run ended otherwise, or the time is over; 5 the host is not live when the time is over.
      """)
  @Argument(help: "runs/ID, runs/NAME or hosts/NAME.") var subject: String
  @Option(name: .customLong("for"), help: "The state.") var state: String
  @Option(help: "For how long at most.") var timeout = "1h"
  @OptionGroup var database: DatabaseOptions
  @OptionGroup var output: OutputOptions

  private static let runStates = ["completed", "failed", "running", "ended"]
  private static let pauseNs: Int64 = 1_000_000_000

  func run() throws {
    let parts = subject.split(separator: "/", maxSplits: 1).map(String.init)
    guard parts.count == 2, ["runs", "hosts"].contains(parts[0]) else {
      throw CommandFailure(.usage, "wait takes runs/ID, runs/NAME or hosts/NAME, not '\(subject)'")
    }
    let known = parts[0] == "runs" ? Self.runStates : ["live"]
    guard known.contains(state) else {
      throw CommandFailure(.usage, "--for takes \(known.joined(separator: ", ")) for \(parts[0]), not '\(state)'")
    }
    guard let timeoutNs = TimeSpan.parse(timeout) else {
      throw CommandFailure(.usage, "--timeout takes a time such as 2h, not '\(timeout)'")
    }
    let wait = Wait(isRun: parts[0] == "runs", name: parts[1], state: state)
    try output.print(
      wait.run(untilNs: Clock.monotonicNs().addingClamped(timeoutNs), pauseNs: Self.pauseNs) {
        try database.source(output)
      })
  }
}

/// What is waited for.
struct Wait {
  let isRun: Bool
  let name: String
  let state: String

  enum Verdict: Equatable {
    case reached
    /// In a sentence: it cannot be reached any more.
    case lost(String)
    /// Its state now.
    case waiting(String)
  }

  /// - Parameter now: the state that was found.
  func verdict(_ now: String) -> Verdict {
    if now == state { return .reached }
    guard isRun else { return .waiting(now) }
    let hasEnded = ["completed", "failed"].contains(now)
    if state == "ended" { return hasEnded ? .reached : .waiting(now) }
    // A run that has ended has been running before.
    if hasEnded { return .lost("run '\(name)' is \(now): it does not become \(state) any more") }
    return .waiting(now)
  }

  /// - Parameter open: connects; again after the database or console was away.
  /// - Returns: what has reached the state.
  func run(untilNs: Int64, pauseNs: Int64, _ open: () throws -> FleetSource) throws -> Answer {
    var source: FleetSource?
    while true {
      var sentence: CommandFailure
      do {
        let known = try source ?? open()
        source = known
        let answer = try ask(known)
        let now: String = if case .text(let text)? = answer.value("state") { text } else { "unknown" }
        switch verdict(now) {
        case .reached: return answer
        case .lost(let sentence): throw CommandFailure(.failed, sentence)
        case .waiting(let now):
          sentence = overdue(isRun ? .failed : .hostsMissing, "is \(now), not \(state)")
        }
      } catch let failure as CommandFailure where failure.code == .notReachable {
        source = nil
        sentence = overdue(.failed, "is not known to be \(state): \(failure.message)")
      }
      if Clock.monotonicNs() >= untilNs { throw sentence }
      Process.sleep(ns: max(0, min(pauseNs, untilNs - Clock.monotonicNs())))
    }
  }

  private func overdue(_ code: CommandFailure.Code, _ what: String) -> CommandFailure {
    CommandFailure(
      code, "\(isRun ? "run" : "host") '\(name)' \(what), and the time is over; --timeout gives it more")
  }

  /// - Throws: `.nothingFound`.
  private func ask(_ source: FleetSource) throws -> Answer {
    let answer = isRun ? try source.run(name) : try source.answer(.host(name), HostsCommand.shown)
    guard answer.rows.isEmpty else { return answer }
    let list = isRun ? "runs" : "hosts"
    throw CommandFailure(
      .nothingFound, "nothing is called '\(list)/\(name)'; signalbox \(list) list shows what there is")
  }
}

struct OpenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "open", abstract: "Prints the address of a page of the console.",
    discussion: """
      Nouns: fleet, hosts [NAME], runs [ID], episodes RUN-ID NUMBER, incidents [NUMBER], logs, oncall, admin.
      """)
  @Argument(help: "What.") var noun: String
  @Argument(help: "Its name or number.") var names: [String] = []
  @OptionGroup var database: DatabaseOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let path = try Self.path(noun, names)
    try output.printChange("the page of \(([noun] + names).joined(separator: " "))", value: base() + path) {
      Answer(columns: [.init("url")], rows: [[.text(try base() + path)]])
    }
  }

  private func base() throws -> String {
    switch try database.place() {
    case .console(let context): return context.url
    case .database:
      guard let url = try database.change({ store throws(StoreError) in try store.consoleAddress() }) else {
        throw CommandFailure(.nothingFound, "no console has been started on this database")
      }
      return url
    }
  }

  /// - Throws: `.usage` for a noun without a page, and for what no page can be called.
  static func path(_ noun: String, _ names: [String]) throws -> String {
    let known: [String: ClosedRange<Int>] = [
      "fleet": 0...0, "hosts": 0...1, "runs": 0...1, "episodes": 2...2, "incidents": 0...1, "logs": 0...0,
      "oncall": 0...0, "admin": 0...0,
    ]
    guard let counts = known[noun] else {
      throw CommandFailure(
        .usage, "no page is called '\(noun)': use one of \(known.keys.sorted().joined(separator: ", "))")
    }
    guard counts.contains(names.count) else {
      throw CommandFailure(
        .usage,
        "signalbox open \(noun) takes \(counts.upperBound) name\(counts.upperBound == 1 ? "" : "s"), not \(names.count)"
      )
    }
    for name in names where ["runs", "episodes", "incidents"].contains(noun) && Int64(name) == nil {
      throw CommandFailure(.usage, "signalbox open \(noun) takes a number, not '\(name)'")
    }
    switch noun {
    case "fleet",
      "hosts" where names.isEmpty:
      return "/"
    case "episodes": return "/runs/\(names[0])/episodes/\(names[1])"
    default: return "/" + ([noun] + names.map(PercentEncoding.pathPart)).joined(separator: "/")
    }
  }
}
