internal import Answers
internal import FleetModel

/// Log lines that differ in numbers only, as one. Pure.
struct LineFolding {
  struct Group: Equatable {
    var count = 0
    var hosts: Set<String> = []
    var firstNs = Int64.max
    var lastNs = Int64.min
    var level = ""
    /// With `#` for each number.
    var kind = ""
    /// Where the first of them stood.
    var first = ""

    var line: String {
      let times =
        count == 1
        ? Timestamp.text(firstNs, digits: 3)
        : "\(Timestamp.text(firstNs, digits: 3)) to \(Timestamp.text(lastNs, digits: 3))"
      return
        "\(count)x \(level) on \(hosts.count == 1 ? "1 host" : "\(hosts.count) hosts"), \(times), first \(first): \(kind)"
    }
  }

  /// - Parameter answer: with the columns of `ShownColumns.logs`, oldest first.
  /// - Returns: the most frequent first, of one frequency the newest.
  static func folded(_ answer: Answer) -> [Group] {
    let places = places(answer)
    var groups: [String: Group] = [:]
    for row in answer.rows {
      let message = text(row[places.message])
      let level = text(row[places.level])
      let kind = PlainText.cut(withoutNumbers(message), scalarsMax: 400)
      var group = groups[level + kind] ?? Group()
      let host = text(row[places.host])
      if group.count == 0 { group.first = "\(host) \(text(row[places.file]))" }
      group.count += 1
      group.hosts.insert(host)
      (group.level, group.kind) = (level, kind)
      if case .time(let ns) = row[places.time] {
        group.firstNs = min(group.firstNs, ns)
        group.lastNs = max(group.lastNs, ns)
      }
      groups[level + kind] = group
    }
    return groups.values.sorted { ($0.count, $0.lastNs, $0.kind) > ($1.count, $1.lastNs, $1.kind) }
  }

  /// Each line with its time, host, file and level.
  static func lines(_ answer: Answer) -> [String] {
    let places = places(answer)
    return answer.rows.map { row in
      var time = "-"
      if case .time(let ns) = row[places.time] { time = Timestamp.text(ns, digits: 3) }
      return [time] + [places.host, places.file, places.level, places.message].map { text(row[$0]) }
    }.map { $0.joined(separator: " ") }
  }

  /// Runs of digits become `#`.
  static func withoutNumbers(_ text: String) -> String {
    var shown: [UInt8] = []
    var isNumber = false
    for byte in text.utf8 {
      let isDigit = byte &- UInt8(ascii: "0") <= 9
      if !isDigit { shown.append(byte) } else if !isNumber { shown.append(UInt8(ascii: "#")) }
      isNumber = isDigit
    }
    return String(decoding: shown, as: UTF8.self)
  }

  private static func text(_ cell: Cell) -> String { if case .text(let text) = cell { text } else { "-" } }

  private static func places(
    _ answer: Answer
  ) -> (time: Int, host: Int, file: Int, level: Int, message: Int) {
    let place = { (name: String) in answer.columns.firstIndex { $0.name == name } ?? 0 }
    return (place("time"), place("host"), place("file"), place("level"), place("message"))
  }
}
