internal import FleetModel
internal import Postgres

extension Store {
  private static let minuteUs: Int64 = 60_000_000
  private static let hourUs: Int64 = 3_600_000_000
  /// More at once would hold the lock for long after a pause; the next pass goes on.
  private static let hoursMax = 24 * 7
  /// Of one hour in one transaction: about a million samples.
  private static let lateHostsMax = 300

  /// Brings the 1-minute and 1-hour figures up to date.
  /// - Returns: how many hours were computed, fully or in part.
  func aggregate(_ nowUs: Int64) throws(StoreError) -> Int {
    if capability == .community { return try refreshContinuous(nowUs) }
    let nowUs = nowUs - Limits.aggregateDelayUs
    let untilUs = nowUs - nowUs % Self.minuteUs
    var hours = 0
    if let startUs = try aggregateStart(), startUs < untilUs {
      var fromUs = startUs
      while fromUs < untilUs, hours < Self.hoursMax {
        let nextUs = min(fromUs - fromUs % Self.hourUs + Self.hourUs, untilUs)
        try refill(fromUs, nextUs)
        fromUs = nextUs
        hours += 1
      }
    }
    return hours + (try refillLate())
  }

  /// Where the last pass ended; else the first sample.
  private func aggregateStart() throws(StoreError) -> Int64? {
    if let mark = try ask(Self.markQuery).firstTimeUs { return mark }
    // The oldest sample, by the oldest chunk: a minimum over all would read them all.
    for chunk in try closedChunks(of: "host_samples", beforeUs: Int64.max / 4) {
      if let first = try ask("select min(time) from \(chunk.name)").firstTimeUs { return first - first % Self.hourUs }
    }
    return nil
  }

  private static let markQuery = "select until from signalbox.aggregate_marks where name = 'samples'"

  /// Makes the buckets between two moments of one hour; the hour's own figures once it is over.
  private func refill(_ fromUs: Int64, _ untilUs: Int64) throws(StoreError) {
    let hour = fromUs - fromUs % Self.hourUs
    try ensureAggregatePartitions(hour)
    try inTransaction { () throws(StoreError) in
      for table in AggregateTable.all {
        if table.bucket == "1 minute" {
          try remake(table, fromUs, untilUs)
        } else if untilUs == hour + Self.hourUs {
          try remake(table, hour, untilUs)
        }
      }
      try run(
        """
        insert into signalbox.aggregate_marks (name, until) values ('samples', $1)
        on conflict (name) do update set until = greatest(signalbox.aggregate_marks.until, excluded.until)
        """, [.time(us: untilUs)])
    }
  }

  private func ensureAggregatePartitions(_ hourUs: Int64) throws(StoreError) {
    if capability != .plain { return }
    for table in AggregateTable.all {
      try run("select signalbox.ensure_partition($1, $2)", [.text(table.name), .time(us: hourUs)])
    }
  }

  private func remake(
    _ table: AggregateTable, _ fromUs: Int64, _ untilUs: Int64, hosts: [Int32]? = nil
  ) throws(StoreError) {
    let parameters: [Parameter] = [.time(us: fromUs), .time(us: untilUs)] + (hosts.map { [.int4s($0)] } ?? [])
    try run(table.empty(ofHosts: hosts != nil), parameters)
    try run(table.fill(ofHosts: hosts != nil), parameters)
  }

  /// Hours of hosts whose samples came after a pass had gone over them, as far as it has.
  /// - Returns: how many hours.
  private func refillLate() throws(StoreError) -> Int {
    guard let mark = try ask(Self.markQuery).firstTimeUs else { return 0 }
    var hours = 0
    while hours < Self.hoursMax {
      let late = try ask(
        """
        select hour, host from signalbox.aggregate_late
        where hour = (select min(hour) from signalbox.aggregate_late) and hour < $1 order by host limit \(Self.lateHostsMax)
        """, [.time(us: mark)])
      guard let hour = late.firstTimeUs else { return hours }
      let hosts = (0..<late.count).map { Int32(clamping: late.int($0, 1) ?? 0) }
      try refillLate(hour, mark, hosts)
      hours += 1
    }
    return hours
  }

  private func refillLate(_ hourUs: Int64, _ markUs: Int64, _ hosts: [Int32]) throws(StoreError) {
    try ensureAggregatePartitions(hourUs)
    // The notes go first: a sample that comes meanwhile makes a new one.
    try inTransaction { () throws(StoreError) in
      try run(
        "delete from signalbox.aggregate_late where hour = $1 and host = any ($2)", [.time(us: hourUs), .int4s(hosts)])
      for table in AggregateTable.all {
        let endUs = hourUs + Self.hourUs
        if table.bucket == "1 minute" {
          try remake(table, hourUs, min(endUs, markUs), hosts: hosts)
        } else if endUs <= markUs {
          try remake(table, hourUs, endUs, hosts: hosts)
        }
      }
    }
  }

  /// Only as far back as samples are kept: of a bucket whose rows are gone, a late one would be all that is left.
  private func refreshContinuous(_ nowUs: Int64) throws(StoreError) -> Int {
    let keptUs =
      try ask(
        "select (extract(epoch from min(keep)) * 1000000)::int8 from signalbox.time_tables where name in ('host_samples', 'gpu_samples')"
      ).int(0, 0) ?? .max
    let fromUs = nowUs - min(keptUs, 30 * Limits.dayUs)
    for table in AggregateTable.all {
      let bucketUs = table.bucket == "1 minute" ? Self.minuteUs : Self.hourUs
      try run(
        "call refresh_continuous_aggregate('signalbox.\(table.name)', $1::timestamptz, $2::timestamptz)",
        [.time(us: fromUs), .time(us: nowUs - nowUs % bucketUs)])
    }
    return AggregateTable.all.count
  }
}

extension Rows {
  /// The only value of a query for one time.
  var firstTimeUs: Int64? { count > 0 ? timeUs(0, 0) : nil }
}
