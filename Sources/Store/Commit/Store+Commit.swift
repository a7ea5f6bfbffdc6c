package import FleetModel
internal import Postgres

extension Store {
  /// Stores a group of batches in one transaction: rows, episodes, counts and the marks that make them unique.
  ///
  /// A batch is stored whole or not at all, and only where each of its parts fits the marks; batches of one host are taken
  /// in the group's order. Durable when this returns (`synchronous_commit`). A row that the database refuses is set aside in
  /// `dead_letters` with a loss; everything else of the group is stored.
  /// - Returns: one outcome a batch, in the group's order.
  /// - Throws: `.database`. Where `isConnectionLost` the effect is unknown: open a new store and commit the same group again,
  ///   what was stored is recognised. Where `isRetryable`, nothing was stored: try again after a pause.
  package func commit(_ group: [StagedBatch]) throws(StoreError) -> [CommitOutcome] {
    if group.isEmpty { return [] }
    var care = CommitCare.none
    while true {
      do throws(StoreError) {
        try ensurePartitions(for: group)
        return try commitOnce(group, care)
      } catch .database(let error) where error.isDataError || error.sqlState.hasPrefix("54") {
        guard let next = care.next(after: error) else {
          return try commitOneByOne(group)
        }
        // A partition may have been dropped since it was seen.
        knownPartitions.removeAll()
        care = next
      }
    }
  }

  /// Something beside the rows themselves was refused: find whose it is.
  private func commitOneByOne(_ group: [StagedBatch]) throws(StoreError) -> [CommitOutcome] {
    if group.count == 1 { return try commitOnce(group, .refusing) }
    var outcomes: [CommitOutcome] = []
    for staged in group {
      // What follows a batch that does not fit cannot fit either, because its marks have not moved.
      let isBroken = zip(group, outcomes).contains { $0.hostNumber == staged.hostNumber && $1 == .outOfOrder }
      outcomes.append(isBroken ? .outOfOrder : try commit([staged])[0])
    }
    return outcomes
  }

  private func commitOnce(_ group: [StagedBatch], _ care: CommitCare) throws(StoreError) -> [CommitOutcome] {
    rows.removeAll()
    var freshRuns: [RunKey: Int32] = [:]
    var refusals: [QuotaRefusal] = []
    quotas.begin(group.map(\.hostNumber))
    let outcomes = try asking { () throws(PostgresError) in
      try connection.transaction { () throws(PostgresError) -> [CommitOutcome] in
        var marks = try marks(of: group)
        noteRefusedFiles(group, &marks)
        var plan = GroupPlan(group, marks: marks)
        if plan.isEmpty { return plan.outcomes }
        let files = try fileNumbers(group, &plan)
        if care == .refusing {
          try refuse(group, plan, files)
        } else {
          freshRuns = try runNumbers(of: group, plan)
          let episodes = encode(group, plan, files, freshRuns)
          try mergeEpisodes(episodes, group)
          refusals = try storeRefusals(group)
          try send(care, group, plan)
        }
        try moveMarks(group, plan, files)
        return plan.outcomes
      }
    }
    quotas.commit(refusals)
    if runNumbers.count + freshRuns.count > Limits.cacheMax { runNumbers.removeAll() }
    runNumbers.merge(freshRuns) { $1 }
    return outcomes
  }

  /// The oldest time of samples and lines that is believed.
  func arrival(of staged: StagedBatch) -> Arrival {
    Arrival(host: staged.hostNumber, receivedNs: staged.receivedNs, oldestUs: oldestUs)
  }

  /// Fills the row buffers with what the plan takes.
  /// - Returns: the group's own summaries of each episode, to be merged with what is stored.
  ///   Rows beyond a host's quota are left out, and so are those of a run or file that is.
  private func encode(
    _ group: [StagedBatch], _ plan: GroupPlan, _ files: [Marks.FileOfHost: Int32], _ runs: [RunKey: Int32]
  ) -> TrainingCollector {
    var training = TrainingCollector(runs: runs.merging(runNumbers) { first, _ in first })
    for part in plan.spooled {
      let staged = group[part.batch]
      let arrival = arrival(of: staged)
      var records = staged.batch.spooled[part.index].records
      quotas[arrival.host].trim(&records, nowNs: staged.receivedNs)
      rows.append(records, clippedTo: part.clippedTo, arrival)
      training.add(records.steps, records.episodes, arrival, &rows, &quotas[arrival.host])
    }
    for part in plan.files {
      let staged = group[part.batch]
      let arrival = arrival(of: staged)
      var delta = staged.batch.files[part.index]
      guard let file = files[Marks.FileOfHost(host: staged.hostNumber, key: delta.file.key)] else {
        quotas[arrival.host].refuse(delta.rowCount - 1, of: .files)
        continue
      }
      quotas[arrival.host].trim(&delta.losses, .losses, nowNs: staged.receivedNs)
      quotas[arrival.host].trim(&delta.steps, .steps, nowNs: staged.receivedNs)
      LogRows.append(delta.lines, file: file, arrival, to: &rows)
      for loss in delta.losses { rows.append(loss, arrival) }
      training.add(delta.steps, delta.episodes, arrival, &rows, &quotas[arrival.host])
    }
    return training
  }

  private func send(_ care: CommitCare, _ group: [StagedBatch], _ plan: GroupPlan) throws(PostgresError) {
    if care == .isolating {
      try sendIsolating(group)
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
  /// With savepoints, in halves down to the refused row.
  case isolating
  /// Nothing but the marks: the batch's own statements are refused, and its host must get past it.
  case refusing

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
        if loss.to <= clippedTo + 1 { continue }
        loss.from = clippedTo + 1
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

  /// - Parameter quota: told of what belongs to a run that was refused.
  mutating func add(
    _ steps: [TrainingStep], _ summaries: [EpisodeSummary], _ arrival: Arrival, _ rows: inout RowBuffers,
    _ quota: inout HostQuota
  ) {
    var last: (name: String, number: Int32?)?
    for step in steps {
      // Steps of one run come together; one look-up for all.
      if last?.name != step.run { last = (step.run, number(arrival.host, step.run)) }
      if let number = last?.number { rows.append(step, run: number, arrival) } else { quota.refuse(1, of: .runs) }
    }
    for var summary in summaries {
      guard let run = number(arrival.host, summary.run) else {
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

  /// nil: the run is beyond its host's quota.
  private func number(_ host: Int32, _ run: String) -> Int32? { runs[RunKey(host: host, run: RunName.stored(run))] }
}

enum RunName {
  /// Cut so that it fits the unique index; NUL, which PostgreSQL lacks, is replaced.
  static func stored(_ name: String) -> String {
    if name.utf8.count <= Limits.runNameBytesMax && !name.utf8.contains(0) { return name }
    var cut = ""
    for character in name.unicodeScalars {
      if cut.utf8.count + 4 > Limits.runNameBytesMax { break }
      cut.unicodeScalars.append(character == "\0" ? "\u{fffd}" : character)
    }
    return cut
  }
}
