internal import FleetModel

/// Reads the database of a Trackio project: each row of its table `metrics` is a row of the run that it names, by its `step` and `timestamp`.
///
/// The id of the last row that was reported is the offset of the file, and the hash of that row's content what stands before it: ids ascend, are
/// never given twice (AUTOINCREMENT), and one transaction after the other gets them. So a row is reported once, whatever ends in between.
/// What the host's GPUs and processors did (`system_metrics`) the agent samples itself.
/// - Source: trackio/sqlite_storage.py (`init_db`, `bulk_log`), trackio/utils.py (`serialize_values`).
final class TrackioDatabase {
  static let framework = "trackio"
  private static let metricsName = "metrics"
  private static let configsName = "configs"
  private static let sequenceName = "sqlite_sequence"
  private static let tableNames = [metricsName, configsName, sequenceName]
  /// Rows of one delta.
  private static let rowsMax = 1000
  /// Runs that are kept as open, and configurations that are kept in mind; beyond that the ones that rest longest are forgotten.
  private static let runsMax = 1024

  /// Rows that were read, and what became of the runs.
  struct Batch {
    var steps: [TrainingStep] = []
    var runs: [RunUpdate] = []
    /// Id of the last row, and the hash of its content.
    var last: Int64
    var hash: UInt64
    var hasMore = false
    fileprivate var unread = UnreadContent()
    fileprivate var tables: [String: DatabaseTable] = [:]
    fileprivate var open: [String: OpenRun] = [:]
    fileprivate var configs: [String: Int64] = [:]
    fileprivate var lastConfig: Int64 = 0
  }

  enum Answer {
    case rows(Batch)
    /// The row before the offset is another: the database is not the one that was read.
    case replaced
    /// It is none of Trackio.
    case other
  }

  fileprivate struct OpenRun {
    var place: RunPlace
    /// Of its last row.
    var timeNs: Int64
    /// When rows of it were last read.
    var readNs: Int64
  }

  let file: DatabaseFile
  private let path: String
  private let redactor: Redactor?
  private var flat = FlatMetrics()
  private var open: [String: OpenRun] = [:]
  /// Rows of `configs` by run.
  private var configs: [String: Int64] = [:]
  private var lastConfig: Int64 = 0
  private(set) var unread = UnreadContent()
  /// The rows before the offset were looked at for runs that go on.
  private var isResumed = false
  /// Where everything stood when the last row was read.
  private var readLook: DatabaseFile.Look?
  /// The trouble of the last reads, and since when nothing has changed about it.
  private(set) var trouble: (kind: DatabaseTrouble, look: DatabaseFile.Look?, sinceNs: Int64)?

  init(_ file: DatabaseFile, path: String, redactor: Redactor?) {
    (self.file, self.path, self.redactor) = (file, path, redactor)
  }

  // MARK: Detection

  /// - Returns: nil where it cannot be read now. One that cannot be read at all counts by the directory in which Trackio keeps its own.
  func isTrackio(nowNs: Int64) -> Bool? {
    do throws(DatabaseTrouble) {
      return try file.read(nowNs: nowNs) { () throws(DatabaseTrouble) in
        Self.isTrackio(try file.tables(named: Self.tableNames))
      }
    } catch {
      if error == .busy { return nil }
      return PathParts.name(PathParts.parent(path)) == "trackio" && path.hasSuffix(".db")
    }
  }

  private static func isTrackio(_ tables: [String: DatabaseTable]) -> Bool {
    guard let metrics = tables[metricsName], tables[configsName]?.column("config") != nil else { return false }
    return ["timestamp", "run_name", "step", "metrics"].allSatisfy { metrics.column($0) != nil }
  }

  // MARK: Reading

  /// Nothing has changed since the last row was read.
  func isRead(nowNs: Int64) -> Bool {
    guard let readLook, file.isStill(nowNs: nowNs) else { return false }
    return file.look(nowNs: nowNs) == readLook
  }

  /// The rows behind `offset`.
  ///
  /// - Parameters:
  ///   - hash: of the row at `offset`.
  ///   - end: id of the last row that may be read; nil: all.
  func read(
    after offset: UInt64, hash: UInt64, end: Int64?, bytesMax: Int, nowNs: Int64, readNs: Int64
  ) throws(DatabaseTrouble) -> Answer {
    let look = file.look(nowNs: nowNs)
    let answer: Answer
    do throws(DatabaseTrouble) {
      answer = try file.read(nowNs: nowNs) { () throws(DatabaseTrouble) in
        try readRows(Int64(clamping: offset), hash, end: end, bytesMax: bytesMax, readNs: readNs)
      }
    } catch {
      if trouble?.kind != error || trouble?.look != look { trouble = (error, look, nowNs) }
      throw error
    }
    trouble = nil
    if case .rows(let batch) = answer {
      (open, configs, lastConfig) = (batch.open, batch.configs, batch.lastConfig)
      for part in batch.unread.parts { unread.add(part.reason, count: part.count, bytes: part.bytes) }
      isResumed = true
      readLook = batch.hasMore ? nil : look
    }
    return answer
  }

  private func readRows(
    _ offset: Int64, _ hash: UInt64, end: Int64?, bytesMax: Int, readNs: Int64
  ) throws(DatabaseTrouble) -> Answer {
    var batch = Batch(last: offset, hash: hash)
    (batch.open, batch.configs, batch.lastConfig) = (open, configs, lastConfig)
    batch.tables = try file.tables(named: Self.tableNames)
    guard Self.isTrackio(batch.tables), let table = batch.tables[Self.metricsName] else { return .other }
    guard try isSameDatabase(table, batch.tables, offset, hash) else { return .replaced }
    // First: what came of configurations may not have been acknowledged, and is reported again of runs that go on.
    if !isResumed, offset > 0 { try resume(&batch, table, offset, readNs: readNs) }
    try noteConfigs(&batch, readNs: readNs)
    var (count, bytes) = (0, 0)
    // Of each run that begins, its configuration is read behind the rows.
    var begun: [(at: Int, run: String)] = []
    try file.rows(root: table.root, after: offset, payloadMax: TrainingLimits.recordBytesMax) { row, payload in
      if end.map({ row > $0 }) ?? false { return false }
      guard count < Self.rowsMax, bytes < bytesMax else {
        batch.hasMore = true
        return false
      }
      count += 1
      batch.last = row
      bytes += 64 + (payload?.count ?? 0)
      guard let payload else {
        batch.hash = ContentHash().value
        batch.unread.add(.tooLong, count: 1)
        return true
      }
      batch.hash = Self.hash(payload, table)
      take(payload, table, readNs: readNs, &begun, into: &batch)
      return true
    }
    for (at, run) in begun { batch.runs[at].detail = try detail(of: run, batch) }
    return .rows(batch)
  }

  /// By the row before the offset; where its run was deleted, by the count of all rows that there ever were.
  private func isSameDatabase(
    _ table: DatabaseTable, _ tables: [String: DatabaseTable], _ offset: Int64, _ hash: UInt64
  ) throws(DatabaseTrouble) -> Bool {
    guard offset > 0 else { return true }
    var found: UInt64?
    try file.rows(root: table.root, after: offset - 1, payloadMax: TrainingLimits.recordBytesMax) { row, payload in
      if row == offset { found = payload.map { Self.hash($0, table) } ?? ContentHash().value }
      return false
    }
    if let found { return found == hash }
    if let last = try file.lastRow(root: table.root), last >= offset { return true }
    var given: Int64 = 0
    if let sequence = tables[Self.sequenceName] {
      try file.rows(root: sequence.root, after: 0, payloadMax: 4096) { _, payload in
        if let row = payload.flatMap({ DatabaseRecord($0) }), row.text(0, bytesMax: 64) == Self.metricsName {
          given = row.integer(1) ?? 0
        }
        return true
      }
    }
    return given >= offset
  }

  /// Of what Trackio never changes in a row.
  private static func hash(_ payload: [UInt8], _ table: DatabaseTable) -> UInt64 {
    var hash = ContentHash()
    guard let record = DatabaseRecord(payload) else { return hash.value }
    for name in ["timestamp", metricsName] {
      if let range = record.range(table.column(name)) { hash.update(payload.span.extracting(range)) }
    }
    for byte in String(record.integer(table.column("step")) ?? 0).utf8 { hash.update(byte) }
    return hash.value
  }

  // MARK: Rows

  private func take(
    _ payload: [UInt8], _ table: DatabaseTable, readNs: Int64, _ begun: inout [(at: Int, run: String)],
    into batch: inout Batch
  ) {
    guard let record = DatabaseRecord(payload), let metrics = record.range(table.column(Self.metricsName)),
      flat.read(payload.span, metrics)
    else {
      batch.unread.add(.damaged, count: 1, bytes: UInt64(payload.count))
      return
    }
    guard !flat.figures.metrics.isEmpty else {
      batch.unread.add(.noScalars, count: 1)
      return
    }
    let place = place(record, table)
    let run = place.run
    var row = TrainingStep()
    row.run = run
    row.timeNs = Self.time(record, table) ?? readNs
    row.metrics = flat.figures.complete
    row.takeStepAndReward()
    row.step = record.integer(table.column("step")) ?? row.step
    if batch.open[run] == nil {
      if batch.open.count >= Self.runsMax, let oldest = batch.open.min(by: { $0.value.readNs < $1.value.readNs }) {
        batch.open[oldest.key] = nil
      }
      begun.append((batch.runs.count, run))
      batch.runs.append(
        TrainingRun.update(place, .running, framework: Self.framework, source: path, timeNs: row.timeNs))
    }
    batch.open[run] = OpenRun(place: place, timeNs: row.timeNs, readNs: readNs)
    batch.steps.append(row)
  }

  private func place(_ record: DatabaseRecord, _ table: DatabaseTable) -> RunPlace {
    RunPlace(
      database: path, run: record.text(table.column("run_name"), bytesMax: 256) ?? "",
      id: record.text(table.column("run_id"), bytesMax: 64) ?? "")
  }

  private static func time(_ record: DatabaseRecord, _ table: DatabaseTable) -> Int64? {
    record.text(table.column("timestamp"), bytesMax: 64).flatMap { Timestamp.parse($0) }
  }

  /// The runs of the last rows before the offset: whether they go on, or have ended, is reported of them again.
  private func resume(
    _ batch: inout Batch, _ table: DatabaseTable, _ offset: Int64, readNs: Int64
  ) throws(DatabaseTrouble) {
    var open: [String: OpenRun] = [:]
    let from = max(0, offset - Int64(Self.rowsMax))
    try file.rows(root: table.root, after: from, payloadMax: TrainingLimits.recordBytesMax) { row, payload in
      if row > offset { return false }
      guard let record = payload.flatMap({ DatabaseRecord($0) }) else { return true }
      let place = place(record, table)
      open[place.run] = OpenRun(place: place, timeNs: Self.time(record, table) ?? readNs, readNs: readNs)
      return true
    }
    batch.open = open
  }

  // MARK: Configurations

  /// Rows of `configs` that came since; of a run that goes on, its parameters at once.
  private func noteConfigs(_ batch: inout Batch, readNs: Int64) throws(DatabaseTrouble) {
    guard let table = batch.tables[Self.configsName] else { return }
    var (found, last): ([(String, Int64)], Int64) = ([], batch.lastConfig)
    try file.rows(root: table.root, after: last, payloadMax: TrainingLimits.recordBytesMax) { row, payload in
      last = row
      if let record = payload.flatMap({ DatabaseRecord($0) }) { found.append((place(record, table).run, row)) }
      return found.count < Self.runsMax
    }
    batch.lastConfig = last
    for (run, row) in found {
      if batch.configs.count >= Self.runsMax, let oldest = batch.configs.min(by: { $0.value < $1.value }) {
        batch.configs[oldest.key] = nil
      }
      batch.configs[run] = row
      guard let known = batch.open[run] else { continue }
      var update = TrainingRun.update(
        known.place, .running, framework: Self.framework, source: path, timeNs: known.timeNs)
      update.detail = try detail(of: run, batch)
      batch.runs.append(update)
    }
  }

  private func detail(of run: String, _ batch: Batch) throws(DatabaseTrouble) -> String {
    guard let row = batch.configs[run], let table = batch.tables[Self.configsName] else { return "{}" }
    var text = ParameterText(redactor)
    try file.rows(root: table.root, after: row - 1, payloadMax: TrainingLimits.recordBytesMax) { found, payload in
      guard found == row, let record = payload.flatMap({ DatabaseRecord($0) }),
        let config = record.range(table.column("config"))
      else { return false }
      text.add([], json: record.bytes.span, config)
      return false
    }
    return text.parameters.isEmpty ? "{}" : text.parameters.detail
  }

  // MARK: Ends

  /// Trackio notes no end: a run has ended when no row of it has come for long.
  /// - Parameter idleNs: nil: the database is gone, and so are all its runs.
  func takeEnded(idleNs: Int64?, nowNs: Int64) -> [RunUpdate] {
    var ended: [RunUpdate] = []
    for (run, known) in open.sorted(by: { $0.key < $1.key })
    where idleNs.map({ nowNs &- known.readNs >= $0 }) ?? true {
      open[run] = nil
      ended.append(
        TrainingRun.update(known.place, .completed, framework: Self.framework, source: path, timeNs: known.timeNs))
    }
    return ended
  }

  func clockStepped(by stepNs: Int64) { for run in open.keys { open[run]?.readNs &+= stepNs } }

  /// When the next run ends where nothing comes; nil: none is open.
  func nextEndNs(idleNs: Int64) -> Int64? { open.values.map { $0.readNs.addingClamped(idleNs) }.min() }

  /// The id of the last row there is, and the hash of its content, for a database whose rows are older than its agent.
  func lastRow(nowNs: Int64) throws(DatabaseTrouble) -> (row: Int64, hash: UInt64)? {
    try file.read(nowNs: nowNs) { () throws(DatabaseTrouble) -> (row: Int64, hash: UInt64)? in
      guard let table = try file.tables(named: Self.tableNames)[Self.metricsName],
        let last = try file.lastRow(root: table.root), last > 0
      else { return nil }
      var hash = ContentHash().value
      try file.rows(root: table.root, after: last - 1, payloadMax: TrainingLimits.recordBytesMax) { _, payload in
        hash = payload.map { Self.hash($0, table) } ?? hash
        return false
      }
      return (last, hash)
    }
  }
}
