internal import FleetModel
internal import Postgres

/// The COPY rows of one group, table by table, and what is counted on the way. Kept between commits for its memory.
struct RowBuffers: ~Copyable {
  var logError = CopyBuffer()
  var logWarn = CopyBuffer()
  var logInfo = CopyBuffer()
  var logDebug = CopyBuffer()
  var hosts = CopyBuffer()
  var gpus = CopyBuffer()
  var disks = CopyBuffer()
  var networks = CopyBuffer()
  var processes = CopyBuffer()
  var probes = CopyBuffer()
  var events = CopyBuffer()
  var steps = CopyBuffer()
  var losses = CopyBuffer()
  var episodes = CopyBuffer()
  var counts: [LogCountKey: LogCount] = [:]
  var suspects: [SuspectKey: Suspect] = [:]
  /// Hours of hosts that samples fall into, with the time of the oldest sample, µs since 1970.
  var sampledHours: [HostHour: Int64] = [:]
  /// By host.
  var latest: [Int32: LatestSample] = [:]

  mutating func removeAll() {
    logError.removeAll()
    logWarn.removeAll()
    logInfo.removeAll()
    logDebug.removeAll()
    hosts.removeAll()
    gpus.removeAll()
    disks.removeAll()
    networks.removeAll()
    processes.removeAll()
    probes.removeAll()
    events.removeAll()
    steps.removeAll()
    losses.removeAll()
    episodes.removeAll()
    counts.removeAll(keepingCapacity: true)
    suspects.removeAll(keepingCapacity: true)
    sampledHours.removeAll(keepingCapacity: true)
    latest.removeAll(keepingCapacity: true)
  }

  /// Calls `body` for each table that has rows, in the order in which they are sent.
  mutating func forEachTable<Failure: Error>(
    _ body: (_ table: String, _ columns: String, borrowing CopyBuffer) throws(Failure) -> Void
  ) throws(Failure) {
    func visit(_ table: String, _ columns: String, _ rows: borrowing CopyBuffer) throws(Failure) {
      if !rows.isEmpty { try body("signalbox.\(table)", columns, rows) }
    }
    try visit("log_info", LogRows.columns, logInfo)
    try visit("log_debug", LogRows.columns, logDebug)
    try visit("log_warn", LogRows.columns, logWarn)
    try visit("log_error", LogRows.columns, logError)
    try visit("host_samples", SampleRows.hostColumns, hosts)
    try visit("gpu_samples", SampleRows.gpuColumns, gpus)
    try visit("disk_samples", SampleRows.diskColumns, disks)
    try visit("network_samples", SampleRows.networkColumns, networks)
    try visit("process_samples", SampleRows.processColumns, processes)
    try visit("probe_results", SampleRows.probeColumns, probes)
    try visit("events", SampleRows.eventColumns, events)
    try visit("training_steps", TrainingRows.stepColumns, steps)
    try visit("loss_ledger", LossRows.columns, losses)
  }
}

struct HostHour: Hashable {
  let host: Int32
  let hourUs: Int64
}

struct LogCountKey: Hashable {
  let hourUs: Int64
  let host: Int32
  let file: Int32
  let level: UInt8
}

struct LogCount {
  var lines: Int64 = 0
  var bytes: Int64 = 0
}

struct SuspectKey: Hashable {
  let host: Int32
  let table: String
}

struct Suspect {
  var rows: Int64
  var firstUs: Int64
  var lastUs: Int64
}

/// When rows arrived, and which times of their own are accepted.
struct Arrival {
  let host: Int32
  let receivedUs: Int64
  let earliestUs: Int64
  let latestUs: Int64

  init(host: Int32, receivedNs: Int64, oldestUs: Int64) {
    self.host = host
    receivedUs = receivedNs / 1000
    earliestUs = receivedUs - oldestUs
    latestUs = receivedUs + Limits.aheadUs
  }

  func isAccepted(_ timeUs: Int64) -> Bool { timeUs >= earliestUs && timeUs <= latestUs }

  /// The time under which a row is stored.
  func stored(_ timeUs: Int64) -> Int64 { isAccepted(timeUs) ? timeUs : receivedUs }
}

extension RowBuffers {
  /// The time under which a row is stored; one that is not accepted is noted.
  mutating func time(_ timeUs: Int64, _ table: String, _ arrival: Arrival) -> Int64 {
    if arrival.isAccepted(timeUs) { return timeUs }
    note(timeUs, table, arrival)
    return arrival.receivedUs
  }

  mutating func note(_ claimedUs: Int64, _ table: String, _ arrival: Arrival) {
    let key = SuspectKey(host: arrival.host, table: table)
    var suspect = suspects[key] ?? Suspect(rows: 0, firstUs: claimedUs, lastUs: claimedUs)
    suspect.rows += 1
    suspect.firstUs = min(suspect.firstUs, claimedUs)
    suspect.lastUs = max(suspect.lastUs, claimedUs)
    suspects[key] = suspect
  }
}
