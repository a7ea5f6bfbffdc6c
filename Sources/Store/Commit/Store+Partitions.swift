internal import FleetModel
internal import Postgres

extension Store {
  /// Makes the partitions that a group's rows need, each in a transaction of its own before the rows' one. Nothing to do
  /// on hypertables.
  func ensurePartitions(for group: [StagedBatch]) throws(StoreError) {
    if capability != .plain { return }
    var needed: Set<PartitionKey> = []
    for staged in group {
      let arrival = arrival(of: staged)
      for spooled in staged.batch.spooled { need(spooled.records, arrival, &needed) }
      for delta in staged.batch.files {
        need(delta.lines, arrival, &needed)
        for step in delta.steps { needStep(step, arrival, &needed) }
      }
    }
    let missing = needed.subtracting(knownPartitions)
    if missing.isEmpty { return }
    if knownPartitions.count > Limits.cacheMax { knownPartitions.removeAll() }
    try asking { () throws(PostgresError) in
      for key in missing.sorted(by: { ($0.table, $0.index) < ($1.table, $1.index) }) {
        let startUs = key.index * (chunkUs[key.table] ?? Limits.dayUs) + PartitionKey.originUs
        _ = try connection.query("select signalbox.ensure_partition($1, $2)", [.text(key.table), .time(us: startUs)])
        knownPartitions.insert(key)
      }
    }
  }

  private func need(_ records: Records, _ arrival: Arrival, _ needed: inout Set<PartitionKey>) {
    func need(_ table: String, _ timesNs: some Sequence<Int64>) {
      for timeNs in timesNs { insert(table, arrival.stored(timeNs / 1000), &needed) }
    }
    need("host_samples", records.hosts.lazy.map(\.timeNs))
    need("gpu_samples", records.gpus.lazy.map(\.timeNs))
    need("disk_samples", records.disks.lazy.map(\.timeNs))
    need("network_samples", records.networks.lazy.map(\.timeNs))
    need("process_samples", records.processes.lazy.map(\.timeNs))
    need("probe_results", records.probes.lazy.map(\.timeNs))
    need("events", records.events.lazy.map(\.timeNs))
    for step in records.steps { needStep(step, arrival, &needed) }
  }

  private func needStep(_ step: TrainingStep, _ arrival: Arrival, _ needed: inout Set<PartitionKey>) {
    insert("training_steps", arrival.stored(step.timeNs / 1000, within: Limits.oldestTrainingUs), &needed)
  }

  /// Lines come in runs of the same day; a level's last partition is remembered instead of looked up.
  private func need(_ lines: borrowing LogLines, _ arrival: Arrival, _ needed: inout Set<PartitionKey>) {
    var seen: [(startUs: Int64, endUs: Int64)] = Array(repeating: (Int64.max, Int64.min), count: 5)
    for index in 0..<min(lines.timesUs.count, lines.levels.count) {
      let timeUs = arrival.stored(lines.timesUs[index])
      let level = Int(min(lines.levels[index], 4))
      if timeUs >= seen[level].startUs && timeUs < seen[level].endUs { continue }
      seen[level] = insert(LogRows.tableName(UInt8(level)), timeUs, &needed)
    }
  }

  @discardableResult
  private func insert(
    _ table: String, _ timeUs: Int64, _ needed: inout Set<PartitionKey>
  ) -> (startUs: Int64, endUs: Int64) {
    let width = chunkUs[table] ?? Limits.dayUs
    let index = (timeUs - PartitionKey.originUs).flooredQuotient(width)
    needed.insert(PartitionKey(table: table, index: index))
    let startUs = index * width + PartitionKey.originUs
    return (startUs, startUs + width)
  }
}

extension PartitionKey {
  /// 2000-01-03, the Monday that `signalbox.ensure_partition` counts from; µs since 1970.
  static let originUs: Int64 = 946_857_600_000_000
}

extension Int64 {
  func flooredQuotient(_ divisor: Int64) -> Int64 {
    let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
    return rest < 0 ? quotient - 1 : quotient
  }
}
