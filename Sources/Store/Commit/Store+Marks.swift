internal import FleetModel
internal import Postgres

extension Store {
  /// Locks the group's hosts, in the order of their numbers so that two writers cannot wait for each other, and reads how
  /// far each part of the group is committed.
  func marks(of group: [StagedBatch]) throws(PostgresError) -> Marks {
    var marks = Marks()
    let hosts = Set(group.map(\.hostNumber)).sorted()
    let locked = try connection.queryPrepared(
      """
      select host, epoch, (select until from signalbox.aggregate_marks where name = 'samples')
      from signalbox.epochs where host = any($1) order by host for update
      """, [.int4s(hosts)])
    if let aggregatedUs = locked.count > 0 ? locked.timeUs(0, 2) : nil { marks.aggregatedUs = aggregatedUs }
    for row in 0..<locked.count {
      marks.epochs[Int32(clamping: locked.int(row, 0) ?? 0)] = UInt64(clamping: locked.int(row, 1) ?? 0)
    }
    try readLanes(group, &marks)
    try readFiles(group, &marks)
    return marks
  }

  private func readLanes(_ group: [StagedBatch], _ marks: inout Marks) throws(PostgresError) {
    let spools = Set(
      group.filter { !$0.batch.spooled.isEmpty }.map { SpoolOfHost(host: $0.hostNumber, spool: $0.spool) })
    if spools.isEmpty { return }
    let wanted = Array(spools)
    let found = try connection.queryPrepared(
      """
      select l.host, l.spool, l.lane, l.sequence from unnest($1::int4[], $2::uuid[]) as u (host, spool)
      join signalbox.agent_ledger l on l.host = u.host and l.spool = u.spool
      """, [.int4s(wanted.map(\.host)), .uuids(wanted.map { ($0.spool.high, $0.spool.low) })])
    for row in 0..<found.count {
      guard let spool: SpoolID = found.id(row, 1), let lane = Lane(rawValue: UInt8(clamping: found.int(row, 2) ?? 0))
      else { continue }
      let key = Marks.LaneKey(host: Int32(clamping: found.int(row, 0) ?? 0), spool: spool, lane: lane)
      marks.lanes[key] = UInt64(clamping: found.int(row, 3) ?? 0)
    }
  }

  private func readFiles(_ group: [StagedBatch], _ marks: inout Marks) throws(PostgresError) {
    var wanted: Set<Marks.FileOfHost> = []
    for staged in group {
      for delta in staged.batch.files { wanted.insert(Marks.FileOfHost(host: staged.hostNumber, key: delta.file.key)) }
    }
    if wanted.isEmpty { return }
    let list = Array(wanted)
    let found = try connection.queryPrepared(
      """
      select f.number, f.host, f.key, f.committed_offset, f.finished from unnest($1::int4[], $2::uuid[]) as u (host, key)
      join signalbox.followed_files f on f.host = u.host and f.key = u.key
      """, [.int4s(list.map(\.host)), .uuids(list.map { ($0.key.high, $0.key.low) })])
    for row in 0..<found.count {
      guard let key: FileKey = found.id(row, 2) else { continue }
      marks.files[Marks.FileOfHost(host: Int32(clamping: found.int(row, 1) ?? 0), key: key)] = Marks.FilePosition(
        number: Int32(clamping: found.int(row, 0) ?? 0), offset: UInt64(bitPattern: found.int(row, 3) ?? 0),
        isFinished: found.bool(row, 4) == true)
    }
  }

  /// Gives every file of the plan its number; new ones get a row, as far as their host's quota goes.
  func fileNumbers(_ group: [StagedBatch], _ plan: inout GroupPlan) throws(PostgresError) -> [Marks.FileOfHost: Int32] {
    var numbers: [Marks.FileOfHost: Int32] = [:]
    var fresh: [FreshFile] = []
    for part in plan.files {
      let staged = group[part.batch]
      let file = staged.batch.files[part.index].file
      let key = Marks.FileOfHost(host: staged.hostNumber, key: file.key)
      if numbers[key] != nil { continue }
      if let number = plan.marks.files[key]?.number {
        numbers[key] = number
      } else {
        numbers[key] = 0
        fresh.append((key, file, staged.receivedNs / 1000))
      }
    }
    let refused = fresh.filter { !quotas[$0.key.host].takeFile($0.key.key, nowNs: $0.receivedUs &* 1000) }
    for file in refused { numbers[file.key] = nil }
    fresh.removeAll { numbers[$0.key] == nil }
    if fresh.isEmpty { return numbers }
    if care.isIsolating {
      for (file, error) in try isolate(fresh[...], { (files) throws(PostgresError) in try insert(files, &numbers) }) {
        if error.isOutOfNumbers {
          // As beyond the quota: the host's other files and its samples go on.
          quotas[file.key.host].refuseFile(file.key.key)
          numbers[file.key] = nil
          continue
        }
        // Without a row of its own no offset of the file could move, and its host would send it again for ever: under a name that
        // no host chose the rest of the file is stored.
        refusals.append(
          Refusal(
            hostNumber: file.key.host, table: "signalbox.followed_files", error: error,
            bytes: Array(file.file.path.utf8)))
        var renamed = file
        renamed.file.path = "refused-path/\(file.key.key)"
        try insert([renamed], &numbers)
      }
    } else {
      try insert(fresh[...], &numbers)
    }
    return numbers
  }

  private typealias FreshFile = (key: Marks.FileOfHost, file: FileIdentity, receivedUs: Int64)

  private func insert(
    _ fresh: ArraySlice<FreshFile>, _ numbers: inout [Marks.FileOfHost: Int32]
  ) throws(PostgresError) {
    let made = try connection.queryPrepared(
      """
      insert into signalbox.followed_files
        (host, key, path, device, inode, birth_ns, head_hash, head_length, generation, format, history_bytes, first_seen,
        updated)
      select host, key, path, device, inode, birth_ns, head_hash, head_length, generation, format, history, seen, seen
      from unnest($1::int4[], $2::uuid[], $3::text[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int4[], $9::int4[],
        $10::int2[], $11::int8[], $12::timestamptz[])
        as u (host, key, path, device, inode, birth_ns, head_hash, head_length, generation, format, history, seen)
      returning number, host, key
      """,
      [
        .int4s(fresh.map(\.key.host)), .uuids(fresh.map { ($0.file.key.high, $0.file.key.low) }),
        .texts(fresh.map(\.file.path)), .int8s(fresh.map { Int64(bitPattern: $0.file.device) }),
        .int8s(fresh.map { Int64(bitPattern: $0.file.inode) }), .int8s(fresh.map(\.file.birthNs)),
        .int8s(fresh.map { Int64(bitPattern: $0.file.headHash) }),
        .int4s(fresh.map { Int32(clamping: $0.file.headLength) }),
        .int4s(fresh.map { Int32(clamping: $0.file.generation) }), .int2s(fresh.map { Int16($0.file.format.rawValue) }),
        .int8s(fresh.map { Int64(bitPattern: $0.file.historyBytes) }), .times(us: fresh.map(\.receivedUs)),
      ])
    for row in 0..<made.count {
      guard let key: FileKey = made.id(row, 2) else { continue }
      numbers[Marks.FileOfHost(host: Int32(clamping: made.int(row, 1) ?? 0), key: key)] = Int32(
        clamping: made.int(row, 0) ?? 0)
    }
  }

  /// Moves the marks to where the plan ends, and notes when each host last reported.
  func moveMarks(
    _ group: [StagedBatch], _ plan: GroupPlan, _ files: [Marks.FileOfHost: Int32]
  ) throws(PostgresError) {
    let receivedUs = (group.map(\.receivedNs).max() ?? 0) / 1000
    try moveLanes(plan, receivedUs)
    try moveFiles(group, plan, files, receivedUs)
    try noteSeen(group, plan)
  }

  private func moveLanes(_ plan: GroupPlan, _ receivedUs: Int64) throws(PostgresError) {
    let moved = Array(plan.movedLanes)
    if moved.isEmpty { return }
    _ = try connection.queryPrepared(
      """
      insert into signalbox.agent_ledger (host, spool, lane, sequence, updated)
      select host, spool, lane, sequence, $5 from unnest($1::int4[], $2::uuid[], $3::int2[], $4::int8[])
        as u (host, spool, lane, sequence)
      on conflict (host, spool, lane) do update set sequence = excluded.sequence, updated = excluded.updated
      """,
      [
        .int4s(moved.map(\.host)), .uuids(moved.map { ($0.spool.high, $0.spool.low) }),
        .int2s(moved.map { Int16($0.lane.rawValue) }),
        .int8s(moved.map { Int64(clamping: plan.marks.lanes[$0] ?? 0) }), .time(us: receivedUs),
      ])
  }

  private func moveFiles(
    _ group: [StagedBatch], _ plan: GroupPlan, _ files: [Marks.FileOfHost: Int32], _ receivedUs: Int64
  ) throws(PostgresError) {
    let moved = plan.movedFiles.compactMap { key, part in
      files[key].map { (number: $0, delta: group[part.batch].batch.files[part.index]) }
    }
    if moved.isEmpty { return }
    _ = try connection.queryPrepared(
      """
      update signalbox.followed_files f
      set committed_offset = u.offset_bytes, tail_hash = u.tail_hash, finished = u.finished, updated = $5
      from unnest($1::int4[], $2::int8[], $3::int8[], $4::bool[]) as u (number, offset_bytes, tail_hash, finished)
      where f.number = u.number
      """,
      [
        .int4s(moved.map(\.number)), .int8s(moved.map { Int64(bitPattern: $0.delta.to) }),
        .int8s(moved.map { Int64(bitPattern: $0.delta.tailHash) }), .bools(moved.map(\.delta.isFinished)),
        .time(us: receivedUs),
      ])
  }

  private func noteSeen(_ group: [StagedBatch], _ plan: GroupPlan) throws(PostgresError) {
    var last: [Int32: StagedBatch] = [:]
    var health: [Int32: AgentHealth] = [:]
    for (staged, outcome) in zip(group, plan.outcomes) where outcome == .committed || outcome == .duplicate {
      // A state that is saved without facts is no sign of life.
      if staged.isStateOnly { continue }
      last[staged.hostNumber] = staged
      if let reported = staged.batch.health { health[staged.hostNumber] = reported }
    }
    let seen = Array(last.values)
    // A sample that the database refuses must not make its host look silent.
    if care.isIsolating { try noteArrival(of: seen) }
    try carryOut(
      seen, of: "signalbox.epochs", host: \.hostNumber, describe: { _ in "the newest sample of the host" }
    ) { (seen) throws(PostgresError) in try storeSeen(seen) }
    try carryOut(Array(health), of: "signalbox.epochs", host: \.key) { (health) throws(PostgresError) in
      try store(health)
    }
  }

  private func noteArrival(of seen: [StagedBatch]) throws(PostgresError) {
    _ = try connection.queryPrepared(
      """
      update signalbox.epochs e set last_seen = greatest(e.last_seen, u.seen)
      from unnest($1::int4[], $2::timestamptz[]) as u (host, seen) where e.host = u.host
      """, [.int4s(seen.map(\.hostNumber)), .times(us: seen.map { $0.receivedNs / 1000 })])
  }

  private func store(_ health: ArraySlice<(key: Int32, value: AgentHealth)>) throws(PostgresError) {
    func column(_ path: (AgentHealth) -> UInt64) -> Parameter { .int8s(health.map { Int64(clamping: path($0.value)) }) }
    _ = try connection.queryPrepared(
      """
      update signalbox.epochs e set spool_bytes = u.a, spool_limit_bytes = u.b, spool_records = u.c, backlog_bytes = u.d,
        followed_files = u.e, dropped_records_total = u.f, redactions_total = u.g, resident_bytes = u.h,
        refused_paths_total = u.i, cpu_seconds_total = u.j, matched_files = u.k, waiting_files = u.l,
        unreadable_files = u.m, outside_files = u.n, binary_files = u.o, missing_roots = u.p,
        unwatched_directories = u.q, cut_directories = u.r, utf16_files = u.s
      from unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[],
        $10::int8[], $11::float8[], $12::int8[], $13::int8[], $14::int8[], $15::int8[], $16::int8[], $17::int8[],
        $18::int8[], $19::int8[], $20::int8[]) as u (host, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s)
      where e.host = u.host
      """,
      [
        .int4s(health.map(\.key)), column(\.spoolBytes), column(\.spoolLimitBytes), column(\.spoolRecords),
        column(\.backlogBytes), column { min(UInt64($0.followedFiles), UInt64(Int32.max)) },
        column(\.droppedRecordsTotal),
        column(\.redactionsTotal), column(\.residentBytes), column(\.refusedPathsTotal),
        .float8s(health.map { $0.value.cpuSecondsTotal.isFinite ? $0.value.cpuSecondsTotal : nil }),
        column(\.matchedFiles), column(\.waitingFiles), column(\.unreadableFiles), column(\.outsideFiles),
        column(\.binaryFiles), column(\.missingRoots), column(\.unwatchedDirectories), column(\.cutDirectories),
        column(\.utf16Files),
      ])
  }

  private struct SpoolOfHost: Hashable {
    let host: Int32
    let spool: SpoolID
  }
}
