package import FleetModel
internal import Postgres

/// The quotas of a writer's hosts. What a group uses counts once the group is committed: a group that is tried again is
/// not charged twice.
///
/// In memory, because a host stays with its writer. What a host has used of a burst is saved at every sixteenth of it, and read when the
/// host connects anew: neither a restart nor another collector gives it a new quota.
package struct HostQuotas: Sendable {
  private var committed: [Int32: HostQuota] = [:]
  /// Of the hosts of the group under way.
  private var trial: [Int32: HostQuota] = [:]
  /// Rows beyond a quota, since this value was made; as far as they are in the ledger.
  package private(set) var refusedTotal: UInt64 = 0
  private let make: @Sendable () -> HostQuota

  /// - Parameter make: a quota with the configured limits.
  package init(make: @escaping @Sendable () -> HostQuota = { HostQuota() }) { self.make = make }

  mutating func begin(_ hosts: some Sequence<Int32>) {
    trial = [:]
    for host in hosts where trial[host] == nil { trial[host] = committed[host] ?? make() }
  }

  mutating func commit(_ refusals: [QuotaRefusal]) {
    committed.merge(trial) { $1 }
    trial = [:]
    for refusal in refusals { refusedTotal &+= refusal.refusal.rows }
  }

  /// The quota of a host of the group under way.
  subscript(host: Int32) -> HostQuota {
    get { trial[host] ?? make() }
    _modify {
      // Taken out, so that its sets are changed in place.
      var quota = trial.removeValue(forKey: host) ?? make()
      defer { trial[host] = quota }
      yield &quota
    }
  }

  /// Hosts of the group under way that have connected since their meters were read.
  func unread(_ epochs: [Int32: UInt64]) -> [Int32] {
    trial.keys.filter { host in epochs[host].map { trial[host]?.epochRead != $0 } ?? false }.sorted()
  }

  mutating func takeUnsaved(nowNs: Int64) -> [(host: Int32, kind: HostQuota.Kind, freeAtNs: Int64)] {
    trial.keys.sorted().flatMap { host in
      self[host].takeUnsaved(nowNs: nowNs).map { (host, $0.kind, $0.freeAtNs) }
    }
  }

  mutating func takeRefusals(nowNs: Int64) -> [QuotaRefusal] {
    trial.keys.sorted().flatMap { host in
      self[host].takeRefusals(nowNs: nowNs).map { QuotaRefusal(host: host, refusal: $0) }
    }
  }
}

struct QuotaRefusal {
  let host: Int32
  let refusal: HostQuota.Refusal
}

extension Store {
  /// Reads what hosts that have connected anew used of their quotas, here before a restart or at another collector.
  /// - Parameter epochs: of the group's hosts, which are locked.
  func readMeters(_ epochs: [Int32: UInt64]) throws(PostgresError) {
    let hosts = quotas.unread(epochs)
    if hosts.isEmpty { return }
    let rows = try connection.queryPrepared(
      "select host, kind, free_at_ns from signalbox.quota_meters where host = any($1)", [.int4s(hosts)])
    for row in 0..<rows.count {
      guard let host = rows.int(row, 0), let kind = rows.text(row, 1).flatMap(HostQuota.Kind.init(text:)) else {
        continue
      }
      quotas[Int32(clamping: host)].adopt(kind, freeAtNs: rows.int(row, 2) ?? 0)
    }
    for host in hosts { quotas[host].epochRead = epochs[host] }
  }

  /// In the transaction of the rows that used them up.
  func saveMeters(_ group: [StagedBatch]) throws(PostgresError) {
    let unsaved = quotas.takeUnsaved(nowNs: group.map(\.receivedNs).max() ?? 0)
    if unsaved.isEmpty { return }
    _ = try connection.queryPrepared(
      """
      insert into signalbox.quota_meters as m (host, kind, free_at_ns)
      select * from unnest($1::int4[], $2::text[], $3::int8[])
      on conflict (host, kind) do update set free_at_ns = greatest(m.free_at_ns, excluded.free_at_ns)
      """,
      [.int4s(unsaved.map(\.host)), .texts(unsaved.map(\.kind.text)), .int8s(unsaved.map(\.freeAtNs))])
  }

  /// Refused files of which more comes: their deltas change nothing, and are counted.
  func noteRefusedFiles(_ group: [StagedBatch], _ marks: inout Marks) {
    for staged in group {
      for delta in staged.batch.files where quotas[staged.hostNumber].refusedFiles.contains(delta.file.key) {
        let key = Marks.FileOfHost(host: staged.hostNumber, key: delta.file.key)
        guard marks.files[key] == nil, delta.from > 0 else { continue }
        marks.refusedFiles.insert(key)
        quotas[staged.hostNumber].refuse(delta.rowCount, of: .files)
      }
    }
  }

  /// Writes down what was left out: in the loss ledger, with the rows of the group, and for `hosts show`.
  func storeRefusals(_ group: [StagedBatch]) throws(PostgresError) -> [QuotaRefusal] {
    let receivedNs = group.map(\.receivedNs).max() ?? 0
    let refusals = quotas.takeRefusals(nowNs: receivedNs)
    if refusals.isEmpty { return [] }
    for refusal in refusals {
      var loss = Loss()
      loss.timeNs = receivedNs
      loss.subject = "quota/\(refusal.refusal.kind.text)"
      loss.to = refusal.refusal.rows
      loss.reason = .refused
      rows.append(loss, Arrival(host: refusal.host, receivedNs: receivedNs, oldestUs: oldestUs))
    }
    _ = try connection.queryPrepared(
      """
      insert into signalbox.quota_refusals as q (host, kind, rows, first, last)
      select host, kind, rows, $4, $4 from unnest($1::int4[], $2::text[], $3::int8[]) as u (host, kind, rows)
      on conflict (host, kind) do update set rows = least(q.rows, \(Int64.max / 2)) + excluded.rows, last = excluded.last
      """,
      [
        .int4s(refusals.map(\.host)), .texts(refusals.map(\.refusal.kind.text)),
        .int8s(refusals.map { min(Int64(clamping: $0.refusal.rows), .max / 2) }), .time(us: receivedNs / 1000),
      ])
    return refusals
  }
}

extension FileDelta {
  /// Rows that it would become.
  var rowCount: Int { 1 + lines.count + steps.count + episodes.count + losses.count }
}
