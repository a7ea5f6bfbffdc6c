package import FleetModel

/// What an answer about the fleet says of its own completeness: as of when, and which hosts it cannot speak for.
package struct Presence: Sendable, Equatable {
  /// Names beyond this many are counted, not listed.
  package static let namesMax = 1000

  package var asOfNs: Int64
  package var asked = 0
  package var live = 0
  package var late: [String] = []
  package var silent: [String] = []
  /// Have joined and never reported.
  package var never: [String] = []
  /// Were asked for by name, and are not in the fleet.
  package var unknown: [String] = []

  /// - Parameter answer: the rows of `FleetQueries.presence`.
  package init(_ answer: Answer, asOfNs: Int64) {
    self.asOfNs = asOfNs
    for row in answer.rows {
      guard case .text(let name)? = row.first, case .text(let state)? = row.last else { continue }
      asked += 1
      switch state {
      case "live": live += 1
      case "late": late.append(name)
      case "waiting": never.append(name)
      default: silent.append(name)
      }
    }
  }

  package func json(isCut: Bool) -> JSON {
    .object([
      ("as_of", .text(Timestamp.text(asOfNs))),
      (
        "hosts",
        .object(
          [
            ("asked", .number(Int64(asked))), ("answered", .number(Int64(live))),
            ("late", .texts(Array(late.prefix(Self.namesMax)))),
            ("silent", .texts(Array(silent.prefix(Self.namesMax)))),
            ("never", .texts(Array(never.prefix(Self.namesMax)))),
          ] + (unknown.isEmpty ? [] : [("unknown", .texts(Array(unknown.prefix(Self.namesMax))))]))
      ),
      ("truncated", .boolean(isCut)),
    ])
  }

  /// From `meta` of an answer, as `json` wrote it.
  package init?(_ meta: JSON) {
    guard let hosts = meta["hosts"], let asked = hosts["asked"]?.integer, let live = hosts["answered"]?.integer else {
      return nil
    }
    asOfNs = meta["as_of"]?.text.flatMap { Timestamp.parse($0) } ?? 0
    (self.asked, self.live) = (Int(asked), Int(live))
    let names = { (name: String) in hosts[name]?.items?.compactMap(\.text) ?? [] }
    (late, silent, never) = (names("late"), names("silent"), names("never"))
  }

  /// "3 of 4 hosts are live; silent: gpu-4".
  package var sentence: String {
    if asked == 0 { return "No host has joined yet: signalbox hosts invite NAME begins." }
    let count =
      asked == live
      ? (asked == 1 ? "The one host is live" : "All \(asked) hosts are live")
      : "\(live) of \(asked) hosts are live"
    return ([count] + missing).joined(separator: "; ") + "."
  }

  /// "late: gpu-1", "silent: gpu-2, gpu-3": empty where every host answers.
  package var missing: [String] {
    [("late", late), ("silent", silent), ("never reported", never)].filter { !$0.1.isEmpty }
      .map { word, names in
        let more = names.count > 5 ? " and \(names.count - 5) more" : ""
        return "\(word): \(names.prefix(5).joined(separator: ", "))\(more)"
      }
  }

  /// Only of the hosts that a question was about.
  /// - Parameter isAsked: by the host's name.
  package func only(_ isAsked: (String) -> Bool) -> Presence {
    var part = self
    (part.late, part.silent, part.never) = (late.filter(isAsked), silent.filter(isAsked), never.filter(isAsked))
    return part
  }
}
