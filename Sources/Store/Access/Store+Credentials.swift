package import FleetModel
internal import Postgres

/// Who asks the console, as its credential says.
package struct Caller: Sendable, Equatable {
  package var name: String
  package var role: Role
  package var kind: Credential.Kind
  package var credentialID: String

  package init(name: String, role: Role, kind: Credential.Kind, credentialID: String) {
    self.name = name
    self.role = role
    self.kind = kind
    self.credentialID = credentialID
  }
}

/// What lets a person or a script in. The secret itself is never stored.
package struct Credential: Sendable, Equatable {
  package enum Kind: String, Sendable {
    /// Of a script: sent with each request.
    case token
    /// Works once: it becomes a browser's session.
    case link
    case session
    /// In the address of a calendar: it reads who is on call, and nothing else.
    case calendar
  }

  package var id: String
  package var kind: Kind
  package var name: String
  package var role: Role
  /// SHA-256, 32 bytes.
  package var secretHash: [UInt8]
  /// ns since 1970.
  package var expiresNs: Int64

  package init(id: String, kind: Kind, name: String, role: Role, secretHash: [UInt8], expiresNs: Int64) {
    self.id = id
    self.kind = kind
    self.name = name
    self.role = role
    self.secretHash = secretHash
    self.expiresNs = expiresNs
  }
}

extension Store {
  private static let consoleSetting = "console.url"
  /// A console that runs announces itself again within this; one that was killed is forgotten after it.
  private static let consoleSilenceUs: Int64 = 90_000_000

  /// Notes the address of a console for login links, unless another one that runs has done so.
  package func announceConsole(_ url: String, nowNs: Int64) throws(StoreError) {
    try run(
      """
      insert into signalbox.fleet_settings (key, value) values ($1, $2 || ' ' || $3::bigint)
      on conflict (key) do update set value = excluded.value
      where split_part(fleet_settings.value, ' ', 1) = $2
        or split_part(fleet_settings.value, ' ', 2)::bigint < $3::bigint - \(Self.consoleSilenceUs)
      """, [.text(Self.consoleSetting), .text(url), .int8(nowNs / 1000)])
  }

  /// Takes it back where it is this console's.
  package func withdrawConsole(_ url: String) throws(StoreError) {
    try run(
      "delete from signalbox.fleet_settings where key = $1 and split_part(value, ' ', 1) = $2",
      [.text(Self.consoleSetting), .text(url)])
  }

  /// The address that a console has announced; also of one that was killed, until another takes its place.
  package func consoleAddress() throws(StoreError) -> String? {
    try setting(Self.consoleSetting).flatMap { $0.split(separator: " ").first.map(String.init) }
  }

  /// A credential's name is shown in timelines and the audit: one line that people can read.
  package static func isCredentialName(_ name: String) -> Bool {
    (1...64).contains(name.unicodeScalars.count) && name.first != "-" && PlainText.line(name) == name
      && name.unicodeScalars.contains { !$0.properties.isWhitespace }
  }

  /// - Throws: `.badCredentialName`; `.tokenNameInUse` where a token of that name is in use.
  package func addCredential(_ credential: Credential, actor: String) throws(StoreError) {
    guard Self.isCredentialName(credential.name) else { throw .badCredentialName(credential.name) }
    try inTransaction { () throws(StoreError) in
      try endExpired()
      if try insert(credential, createdBy: actor) == 0 { throw .tokenNameInUse(credential.name) }
      try audit(
        actor: actor, action: "access.\(credential.kind.rawValue)", subject: credential.name,
        detail: "\(credential.role.rawValue), id \(credential.id), until "
          + Timestamp.text(credential.expiresNs, digits: 0))
    }
  }

  /// A token that has expired frees its name. Rows that ended long ago are deleted: the audit has their history.
  private func endExpired() throws(StoreError) {
    try run(
      """
      update signalbox.credentials set ended = expires, ended_by = 'time' where ended is null and expires <= now()
      """)
    try run("delete from signalbox.credentials where ended < now() - interval '90 days'")
  }

  private func insert(_ credential: Credential, createdBy: String) throws(StoreError) -> Int {
    try ask(
      """
      insert into signalbox.credentials (id, kind, name, role, secret_hash, created_by, expires)
      values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing
      """,
      [
        .text(credential.id), .text(credential.kind.rawValue), .text(credential.name), .text(credential.role.rawValue),
        .bytes(credential.secretHash), .text(createdBy), .time(us: credential.expiresNs / 1000),
      ]
    ).affected
  }

  /// Ends a token with the sessions that it began, or all that a name has.
  /// - Parameter name: of the token or the person, or the id of one credential.
  /// - Returns: how many were ended.
  /// - Throws: `.unknownCredential`.
  package func endCredentials(named name: String, actor: String, nowNs: Int64) throws(StoreError) -> Int {
    try inTransaction { () throws(StoreError) in
      try endExpired()
      let ended = try ask(
        """
        update signalbox.credentials set ended = $2, ended_by = $3
        where (name = $1 or id = $1 or created_by = 'token ' || $1) and ended is null
        """, [.text(name), .time(us: nowNs / 1000), .text(actor)]
      ).affected
      if ended == 0 { throw .unknownCredential(name) }
      try audit(actor: actor, action: "access.revoke", subject: name, detail: "\(ended) credentials")
      return ended
    }
  }

  /// Who a token or session stands for; nil for one that is unknown, expired or ended, or whose secret is another.
  package func authenticate(id: String, secretHash: [UInt8], kinds: [Credential.Kind], nowNs: Int64) throws(StoreError)
    -> Caller?
  {
    let rows = try ask(
      """
      select kind, name, role, last_used is null or last_used < $3::timestamptz - interval '1 minute'
      from signalbox.credentials
      where id = $1 and secret_hash = $2 and ended is null and expires > $3 and kind = any($4)
      """, [.text(id), .bytes(secretHash), .time(us: nowNs / 1000), .texts(kinds.map(\.rawValue))])
    guard let caller = Self.caller(rows, id) else { return nil }
    // Once a minute: a script that asks often must not write as often.
    if rows.bool(0, 3) == true {
      try run(
        "update signalbox.credentials set last_used = $2 where id = $1", [.text(id), .time(us: nowNs / 1000)])
    }
    return caller
  }

  /// Begins a session for who holds a login link, which works once, or a token, which goes on.
  /// - Parameter session: its name and role become those of the link or token; it ends no later than the token.
  /// - Returns: nil where the link or token is unknown, expired, used or revoked.
  package func redeem(
    id: String, secretHash: [UInt8], kinds: [Credential.Kind] = [.link, .token], session: Credential, nowNs: Int64
  ) throws(StoreError) -> Caller? {
    try inTransaction { () throws(StoreError) in
      let rows = try ask(
        """
        update signalbox.credentials set last_used = $3,
          ended = case when kind = 'link' then $3::timestamptz end, ended_by = case when kind = 'link' then 'login' end
        where id = $1 and secret_hash = $2 and ended is null and expires > $3 and kind = any ($4)
        returning kind, name, role, expires
        """, [.text(id), .bytes(secretHash), .time(us: nowNs / 1000), .texts(kinds.map(\.rawValue))])
      guard let given = Self.caller(rows, id) else { return nil }
      var session = session
      (session.name, session.role, session.kind) = (given.name, given.role, .session)
      if given.kind == .token { session.expiresNs = min(session.expiresNs, rows.timeNs(0, 3) ?? 0) }
      guard try insert(session, createdBy: "\(given.kind.rawValue) \(id)") == 1 else { return nil }
      try audit(
        actor: given.name, action: "access.login", subject: given.name,
        detail: "\(given.kind.rawValue) \(id), session \(session.id)")
      return Caller(name: session.name, role: session.role, kind: .session, credentialID: session.id)
    }
  }

  /// Begins a session for a person whom an identity provider names.
  /// - Parameters:
  ///   - session: with the person's name and role.
  ///   - origin: who names them, for lists and the audit.
  package func beginSession(_ session: Credential, by origin: String) throws(StoreError) {
    guard Self.isCredentialName(session.name) else { throw .badCredentialName(session.name) }
    var session = session
    session.kind = .session
    try inTransaction { () throws(StoreError) in
      try endExpired()
      _ = try insert(session, createdBy: origin)
      try audit(
        actor: session.name, action: "access.login", subject: session.name,
        detail: "logged in by \(origin) as \(session.role.rawValue), session \(session.id)")
    }
  }

  private static func caller(_ rows: borrowing Rows, _ id: String) -> Caller? {
    guard rows.count == 1, let kind = rows.text(0, 0).flatMap(Credential.Kind.init), let name = rows.text(0, 1),
      let role = rows.text(0, 2).flatMap(Role.init)
    else { return nil }
    return Caller(name: name, role: role, kind: kind, credentialID: id)
  }
}
