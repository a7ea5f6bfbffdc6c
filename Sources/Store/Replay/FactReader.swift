package import FleetModel
package import Postgres

/// Reads the past of hosts in the order of time; confined to one thread.
///
/// Memory does not grow with the length of the past: it is read window by window (so that the server sorts a window, not
/// a week), and within a window page by page.
package final class FactReader {
  private let connection: Connection
  /// What the server sorts at once, in hours of one host: about 100 MB of a table that has a row each ten seconds.
  private static let windowHostHours: Int64 = 3000
  private static let hourNs: Int64 = 3_600_000_000_000

  /// - Parameter timeoutMs: for one statement.
  package init(_ url: DatabaseURL, timeoutMs: Int = 600_000) throws(PostgresError) {
    var options = ConnectionOptions()
    options.applicationName = "signalbox-replay"
    options.statementTimeoutMs = timeoutMs
    options.answerTimeoutMs = timeoutMs + 5000
    options.settings = [
      "timezone": "UTC", "datestyle": "ISO", "jit": "off", "default_transaction_read_only": "on",
      "client_connection_check_interval": "1000",
    ]
    connection = try Connection(url, options: options)
  }

  package func close() { connection.close() }

  /// Hosts that have or had an identity, with their labels of today.
  /// - Parameter names: only these; empty = all.
  package func hosts(named names: [String]) throws(PostgresError) -> [KnownHost] {
    let rows = try connection.query(
      """
      select \(Store.knownHostColumns)
      from signalbox.hosts h left join signalbox.epochs e on e.host = h.number
      where h.host_id is not null and (cardinality($1::text[]) = 0 or h.number in (\(FleetQueries.hosts(ofAll: "$1")))) order by h.number
      """, [.texts(names)])
    return (0..<rows.count).compactMap { rows.knownHost($0) }
  }

  /// Hands on everything of `[sinceNs, untilNs)`, the oldest first. Facts of the same time come as an agent reports them: what
  /// began, samples, what happened, what ended.
  ///
  /// Of a run that was under way before, the word that it runs stands at `sinceNs`, and likewise of an episode.
  package func read(
    hosts: [Int32], sinceNs: Int64, untilNs: Int64, _ body: (StoredFact) -> Void
  ) throws(PostgresError) {
    let hours = min(6, max(1, Self.windowHostHours / Int64(max(1, hosts.count))))
    var startNs = sinceNs
    while startNs < untilNs {
      let endNs = min(untilNs, startNs.addingClamped(hours * Self.hourNs))
      try connection.execute("begin isolation level repeatable read read only")
      defer { connection.rollback() }
      let parameters: [Parameter] = [
        .int4s(hosts), .time(us: startNs / 1000), .time(us: endNs / 1000), .time(us: sinceNs / 1000),
      ]
      try merge(FactSource.all.enumerated().map { ($0.offset, $0.element) }, parameters, body)
      startNs = endNs
    }
  }

  private func merge(
    _ sources: [(number: Int, source: FactSource)], _ parameters: [Parameter], _ body: (StoredFact) -> Void
  ) throws(PostgresError) {
    var cursors: [FactCursor] = []
    for (number, source) in sources {
      cursors.append(try FactCursor(source, name: "facts_\(number)", connection, parameters))
    }
    while true {
      var first: FactCursor?
      for cursor in cursors where cursor.headUs < first?.headUs ?? .max { first = cursor }
      guard let first else { return }
      body(first.head)
      try first.advance()
    }
  }
}

/// One source of facts, read page by page.
private final class FactCursor {
  private let source: FactSource
  private let name: String
  private let connection: Connection
  private var rows: Rows
  private var row = 0
  /// Time of the next fact, µs since 1970; `.max` at the end.
  private(set) var headUs: Int64 = .max

  init(
    _ source: FactSource, name: String, _ connection: Connection, _ parameters: [Parameter]
  ) throws(PostgresError) {
    self.source = source
    self.name = name
    self.connection = connection
    // Each of these stands in every statement, so that all take the same parameters.
    _ = try connection.query("declare \(name) no scroll cursor for \(source.sql)", parameters)
    rows = try Self.page(connection, name, source)
    look()
  }

  var head: StoredFact {
    StoredFact(
      timeNs: PostgresTime.ns(us: headUs), host: Int32(clamping: rows.int(row, source.hostColumn) ?? 0),
      kind: source.decode(rows, row))
  }

  func advance() throws(PostgresError) {
    row += 1
    if row == rows.count, row == source.pageRows {
      rows = try Self.page(connection, name, source)
      row = 0
    }
    look()
  }

  private func look() { headUs = row < rows.count ? rows.timeUs(row, source.timeColumn) ?? .max : .max }

  private static func page(
    _ connection: Connection, _ name: String, _ source: FactSource
  ) throws(PostgresError) -> Rows {
    try connection.query("fetch \(source.pageRows) from \(name)")
  }
}
