internal import Answers
internal import ArgumentParser
internal import FleetModel
internal import Store

extension FleetSource {
  /// How many runs of a name are named in a sentence.
  private static let namesakesMax = 10

  /// The one run that a word names: by its id, or by its name.
  /// - Parameter host: only of hosts that have this name or match this pattern.
  /// - Returns: its row, as a list of runs has it; none where there is no such run.
  /// - Throws: `.usage` where several runs have the name, with their ids.
  func run(_ word: String, host: String? = nil) throws -> Answer {
    var found = try answer(.runs(host: host, state: nil, run: word, limit: 100), ShownColumns.runs)
    if let number = Int64(word), (1...Int64(Int32.max)).contains(number) {
      let byID = try answer(.run(number), ShownColumns.runs)
      let isAsked = host.map { pattern in byID.hosts.allSatisfy { StarPattern.matches($0 ?? "", pattern) } } ?? true
      if isAsked, !found.ids.contains(number) { found.rows += byID.rows }
    }
    guard found.rows.count > 1 else { return found }
    let names = zip(found.ids, found.hosts).sorted { $0.0 < $1.0 }.map { "\($0) on \($1 ?? "?")" }
    let more = names.count > Self.namesakesMax ? " and \(names.count - Self.namesakesMax) more" : ""
    throw CommandFailure(
      .usage,
      "\(names.count) runs are called '\(word)': \(names.prefix(Self.namesakesMax).joined(separator: ", "))\(more); "
        + "name one by its id, as signalbox runs list --wide shows it")
  }

  /// Runs of a name, or the one of an id.
  /// - Returns: name and host for a question about their episodes.
  /// - Throws: `.usage` where one run has the word as its id and another one as its name.
  func runs(_ word: String?, host: String?) throws -> (name: String?, host: String?) {
    guard let word, Int64(word) != nil else { return (word, host) }
    let run = try run(word, host: host)
    guard case .text(let name)? = run.value("run"), let owner = run.hosts.first ?? nil else { return (word, host) }
    return (name, owner)
  }

  /// - Throws: `.nothingFound` beside what `run` throws.
  func runNumber(_ word: String, host: String? = nil) throws -> Int64 {
    guard let number = try run(word, host: host).ids.first else {
      throw CommandFailure(.nothingFound, RunName.nothing(word))
    }
    return number
  }
}

/// Sentences about names of runs.
enum RunName {
  static func nothing(_ word: String) -> String { "no run is called '\(word)'; signalbox runs list shows them" }
}

extension Answer {
  /// The numbers of its rows.
  var ids: [Int64] {
    guard let place = columns.firstIndex(where: { $0.name == "id" }) else { return [] }
    return rows.compactMap { row in if case .integer(let number) = row[place] { number } else { nil } }
  }
}
