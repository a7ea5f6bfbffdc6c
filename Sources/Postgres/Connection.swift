internal import CLibPQ
internal import Glibc

/// Time limits of one connection, in ms; 0 = no limit.
package struct ConnectionOptions: Sendable {
  /// Shown in pg_stat_activity and in the server's log.
  package var applicationName = "signalbox"
  package var connectTimeoutMs = 5_000
  /// For one answer of the server, kept by the client: also a stopped server is noticed. Should exceed `statementTimeoutMs`.
  package var answerTimeoutMs = 60_000
  package var statementTimeoutMs = 0
  package var lockTimeoutMs = 0
  package var idleInTransactionTimeoutMs = 0
  /// SET commands of the session, name and value.
  package var settings: [String: String] = [:]

  package init() {}
}

/// One connection to PostgreSQL, through libpq.
///
/// Why blocking with deadlines: each writer has its own thread, and nothing else waits on it. Confined to one thread at a
/// time; not Sendable. After a lost connection every call throws until a new one is opened.
@safe package final class Connection {
  /// nil once closed. Read by this type's extensions only.
  private(set) var handle: OpaquePointer?
  package let options: ConnectionOptions
  /// Test support: called before each statement, may throw what the server would.
  package var failurePoint: ((_ statement: String) throws(PostgresError) -> Void)?
  /// Names of prepared statements by their texts; nil where the server does not keep them.
  private var statements: [String: String]? = [:]
  /// Texts are constants of the program: so many there never are.
  private static let statementsMax = 100

  package init(_ url: DatabaseURL, options: ConnectionOptions = ConnectionOptions()) throws(PostgresError) {
    self.options = options
    var settings = url.settings
    settings["client_encoding"] = "UTF8"
    if settings["connect_timeout"] == nil, options.connectTimeoutMs > 0 {
      // Whole seconds; libpq takes at least two.
      settings["connect_timeout"] = String(max(2, (options.connectTimeoutMs + 999) / 1000))
    }
    if settings["application_name"] == nil { settings["application_name"] = options.applicationName }
    // Over TCP a dead peer is noticed by the kernel; ignored on Unix sockets.
    for (name, value) in Self.peerLimits where settings[name] == nil { settings[name] = value }
    unsafe handle = Self.connect(settings)
    guard unsafe PQstatus(handle) == CONNECTION_OK else {
      let error = connectionError("connect to \(url)")
      close()
      throw error
    }
    unsafe PQsetNoticeProcessor(handle, { _, _ in }, nil)
    unsafe PQsetnonblocking(handle, 1)
    try applySettings()
  }

  deinit { unsafe PQfinish(handle) }

  private static func connect(_ settings: [String: String]) -> OpaquePointer? {
    // libpq copies names and values; both arrays end with NULL and live for the call.
    var names = unsafe settings.keys.map { unsafe strdup($0) }
    var values = unsafe settings.values.map { unsafe strdup($0) }
    unsafe names.append(nil)
    unsafe values.append(nil)
    defer { unsafe (names + values).forEach { unsafe free($0) } }
    return unsafe names.map { unsafe UnsafePointer($0) }.withUnsafeBufferPointer { names in
      unsafe values.map { unsafe UnsafePointer($0) }.withUnsafeBufferPointer { values in
        unsafe PQconnectdbParams(names.baseAddress, values.baseAddress, 0)
      }
    }
  }

  /// A server whose machine has gone is given up after 15 s instead of the kernel's 15 minutes, so that the next one is tried.
  private static let peerLimits = [
    "keepalives_idle": "5", "keepalives_interval": "3", "keepalives_count": "3", "tcp_user_timeout": "15000",
  ]

  /// All in one statement: each one more is a round trip at every start of a command.
  private func applySettings() throws(PostgresError) {
    var settings = options.settings
    if options.statementTimeoutMs > 0 { settings["statement_timeout"] = String(options.statementTimeoutMs) }
    if options.lockTimeoutMs > 0 { settings["lock_timeout"] = String(options.lockTimeoutMs) }
    if options.idleInTransactionTimeoutMs > 0 {
      settings["idle_in_transaction_session_timeout"] = String(options.idleInTransactionTimeoutMs)
    }
    if settings.isEmpty { return }
    let pairs = settings.sorted { $0.key < $1.key }
    let calls = pairs.indices.map { "set_config($\(2 * $0 + 1), $\(2 * $0 + 2), false)" }
    _ = try query(
      "select " + calls.joined(separator: ", "), pairs.flatMap { [.text($0.key), .text($0.value)] as [Parameter] })
  }

  package func close() {
    unsafe PQfinish(handle)
    unsafe handle = nil
  }

  package var isOpen: Bool { unsafe handle != nil && PQstatus(handle) == CONNECTION_OK }

  /// In a transaction block, also a failed one.
  package var isInTransaction: Bool {
    let status = unsafe PQtransactionStatus(handle)
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR
  }

  /// 150004 for 15.4.
  package var serverVersion: Int { Int(unsafe PQserverVersion(handle)) }

  /// Process of the server's backend; for pg_terminate_backend.
  package var backendPID: Int32 { unsafe PQbackendPID(handle) }

  // MARK: Statements

  /// Runs one or several statements without parameters, one implicit transaction if there are several.
  package func execute(_ sql: String) throws(PostgresError) {
    try execute(sql, as: sql)
  }

  /// - Parameter name: the failure point's name.
  private func execute(_ sql: String, as name: String) throws(PostgresError) {
    try before(name)
    guard unsafe PQsendQuery(handle, sql) == 1 else { throw connectionError(Self.summary(sql)) }
    let result = unsafe try finish(Self.summary(name))
    unsafe PQclear(result)
  }

  /// Runs one statement with typed parameters; numbers come back in binary.
  package func query(_ sql: String, _ parameters: [Parameter] = []) throws(PostgresError) -> Rows {
    try send(sql, parameters, binary: true)
    return try answer(sql)
  }

  /// As `query`, for repeated statements: the server parses and plans each text once. That is much of what a small commit costs
  /// it (docs/benchmarks.md, (e)).
  ///
  /// Behind a pooler that hands out another backend for each transaction a statement may be unknown: that one error is `isRetryable`, and
  /// this connection prepares nothing from then on; neither where a changed table (0A000) makes its result another.
  package func queryPrepared(_ sql: String, _ parameters: [Parameter]) throws(PostgresError) -> Rows {
    guard let known = statements, known[sql] != nil || known.count < Self.statementsMax else {
      return try query(sql, parameters)
    }
    do throws(PostgresError) {
      let name = if let name = known[sql] { name } else { try prepare(sql, parameters) }
      try send(sql, parameters, binary: true, statement: name)
      return try answer(sql)
    } catch {
      if error.isAboutPreparing || error.sqlState == "0A000" { statements = nil }
      throw error
    }
  }

  private func prepare(_ sql: String, _ parameters: [Parameter]) throws(PostgresError) -> String {
    let name = "signalbox_\(statements?.count ?? 0)"
    let types = parameters.map { Oid($0.oid) }
    guard unsafe handle != nil, unsafe PQsendPrepare(handle, name, sql, Int32(types.count), types) == 1 else {
      throw connectionError(Self.summary(sql))
    }
    let result = unsafe try finish(Self.summary(sql))
    unsafe PQclear(result)
    statements?[sql] = name
    return name
  }

  /// As `query`, but every value comes back as the server's text: for statements whose types are not known.
  package func queryText(_ sql: String, _ parameters: [Parameter] = []) throws(PostgresError) -> Rows {
    try send(sql, parameters, binary: false)
    return try answer(sql)
  }

  /// The whole answer of a statement that was sent.
  private func answer(_ sql: String) throws(PostgresError) -> Rows {
    let result = unsafe try finish(Self.summary(sql))
    let status = unsafe PQresultStatus(result)
    guard status == PGRES_COPY_IN || status == PGRES_COPY_OUT else { return unsafe Rows(adopting: result) }
    unsafe PQclear(result)
    throw refuseCopy(Self.summary(sql))
  }

  /// A COPY that is neither fed nor read would leave the connection in its middle.
  func refuseCopy(_ doing: String) -> PostgresError {
    close()
    return PostgresError(sqlState: "42601", message: "COPY gives no rows here; write a SELECT", doing: doing)
  }

  /// Runs `body` in a transaction and commits; any error rolls back.
  ///
  /// Where COMMIT itself loses the connection its effect is unknown: `PostgresError.isConnectionLost`.
  package func transaction<Result, Failure: Error>(
    mapping failure: (PostgresError) -> Failure, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    do throws(PostgresError) { try execute("begin") } catch { throw failure(error) }
    let result: Result
    do throws(Failure) {
      result = try body()
    } catch {
      rollback()
      throw error
    }
    do throws(PostgresError) {
      try execute(commitStatement, as: "commit")
    } catch {
      rollback()
      throw failure(error)
    }
    return result
  }

  /// Without a time limit: PostgreSQL ends the wait for a synchronous standby by committing here alone and answering with
  /// success, so a limit would acknowledge what the standby does not have. The client's own limit makes it an unknown result.
  /// (Each statement of one string has its own timer since PostgreSQL 13.)
  private var commitStatement: String {
    options.statementTimeoutMs > 0 ? "set local statement_timeout = 0; commit" : "commit"
  }

  package func transaction<Result>(_ body: () throws(PostgresError) -> Result) throws(PostgresError) -> Result {
    try transaction(mapping: { $0 }, body)
  }

  /// Never throws: after a lost connection there is nothing to roll back.
  package func rollback() {
    guard isOpen, isInTransaction else { return }
    let point = failurePoint
    failurePoint = nil
    do throws(PostgresError) { try execute("rollback") } catch { close() }
    failurePoint = point
  }

  func send(
    _ sql: String, _ parameters: [Parameter], binary: Bool, statement: String? = nil
  ) throws(PostgresError) {
    try before(sql)
    var bytes: [UInt8] = []
    var places: [Int?] = []
    var lengths: [Int32] = []
    for parameter in parameters {
      let start = bytes.count
      let isPresent = parameter.encode(into: &bytes)
      places.append(isPresent ? start : nil)
      lengths.append(Int32(bytes.count - start))
      if parameter.isTextFormat { bytes.append(0) }
    }
    bytes.append(0)
    let types = parameters.map { Oid($0.oid) }
    let formats = parameters.map { Int32($0.isTextFormat ? 0 : 1) }
    let handle = unsafe self.handle
    // libpq copies the values into its buffer before it returns; `places` lie inside `bytes`.
    let sent = unsafe bytes.withUnsafeBytes { memory in
      let values = unsafe places.map { place in
        unsafe place.map { unsafe memory.baseAddress!.advanced(by: $0).assumingMemoryBound(to: CChar.self) }
      }
      if let statement {
        return unsafe PQsendQueryPrepared(
          handle, statement, Int32(parameters.count), values, lengths, formats, binary ? 1 : 0)
      }
      return unsafe PQsendQueryParams(
        handle, sql, Int32(parameters.count), types, values, lengths, formats, binary ? 1 : 0)
    }
    if sent != 1 { throw connectionError(Self.summary(sql)) }
  }

  private func before(_ sql: String) throws(PostgresError) {
    guard unsafe handle != nil else { throw .connectionLost("the connection is closed", doing: Self.summary(sql)) }
    if let failurePoint { try failurePoint(sql) }
  }

  /// Waits for the whole answer and returns its last result.
  /// - Throws: the first error of the answer; the connection can be used again unless it is lost.
  private func finish(_ doing: String) throws(PostgresError) -> OpaquePointer {
    try flush(doing)
    var last: OpaquePointer?
    var failure: PostgresError?
    while let result = unsafe try nextResult(doing) {
      let status = unsafe PQresultStatus(result)
      if status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR {
        if failure == nil { failure = unsafe resultError(result, doing) }
      }
      if let last = unsafe last { unsafe PQclear(last) }
      unsafe last = result
      // A COPY that gets no data would never end the answer.
      if status == PGRES_COPY_IN || status == PGRES_COPY_OUT { break }
    }
    if let failure {
      unsafe PQclear(last)
      throw failure
    }
    guard let last = unsafe last else { throw connectionError(doing) }
    return unsafe last
  }

  func startCopy(_ sql: String, doing: String) throws(PostgresError) {
    try before(sql)
    guard unsafe PQsendQuery(handle, sql) == 1 else { throw connectionError(doing) }
    let result = unsafe try finish(doing)
    let status = unsafe PQresultStatus(result)
    unsafe PQclear(result)
    if status != PGRES_COPY_IN {
      throw PostgresError(sqlState: "0A000", message: "the server did not start a COPY", doing: doing)
    }
  }

  func endCopy(doing: String) throws(PostgresError) -> Int {
    while true {
      let done = unsafe PQputCopyEnd(handle, nil)
      if done == 1 { break }
      if done < 0 { throw connectionError(doing) }
      try wait(forWriting: true, doing)
    }
    let rows = unsafe Rows(adopting: unsafe try finish(doing))
    return rows.affected
  }

  /// Sends one piece of a COPY.
  func putCopy(_ memory: UnsafeRawBufferPointer, doing: String) throws(PostgresError) {
    let start = unsafe memory.baseAddress?.assumingMemoryBound(to: CChar.self)
    while true {
      // Valid for the call; libpq copies it.
      let done = unsafe PQputCopyData(handle, start, Int32(memory.count))
      // Else libpq would keep all that a slower server has not taken yet, and move it to and fro at each piece.
      if done == 1 { return try flush(doing) }
      if done < 0 { throw connectionError(doing) }
      try wait(forWriting: true, doing)
    }
  }

  // MARK: Waiting

  func flush(_ doing: String) throws(PostgresError) {
    while true {
      let left = unsafe PQflush(handle)
      if left == 0 { return }
      if left < 0 { throw connectionError(doing) }
      try wait(forWriting: true, doing)
    }
  }

  func nextResult(_ doing: String) throws(PostgresError) -> OpaquePointer? {
    while unsafe PQisBusy(handle) == 1 {
      try wait(forWriting: false, doing)
      if unsafe PQconsumeInput(handle) != 1 { throw connectionError(doing) }
    }
    return unsafe PQgetResult(handle)
  }

  /// Waits for the socket; while writing, input is read too, or both sides could wait for each other.
  private func wait(forWriting: Bool, _ doing: String) throws(PostgresError) {
    let limit = options.answerTimeoutMs
    switch Poll.wait(unsafe PQsocket(handle), reading: true, writing: forWriting, timeoutMs: limit) {
    case .ready(let readable):
      if forWriting, readable, unsafe PQconsumeInput(handle) != 1 { throw connectionError(doing) }
    case .timedOut:
      close()
      throw .connectionLost("the database did not answer within \(limit) ms", doing: doing)
    case .failed(let message):
      close()
      throw .connectionLost(message, doing: doing)
    }
  }

  // MARK: Notifications

  /// Readable when a notification may have come; for epoll beside other descriptors. -1 once closed.
  package var pollDescriptor: Int32 { unsafe PQsocket(handle) }

  package func listen(_ channel: String) throws(PostgresError) { try execute("listen \(Self.quoted(channel))") }

  /// What has been notified; never waits.
  package func notifications() throws(PostgresError) -> [(channel: String, payload: String)] {
    guard unsafe handle != nil, unsafe PQconsumeInput(handle) == 1 else { throw connectionError("read notifications") }
    var notifications: [(channel: String, payload: String)] = []
    while let notification = unsafe PQnotifies(handle) {
      // Owned by us; freed after copying.
      unsafe notifications.append(
        (String(cString: notification.pointee.relname), String(cString: notification.pointee.extra)))
      unsafe PQfreemem(notification)
    }
    return notifications
  }

  /// Waits until a notification came or the time is over.
  package func awaitNotifications(timeoutMs: Int) throws(PostgresError) -> [(channel: String, payload: String)] {
    let pending = try notifications()
    if !pending.isEmpty { return pending }
    _ = Poll.wait(pollDescriptor, reading: true, writing: false, timeoutMs: timeoutMs)
    return try notifications()
  }

  // MARK: Names and errors

  /// An SQL identifier in quotes.
  package static func quoted(_ identifier: String) -> String {
    "\""
      + identifier.filter { $0 != "\0" }.split(separator: "\"", omittingEmptySubsequences: false).joined(
        separator: "\"\"")
      + "\""
  }

  /// The beginning of a statement, for messages: statements hold no values, those are parameters.
  static func summary(_ sql: String) -> String {
    // By bytes: this runs for every statement, and Unicode's idea of white space costs more than the rest of it.
    var words: [UInt8] = []
    for byte in sql.utf8 {
      if words.count >= 60 { break }
      if byte > 0x20 { words.append(byte) } else if let last = words.last, last != 0x20 { words.append(0x20) }
    }
    return "run \"" + String(decoding: words, as: UTF8.self) + "\""
  }

  func connectionError(_ doing: String) -> PostgresError {
    guard let text = unsafe PQerrorMessage(handle) else {
      return .connectionLost("the connection is closed", doing: doing)
    }
    return .connectionLost(Self.message(unsafe String(cString: text)), doing: doing)
  }

  /// libpq's message as one line: a line for each address that was tried, without its indented guesses at the cause.
  static func message(_ text: String) -> String {
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("\t") && !$0.allSatisfy { $0 == " " } }
    return lines.isEmpty ? "the connection is lost" : lines.prefix(addressesNamedMax).joined(separator: "; ")
  }

  /// Hosts of one URL whose failures are named; more would not be one sentence.
  private static let addressesNamedMax = 4

  func resultError(_ result: OpaquePointer, _ doing: String) -> PostgresError {
    func field(_ code: Int32) -> String? { unsafe PQresultErrorField(result, code).map { unsafe String(cString: $0) } }
    guard let state = field(Int32(UInt8(ascii: "C"))) else { return connectionError(doing) }
    return PostgresError(sqlState: state, message: field(Int32(UInt8(ascii: "M"))) ?? "", doing: doing)
  }
}
