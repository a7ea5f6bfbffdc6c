/// A login that only reads, and what it may read. Its rights are the wall; the settings are for people who mean no harm.
struct ReaderRole {
  /// The usual name; where another database of the server has taken it, that of `ownName` is used.
  let name: String
  /// Of whom, as `reader_access` notes it.
  let purpose: String
  /// Whose login it is, in sentences.
  let owner: String
  /// The option by which a login that was made by hand is given.
  let option: String
  /// At once. The private server takes 40 connections, of which a collector with 8 writers holds 13.
  let connectionsMax: Int

  /// For people's SQL: the documented views and nothing else.
  static let people = ReaderRole(
    name: "signalbox_reader", purpose: "people", owner: "people's SQL",
    option: "--reader-database (or $SIGNALBOX_READER_URL)", connectionsMax: 10)

  /// For what the console's pages and API read: the tables too, but no secret.
  static let console = ReaderRole(
    name: "signalbox_console", purpose: "console", owner: "the console",
    option: "--reader-database of signalbox-console", connectionsMax: 20)

  static let all = [people, console]

  /// Roles belong to the whole server: with the database's number in its name a login is this database's alone.
  func ownName(databaseOID: Int64) -> String { "\(name)_\(databaseOID)" }

  /// A session that did not ask for less; `signalbox query --timeout` takes up to an hour.
  static let timeLimit = "30s"

  /// After this, housekeeping ends a session in its transaction whatever it has set: an hour is the longest `--timeout`, and a
  /// transaction keeps retention from dropping partitions.
  static let transactionMax = "61 minutes"

  /// In a transaction without a statement.
  static let idleMax = "60s"

  /// What one session may write to temporary files: sorting a day of one host needs tens of MB.
  static let temporaryFiles = "1GB"

  /// Settings of the role, by name; all may be set by who may alter the role.
  static let settings: [(name: String, value: String)] = [
    ("statement_timeout", timeLimit), ("lock_timeout", "5s"), ("idle_in_transaction_session_timeout", idleMax),
    ("default_transaction_read_only", "on"), ("search_path", "public"),
    // A command that was killed must not leave its question to the server.
    ("client_connection_check_interval", "1s"),
  ]

  /// As pg_roles.rolconfig has them.
  static var configuration: [String] { settings.map { "\($0.name)=\($0.value)" } }

  func alterStatements(_ role: String) -> String {
    "alter role \(role) connection limit \(connectionsMax);\n"
      + Self.settings.map { "alter role \(role) set \($0.name) = '\($0.value)';\n" }.joined()
  }

  /// What only a superuser may set.
  static func limitStatement(_ role: String) -> String {
    "alter role \(role) set temp_file_limit = '\(temporaryFiles)'"
  }

  /// What an owner without the right to make roles asks of a superuser, as one line that can be pasted.
  var creationStatement: String {
    "CREATE ROLE \(name) LOGIN NOINHERIT CONNECTION LIMIT \(connectionsMax) PASSWORD 'choose one'"
  }

  /// Tables of which the console's login sees the columns that are no secret, or nothing.
  private static let secrets = [
    "credentials": [
      "id", "kind", "name", "role", "created", "created_by", "expires", "last_used", "ended", "ended_by",
    ],
    "join_tokens": [
      "id", "host_name", "created", "created_by", "expires", "uses_max", "labels", "replaces", "withdrawn",
      "withdrawn_by",
    ],
    "join_redemptions": ["token", "host", "redeemed"], "reader_access": [], "receiver_secrets": [], "signing_keys": [],
  ]

  /// - Parameters:
  ///   - role: quoted.
  ///   - aggregates: the database's continuous aggregates. Who asks one through a view must also be allowed to read the aggregate itself
  ///     (TimescaleDB's cagg_watermark checks the asking role); without USAGE on the schema it cannot be named, though.
  func grants(to role: String, aggregates: [String]) -> String {
    let views = PublicViews.all.map { "public.\($0)" }
    let reading = "grant select on \((views + aggregates).joined(separator: ", ")) to \(role);"
    guard purpose == Self.console.purpose else { return reading }
    let closed = Self.secrets.sorted { $0.key < $1.key }.map { table, columns in
      "revoke select on signalbox.\(table) from \(role);"
        + (columns.isEmpty ? "" : "grant select (\(columns.joined(separator: ", "))) on signalbox.\(table) to \(role);")
    }
    return reading + """
      grant usage on schema signalbox to \(role);
      grant select on all tables in schema signalbox to \(role);
      """ + closed.joined()
  }

  /// Functions that every role may call by default, by patterns of LIKE, and that do more than read: they hold locks, wake
  /// listeners, write large objects or log records, end other people's sessions, or add jobs.
  private static let closedFunctions = [
    "pg\\_advisory\\_%", "pg\\_try\\_advisory\\_%", "lo\\_%", "lowrite", "loread", "pg\\_notify",
    "pg\\_logical\\_emit\\_message", "pg\\_terminate\\_backend", "pg\\_cancel\\_backend", "add\\_job", "alter\\_job",
    "delete\\_job", "run\\_job",
  ]

  /// For a superuser: the reader has these rights only as every role has them, and no other role uses this database. Without plpgsql
  /// there are no DO blocks, in which a single statement could be any number of them.
  static let closing = """
    do $closing$
    declare
      closed record;
    begin
      for closed in
        select p.oid::regprocedure as call from pg_proc p
        where p.proname like any (array['\(closedFunctions.joined(separator: "', '"))'])
          and p.prokind in ('f', 'p') and has_function_privilege('public', p.oid, 'execute')
      loop
        execute format('revoke execute on routine %s from public', closed.call);
      end loop;
      if has_language_privilege('public', 'plpgsql', 'usage') then
        revoke usage on language plpgsql from public;
      end if;
    end $closing$
    """

  /// The same on one line, to be pasted.
  static var closingOneLine: String { closing.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
}
