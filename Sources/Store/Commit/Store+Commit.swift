package import FleetModel
internal import Postgres

extension Store {
  /// Stores a group of batches in one transaction: rows, episodes, counts, the marks that make them unique, and the rules' states.
  ///
  /// A batch is stored whole or not at all, and only where each of its parts fits the marks; batches of one host are taken
  /// in the group's order. Durable when this returns (`synchronous_commit`). What the database refuses is set aside in
  /// `dead_letters`, a row also with a loss; everything else of the group is stored. `takeSetAside` returns it.
  /// - Returns: one outcome a batch, in the group's order.
  /// - Throws: `.database`. Where `isConnectionLost` the effect is unknown: open a new store and commit the same group again,
  ///   what was stored is recognised. Where `isRetryable`, nothing was stored: try again after a pause.
  package func commit(_ group: [StagedBatch]) throws(StoreError) -> [CommitOutcome] {
    if group.isEmpty { return [] }
    var care = CommitCare.none
    var interruptions = 0
    while true {
      do throws(StoreError) {
        try ensurePartitions(for: group)
        return try commitOnce(group, care)
      } catch .database(let error) where error.isLockTimeout {
        interruptions += 1
        guard interruptions <= Limits.interruptionsMax, try interruptCompression() else { throw .database(error) }
      } catch .database(let error) where error.isRefusal {
        guard let next = care.next(after: error) else { return try commitOneByOne(group, because: error) }
        // A partition may have been dropped since it was seen.
        knownPartitions.removeAll()
        care = next
      }
    }
  }

  /// Something that cannot be taken apart was refused: find whose it is.
  private func commitOneByOne(
    _ group: [StagedBatch], because error: PostgresError
  ) throws(StoreError) -> [CommitOutcome] {
    if group.count == 1 { return [try refuseBatch(group[0], because: error)] }
    var outcomes: [CommitOutcome] = []
    for staged in group {
      // What follows a batch that does not fit cannot fit either, because its marks have not moved.
      let isBroken = zip(group, outcomes).contains { $0.hostNumber == staged.hostNumber && $1 == .outOfOrder }
      outcomes.append(isBroken ? .outOfOrder : try commit([staged])[0])
    }
    return outcomes
  }

  /// A batch of which nothing can be stored. Where not even its marks can be moved, its stream ends, and the other hosts go on.
  private func refuseBatch(_ staged: StagedBatch, because error: PostgresError) throws(StoreError) -> CommitOutcome {
    do throws(StoreError) {
      return try commitOnce([staged], .refusing, because: error)[0]
    } catch .database(let second) where second.isRefusal {
      noteSetAside([Refusal(hostNumber: staged.hostNumber, table: "marks", error: second)])
      return .outOfOrder
    }
  }

  private func commitOnce(
    _ group: [StagedBatch], _ care: CommitCare, because reason: PostgresError? = nil
  ) throws(StoreError) -> [CommitOutcome] {
    rows.removeAll()
    refusals.removeAll()
    self.care = care
    var freshRuns: [RunKey: Int32] = [:]
    var overQuota: [QuotaRefusal] = []
    quotas.begin(group.map(\.hostNumber))
    let outcomes = try asking { () throws(PostgresError) in
      try connection.transaction { () throws(PostgresError) -> [CommitOutcome] in
        var marks = try marks(of: group)
        try readMeters(marks.epochs)
        noteRefusedFiles(group, &marks)
        var plan = GroupPlan(group, marks: marks)
        if plan.isEmpty { return plan.outcomes }
        let files = try fileNumbers(group, &plan)
        if let reason {
          try refuse(group, plan, because: reason)
        } else {
          freshRuns = try runNumbers(of: group, plan)
          let numbers = freshRuns.merging(runNumbers) { first, _ in first }
          let training = rows.append(
            group, plan, files: files, runs: numbers, oldestUs: oldestUs, quotas: &quotas)
          try mergeEpisodes(training, group)
          overQuota = try storeRefusals(group)
          try saveMeters(group)
          try send(care, group, plan)
        }
        try moveMarks(group, plan, files)
        try storeStates(group, plan)
        try storeRefusals(receivedUs: (group.map(\.receivedNs).max() ?? 0) / 1000)
        return plan.outcomes
      }
    }
    noteSetAside(refusals)
    quotas.commit(overQuota)
    if runNumbers.count + freshRuns.count > Limits.cacheMax { runNumbers.removeAll() }
    // The newest attempt may be another one by the next commit.
    runNumbers.merge(freshRuns.filter { $0.key.file != nil }) { $1 }
    return outcomes
  }

  /// The oldest time of samples and lines that is accepted.
  func arrival(of staged: StagedBatch) -> Arrival {
    Arrival(host: staged.hostNumber, receivedNs: staged.receivedNs, oldestUs: oldestUs)
  }

  private func send(_ care: CommitCare, _ group: [StagedBatch], _ plan: GroupPlan) throws(PostgresError) {
    if care == .isolating {
      try sendIsolating()
    } else {
      try rows.forEachTable { (table, columns, rows) throws(PostgresError) in
        try connection.copyIn(table, columns: columns, rows)
      }
    }
    try storeCounts()
    try storeSuspects(group)
    try storeLateHours(plan.marks.aggregatedUs)
  }
}

/// How carefully a group is sent: a refused row costs the fast way one attempt.
enum CommitCare {
  case none
  /// Once more as before, because a missing partition looks like a refused row.
  case again
  /// With savepoints, in halves down to the refused row, episode, run or figure.
  case isolating
  /// Nothing but the marks: a batch cannot be taken apart further, and its host must get past it.
  case refusing

  var isIsolating: Bool { self == .isolating || self == .refusing }

  /// - Returns: nil where only single batches are left to try.
  func next(after error: PostgresError) -> CommitCare? {
    switch self {
    case .none: error.sqlState == "23514" ? .again : .isolating
    case .again: .isolating
    case .isolating, .refusing: nil
    }
  }
}

extension RowBuffers {
  /// What the plan takes of a group, as rows. Rows beyond a host's quota are left out, and so are those of a run or file that is.
  /// - Parameters:
  ///   - files, runs: their numbers in the database.
  ///   - oldestUs: how long before its arrival a row's own time may lie; an older one is replaced.
  /// - Returns: the group's own summaries of each episode, to be merged with what is stored.
  mutating func append(
    _ group: [StagedBatch], _ plan: borrowing GroupPlan, files: [Marks.FileOfHost: Int32], runs: [RunKey: Int32],
    oldestUs: Int64, quotas: inout HostQuotas
  ) -> TrainingCollector {
    var training = TrainingCollector(runs: runs)
    for part in plan.spooled {
      let staged = group[part.batch]
      let arrival = Arrival(host: staged.hostNumber, receivedNs: staged.receivedNs, oldestUs: oldestUs)
      var records = staged.batch.spooled[part.index].records
      quotas[arrival.host].trim(&records, nowNs: staged.receivedNs)
      append(records, clippedTo: part.clippedTo, arrival)
      training.add(records.steps, records.episodes, of: nil, arrival, &self, &quotas[arrival.host])
    }
    for part in plan.files {
      let staged = group[part.batch]
      let arrival = Arrival(host: staged.hostNumber, receivedNs: staged.receivedNs, oldestUs: oldestUs)
      var delta = staged.batch.files[part.index]
      guard let file = files[Marks.FileOfHost(host: staged.hostNumber, key: delta.file.key)] else {
        quotas[arrival.host].refuse(delta.rowCount - 1, of: .files)
        continue
      }
      quotas[arrival.host].trim(&delta.losses, .losses, nowNs: staged.receivedNs)
      quotas[arrival.host].trim(&delta.steps, .steps, nowNs: staged.receivedNs)
      LogRows.append(delta.lines, file: file, arrival, to: &self)
      for loss in delta.losses { append(loss, arrival) }
      training.add(delta.steps, delta.episodes, of: delta.file.key, arrival, &self, &quotas[arrival.host])
    }
    return training
  }

  /// - Parameter clippedTo: sequences that are committed already; a loss in the spool starts after them.
  mutating func append(_ records: Records, clippedTo: UInt64, _ arrival: Arrival) {
    for sample in records.hosts { append(sample, arrival) }
    for sample in records.gpus { append(sample, arrival) }
    for sample in records.disks { append(sample, arrival) }
    for sample in records.networks { append(sample, arrival) }
    for sample in records.processes { append(sample, arrival) }
    for probe in records.probes { append(probe, arrival) }
    for event in records.events { append(event, arrival) }
    for var loss in records.losses {
      if loss.subject.hasPrefix("spool/"), loss.from <= clippedTo {
        let next = clippedTo.addingClamped(1)
        if loss.to <= next { continue }
        loss.from = next
      }
      append(loss, arrival)
    }
  }
}

struct EpisodeKey: Hashable {
  let run: Int32
  let episode: Int64
}

/// Gathers a group's steps and episodes; ranges of one episode are merged in their order.
struct TrainingCollector {
  let runs: [RunKey: Int32]
  private(set) var episodes: [EpisodeKey: EpisodeSummary] = [:]
  /// Whose each run of `episodes` is.
  private(set) var hostOfRun: [Int32: Int32] = [:]

  /// - Parameters:
  ///   - file: where they were read; nil: nowhere.
  ///   - quota: counts what belongs to a run that was refused.
  mutating func add(
    _ steps: [TrainingStep], _ summaries: [EpisodeSummary], of file: FileKey?, _ arrival: Arrival,
    _ rows: inout RowBuffers, _ quota: inout HostQuota
  ) {
    var last: (name: String, number: Int32?)?
    for step in steps {
      // Steps of one run come together; one look-up for all.
      if last?.name != step.run { last = (step.run, number(arrival.host, step.run, file)) }
      if let number = last?.number { rows.append(step, run: number, arrival) } else { quota.refuse(1, of: .runs) }
    }
    for var summary in summaries {
      // A run beyond its host's quota, or one that the database refused, has no row that its episodes could belong to.
      guard let run = number(arrival.host, summary.run, file) else {
        quota.refuse(1, of: .runs)
        continue
      }
      hostOfRun[run] = arrival.host
      let key = EpisodeKey(run: run, episode: summary.episode)
      summary.timeNs = arrival.stored(summary.timeNs / 1000, within: Limits.oldestTrainingUs) * 1000
      if summary.startedNs != 0 {
        summary.startedNs = arrival.stored(summary.startedNs / 1000, within: Limits.oldestTrainingUs) * 1000
      }
      episodes[key] = episodes[key].map { $0.merged(with: summary) } ?? summary
    }
  }

  /// nil: the run is beyond its host's quota, or refused by the database.
  private func number(_ host: Int32, _ run: String, _ file: FileKey?) -> Int32? {
    runs[RunKey(host: host, run: RunName.stored(run), file: file)]
  }
}

enum RunName {
  /// Cut so that it fits the unique index, with the hash of the whole so that runs with a long common beginning stay apart; NUL, which
  /// PostgreSQL lacks, is replaced.
  static func stored(_ name: String) -> String {
    let clean =
      name.utf8.contains(0)
      ? String(String.UnicodeScalarView(name.unicodeScalars.map { $0 == "\0" ? "\u{fffd}" : $0 })) : name
    return IndexKey.bounded(clean, bytesMax: Limits.runNameBytesMax)
  }
}
