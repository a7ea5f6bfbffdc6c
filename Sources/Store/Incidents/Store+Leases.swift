internal import Incidents
internal import Postgres

/// The right to do what only one collector may do. The fence is compared in each transaction, so that a holder that was
/// stopped beyond the end of its lease cannot write.
package struct Lease: Sendable, Equatable {
  package let name: String
  package let holder: String
  /// Grows with each new holder.
  package let fence: Int64
}

extension Store {
  /// Takes a lease that is free or expired, or renews one's own. Times are the database's, so that the collectors'
  /// clocks need not agree.
  ///
  /// The part of a holder's name before a `/` names its instance: a new process of an instance takes the lease over at
  /// once, because it holds the lock of the instance's directory and the process before it has ended.
  /// - Returns: nil while another process holds it.
  package func takeLease(_ name: String, holder: String, seconds: Int) throws(StoreError) -> Lease? {
    let rows = try ask(
      """
      insert into signalbox.leases as l (name, holder, fence, expires)
      values ($1, $2, 1, clock_timestamp() + make_interval(secs => $3))
      on conflict (name) do update set holder = $2, expires = clock_timestamp() + make_interval(secs => $3),
        fence = case when l.holder = $2 and l.expires > clock_timestamp() then l.fence else l.fence + 1 end
      where l.holder = $2 or l.expires <= clock_timestamp()
        or ($2::text like '%/%' and split_part(l.holder, '/', 1) = split_part($2::text, '/', 1))
      returning fence
      """, [.text(name), .text(holder), .float8(Double(seconds))])
    return rows.int(0, 0).map { Lease(name: name, holder: holder, fence: $0) }
  }

  /// Releases a lease, so that another collector need not wait for its end.
  package func releaseLease(_ lease: Lease) throws(StoreError) {
    try run(
      "update signalbox.leases set expires = clock_timestamp() where name = $1 and holder = $2 and fence = $3",
      [.text(lease.name), .text(lease.holder), .int8(lease.fence)])
  }

  /// Locks the lease until the end of the transaction, so that no other process can take it meanwhile.
  /// - Throws: `.leaseLost`.
  func requireLease(_ lease: Lease) throws(StoreError) {
    let rows = try ask(
      """
      select 1 from signalbox.leases
      where name = $1 and holder = $2 and fence = $3 and expires > clock_timestamp() for share
      """, [.text(lease.name), .text(lease.holder), .int8(lease.fence)])
    if rows.count == 0 { throw .leaseLost }
  }
}
