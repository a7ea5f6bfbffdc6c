internal import FleetModel
internal import Incidents
internal import Postgres

/// What the acknowledgement of all incidents of a message did.
package struct Acknowledgement: Sendable, Equatable {
  /// Numbers of those that were open, and are acknowledged now.
  package var taken: [Int64] = []
  /// Other receivers of pages that were due before it: these go out all the same.
  package var underWay: [String] = []
  /// The link had been used before; nothing is changed then.
  package var wasUsed = false

  package init() {}
}

/// A message about incidents, as its link names it.
package struct PagedMessage: Sendable, Equatable {
  package var receiver: String
  /// In the order of their numbers.
  package var incidents: [Int64]
  /// Of them, those that an acknowledgement would take: open, or the only one and muted.
  package var open: [Int64]
  /// When its link was used, ns since 1970; nil while it was not.
  package var usedNs: Int64?
}

extension Store {
  /// Acknowledged in one transaction: while it lasts, no other change of incidents goes on.
  private static let acknowledgedAtOnceMax = 100
  /// A used link is known for so long; it expires earlier.
  private static let usedKept = "30 days"

  /// The key that links in messages are signed with, 32 bytes; made when it is first asked for.
  package func pageLinkKey() throws(StoreError) -> [UInt8] { try signingKey(for: "links") }

  /// The key that a browser's cookie is signed with while it logs in by an identity provider, 32 bytes; made as the other one.
  package func loginKey() throws(StoreError) -> [UInt8] { try signingKey(for: "logins") }

  private func signingKey(for purpose: String) throws(StoreError) -> [UInt8] {
    if let key = try signingKey(purpose) { return key }
    // Random numbers of the server, which makes UUIDs of its strong source (PostgreSQL, src/backend/utils/adt/uuid.c).
    try run(
      """
      insert into signalbox.signing_keys (purpose, key)
      values ($1, encode(sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')), 'hex'))
      on conflict (purpose) do nothing
      """, [.text(purpose)])
    return try signingKey(purpose) ?? []
  }

  private func signingKey(_ purpose: String) throws(StoreError) -> [UInt8]? {
    try ask("select key from signalbox.signing_keys where purpose = $1", [.text(purpose)]).text(0, 0)
      .flatMap(Hex.bytes)
  }

  /// - Parameter id: of a message, or of a list of them.
  /// - Returns: nil where no message has it.
  package func pagedMessage(_ id: String) throws(StoreError) -> PagedMessage? {
    let rows = try ask(
      """
      select distinct i.number, o.receiver, l.used, i.state from signalbox.outbox o
      join signalbox.incidents i on i.number = o.incident
      left join signalbox.used_links l on l.message_id = $1
      where o.message_id = $1 or o.bundle = $1 order by i.number
      """, [.text(id)])
    guard let receiver = rows.text(0, 1) else { return nil }
    let incidents = (0..<rows.count).map {
      (number: rows.int($0, 0) ?? 0, state: rows.text($0, 3).flatMap(IncidentState.init))
    }
    return PagedMessage(
      receiver: receiver, incidents: incidents.map(\.number),
      open: incidents.filter { Self.isTaken($0.state, isAlone: incidents.count == 1) }.map(\.number),
      usedNs: rows.timeNs(0, 2))
  }

  /// Acknowledges what a message paged, once for its link. Of a list it takes what is open; of one incident also what is muted.
  /// - Parameters:
  ///   - messageID: as in `pagedMessage`.
  ///   - actor: the person, or the receiver of the message where no person is named.
  /// - Returns: nil where no message has the id.
  package func acknowledge(
    pagedBy messageID: String, actor: String, through: String, nowNs: Int64
  ) throws(StoreError) -> Acknowledgement? {
    guard let message = try pagedMessage(messageID) else { return nil }
    var done = Acknowledgement()
    done.wasUsed = message.usedNs != nil
    if done.wasUsed { return done }
    return try acknowledge(
      message.incidents, actor: actor, through: through, except: message.receiver, using: messageID, nowNs: nowNs)
  }

  /// - Parameters:
  ///   - receiver: where the acknowledgement comes from.
  ///   - link: used with the last of them: whoever is cut off in the middle of a long list can go on with it.
  func acknowledge(
    _ numbers: [Int64], actor: String, through: String, except receiver: String, using link: String? = nil,
    nowNs: Int64
  ) throws(StoreError) -> Acknowledgement {
    var done = Acknowledgement()
    for start in stride(from: 0, to: numbers.count, by: Self.acknowledgedAtOnceMax) {
      let group = numbers[start..<min(start + Self.acknowledgedAtOnceMax, numbers.count)]
      try inTransaction { () throws(StoreError) in
        try lockIncidents()
        for number in group {
          guard Self.isTaken(try state(of: number), isAlone: numbers.count == 1) else { continue }
          _ = try acknowledgeLocked(number, actor: actor, through: through, nowNs)
          done.taken.append(number)
        }
        guard group.endIndex == numbers.endIndex, !done.taken.isEmpty else { return }
        if let link { try use(link, by: actor, nowNs) }
        done.underWay = try pagesUnderWay(of: done.taken, except: receiver)
      }
    }
    return done
  }

  /// Ends what a message paged and is not over, once for the message.
  /// - Returns: numbers of what was ended; empty also where no message has the id, or it was used so before.
  package func resolve(
    pagedBy messageID: String, actor: String, through: String, nowNs: Int64
  ) throws(StoreError) -> [Int64] {
    try actOnce(messageID, "resolve", actor, nowNs) { number throws(StoreError) in
      try resolveLocked(number, actor: actor, through: through, nowNs) == .done
    }
  }

  /// A link is for days, and who has it may write no endless timeline.
  package static let notesOfMessageMax: Int64 = 20

  /// Writes a line into the timelines of what a message paged: the same text once, since a mail may be delivered twice.
  /// - Returns: numbers of the incidents; empty as for `resolve`, and nil where the message has as many notes as it may.
  package func addNote(
    pagedBy messageID: String, actor: String, text: String, through: String, nowNs: Int64
  ) throws(StoreError) -> [Int64]? {
    let verb = "note-" + String(ContentHash.of(Array(text.utf8).span), radix: 16)
    let notes = try ask(
      "select count(*) from signalbox.used_links where starts_with(message_id, $1) and message_id <> $2",
      [.text("\(messageID)/note-"), .text("\(messageID)/\(verb)")])
    guard (notes.int(0, 0) ?? 0) < Self.notesOfMessageMax else { return nil }
    return try actOnce(messageID, verb, actor, nowNs) { number throws(StoreError) in
      try recordInTimeline(number, .note, actor: actor, detail: "\(text) (\(through))", nowNs)
      return true
    }
  }

  /// - Parameter verb: each acts once for a message, so that one that is taken can be ended later.
  private func actOnce(
    _ messageID: String, _ verb: String, _ actor: String, _ nowNs: Int64,
    _ act: (Int64) throws(StoreError) -> Bool
  ) throws(StoreError) -> [Int64] {
    guard let message = try pagedMessage(messageID) else { return [] }
    let link = "\(messageID)/\(verb)"
    return try inTransaction { () throws(StoreError) in
      try lockIncidents()
      guard try ask("select 1 from signalbox.used_links where message_id = $1", [.text(link)]).count == 0 else {
        return []
      }
      var changed: [Int64] = []
      for number in message.incidents.prefix(Self.acknowledgedAtOnceMax) where try act(number) {
        changed.append(number)
      }
      try use(link, by: actor, nowNs)
      return changed
    }
  }

  /// What is muted is taken only where it is asked for by itself.
  private static func isTaken(_ state: IncidentState?, isAlone: Bool) -> Bool {
    state == .open || state == .muted && isAlone
  }

  private func use(_ link: String, by actor: String, _ nowNs: Int64) throws(StoreError) {
    try run(
      """
      insert into signalbox.used_links (message_id, used, used_by) values ($1, $2, $3) on conflict (message_id) do nothing
      """, [.text(link), .time(us: nowNs / 1000), .text(actor)])
    try run(
      "delete from signalbox.used_links where used < $1::timestamptz - interval '\(Self.usedKept)'",
      [.time(us: nowNs / 1000)])
  }

  private func pagesUnderWay(of numbers: [Int64], except receiver: String) throws(StoreError) -> [String] {
    let rows = try ask(
      """
      select distinct receiver from signalbox.outbox
      where incident = any($1) and state = \(DeliveryState.waiting.sql) and event in \(Delivery.Event.pagesSQL)
        and not is_digest and receiver <> $2 order by receiver
      """, [.int8s(numbers), .text(receiver)])
    return (0..<rows.count).compactMap { rows.text($0, 0) }
  }
}
