internal import FleetModel
internal import Postgres

extension Store {
  /// Notes an invitation.
  /// - Throws: `.badHostName`, `.badLabel`; `.hostNameInUse` where a host of that name is in the fleet and is not to be replaced.
  package func invite(_ invitation: Invitation, actor: String) throws(StoreError) {
    let name = invitation.hostName
    guard Self.isHostName(name) || (invitation.usesMax > 1 && HostNaming.isPattern(name)) else {
      throw .badHostName(name)
    }
    try requireLabels(invitation.labels)
    try inTransaction { () throws(StoreError) in
      if !invitation.replaces, try isInFleet(name) { throw .hostNameInUse(name) }
      try run(
        """
        insert into signalbox.join_tokens
          (id, secret_hash, host_name, expires, created_by, uses_max, labels, replaces)
        values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8)
        """,
        [
          .text(invitation.tokenID), .bytes(invitation.secretHash), .text(name),
          .time(us: invitation.expiresNs / 1000), .text(actor), .int4(Int32(clamping: invitation.usesMax)),
          .text(Self.json(invitation.labels)), .bool(invitation.replaces),
        ])
      let detail =
        "token \(invitation.tokenID)" + (invitation.usesMax > 1 ? " for \(invitation.usesMax) hosts" : "")
        + (invitation.replaces ? ", replaces" : "")
      try audit(actor: actor, action: "hosts.invite", subject: name, detail: detail)
    }
  }

  /// Withdraws an invitation. Hosts that have joined with it stay.
  /// - Throws: `.unknownInvitation` where there is none that can still be used.
  package func withdrawInvitation(_ id: String, actor: String, nowNs: Int64) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      let found = try ask(
        """
        update signalbox.join_tokens t set withdrawn = $2, withdrawn_by = $3
        where id = $1 and withdrawn is null and expires > $2
          and (select count(*) from signalbox.join_redemptions r where r.token = t.id) < uses_max
        returning host_name
        """, [.text(id), .time(us: nowNs / 1000), .text(actor)])
      guard found.count == 1 else { throw .unknownInvitation(id) }
      try audit(actor: actor, action: "hosts.uninvite", subject: found.text(0, 0) ?? "", detail: "token \(id)")
    }
  }

  /// A token as the redeeming transaction has locked it.
  private struct LockedToken {
    let hostName: String
    let usesMax: Int64
    let uses: Int64
    let labels: String
    let replaces: Bool
    let isOver: Bool
  }

  /// Redeems a token for one key. The token's row is locked, so that of machines that come at the same time no more get a host than
  /// the token is good for.
  ///
  /// The same key may come again while the token lasts: a host whose answer was lost gets its host again, and no other.
  /// - Throws: `.joinToken`. A wrong secret is reported as an unknown token, a host revoked meanwhile as a used one.
  package func redeem(_ redemption: Redemption) throws(StoreError) -> EnrolledHost {
    try inTransaction { () throws(StoreError) in
      let token = try lockToken(redemption)
      if token.isOver { throw .joinToken(token.uses < token.usesMax ? .expired : .alreadyRedeemed) }
      if let host = try redeemed(redemption) { return host }
      guard token.uses < token.usesMax else { throw .joinToken(.alreadyRedeemed) }
      let host = try admit(redemption, token)
      try run(
        "insert into signalbox.join_redemptions (token, key, host, redeemed) values ($1, $2, $3, $4)",
        [
          .text(redemption.tokenID), .bytes(redemption.keyPin), .int4(host.hostNumber),
          .time(us: redemption.nowNs / 1000),
        ])
      try run(
        "update signalbox.join_tokens set redeemed = coalesce(redeemed, $2), host = $3 where id = $1",
        [.text(redemption.tokenID), .time(us: redemption.nowNs / 1000), .int4(host.hostNumber)])
      let again =
        host.wasRevoked ? ", again after it was revoked" : host.isKnown ? ", in place of the machine before" : ""
      try audit(
        actor: "agent \(host.hostName)", action: "hosts.join", subject: host.hostName,
        detail: "token \(redemption.tokenID)\(again)")
      return host
    }
  }

  private func lockToken(_ redemption: Redemption) throws(StoreError) -> LockedToken {
    let rows = try ask(
      """
      select host_name, uses_max, labels::text, replaces, expires <= $3 or withdrawn is not null,
        (select count(*) from signalbox.join_redemptions r where r.token = t.id)
      from signalbox.join_tokens t where id = $1 and secret_hash = $2 for update
      """,
      [.text(redemption.tokenID), .bytes(redemption.secretHash), .time(us: redemption.nowNs / 1000)])
    guard rows.count == 1 else { throw .joinToken(.unknown) }
    return LockedToken(
      hostName: rows.text(0, 0) ?? "", usesMax: rows.int(0, 1) ?? 1, uses: rows.int(0, 5) ?? 0,
      labels: rows.text(0, 2) ?? "{}", replaces: rows.bool(0, 3) == true, isOver: rows.bool(0, 4) == true)
  }

  /// The host that this key got with this token before.
  private func redeemed(_ redemption: Redemption) throws(StoreError) -> EnrolledHost? {
    let rows = try ask(
      """
      select h.number, h.host_id, h.name, h.state from signalbox.join_redemptions r
      join signalbox.hosts h on h.number = r.host where r.token = $1 and r.key = $2
      """, [.text(redemption.tokenID), .bytes(redemption.keyPin)])
    guard rows.count == 1, let number = rows.int(0, 0), let host: HostID = rows.id(0, 1) else { return nil }
    guard rows.text(0, 3) != "revoked" else { throw .joinToken(.alreadyRedeemed) }
    return EnrolledHost(
      host: host, hostNumber: Int32(clamping: number), hostName: rows.text(0, 2) ?? "", isKnown: true,
      wasRevoked: false)
  }

  /// The row that the machine gets: the one of its name in the fleet, the one it was before it was revoked, or a new one.
  private func admit(_ redemption: Redemption, _ token: LockedToken) throws(StoreError) -> EnrolledHost {
    let name = try name(redemption, token)
    var wasRevoked = false
    let isKnown = try isInFleet(name)
    if isKnown {
      guard token.replaces else { throw .joinToken(.nameInUse(name)) }
    } else if let number = try revokedRow(name, redemption) {
      try run("update signalbox.hosts set state = 'active', revoked = null where number = $1", [.int4(number)])
      wasRevoked = true
    } else {
      try run(
        """
        insert into signalbox.hosts (host_id, name) values ($1, $2) on conflict (name) where state <> 'revoked' do nothing
        """, [.id(redemption.newHost), .text(name)])
    }
    let found = try ask(
      """
      update signalbox.hosts set set_labels = set_labels || $2::jsonb, labels = configured_labels || set_labels || $2::jsonb
      where name = $1 and state <> 'revoked' returning number, host_id
      """, [.text(name), .text(token.labels)])
    guard let number = found.int(0, 0), let host: HostID = found.id(0, 1) else { throw .unknownHost }
    try run("insert into signalbox.epochs (host) values ($1) on conflict do nothing", [.int4(Int32(clamping: number))])
    return EnrolledHost(
      host: host, hostNumber: Int32(clamping: number), hostName: name, isKnown: isKnown, wasRevoked: wasRevoked)
  }

  /// A pattern lets machines in under their own names.
  private func name(_ redemption: Redemption, _ token: LockedToken) throws(StoreError) -> String {
    guard HostNaming.isPattern(token.hostName) else { return token.hostName }
    guard Self.isHostName(redemption.claimedName), StarPattern.matches(redemption.claimedName, token.hostName) else {
      throw .joinToken(.nameNotInvited(String(redemption.claimedName.prefix(64)), pattern: token.hostName))
    }
    return redemption.claimedName
  }

  private func isInFleet(_ name: String) throws(StoreError) -> Bool {
    try ask("select 1 from signalbox.hosts where name = $1 and state <> 'revoked'", [.text(name)]).count > 0
  }

  /// The newest revoked host of that name that the machine was, by its state directory or its machine id: with its row it keeps
  /// its marks, so that nothing is read, stored and paged a second time. Another machine of the name gets a row of its own.
  private func revokedRow(_ name: String, _ redemption: Redemption) throws(StoreError) -> Int32? {
    let rows = try ask(
      """
      select h.number from signalbox.hosts h left join signalbox.epochs e on e.host = h.number
      where h.name = $1 and h.state = 'revoked' and h.removed is null and (h.host_id = $2 or e.machine = $3)
      order by h.host_id = $2 desc, h.revoked desc limit 1 for update of h
      """,
      [
        .text(name), redemption.previousHost.map { .id($0) } ?? .null, redemption.machine.map { .id($0) } ?? .null,
      ])
    return rows.count == 1 ? rows.int(0, 0).map { Int32(clamping: $0) } : nil
  }
}
