internal import Incidents
internal import Postgres

/// The right to do what only one collector may do. A holder that was stopped for too long finds its fence outdated.
package struct Lease: Sendable, Equatable {
  package let name: String
  package let holder: String
  /// Grows with each new holder.
  package let fence: Int64
}

extension Store {
  /// Takes a lease that is free or over, or makes one's own longer. Times are the database's, so that clocks need not agree.
  ///
  /// What stands before a `/` in a holder's name names its place: a new process in the same place takes over from the one before
  /// it, which is gone, at once.
  /// - Returns: nil while somebody else holds it.
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

  /// Gives a lease back, so that another collector need not wait for its end.
  package func releaseLease(_ lease: Lease) throws(StoreError) {
    try run(
      "update signalbox.leases set expires = clock_timestamp() where name = $1 and holder = $2 and fence = $3",
      [.text(lease.name), .text(lease.holder), .int8(lease.fence)])
  }

  /// Keeps the lease from changing hands until the transaction ends.
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
