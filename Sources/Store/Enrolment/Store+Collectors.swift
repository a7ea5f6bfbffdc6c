package import FleetModel
internal import Postgres

extension Store {
  /// The fleet's authority: hex of the SHA-256 of its root's key. nil before the first collector has noted it.
  ///
  /// Databases of before this setting know it by what their collectors have announced.
  package func fleetAuthority() throws(StoreError) -> String? {
    if let pin = try setting(Self.authoritySetting) { return pin }
    let rows = try ask(
      "select ca_pin from signalbox.collectors where ca_pin <> '' order by last_seen desc limit 1")
    return rows.count == 1 ? rows.text(0, 0) : nil
  }

  /// Notes the authority that the hosts' certificates are signed by.
  /// - Parameter replacing: the operator has decided on another one: what was announced under the old one is forgotten.
  package func noteFleetAuthority(_ pin: String, replacing: Bool, actor: String) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      try setSetting(Self.authoritySetting, to: pin)
      guard replacing else { return }
      try run("delete from signalbox.collectors where ca_pin <> $1", [.text(pin)])
      try audit(actor: actor, action: "authority.replace", subject: "fleet", detail: "key SHA-256 \(pin)")
    }
  }

  private static let authoritySetting = "authority_pin"

  /// Hosts that may report, and so trust the fleet's authority.
  package func activeHostCount() throws(StoreError) -> Int {
    Int(try ask("select count(*) from signalbox.hosts where state <> 'revoked'").int(0, 0) ?? 0)
  }

  /// Makes a collector's addresses known, so that invitations and agents can name them; repeated as a sign of life.
  ///
  /// They replace what the same collector announced before; what a collector has not repeated for a week goes.
  /// - Parameter collector: an id that stays with the collector's state directory.
  package func announceCollector(
    _ collector: CollectorID, addresses: [String], names: [String], caPin: String, version: String
  ) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      try run(
        """
        delete from signalbox.collectors where (collector = $1 and address <> all ($2))
          or last_seen < now() - interval '\(Limits.collectorGoneDays) days'
        """, [.id(collector), .texts(addresses)])
      try run(
        """
        insert into signalbox.collectors (address, ca_pin, version, collector)
        select distinct address, $2, $3, $4 from unnest($1) address
        on conflict (address) do update set ca_pin = $2, version = $3, collector = $4, last_seen = now()
        """, [.texts(addresses), .text(caPin), .text(version), .id(collector)])
      try run(
        """
        insert into signalbox.server_names (name, announced) select distinct name, now() from unnest($1) name
        on conflict (name) do update set announced = now()
        """, [.texts(names)])
    }
  }

  /// Known collectors, the one seen last first.
  package func collectors() throws(StoreError) -> [CollectorAddress] {
    let rows = try ask(
      "select address, ca_pin, last_seen from signalbox.collectors order by last_seen desc, address", [])
    return (0..<rows.count).map {
      CollectorAddress(
        address: rows.text($0, 0) ?? "", caPin: rows.text($0, 1) ?? "", lastSeenNs: (rows.timeUs($0, 2) ?? 0) * 1000)
    }
  }

  /// The names under which hosts may look for a collector, newest announcement first: what was announced within the life of a
  /// join token, and what a host of the fleet still names in its Hello. A host that does not name any may know each of them.
  ///
  /// Only what a collector announced is among them, whatever a host reports.
  package func serverNames() throws(StoreError) -> [String] {
    let rows = try ask(
      """
      with known as (
        select distinct regexp_replace(regexp_replace(address, ':[0-9]+$', ''), '[][]', '', 'g') as name
        from signalbox.hosts h join signalbox.epochs e on e.host = h.number
        cross join lateral unnest(e.known_collectors) address where h.state <> 'revoked'
      )
      select name from signalbox.server_names s
      where announced > now() - interval '\(Limits.serverNameDays) days' or name in (select name from known)
        or exists (select from signalbox.hosts h join signalbox.epochs e on e.host = h.number
          where h.state <> 'revoked' and e.connected is not null and e.known_collectors is null)
      order by announced desc, name
      """)
    return (0..<rows.count).compactMap { rows.text($0, 0) }
  }
}
