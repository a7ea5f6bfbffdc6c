internal import FleetModel

/// The plain model: what was written on the hosts, and so what the store must have in the end.
struct Truth {
  private struct Sample {
    var host: HostID
    var spool: SpoolID
    var lane: Lane
    var sequence: UInt64
    /// The host's disk would not take it, and the agent ended.
    var isForgotten = false
  }

  private var samples: [Int64: Sample] = [:]
  /// And the path that each was written to.
  private var lines: [LineText: String] = [:]
  /// Spools that were begun because another host used the old one's numbers.
  private var replacements: Set<SpoolID> = []
  private var lastSampleID: Int64 = 0

  mutating func nextSampleID() -> Int64 {
    lastSampleID += 1
    return lastSampleID
  }

  mutating func appended(_ id: Int64, host: HostID, spool: SpoolID, lane: Lane, sequence: UInt64) {
    samples[id] = Sample(host: host, spool: spool, lane: lane, sequence: sequence)
  }

  /// An agent ends whose disk refused everything after `sequence`: nothing holds those any more.
  mutating func forgotten(_ spool: SpoolID, _ lane: Lane, after sequence: UInt64) {
    for (id, sample) in samples where sample.spool == spool && sample.lane == lane && sample.sequence > sequence {
      samples[id]?.isForgotten = true
    }
  }

  mutating func written(_ text: LineText, path: String) {
    lines[text] = path
  }

  mutating func replaced(_ spool: SpoolID) { replacements.insert(spool) }

  var sampleCount: Int { samples.count }
  var lineCount: Int { lines.count }

  // MARK: Checks that hold at any time

  /// - Returns: what is wrong with what is stored so far.
  /// - Parameter repeatable: lines that may be there twice.
  func fault(in store: SimulatedStore, _ text: StoredText, repeatable: Set<LineText>) -> String? {
    for (id, count) in store.samples {
      if count > 1 { return "sample \(id) is stored \(count) times" }
      if samples[id] == nil { return "sample \(id) was never taken" }
    }
    var ends: [FileKey: UInt64] = [:]
    for line in store.lines {
      if line.offset < ends[line.file] ?? 0 { return "out of order in \(line.path): offset \(line.offset)" }
      ends[line.file] = line.offset + UInt64(line.advance)
    }
    return text.fault(repeatable: repeatable) { lines[$0] != nil }
  }

  /// Whether everything has arrived or is in the ledger. Only when all is drained.
  /// - Parameter readable: lines that are in a file which an agent was shown.
  func missing(in store: SimulatedStore, _ text: StoredText, readable: Set<LineText>) -> String? {
    missingSample(in: store) ?? wronglyLost(in: store) ?? missingLine(in: text, readable: readable)
  }

  private func missingSample(in store: SimulatedStore) -> String? {
    var unexplained: UInt64 = 0
    var first = ""
    for (id, sample) in samples.sorted(by: { $0.key < $1.key }) where store.samples[id] == nil && !sample.isForgotten {
      let isReported = store.losses.contains { entry in
        entry.spool == sample.spool && entry.loss.subject == subject(sample.lane)
          && entry.loss.from <= sample.sequence && sample.sequence < entry.loss.to
      }
      if isReported { continue }
      unexplained += 1
      if first.isEmpty { first = "sample \(id) (spool \(sample.spool.low % 1000), \(sample.lane) \(sample.sequence))" }
    }
    // Where a spool was begun anew, the loss counts records without naming their old numbers.
    var counted: UInt64 = 0
    for entry in store.losses {
      if let spool = entry.spool, replacements.contains(spool) { counted += entry.loss.to - entry.loss.from }
    }
    return unexplained > counted ? "\(unexplained) samples are neither stored nor reported lost, first \(first)" : nil
  }

  /// Lines may be missing only where no file holds them any more, or where no pattern ever found it.
  private func missingLine(in stored: StoredText, readable: Set<LineText>) -> String? {
    let missing = readable.filter { stored.whole[$0] == nil && lines[$0] != nil }
    guard let first = missing.min(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) else { return nil }
    return "missing from \(lines[first] ?? ""): \(first.text)"
  }

  /// Of a file that the collector knows, nothing may vanish without a word. How much is lost, an agent that was not there
  /// cannot know; that something may be, it can.
  func vanished(_ destroyed: [DestroyedLines], of host: HostID, in store: SimulatedStore, _ text: StoredText)
    -> String?
  {
    let stored = text.whole
    for entry in destroyed {
      // A generation that no agent saw comes and goes unreported.
      guard entry.lines.contains(where: { stored[$0] == nil }), entry.lines.contains(where: { stored[$0] != nil })
      else { continue }
      let keys = store.keys(inode: entry.inode, birthNs: entry.birthNs, of: host)
      let known = entry.known(endOffset: store.endOffset(keys, of: host))
      guard !keys.isEmpty, let line = known.first(where: { stored[$0] == nil }) else { continue }
      let isReported = store.losses.contains { loss in loss.file.map(keys.contains) ?? false }
      if !isReported { return "vanished without a loss: \(line.text)" }
    }
    return nil
  }

  /// Where nothing took a record, none may be reported as lost: neither a killed process nor a broken connection does, and a power
  /// cut damages, but fills nothing.
  func groundless(in store: SimulatedStore, hadPowerCut: Bool) -> String? {
    let entry = store.losses.first { $0.spool != nil && !(hadPowerCut && $0.loss.reason == .spoolDamaged) }
    guard let loss = entry?.loss else { return nil }
    return "a loss without a cause: \(loss.subject) \(loss.from) to \(loss.to), \(loss.reason)"
  }

  /// An exact loss must not name what is there.
  private func wronglyLost(in store: SimulatedStore) -> String? {
    for (id, sample) in samples where store.samples[id] != nil {
      for entry in store.losses where entry.spool == sample.spool && !entry.loss.isEstimate {
        if entry.loss.subject == subject(sample.lane), entry.loss.from <= sample.sequence,
          sample.sequence < entry.loss.to
        {
          return "sample \(id) is stored and reported lost"
        }
      }
    }
    return nil
  }

  private func subject(_ lane: Lane) -> String { lane == .live ? "spool/live" : "spool/backfill" }
}

/// The stored rows as lines again: a line that was sent before it was whole is one with its rest, and a row joined from several is several.
struct StoredText {
  /// How often each whole line is there.
  private(set) var whole: [LineText: Int] = [:]

  init(_ store: SimulatedStore) {
    var open: [FileKey: [UInt8]] = [:]
    whole.reserveCapacity(store.lines.count)
    for line in store.lines {
      var text = line.text
      // A joined row that continues another continues its record, not its line.
      let isJoined = line.flags.contains(.joined)
      if !open.isEmpty, let start = open.removeValue(forKey: line.file), line.flags.contains(.continuation), !isJoined {
        text = start + text
      }
      if line.flags.contains(.partial) {
        open[line.file] = text
      } else if isJoined {
        for part in text.split(separator: 10, omittingEmptySubsequences: false) { add(Array(part)) }
      } else {
        add(text)
      }
    }
  }

  private mutating func add(_ line: [UInt8]) { whole[LineText(line), default: 0] += 1 }

  /// - Parameter isWritten: whether a simulated writer wrote this line.
  func fault(repeatable: Set<LineText>, _ isWritten: (LineText) -> Bool) -> String? {
    let wrong = whole.filter { $0.value > (repeatable.contains($0.key) ? 2 : 1) || !isWritten($0.key) }
    guard let first = wrong.min(by: { $0.key.bytes.lexicographicallyPrecedes($1.key.bytes) }) else { return nil }
    if !isWritten(first.key) { return "a line that nobody wrote: \(first.key.text)" }
    return "stored \(first.value) times: \(first.key.text)"
  }
}
