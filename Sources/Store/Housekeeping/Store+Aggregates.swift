internal import FleetModel
internal import Postgres

extension Store {
  private static let minuteUs: Int64 = 60_000_000
  private static let hourUs: Int64 = 3_600_000_000
  /// More at once would hold the lock for long after a pause; the next pass goes on.
  private static let hoursMax = 24 * 7

  /// Brings the 1-minute and 1-hour figures up to date.
  /// - Returns: how many hours were computed, fully or in part.
  func aggregate(_ nowUs: Int64) throws(StoreError) -> Int {
    if capability == .community { return try refreshContinuous(nowUs) }
    let untilUs = nowUs - nowUs % Self.minuteUs
    guard let startUs = try aggregateStart(), startUs < untilUs else { return 0 }
    var hours = 0
    var fromUs = startUs
    while fromUs < untilUs, hours < Self.hoursMax {
      let nextUs = min(fromUs - fromUs % Self.hourUs + Self.hourUs, untilUs)
      try refill(fromUs, nextUs)
      fromUs = nextUs
      hours += 1
    }
    return hours + (try refillLate())
  }

  /// Where the last pass ended, less the time for which samples may come late without a note; else the first sample.
  private func aggregateStart() throws(StoreError) -> Int64? {
    if let mark = try ask("select until from signalbox.aggregate_marks where name = 'samples'").firstTimeUs {
      let startUs = mark - Limits.aggregateLateUs
      return startUs - startUs % Self.minuteUs
    }
    // The oldest sample, by the oldest chunk: a minimum over all would read them all.
    for chunk in try closedChunks(of: "host_samples", beforeUs: Int64.max / 4) {
      if let first = try ask("select min(time) from \(chunk.name)").firstTimeUs { return first - first % Self.hourUs }
    }
    return nil
  }

  /// Makes the buckets between two moments of one hour anew; the hour's own figures once it is over.
  private func refill(_ fromUs: Int64, _ untilUs: Int64) throws(StoreError) {
    let hour = fromUs - fromUs % Self.hourUs
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

  private func remake(_ table: AggregateTable, _ fromUs: Int64, _ untilUs: Int64) throws(StoreError) {
    try run(table.empty, [.time(us: fromUs), .time(us: untilUs)])
    try run(table.fill, [.time(us: fromUs), .time(us: untilUs)])
  }

  /// Hours of which samples came late. Only those that a pass has gone over: the others are still to come.
  private func refillLate() throws(StoreError) -> Int {
    let late = try ask(
      """
      select d.hour from signalbox.aggregate_dirty d
      where d.hour + interval '1 hour' <= (select until from signalbox.aggregate_marks where name = 'samples')
      order by d.hour limit \(Self.hoursMax)
      """)
    for row in 0..<late.count {
      guard let hour = late.timeUs(row, 0) else { continue }
      // The note goes first: a sample that comes meanwhile makes a new one.
      try inTransaction { () throws(StoreError) in
        try run("delete from signalbox.aggregate_dirty where hour = $1", [.time(us: hour)])
        for table in AggregateTable.all { try remake(table, hour, hour + Self.hourUs) }
      }
    }
    return late.count
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
