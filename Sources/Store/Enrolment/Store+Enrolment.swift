package import FleetModel
internal import Postgres

extension Store {
  /// Channel on which every change of the allow-list is told, with the host's id.
  package static let hostsChannel = "signalbox_hosts"

  /// Notes an invitation. The secret itself is nowhere but in the token.
  /// - Parameter secretHash: SHA-256, 32 bytes.
  package func createJoinToken(
    id: String, secretHash: [UInt8], hostName: String, expiresNs: Int64, actor: String
  ) throws(StoreError) {
    guard Self.isHostName(hostName) else { throw .badHostName(hostName) }
    try inTransaction { () throws(StoreError) in
      try run(
        """
        insert into signalbox.join_tokens (id, secret_hash, host_name, expires, created_by) values ($1, $2, $3, $4, $5)
        """, [.text(id), .bytes(secretHash), .text(hostName), .time(us: expiresNs / 1000), .text(actor)])
      try audit(actor: actor, action: "hosts.invite", subject: hostName, detail: "token \(id)")
    }
  }

  /// Redeems a token for one key: an atomic UPDATE decides between two machines that come at the same time.
  ///
  /// The same key may come again while the token lasts: a host whose answer was lost gets its host again, and no other.
  /// - Parameter keyPin: SHA-256 of the host's public key, 32 bytes.
  /// - Parameter newHost: the id that the host gets if its name is not in use.
  /// - Throws: `.joinToken`. A wrong secret is told as an unknown token, a host revoked meanwhile as a used one.
  package func redeemJoinToken(
    id: String, secretHash: [UInt8], keyPin: [UInt8], newHost: HostID, nowNs: Int64
  ) throws(StoreError) -> EnrolledHost {
    try inTransaction { () throws(StoreError) in
      let redeemed = try ask(
        """
        update signalbox.join_tokens t set redeemed = coalesce(redeemed, $3), redeemed_key = $4
        where id = $1 and secret_hash = $2 and expires > $3 and (redeemed is null or redeemed_key = $4
          and exists (select from signalbox.hosts h where h.number = t.host and h.state <> 'revoked'))
        returning host_name
        """, [.text(id), .bytes(secretHash), .time(us: nowNs / 1000), .bytes(keyPin)])
      guard redeemed.count == 1, let name = redeemed.text(0, 0) else {
        throw .joinToken(try problem(ofToken: id, secretHash))
      }
      let made = try ask(
        """
        insert into signalbox.hosts (host_id, name) values ($1, $2) on conflict (name) where state <> 'revoked' do nothing
        """, [.id(newHost), .text(name)])
      let found = try ask(
        "select number, host_id from signalbox.hosts where name = $1 and state <> 'revoked'", [.text(name)])
      guard let number = found.int(0, 0), let host: HostID = found.id(0, 1) else { throw .unknownHost }
      try run(
        "insert into signalbox.epochs (host) values ($1) on conflict do nothing", [.int4(Int32(clamping: number))])
      try run("update signalbox.join_tokens set host = $2 where id = $1", [.text(id), .int4(Int32(clamping: number))])
      try audit(actor: "agent \(name)", action: "hosts.join", subject: name, detail: "token \(id)")
      return EnrolledHost(
        host: host, hostNumber: Int32(clamping: number), hostName: name, isKnown: made.affected == 0)
    }
  }

  private func problem(ofToken id: String, _ secretHash: [UInt8]) throws(StoreError) -> JoinTokenProblem {
    let rows = try ask(
      "select redeemed is not null from signalbox.join_tokens where id = $1 and secret_hash = $2",
      [.text(id), .bytes(secretHash)])
    if rows.count == 0 { return .unknown }
    return rows.bool(0, 0) == true ? .alreadyRedeemed : .expired
  }

  /// Puts a certificate on the allow-list and tells every collector.
  /// - Parameter fingerprint: SHA-256 of its DER, 32 bytes.
  /// - Throws: `.unknownHost`, `.revokedHost`.
  package func addCertificate(
    host: HostID, fingerprint: [UInt8], issuedNs: Int64, expiresNs: Int64
  ) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      let found = try ask("select number, state from signalbox.hosts where host_id = $1 for share", [.id(host)])
      guard let number = found.int(0, 0) else { throw .unknownHost }
      if found.text(0, 1) == "revoked" { throw .revokedHost }
      try run(
        "insert into signalbox.certificates (fingerprint, host, issued, expires) values ($1, $2, $3, $4)",
        [
          .bytes(fingerprint), .int4(Int32(clamping: number)), .time(us: issuedNs / 1000), .time(us: expiresNs / 1000),
        ])
      // A host that asks again and again gets an answer, not a table without end. What goes is refused as it was before,
      // or was never used.
      try run(
        """
        delete from signalbox.certificates where fingerprint in (
          select fingerprint from signalbox.certificates
          where host = $1 and revoked is null and (first_used is null or retired is not null)
          order by issued desc, fingerprint offset \(Limits.spareCertificatesMax))
        """, [.int4(Int32(clamping: number))])
      try notify(host)
    }
  }

  /// The allow-list: all certificates, or those of one host.
  package func allowList(of host: HostID? = nil) throws(StoreError) -> [AllowedCertificate] {
    try allowList(host: host, fingerprint: nil)
  }

  /// One certificate of the allow-list; nil where it is not there.
  package func allowedCertificate(_ fingerprint: [UInt8]) throws(StoreError) -> AllowedCertificate? {
    try allowList(host: nil, fingerprint: fingerprint).first
  }

  private func allowList(host: HostID?, fingerprint: [UInt8]?) throws(StoreError) -> [AllowedCertificate] {
    let rows = try ask(
      """
      select c.fingerprint, h.host_id, h.number, h.name,
        case when c.revoked is not null or h.state = 'revoked' then 'revoked'
          when c.retired is not null then 'retired' else 'active' end,
        c.expires, c.first_used is not null
      from signalbox.certificates c join signalbox.hosts h on h.number = c.host
      where ($1::uuid is null or h.host_id = $1) and ($2::bytea is null or c.fingerprint = $2) order by c.issued
      """, [host.map { .id($0) } ?? .null, fingerprint.map(Parameter.bytes) ?? .null])
    return (0..<rows.count).compactMap { row in
      guard let host: HostID = rows.id(row, 1) else { return nil }
      return AllowedCertificate(
        fingerprint: rows.bytes(row, 0) ?? [], host: host, hostNumber: Int32(clamping: rows.int(row, 2) ?? 0),
        hostName: rows.text(row, 3) ?? "", state: rows.text(row, 4).flatMap(AllowedCertificate.State.init) ?? .revoked,
        expiresNs: rows.timeNs(row, 5) ?? 0, isFirstUsed: rows.bool(row, 6) == true)
    }
  }

  /// Notes that a certificate has been used; from its first use on, older ones of its host are retired.
  package func certificateUsed(fingerprint: [UInt8], nowNs: Int64) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      let used = try ask(
        """
        update signalbox.certificates c set first_used = $2 from signalbox.hosts h
        where c.fingerprint = $1 and c.first_used is null and h.number = c.host returning c.host, c.issued, h.host_id
        """, [.bytes(fingerprint), .time(us: nowNs / 1000)])
      guard let number = used.int(0, 0), let issuedUs = used.timeUs(0, 1), let host: HostID = used.id(0, 2) else {
        return
      }
      let retired = try ask(
        """
        update signalbox.certificates set retired = $3
        where host = $1 and issued < $2 and retired is null and fingerprint <> $4
        """, [.int4(Int32(clamping: number)), .time(us: issuedUs), .time(us: nowNs / 1000), .bytes(fingerprint)])
      if retired.affected > 0 { try notify(host) }
    }
  }

  /// Takes a host out of the fleet: its certificates are refused, its stream is fenced, and every collector is told.
  /// - Throws: `.unknownHost` where no active host has that name.
  @discardableResult
  package func revoke(hostName: String, actor: String) throws(StoreError) -> HostID {
    try inTransaction { () throws(StoreError) in
      let found = try ask(
        """
        update signalbox.hosts set state = 'revoked', revoked = now() where name = $1 and state <> 'revoked'
        returning number, host_id
        """, [.text(hostName)])
      guard let number = found.int(0, 0), let host: HostID = found.id(0, 1) else { throw .unknownHost }
      let key = Parameter.int4(Int32(clamping: number))
      try run("update signalbox.certificates set revoked = now() where host = $1 and revoked is null", [key])
      try run("update signalbox.epochs set epoch = epoch + 1, disconnected = now() where host = $1", [key])
      try audit(actor: actor, action: "hosts.revoke", subject: hostName)
      try notify(host)
      return host
    }
  }

  /// One entry of the append-only log of who changed what.
  package func audit(actor: String, action: String, subject: String, detail: String = "") throws(StoreError) {
    try run(
      "insert into signalbox.audit_log (actor, action, subject, detail) values ($1, $2, $3, $4)",
      [.text(actor), .text(action), .text(subject), .text(detail)])
  }

  /// Makes a collector known, so that `hosts invite` can name its address; repeated as a sign of life.
  package func announceCollector(address: String, caPin: String, version: String) throws(StoreError) {
    try run(
      """
      insert into signalbox.collectors (address, ca_pin, version) values ($1, $2, $3)
      on conflict (address) do update set ca_pin = excluded.ca_pin, version = excluded.version, last_seen = now()
      """, [.text(address), .text(caPin), .text(version)])
  }

  /// Known collectors, the one seen last first.
  package func collectors() throws(StoreError) -> [CollectorAddress] {
    let rows = try ask("select address, ca_pin, last_seen from signalbox.collectors order by last_seen desc", [])
    return (0..<rows.count).map {
      CollectorAddress(
        address: rows.text($0, 0) ?? "", caPin: rows.text($0, 1) ?? "", lastSeenNs: rows.timeNs($0, 2) ?? 0)
    }
  }

  package func setting(_ key: String) throws(StoreError) -> String? {
    let rows = try ask("select value from signalbox.fleet_settings where key = $1", [.text(key)])
    return rows.count == 0 ? nil : rows.text(0, 0)
  }

  package func setSetting(_ key: String, to value: String) throws(StoreError) {
    try run(
      """
      insert into signalbox.fleet_settings (key, value) values ($1, $2)
      on conflict (key) do update set value = excluded.value, updated = now()
      """, [.text(key), .text(value)])
  }

  /// Letters, digits, dots, dashes, underscores; at most 255 bytes.
  package static func isHostName(_ name: String) -> Bool {
    (1...255).contains(name.utf8.count)
      && name.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }

  private func notify(_ host: HostID) throws(StoreError) {
    try run("select pg_notify($1, $2)", [.text(Self.hostsChannel), .text(host.description)])
  }
}

extension Store {
  /// One statement whose rows are not wanted.
  func run(_ sql: String, _ parameters: [Parameter] = []) throws(StoreError) {
    _ = try ask(sql, parameters)
  }

  func ask(_ sql: String, _ parameters: [Parameter] = []) throws(StoreError) -> Rows {
    try asking { () throws(PostgresError) in try connection.query(sql, parameters) }
  }

  func inTransaction<Result>(_ body: () throws(StoreError) -> Result) throws(StoreError) -> Result {
    try connection.transaction(mapping: StoreError.database, body)
  }
}
