package import FleetModel
internal import Postgres

extension Store {
  /// Channel on which every change of the allow-list is published, with the host's id.
  package static let hostsChannel = "signalbox_hosts"

  /// Puts a certificate on the allow-list and notifies every collector.
  /// - Parameter fingerprint: SHA-256 of its DER, 32 bytes.
  /// - Parameter reason: for the audit log, such as "renewal".
  /// - Throws: `.unknownHost`, `.revokedHost`.
  package func addCertificate(
    host: HostID, fingerprint: [UInt8], issuedNs: Int64, expiresNs: Int64, reason: String = "join", serial: String = ""
  ) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      let found = try ask("select number, state, name from signalbox.hosts where host_id = $1 for share", [.id(host)])
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
      try auditCertificate(
        Int32(clamping: number), found.text(0, 2) ?? "", issuedNs,
        "\(reason), serial \(serial), until \(Timestamp.text(expiresNs, digits: 0))")
      try notify(host)
    }
  }

  /// An agent that renews without pause must not fill a log that nothing may be deleted from: its first certificates of a day are
  /// in it, with a note at the last one.
  private func auditCertificate(
    _ number: Int32, _ name: String, _ issuedNs: Int64, _ detail: String
  ) throws(StoreError) {
    let day =
      try ask(
        "select count(*) from signalbox.audit_log where action = 'hosts.certificate' and subject = $1 and time > $2",
        [.text(name), .time(us: issuedNs / 1000 - Limits.dayUs)]
      ).int(0, 0) ?? 0
    guard day < Limits.auditedCertificatesPerDay else { return }
    let isLast = day == Limits.auditedCertificatesPerDay - 1
    try audit(
      actor: "agent \(name)", action: "hosts.certificate", subject: name,
      detail: isLast ? detail + "; further ones of the next 24 h are not listed" : detail)
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
        c.expires, c.first_used is not null, h.revision
      from signalbox.certificates c join signalbox.hosts h on h.number = c.host
      where ($1::uuid is null or h.host_id = $1) and ($2::bytea is null or c.fingerprint = $2) order by c.issued
      """, [host.map { .id($0) } ?? .null, fingerprint.map(Parameter.bytes) ?? .null])
    return (0..<rows.count).compactMap { row in
      guard let host: HostID = rows.id(row, 1) else { return nil }
      return AllowedCertificate(
        fingerprint: rows.bytes(row, 0) ?? [], host: host, hostNumber: Int32(clamping: rows.int(row, 2) ?? 0),
        hostName: rows.text(row, 3) ?? "", state: rows.text(row, 4).flatMap(AllowedCertificate.State.init) ?? .revoked,
        expiresNs: rows.timeNs(row, 5) ?? 0, isFirstUsed: rows.bool(row, 6) == true,
        revision: rows.int(row, 7) ?? 0)
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

  /// Takes a host out of the fleet: its certificates are refused, its stream is fenced, and every collector is notified.
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
      try endIdentity(Int32(clamping: number), host)
      try audit(actor: actor, action: "hosts.revoke", subject: hostName)
      return host
    }
  }

  /// One entry of the append-only log of who changed what.
  package func audit(actor: String, action: String, subject: String, detail: String = "") throws(StoreError) {
    try run(
      "insert into signalbox.audit_log (actor, action, subject, detail) values ($1, $2, $3, $4)",
      [.text(actor), .text(action), .text(subject), .text(detail)])
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

  package static func isHostName(_ name: String) -> Bool { HostNaming.isName(name) }

  func notify(_ host: HostID) throws(StoreError) {
    try run("select pg_notify($1, $2)", [.text(Self.hostsChannel), .text(host.description)])
  }
}
