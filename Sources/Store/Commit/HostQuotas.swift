package import FleetModel
internal import Postgres

/// The quotas of a writer's hosts. What a group uses counts once the group is committed: a group that is tried again is
/// not charged twice.
///
/// In memory, because a host stays with its writer; a restarted collector begins anew, which no host can bring about.
package struct HostQuotas: Sendable {
  private var committed: [Int32: HostQuota] = [:]
  /// Of the hosts of the group under way.
  private var trial: [Int32: HostQuota] = [:]
  /// Rows beyond a quota, since this value was made; as far as they are in the ledger.
  package private(set) var refusedTotal: UInt64 = 0
  private let make: @Sendable () -> HostQuota

  /// - Parameter make: another quota for tests.
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
