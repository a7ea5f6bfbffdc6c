internal import Answers
internal import FleetModel
internal import Store

/// What an answer about the fleet says of its own completeness: as of when, and which hosts it cannot speak for.
struct Presence: Sendable, Equatable {
  /// Names beyond this many are counted, not listed.
  static let namesMax = 1000

  var asOfNs: Int64
  var asked = 0
  var live = 0
  var late: [String] = []
  var silent: [String] = []
  /// Have joined and never reported.
  var never: [String] = []
  /// Were asked for by name, and are not in the fleet.
  var unknown: [String] = []

  /// - Parameters:
  ///   - answer: the rows of `FleetQueries.presence`.
  ///   - names: of the hosts that were asked for; nil: all.
  init(_ answer: Answer, asOfNs: Int64, of names: [String]? = nil) {
    self.asOfNs = asOfNs
    var left = names.map(Set.init)
    for row in answer.rows {
      guard case .text(let name)? = row.first, case .text(let state)? = row.last,
        names == nil || left?.remove(name) != nil
      else { continue }
      asked += 1
      switch state {
      case "live": live += 1
      case "late": late.append(name)
      case "waiting": never.append(name)
      default: silent.append(name)
      }
    }
    unknown = left.map { $0.sorted() } ?? []
  }

  func json(isCut: Bool) -> JSON {
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

  /// "3 of 4 hosts are live; silent: gpu-4".
  var sentence: String {
    if asked == 0 { return "No host has joined yet: signalbox hosts invite NAME begins." }
    let missing = [("late", late), ("silent", silent), ("never reported", never)].filter { !$0.1.isEmpty }
      .map { word, names in
        let more = names.count > 5 ? " and \(names.count - 5) more" : ""
        return "\(word): \(names.prefix(5).joined(separator: ", "))\(more)"
      }
    let count =
      asked == live
      ? (asked == 1 ? "The one host is live" : "All \(asked) hosts are live")
      : "\(live) of \(asked) hosts are live"
    return ([count] + missing).joined(separator: "; ") + "."
  }
}
