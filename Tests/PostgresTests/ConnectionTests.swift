@testable import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct ConnectionTests {
  @Test func parametersOfEveryTypeComeBackAsTheyWere() throws {
    let connection = try TestDatabase().connectKeeping()
    let rows = try connection.connection.query(
      """
      select $1::bool, $2::int2, $3::int4, $4::int8, $5::float8, $6::text, $7::bytea, $8::uuid, $9::timestamptz, $10::text,
        array_to_string($11::int4[], ','), array_to_string($12::int8[], ','), array_to_string($13::text[], '|'),
        array_to_string($14::float8[], ',', 'null'), cardinality($15::uuid[]), array_to_string($16::int2[], ','),
        array_to_string($17::bool[], ','), extract(epoch from ($18::timestamptz[])[1])::int8,
        array_to_string($19::bytea[], '|')
      """,
      [
        .bool(true), .int2(-2), .int4(.min), .int8(.max), .float8(-0.5), .text("a\0b ü"), .bytes([0, 255]),
        .uuid(high: 1, low: .max), .time(us: 1_790_000_000_123_456), .null, .int4s([1, -2]), .int8s([]),
        .texts(["", "x,\"y"]),
        .float8s([1.5, nil]), .uuids([(1, 2)]), .int2s([7]), .bools([true, false]), .times(us: [0, nil]),
        .byteStrings([[0, 255], []]),
      ])
    #expect(rows.count == 1 && rows.columnCount == 19)
    #expect(rows.bool(0, 0) == true && rows.int(0, 1) == -2 && rows.int(0, 2) == Int64(Int32.min))
    #expect(rows.int(0, 3) == .max && rows.double(0, 4) == -0.5 && rows.text(0, 5) == "a\u{fffd}b ü")
    #expect(rows.bytes(0, 6) == [0, 255])
    #expect(rows.uuid(0, 7)?.high == 1 && rows.uuid(0, 7)?.low == .max)
    #expect(rows.timeUs(0, 8) == 1_790_000_000_123_456)
    #expect(rows.isNull(0, 9) && rows.text(0, 9) == nil && rows.int(0, 9) == nil)
    #expect(rows.text(0, 10) == "1,-2" && rows.text(0, 11) == "" && rows.text(0, 12) == "|x,\"y")
    #expect(rows.text(0, 13) == "1.5,null" && rows.int(0, 14) == 1 && rows.text(0, 15) == "7")
    #expect(rows.text(0, 16) == "t,f" && rows.int(0, 17) == 0)
    #expect(rows.text(0, 18) == #"\x00ff|\x"#)
  }

  @Test func statementsTextValuesAndRowCounts() throws {
    let database = try TestDatabase()
    let connection = try database.connect()
    try connection.execute("create table t (a int); insert into t values (1), (2)")
    #expect(try connection.query("update t set a = a + 1").affected == 2)
    let rows = try connection.queryText("select a, now() is not null as b, 1.50 from t order by a")
    #expect(rows.columnNames == ["a", "b", "?column?"])
    #expect(rows.text(1, 0) == "3" && rows.text(0, 1) == "t" && rows.text(0, 2) == "1.50")
    #expect(rows.columnType(0) == 23)
  }

  @Test func whatIsPreparedIsParsedOnceAndForgottenStatementsCostOneRetry() throws {
    let connection = try TestDatabase().connectKeeping().connection
    func sum(_ values: [Int32]) throws -> Int64? {
      try connection.queryPrepared("select sum(v) from unnest($1::int4[]) as v", [.int4s(values)]).int(0, 0)
    }
    func prepared() throws -> Int64? { try connection.query("select count(*) from pg_prepared_statements").int(0, 0) }
    for last in 1...20 as ClosedRange<Int32> { #expect(try sum([1, last]) == Int64(1 + last)) }
    #expect(try prepared() == 1)
    // As if a pooler had handed out another backend.
    try connection.execute("deallocate all")
    let error = #expect(throws: PostgresError.self) { _ = try sum([1]) }
    #expect(error?.sqlState == "26000" && error?.isRetryable == true && error?.isConnectionLost == false)
    #expect(try sum([2, 3]) == 5)
    #expect(try prepared() == 0)
  }

  @Test func aPreparedStatementWhoseTableChangedCostsOneRetry() throws {
    let connection = try TestDatabase().connectKeeping().connection
    try connection.execute("create table t (a text); insert into t values ('seven')")
    func first() throws -> Rows { try connection.queryPrepared("select * from t", []) }
    #expect(try first().text(0, 0) == "seven")
    try connection.execute("alter table t alter a type int using 7")
    #expect(throws: PostgresError.self) { _ = try first() }
    #expect(try first().int(0, 0) == 7)
  }

  @Test func aMistakeInAPreparedStatementIsItsOwn() throws {
    let connection = try TestDatabase().connectKeeping().connection
    let error = #expect(throws: PostgresError.self) { _ = try connection.queryPrepared("selec", []) }
    #expect(error?.sqlState == "42601")
    for number in 0..<150 { #expect(try connection.queryPrepared("select \(number)", []).int(0, 0) == Int64(number)) }
    #expect(try connection.query("select count(*) from pg_prepared_statements").int(0, 0) == 100)
  }

  @Test func errorsCarryTheirStateAndTheConnectionGoesOn() throws {
    let database = try TestDatabase()
    let connection = try database.connect()
    let cases = [
      ("select 1/0", "22012"), ("selec", "42601"), ("select 'x'::int", "22P02"), ("select * from nowhere", "42P01"),
    ]
    for (statement, state) in cases {
      let error = #expect(throws: PostgresError.self) { _ = try connection.query(statement) }
      #expect(error?.sqlState == state)
    }
    #expect(try connection.query("select 1").int(0, 0) == 1)
  }

  @Test(arguments: [
    ("", true, true, false), ("08006", true, true, false), ("57P01", true, true, false), ("40001", false, true, false),
    ("53100", false, true, false), ("57014", false, true, false), ("55P03", false, true, false),
    ("22021", false, false, true), ("23505", false, false, true), ("42501", false, false, false),
    ("54000", false, false, true), ("21000", false, false, true), ("P0001", false, false, true),
    // A plan that is out of date: the same statement goes through once it is prepared anew.
    ("0A000", false, false, false), ("XX000", false, false, false),
  ])
  func statesFallIntoTheirClasses(_ state: String, _ isLost: Bool, _ isRetryable: Bool, _ isRefusal: Bool) {
    let error = PostgresError(sqlState: state, message: "m", doing: "d")
    #expect(error.isConnectionLost == isLost)
    #expect(error.isRetryable == isRetryable)
    #expect(error.isRefusal == isRefusal)
  }

  @Test func transactionIsRolledBackByAnErrorAndCommittedWithoutOne() throws {
    let database = try TestDatabase()
    let connection = try database.connect()
    try connection.execute("create table t (a int primary key)")
    #expect(throws: PostgresError.self) {
      try connection.transaction { () throws(PostgresError) in
        _ = try connection.query("insert into t values (1)")
        _ = try connection.query("insert into t values (1)")
      }
    }
    #expect(!connection.isInTransaction)
    try connection.transaction { () throws(PostgresError) in _ = try connection.query("insert into t values (2)") }
    #expect(try connection.queryText("select string_agg(a::text, ',') from t").text(0, 0) == "2")
  }

  @Test func killedConnectionIsLostAndStaysSo() throws {
    let database = try TestDatabase()
    let connection = try database.connect()
    let admin = try database.connectToServer()
    _ = try admin.query("select pg_terminate_backend($1, 5000)", [.int4(connection.backendPID)])
    for _ in 0..<2 {
      let error = #expect(throws: PostgresError.self) { try connection.execute("select 1") }
      #expect(error?.isConnectionLost == true)
    }
    #expect(!connection.isOpen)
  }

  @Test func serverThatDoesNotAnswerIsGivenUp() throws {
    let database = try TestDatabase()
    var options = ConnectionOptions()
    options.answerTimeoutMs = 100
    let connection = try database.connect(options)
    let error = #expect(throws: PostgresError.self) { _ = try connection.query("select pg_sleep(20)") }
    #expect(error?.isConnectionLost == true)
    #expect(error?.message.contains("100 ms") == true)
  }

  @Test func timeLimitsOfTheSessionAreSet() throws {
    let database = try TestDatabase()
    var options = ConnectionOptions()
    options.statementTimeoutMs = 60
    options.lockTimeoutMs = 70
    options.settings = ["synchronous_commit": "off"]
    let connection = try database.connect(options)
    #expect(try connection.queryText("show lock_timeout").text(0, 0) == "70ms")
    #expect(try connection.queryText("show synchronous_commit").text(0, 0) == "off")
    let error = #expect(throws: PostgresError.self) { _ = try connection.query("select pg_sleep(20)") }
    #expect(error?.sqlState == "57014")
  }

  @Test func notificationsArriveWithTheirPayload() throws {
    let database = try TestDatabase()
    let listener = try database.connect()
    let speaker = try database.connect()
    try listener.listen("odd \"name")
    #expect(try listener.notifications().isEmpty)
    _ = try speaker.query("select pg_notify($1, $2)", [.text("odd \"name"), .text("hello")])
    let told = try listener.awaitNotifications(timeoutMs: 5_000)
    #expect(told.map(\.payload) == ["hello"])
    #expect(listener.pollDescriptor >= 0)
  }

  @Test func wrongAddressIsOneSentenceWithoutThePassword() {
    let url = DatabaseURL(settings: [
      "host": "127.0.0.1", "port": "1", "user": "u", "password": "geheim", "dbname": "d",
    ])
    let error = #expect(throws: PostgresError.self) { _ = try Connection(url) }
    #expect(error?.isConnectionLost == true)
    #expect(error.map { !"\($0)".contains("geheim") && !"\($0)".contains("\n") } == true)
  }
}

extension ConnectionTests {
  /// A message as libpq says it, and the end of the sentence.
  @Test(arguments: [
    (
      "connection to server at \"db\" (10.0.0.1), port 5432 failed: Connection refused\n\tIs the server running on that host?\n",
      "running there"
    ),
    (
      "connection to server on socket \"/x/.s.PGSQL.5432\" failed: No such file or directory\n\tIs the server running locally?\n",
      "running there"
    ),
    (
      "connection to server at \"db\", port 5432 failed: server does not support SSL, but SSL was required\n",
      "switch ssl on"
    ),
    ("connection to server at \"db\", port 5432 failed: SSL error: certificate verify failed\n", "sslrootcert"),
    ("root certificate file \"/r/.postgresql/root.crt\" does not exist\n", "sslrootcert"),
    ("server certificate for \"a\" does not match host name \"b\"\n", "host name that is in"),
    ("connection to server at \"db\", port 5432 failed: SSL error: tlsv1 alert protocol version\n", "sslmode"),
    ("private key file \"k\" has group or world access\n", "0600"),
    ("could not translate host name \"nodb\" to address: Name or service not known\n", "host's name"),
    ("connection to server at \"db\", port 5432 failed: timeout expired\n", "firewall"),
    ("connection to server at \"db\", port 5432 failed: FATAL:  sorry, too many clients already\n", "max_connections"),
    ("FATAL:  remaining connection slots are reserved for superusers\n", "max_connections"),
    ("FATAL:  too many connections for role \"signalbox_reader\"\n", "CONNECTION LIMIT"),
    ("FATAL:  password authentication failed for user \"x\"\n", "user and password"),
    ("FATAL:  role \"x\" is not permitted to log in\n", "ALTER ROLE"),
    ("FATAL:  no pg_hba.conf entry for host \"1\", user \"u\", database \"d\", no encryption\n", "sslmode=require"),
    ("FATAL:  no pg_hba.conf entry for host \"1\", user \"u\", database \"d\", SSL encryption\n", "allow this client"),
    ("connection to server at \"a\", port 5432 failed: session is read-only\n", "primary"),
    ("FATAL:  the database system is starting up\n", "try again"),
    ("received invalid response to SSL negotiation: H\n", "no PostgreSQL"),
    ("FATAL:  database \"x\" does not exist\n", "CREATE DATABASE"), ("something nobody has seen\n", ""),
    ("connection to server on socket \"/x/.s\" failed: FATAL:  could not write init file\n", "disk may be full"),
    ("FATAL:  could not create lock file \"x\": No space left on device\n", "disk is full"),
  ])
  func adviceFitsTheCause(_ words: String, _ part: String) {
    let error = PostgresError.connectionLost(Connection.message(words), doing: "connect")
    #expect(
      part.isEmpty ? error.connectionAdvice.isEmpty : error.connectionAdvice.contains(part), "\(error.withAdvice)")
    #expect(part == "running there" || !error.withAdvice.contains("running there"))
    #expect(!error.withAdvice.contains("\n") && !error.withAdvice.contains("\t"))
  }

  @Test func everyAddressThatWasTriedIsNamed() {
    let text =
      "connection to server at \"a\" failed: Connection refused\n\tIs it running?\nconnection to server at \"b\" failed: session is read-only\n"
    let error = PostgresError.connectionLost(Connection.message(text), doing: "connect")
    #expect(error.message.contains("\"a\" failed") && error.message.contains("\"b\" failed"))
    // What the second says is the cause that can be mended.
    #expect(error.connectionAdvice.contains("primary"))
  }

  @Test func rowsAreHandedOnAsTheyArriveAndCanBeLeft() throws {
    let kept = try TestDatabase().connectKeeping()
    var (count, columns): (Int, [String]) = (0, [])
    try kept.connection.eachRowAsText("select g as n from generate_series(1, 3) g") { (rows) throws(PostgresError) in
      count += rows.count
      columns = rows.columnNames
      return true
    }
    #expect(count == 3 && columns == ["n"])
    #expect(try kept.connection.query("select 1").int(0, 0) == 1)
    let error = #expect(throws: PostgresError.self) {
      try kept.connection.eachRowAsText("select 1/(g-2) from generate_series(1, 3) g") { (_) throws(PostgresError) in
        true
      }
    }
    #expect(error?.sqlState == "22012")
    try kept.connection.eachRowAsText("select g from generate_series(1, 100000000) g") { (_) throws(PostgresError) in
      false
    }
    #expect(!kept.connection.isOpen)
  }

  @Test func copyIsNoQuestion() throws {
    for statement in ["copy (select 1) to stdout", "copy pg_class from stdin"] {
      let kept = try TestDatabase().connectKeeping()
      let error = #expect(throws: PostgresError.self) { _ = try kept.connection.queryText(statement) }
      #expect(error?.sqlState == "42601" || error?.sqlState == "42501", "\(statement)")
    }
  }

  @Test func onlyInitdbsOwnLinesBecomeComments() {
    let text =
      "max_connections = 100\t\t\t# (change requires restart)\nmax_wal_size = 1GB\nmax_wal_size = 8GB\nwork_mem = 4MB\n"
    let include = "include_if_exists = 'signalbox.conf'"
    let once = ServerControl.including(include, text)
    #expect(
      once == include
        + "\n#max_connections = 100\t\t\t# (change requires restart)\n#max_wal_size = 1GB\nmax_wal_size = 8GB\nwork_mem = 4MB\n"
    )
    #expect(ServerControl.including(include, once) == once)
  }
}

/// Keeps the database as long as its connection.
struct KeptConnection {
  let database: TestDatabase
  let connection: Connection
}

extension TestDatabase {
  func connectKeeping() throws -> KeptConnection { KeptConnection(database: self, connection: try connect()) }
}
