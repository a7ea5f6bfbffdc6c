import FleetModel
import Incidents
import Postgres
import Store
import TestSupport

@testable import Simulation

/// The real outbox: a store on a migrated database, whose clock and random ids are the test's.
///
/// Statements that ask the server for the time or for a random id find functions of the same names in a schema before `pg_catalog`.
final class StoredOutbox {
  private let database: TestDatabase
  let store: Store

  init() throws {
    database = try TestDatabase()
    store = try Store.open(database.url, migrating: true)
    try store.connection.execute(
      """
      create schema simulated;
      create sequence simulated.lists;
      create function simulated.clock_timestamp() returns timestamptz language sql volatile as
        $$ select current_setting('simulated.now')::timestamptz $$;
      create function simulated.gen_random_uuid() returns uuid language sql volatile as
        $$ select lpad(to_hex(nextval('simulated.lists')), 32, '0')::uuid $$;
      set search_path = simulated, pg_catalog, public
      """)
  }

  deinit { store.close() }

  /// Takes all incidents, silences and leases away.
  func clear() throws {
    try store.connection.execute(
      """
      truncate signalbox.incidents, signalbox.outbox, signalbox.silences, signalbox.leases restart identity cascade;
      alter sequence simulated.lists restart
      """)
  }

  func setClock(_ nowNs: Int64) throws {
    _ = try store.connection.query(
      "select set_config('simulated.now', $1, false)", [.text(Timestamp.text(nowNs, digits: 6))])
  }

  /// In the format of `OutboxTables`.
  func tables(since startNs: Int64) throws -> OutboxTables {
    var tables = OutboxTables(startNs: startNs)
    let rows = try store.connection.query(
      """
      select incident, change_number, receiver, event, step, message_id, bundle, list, due, next_try, state, attempts, holder,
        fence, settled, case when state = 'delivered' then last_answer else '' end
      from signalbox.outbox order by receiver, number
      """)
    for row in 0..<rows.count {
      tables.addRow(
        incident: rows.int(row, 0), change: rows.int(row, 1), receiver: rows.text(row, 2), event: rows.text(row, 3),
        step: rows.int(row, 4), messageID: rows.text(row, 5), bundle: rows.text(row, 6), list: rows.text(row, 7),
        dueNs: rows.timeNs(row, 8), nextNs: rows.timeNs(row, 9), state: rows.text(row, 10), attempts: rows.int(row, 11),
        holder: rows.text(row, 12), fence: rows.int(row, 13), settledNs: rows.timeNs(row, 14),
        answer: rows.text(row, 15))
    }
    let incidents = try store.connection.query(
      """
      select number, dedup_key, state, change_number, opened, last_event, resolved from signalbox.incidents order by number
      """)
    for row in 0..<incidents.count {
      tables.addIncident(
        number: incidents.int(row, 0), key: incidents.text(row, 1), state: incidents.text(row, 2),
        change: incidents.int(row, 3), openedNs: incidents.timeNs(row, 4), lastEventNs: incidents.timeNs(row, 5),
        resolvedNs: incidents.timeNs(row, 6))
    }
    return tables
  }
}

extension SimulatedOutbox {
  /// In the format of `OutboxTables`.
  func tables(since startNs: Int64) -> OutboxTables {
    var tables = OutboxTables(startNs: startNs)
    for row in rows.sorted(by: { ($0.receiver, $0.number) < ($1.receiver, $1.number) }) {
      tables.addRow(
        incident: row.incident, change: row.change, receiver: row.receiver, event: row.event.rawValue,
        step: Int64(row.step), messageID: row.messageID, bundle: row.bundle, list: row.list, dueNs: row.dueNs,
        nextNs: row.nextNs, state: row.state.rawValue, attempts: Int64(row.attempts), holder: row.holder,
        fence: row.fence, settledNs: row.settledNs, answer: row.answer)
    }
    for incident in incidents {
      tables.addIncident(
        number: incident.number, key: incident.dedupKey, state: incident.state.rawValue, change: incident.change,
        openedNs: incident.openedNs, lastEventNs: incident.lastEventNs, resolvedNs: incident.resolvedNs)
    }
    return tables
  }
}

/// Incidents and rows as text, a line each: what must be the same in both. Rows stand by receiver, and in the order in which they go out there.
struct OutboxTables: Equatable {
  let startNs: Int64
  private(set) var lines: [String] = []

  init(startNs: Int64) { self.startNs = startNs }

  static func == (left: OutboxTables, right: OutboxTables) -> Bool { left.lines == right.lines }

  mutating func addRow(
    incident: Int64?, change: Int64?, receiver: String?, event: String?, step: Int64?, messageID: String?,
    bundle: String?, list: String?, dueNs: Int64?, nextNs: Int64?, state: String?, attempts: Int64?, holder: String?,
    fence: Int64?, settledNs: Int64?, answer: String?
  ) {
    lines.append(
      [
        "row", receiver, event, text(step), "incident", text(incident), "change", text(change), state, "attempts",
        text(attempts), messageID, "bundle", bundle ?? "-", "list", list ?? "-", "due", time(dueNs), "next",
        time(nextNs), "holder", holder ?? "-", "fence", text(fence), "settled", time(settledNs), answer,
      ].map { $0 ?? "-" }.joined(separator: " "))
  }

  mutating func addIncident(
    number: Int64?, key: String?, state: String?, change: Int64?, openedNs: Int64?, lastEventNs: Int64?,
    resolvedNs: Int64?
  ) {
    lines.append(
      [
        "incident", text(number), key ?? "-", state ?? "-", "change", text(change), "opened", time(openedNs), "last",
        time(lastEventNs), "resolved", time(resolvedNs),
      ].joined(separator: " "))
  }

  private func text(_ number: Int64?) -> String { number.map(String.init) ?? "-" }

  /// s since the start.
  private func time(_ ns: Int64?) -> String {
    guard let ns else { return "-" }
    let ms = (ns - startNs) / .millisecond
    return "\(ms < 0 ? "-" : "+")\(abs(ms) / 1000).\(String(1000 + abs(ms) % 1000).dropFirst())"
  }

  /// Both tables. Marked: `!` a line that the other has not, `~` one that it has in another place.
  func compared(with stored: OutboxTables) -> String {
    (["model:"] + marked(against: stored) + ["store:"] + stored.marked(against: self)).joined(separator: "\n")
  }

  private func marked(against other: OutboxTables) -> [String] {
    let others = Set(other.lines)
    return lines.enumerated().map { place, line in
      let isInPlace = place < other.lines.count && other.lines[place] == line
      return (isInPlace ? "  " : others.contains(line) ? "~ " : "! ") + line
    }
  }
}
