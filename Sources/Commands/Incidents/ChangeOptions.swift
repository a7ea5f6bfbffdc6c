internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Store

/// What every command that changes something for people takes.
struct ChangeOptions: ParsableArguments {
  @Option(help: "In whose name.") var by: String?
  @OptionGroup var database: DatabaseOptions
  @OptionGroup var output: OutputOptions

  var actor: String { by ?? Actor.name }

  /// Opens the store, changes something, closes it.
  func change<Result>(_ body: (Store) throws(StoreError) -> Result) throws -> Result { try database.change(body) }

  /// - Parameter query: one row, what was changed as it is now.
  func print(_ sentence: String, value: String? = nil, _ query: ReadQuery) throws {
    try output.printChange(sentence, value: value) { try database.reader().answer(query, []) }
  }
}

extension ChangeOptions {
  /// Several changes: people read a sentence each, scripts get one object each.
  func print(_ sentences: [String], _ query: ReadQuery) throws {
    guard output.format == .table else { return try output.print(database.reader().answer(query, [])) }
    for sentence in sentences { try output.printChange(sentence) { Answer(columns: []) } }
  }
}

/// From when, and for how long.
struct PlannedTimeOptions: ParsableArguments {
  @Option(name: .customLong("for"), help: "How long, such as 2h.") var duration: String
  @Option(help: "From when: a time; else now.") var from: String?

  /// From when to when, ns since 1970.
  /// - Throws: `.usage` for a time that is over.
  func window(nowNs: Int64) throws -> (startNs: Int64, endNs: Int64) {
    let start = try start(nowNs: nowNs)
    let end = start.addingClamped(try length())
    guard end > nowNs else {
      let times = "--from \(from ?? "") --for \(duration)"
      throw CommandFailure(.usage, "\(times) was over at \(Timestamp.text(end, digits: 0)): nothing would change")
    }
    return (start, end)
  }

  /// ns.
  func length() throws -> Int64 {
    guard let length = TimeSpan.parse(duration), length <= 366 * 86_400_000_000_000 else {
      throw CommandFailure(.usage, "--for takes a time of up to 366d, such as 2h, not '\(duration)'")
    }
    return length
  }

  /// ns since 1970.
  private func start(nowNs: Int64) throws -> Int64 {
    guard let from else { return nowNs }
    guard let time = Timestamp.parse(from) else {
      throw CommandFailure(.usage, "--from takes a time such as 2026-11-21T20:00Z, not '\(from)'")
    }
    return time
  }
}

extension DatabaseOptions {
  /// Opens the store, changes something, closes it.
  func change<Result>(_ body: (Store) throws(StoreError) -> Result) throws -> Result {
    let store = try store()
    defer { store.close() }
    do throws(StoreError) {
      return try body(store)
    } catch {
      switch error {
      case .unknownIncident, .unknownSilence, .unknownOverride, .unknownTarget, .unknownCredential:
        throw CommandFailure(.nothingFound, error.description)
      case .unknownZone, .neverComes, .badCredentialName: throw CommandFailure(.usage, error.description)
      default: throw CommandFailure(error)
      }
    }
  }
}
