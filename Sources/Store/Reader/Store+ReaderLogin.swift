internal import Postgres

/// How who only reads gets in.
struct ReaderAccess: Equatable {
  var role: String
  /// Empty where the server lets the role in without one.
  var password: String

  func url(_ owner: DatabaseURL) -> DatabaseURL {
    var url = owner.with(["user": role])
    url["password"] = password.isEmpty ? nil : password
    // `options` may hold a role of the owner's, and a certificate is the owner's own.
    for keyword in ["options", "sslcert", "sslkey", "sslpassword"] { url[keyword] = nil }
    return url
  }
}

extension Store {
  /// Makes the logins that only read, or what of them this user may make: `signalbox query` and the console log in with them and know no
  /// other way.
  ///
  /// Outside of the migration, because a refusal must not undo the schema. Several collectors may do so at once.
  /// - Returns: why one is not there, as sentences with the statement that helps.
  func makeReaderLogins() -> [String] {
    ReaderRole.all.compactMap { makeLogin($0) }
  }

  private func makeLogin(_ role: ReaderRole) -> String? {
    do throws(PostgresError) {
      try connection.execute("revoke create on schema public from public")
      var access = try knownLogin(role)
      if access == nil { access = try newLogin(role) }
      guard let access else { return try withoutLogin(role) }
      try grantReading(to: access.role, role)
      return nil
    } catch {
      return "\(role.owner) has no login: \(error.message)"
    }
  }

  /// What is left undone because this user is no superuser, as statements for one; nil where nothing is.
  func closeReaders() -> String? {
    var open: [String] = []
    for role in ReaderRole.all {
      guard let access = try? readerAccess(role) else { continue }
      do throws(PostgresError) {
        if let statement = try close(access, role) { open.append(statement) }
      } catch {
        // Another collector may be changing the same role; it sets the same.
        if error.sqlState != "XX000" { open.append(error.message) }
      }
    }
    return open.isEmpty ? nil : open.joined(separator: "; ")
  }

  private func close(_ access: ReaderAccess, _ kind: ReaderRole) throws(PostgresError) -> String? {
    let role = Connection.quoted(access.role)
    let settings = try connection.query(
      """
      select rolconnlimit = $2 and rolconfig @> $3, exists (select from unnest(rolconfig) s where s like 'temp_file_limit=%'),
        (select rolsuper from pg_roles where rolname = current_user)
      from pg_roles where rolname = $1
      """,
      [.text(access.role), .int4(Int32(kind.connectionsMax)), .texts(ReaderRole.configuration)])
    let isSuperuser = settings.bool(0, 2) == true
    if settings.bool(0, 0) != true { try connection.execute(kind.alterStatements(role)) }
    if isSuperuser {
      if settings.bool(0, 1) != true { try connection.execute(ReaderRole.limitStatement(role)) }
      try connection.execute(ReaderRole.closing)
    }
    return isSuperuser || settings.bool(0, 1) == true ? nil : ReaderRole.limitStatement(role)
  }

  /// The login that this database has noted.
  func readerAccess(_ role: ReaderRole) throws(PostgresError) -> ReaderAccess? {
    let rows = try connection.query(
      "select role, password from signalbox.reader_access where purpose = $1 limit 1", [.text(role.purpose)])
    return rows.text(0, 0).map { ReaderAccess(role: $0, password: rows.text(0, 1) ?? "") }
  }

  /// The noted login, with a new password where the noted one is wrong: a dump restored on another server brings the note along.
  private func knownLogin(_ role: ReaderRole) throws(PostgresError) -> ReaderAccess? {
    guard var access = try readerAccess(role) else { return nil }
    guard try connection.query("select from pg_roles where rolname = $1", [.text(access.role)]).count == 1 else {
      try forget(role)
      return nil
    }
    if problem(of: access)?.isAboutPassword != true { return access }
    access.password = Connection.randomPassword()
    do throws(PostgresError) {
      let verifier = try connection.passwordVerifier(access.password, user: access.role)
      try connection.execute(
        "alter role \(Connection.quoted(access.role)) login password \(Connection.literal(verifier))")
    } catch  where error.isNotPermitted {
      // Another owner's: it gets the password that he gave it, this database a login of its own.
      try forget(role)
      return nil
    }
    try note(access, role)
    return access
  }

  private func newLogin(_ kind: ReaderRole) throws(PostgresError) -> ReaderAccess? {
    let database = try connection.query("select oid::int8 from pg_database where datname = current_database()").int(
      0, 0)
    for role in [kind.name, kind.ownName(databaseOID: database ?? 0)] {
      let open = ReaderAccess(role: role, password: "")
      var access = open
      access.password = Connection.randomPassword()
      do throws(PostgresError) {
        let verifier = try connection.passwordVerifier(access.password, user: role)
        try connection.execute(
          "create role \(Connection.quoted(role)) login noinherit password \(Connection.literal(verifier))")
      } catch  where error.sqlState == "42710" || error.sqlState == "23505" || error.isNotPermitted {
        // It is there already, for another database of this server or by a superuser's hand: good where the server requires no password.
        guard problem(of: open) == nil else { continue }
        access = open
      }
      // So that housekeeping may end its sessions; the other way round it gives no rights.
      try? connection.execute("grant \(Connection.quoted(role)) to current_user")
      try note(access, kind)
      return access
    }
    return nil
  }

  /// A role of that name may have been made by hand, with a password that only people know.
  private func withoutLogin(_ role: ReaderRole) throws(PostgresError) -> String {
    let url = "postgresql://\(role.name):PASSWORD@HOST/DATABASE"
    guard try connection.query("select from pg_roles where rolname = $1", [.text(role.name)]).count == 1 else {
      return "\(role.owner) has no login, because this user may not make roles; as a superuser run: "
        + "\(role.creationStatement); then start the collector again, and give \(url) to \(role.option)"
    }
    try grantReading(to: role.name, role)
    return
      "\(role.owner) needs \(url) for \(role.option): the role was not made by this collector, which does not know "
      + "its password"
  }

  private func forget(_ role: ReaderRole) throws(PostgresError) {
    _ = try connection.query("delete from signalbox.reader_access where purpose = $1", [.text(role.purpose)])
  }

  private func note(_ access: ReaderAccess, _ role: ReaderRole) throws(PostgresError) {
    _ = try connection.query(
      """
      with gone as (delete from signalbox.reader_access where role <> $1 and purpose = $3)
      insert into signalbox.reader_access (role, password, purpose) values ($1, $2, $3)
      on conflict (role) do update set password = excluded.password, purpose = excluded.purpose
      """, [.text(access.role), .text(access.password), .text(role.purpose)])
  }

  private func grantReading(to role: String, _ kind: ReaderRole) throws(PostgresError) {
    let role = Connection.quoted(role)
    let aggregates = capability == .community ? AggregateTable.all.map { "signalbox.\($0.name)" } : []
    let database = Connection.quoted(try connection.query("select current_database()").text(0, 0) ?? "")
    try connection.execute(
      """
      revoke create, temporary on database \(database) from public;
      grant connect on database \(database) to \(role);
      grant usage on schema public to \(role);
      \(kind.grants(to: role, aggregates: aggregates))
      """)
  }

  /// nil where the login works. Costs a connection, so only a collector's start asks.
  private func problem(of access: ReaderAccess) -> PostgresError? {
    do throws(PostgresError) {
      try Connection(access.url(url)).close()
      return nil
    } catch {
      return error
    }
  }
}

extension PostgresError {
  /// libpq gives no SQLSTATE for a connection that was not made.
  var isAboutPassword: Bool {
    message.contains("authentication failed") || message.contains("no password supplied")
      || message.contains("is not permitted to log in")
  }
}
