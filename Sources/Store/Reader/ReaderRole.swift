/// What the login for people's SQL is and may do. Its rights are the wall; the settings are for people who mean no harm.
enum ReaderRole {
  /// The usual name; where another database of the server has taken it, that of `ownName` is used.
  static let name = "signalbox_reader"

  /// Roles belong to the whole server: with the database's number in its name a login is this database's alone.
  static func ownName(databaseOID: Int64) -> String { "\(name)_\(databaseOID)" }

  /// People's queries at once. The private server takes 40 connections, of which a collector with 8 writers holds 13.
  static let connectionsMax = 10

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

  static func alterStatements(_ role: String) -> String {
    "alter role \(role) connection limit \(connectionsMax);\n"
      + settings.map { "alter role \(role) set \($0.name) = '\($0.value)';\n" }.joined()
  }

  /// What only a superuser may set.
  static func limitStatement(_ role: String) -> String {
    "alter role \(role) set temp_file_limit = '\(temporaryFiles)'"
  }

  /// What an owner without the right to make roles asks of a superuser, as one line that can be pasted.
  static var creationStatement: String {
    "CREATE ROLE \(name) LOGIN NOINHERIT CONNECTION LIMIT \(connectionsMax) PASSWORD 'choose one'"
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
