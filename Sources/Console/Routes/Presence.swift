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

  /// - Parameter answer: the rows of `FleetQueries.presence`.
  init(_ answer: Answer, asOfNs: Int64) {
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

  func json(isCut: Bool) -> JSON {
    .object([
      ("as_of", .text(Timestamp.text(asOfNs))),
      (
        "hosts",
        .object([
          ("asked", .number(Int64(asked))), ("answered", .number(Int64(live))),
          ("late", .texts(Array(late.prefix(Self.namesMax)))), ("silent", .texts(Array(silent.prefix(Self.namesMax)))),
          ("never", .texts(Array(never.prefix(Self.namesMax)))),
        ])
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
