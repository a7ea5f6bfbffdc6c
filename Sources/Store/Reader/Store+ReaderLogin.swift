internal import Postgres

/// How people's SQL gets in.
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
  /// Makes the login for people's SQL, or what of it this user may make: `signalbox query` logs in with it and knows no other way.
  ///
  /// Outside of the migration, because a refusal must not undo the schema. Several collectors may do so at once.
  /// - Returns: why there is none, as a sentence with the statement that helps; nil where it is there.
  func makeReaderLogin() -> String? {
    do throws(PostgresError) {
      try connection.execute("revoke create on schema public from public")
      var access = try knownLogin()
      if access == nil { access = try newLogin() }
      guard let access else { return try withoutLogin() }
      try grantReading(to: access.role)
      return nil
    } catch {
      return "people's SQL has no login: \(error.message)"
    }
  }

  /// What is left undone because this user is no superuser, as statements for one; nil where nothing is.
  func closeReader() -> String? {
    guard let access = try? readerAccess() else { return nil }
    let role = Connection.quoted(access.role)
    do throws(PostgresError) {
      let settings = try connection.query(
        """
        select rolconnlimit = $2 and rolconfig @> $3, exists (select from unnest(rolconfig) s where s like 'temp_file_limit=%'),
          (select rolsuper from pg_roles where rolname = current_user)
        from pg_roles where rolname = $1
        """,
        [.text(access.role), .int4(Int32(ReaderRole.connectionsMax)), .texts(ReaderRole.configuration)])
      let isSuperuser = settings.bool(0, 2) == true
      if settings.bool(0, 0) != true { try connection.execute(ReaderRole.alterStatements(role)) }
      if isSuperuser {
        if settings.bool(0, 1) != true { try connection.execute(ReaderRole.limitStatement(role)) }
        try connection.execute(ReaderRole.closing)
      }
      return isSuperuser || settings.bool(0, 1) == true ? nil : "\(ReaderRole.limitStatement(role))"
    } catch {
      // Another collector may be changing the same role; it sets the same.
      return error.sqlState == "XX000" ? nil : error.message
    }
  }

  /// The login that this database has noted.
  func readerAccess() throws(PostgresError) -> ReaderAccess? {
    let rows = try connection.query("select role, password from signalbox.reader_access limit 1")
    return rows.text(0, 0).map { ReaderAccess(role: $0, password: rows.text(0, 1) ?? "") }
  }

  /// The noted login, with a new password where the noted one is wrong: a dump restored on another server brings the note along.
  private func knownLogin() throws(PostgresError) -> ReaderAccess? {
    guard var access = try readerAccess() else { return nil }
    guard try connection.query("select from pg_roles where rolname = $1", [.text(access.role)]).count == 1 else {
      _ = try connection.query("delete from signalbox.reader_access")
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
      _ = try connection.query("delete from signalbox.reader_access")
      return nil
    }
    try note(access)
    return access
  }

  private func newLogin() throws(PostgresError) -> ReaderAccess? {
    let database = try connection.query("select oid::int8 from pg_database where datname = current_database()").int(
      0, 0)
    for role in [ReaderRole.name, ReaderRole.ownName(databaseOID: database ?? 0)] {
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
      try note(access)
      return access
    }
    return nil
  }

  /// A role of that name may have been made by hand, with a password that only people know.
  private func withoutLogin() throws(PostgresError) -> String {
    guard try connection.query("select from pg_roles where rolname = $1", [.text(ReaderRole.name)]).count == 1 else {
      return "signalbox query has no login, because this user may not make roles; as a superuser run: "
        + "\(ReaderRole.creationStatement); then start the collector again, and give people "
        + "--reader-database postgresql://\(ReaderRole.name):PASSWORD@HOST/DATABASE"
    }
    try grantReading(to: ReaderRole.name)
    return "signalbox query needs --reader-database postgresql://\(ReaderRole.name):PASSWORD@HOST/DATABASE "
      + "(or $SIGNALBOX_READER_URL): the role was not made by this collector, which does not know its password"
  }

  private func note(_ access: ReaderAccess) throws(PostgresError) {
    _ = try connection.query(
      """
      with gone as (delete from signalbox.reader_access where role <> $1)
      insert into signalbox.reader_access (role, password) values ($1, $2)
      on conflict (role) do update set password = excluded.password
      """, [.text(access.role), .text(access.password)])
  }

  /// The views and nothing else. Who asks a continuous aggregate through a view must also be allowed to read the aggregate itself
  /// (TimescaleDB's cagg_watermark checks the asking role); without USAGE on the schema it cannot be named, though.
  private func grantReading(to role: String) throws(PostgresError) {
    let role = Connection.quoted(role)
    let views = PublicViews.all.map { "public.\($0)" }
    let aggregates = capability == .community ? AggregateTable.all.map { "signalbox.\($0.name)" } : []
    let database = Connection.quoted(try connection.query("select current_database()").text(0, 0) ?? "")
    try connection.execute(
      """
      revoke create, temporary on database \(database) from public;
      grant connect on database \(database) to \(role);
      grant usage on schema public to \(role);
      grant select on \((views + aggregates).joined(separator: ", ")) to \(role);
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
