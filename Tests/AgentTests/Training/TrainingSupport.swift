import Agent
import FleetModel
import Foundation

/// Drives a reader as the follower does, over a file held in memory.
struct ReaderHarness {
  var file: [UInt8]
  var make: (ReaderContext) -> any FormatReader
  var path = "/srv/runs/seven/training_log.csv"

  init(_ text: String, _ make: @escaping (ReaderContext) -> any FormatReader) {
    self.init(Array(text.utf8), make)
  }

  /// A file of `Tests/Fixtures/training`, read by the reader of its own format.
  init(fixture name: String, lines: Int? = nil) throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Fixtures/training")
    var file = Array(try Data(contentsOf: fixtures.appending(path: name)))
    if let lines, let end = file.indices.filter({ file[$0] == UInt8(ascii: "\n") }).dropFirst(lines - 1).first {
      file.removeLast(file.count - end - 1)
    }
    self.init(file) { TrainingFormats.make($0) ?? TrainingLogReader(context: $0) }
    path = "/srv/\(name)"
  }

  init(_ file: [UInt8], _ make: @escaping (ReaderContext) -> any FormatReader) {
    self.file = file
    self.make = make
  }

  var identity: FileIdentity {
    var identity = FileIdentity(key: FileKey(high: 1, low: 2), path: path)
    identity.format = TrainingFormats.detect(path: path, head: file.span)
    return identity
  }

  func context(at offset: Int, known: Int? = nil) -> ReaderContext {
    ReaderContext(
      file: identity, offset: UInt64(offset), head: Array(file.prefix(known ?? file.count).prefix(65536)),
      preceding: Array(file[max(0, offset - 65536)..<offset]))
  }

  /// All of the file with one reader.
  func pass(isFinished: Bool = false, budget: Int = .max) -> FileDelta {
    var delta = FileDelta(file: identity, from: 0, to: 0)
    var reader = make(context(at: 0, known: 0))
    var offset = 0
    var taken: Int
    repeat {
      taken = read(&reader, from: offset, to: file.count, isFinal: isFinished, budget: budget, into: &delta)
      offset += taken
    } while taken > 0 && offset < file.count
    if isFinished { reader.finish(nowNs: 1_000_000, into: &delta) }
    delta.to = UInt64(offset)
    return delta
  }

  /// The file as it grows by `bytes` at a time.
  /// - Parameter isNew: a reader of its own for each piece, as after a restart.
  func grown(by bytes: Int, isNew: Bool) -> FileDelta {
    var delta = FileDelta(file: identity, from: 0, to: 0)
    var (offset, end) = (0, 0)
    var reader = make(context(at: 0, known: 0))
    while end < file.count {
      end = min(file.count, end + bytes)
      if isNew { reader = make(context(at: offset, known: end)) }
      offset += read(&reader, from: offset, to: end, isFinal: false, budget: .max, into: &delta)
    }
    offset += read(&reader, from: offset, to: end, isFinal: true, budget: .max, into: &delta)
    delta.to = UInt64(offset)
    return delta
  }

  /// The file up to `cut` with one reader, what is left with another, as after a restart.
  func resumed(at cut: Int, isFinished: Bool = false) -> [FileDelta] {
    var first = FileDelta(file: identity, from: 0, to: 0)
    var reader = make(context(at: 0, known: cut))
    let taken = read(&reader, from: 0, to: cut, isFinal: false, budget: .max, into: &first)
    first.to = UInt64(taken)
    var second = FileDelta(file: identity, from: UInt64(taken), to: 0)
    reader = make(context(at: taken))
    let rest = read(&reader, from: taken, to: file.count, isFinal: isFinished, budget: .max, into: &second)
    second.to = UInt64(taken + rest)
    if isFinished { reader.finish(nowNs: 1_000_000, into: &second) }
    return [first, second]
  }

  func read(
    _ reader: inout any FormatReader, from: Int, to: Int, isFinal: Bool, budget: Int, into delta: inout FileDelta
  ) -> Int {
    let bytes = Array(file[from..<to])
    return reader.read(
      bytes.span, at: UInt64(from), isFinal: isFinal, nowNs: 1_000_000, budget: budget, into: &delta)
  }
}

/// What a database would hold after these deltas.
struct Stored {
  var steps: [TrainingStep] = []
  var episodes: [Int64: EpisodeSummary] = [:]
  var runs: [RunUpdate] = []
  var malformed: [String] = []

  init(_ deltas: [FileDelta]) {
    for delta in deltas {
      steps += delta.steps
      // Each reader says anew that its run goes on; that changes nothing.
      for run in delta.runs where !runs.contains(where: { $0.run == run.run && $0.state == run.state }) {
        runs.append(run)
      }
      malformed += delta.lines.texts
      for episode in delta.episodes {
        episodes[episode.episode] = episodes[episode.episode].map { $0.merged(with: episode) } ?? episode
      }
    }
  }

  /// Text that is equal where everything stored is equal; sums rounded, because their order may differ.
  var fingerprint: String {
    let episodes = episodes.sorted { $0.key < $1.key }.map { _, episode in
      let m = episode.metrics
      let rounded = [m.totalReward, m.pnl, m.winRateRatio, m.maxDrawdownRatio, m.sortinoRatio, m.calmarRatio].map {
        $0.isFinite ? "\(($0 * 1e9).rounded())" : "\($0)"
      }
      let times = [episode.startedNs, episode.timeNs, Int64(episode.run.hashValue)]
      return "\(episode.episode) \(times) \(episode.state) \(m.steps) \(m.tradesClosed) \(m.tradesWon) \(rounded)"
    }
    return "\(steps.map { "\($0)" })\n\(episodes)\n\(runs)\n\(malformed)"
  }
}

extension LogLines {
  var texts: [String] {
    var position = 0
    return lengths.map { length in
      defer { position += Int(length) }
      return String(decoding: text[position..<position + Int(length)], as: UTF8.self)
    }
  }

  /// File offsets of the lines.
  var offsets: [UInt64] {
    var offset = firstOffset
    return advances.map { advance in
      defer { offset += UInt64(advance) }
      return offset
    }
  }
}
