internal import Answers
internal import FleetModel

/// Who is on call as a calendar that a phone subscribes to. Pure. Source: RFC 5545; its numbers stand below.
struct OnCallCalendar {
  let nowNs: Int64

  /// A shift without a known end is shown for so long from now.
  private static let openEndNs: Int64 = 7 * 86_400_000_000_000

  /// - Parameters:
  ///   - shifts: the rows of `IncidentQueries.onCall`. - overrides: of `IncidentQueries.overrides`, which have not ended.
  /// - Returns: lines of at most 75 octets, ended by CRLF.
  func text(shifts: Answer, overrides: Answer) -> String {
    let head = [
      "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Signalbox//On call//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH",
      "X-WR-CALNAME:Signalbox on call", "REFRESH-INTERVAL;VALUE=DURATION:PT15M", "X-PUBLISHED-TTL:PT15M",
    ]
    let lines = head + rows(shifts).flatMap(shift) + rows(overrides).flatMap(override) + ["END:VCALENDAR"]
    return lines.map { Self.folded($0) + "\r\n" }.joined()
  }

  private func rows(_ answer: Answer) -> [[String: Cell]] {
    answer.rows.map { row in Dictionary(zip(answer.columns.map(\.name), row)) { first, _ in first } }
  }

  private func shift(_ row: [String: Cell]) -> [String] {
    let (schedule, receiver) = (Self.text(row["schedule"]), Self.text(row["receiver"]))
    let startNs = Self.time(row["since"]) ?? nowNs
    // From one start on it is the same shift, whatever is learnt of its end.
    let id = "shift-\(PercentEncoding.pathPart(schedule))-\(Self.time(row["since"]).map { $0 / 1_000_000_000 } ?? 0)"
    let endNs = Self.time(row["until"])
    return event(
      id, startNs, endNs ?? nowNs.addingClamped(Self.openEndNs),
      "\(receiver) is on call for \(schedule)\(endNs == nil ? " (no end is planned)" : "")", "")
  }

  private func override(_ row: [String: Cell]) -> [String] {
    guard case .integer(let number)? = row["id"], let startNs = Self.time(row["starts"]),
      let endNs = Self.time(row["ends"])
    else { return [] }
    let reason = Self.text(row["reason"])
    return event(
      "override-\(number)", startNs, endNs,
      "\(Self.text(row["receiver"])) takes the turn of \(Self.text(row["schedule"]))",
      "Added by \(Self.text(row["author"]))" + (reason.isEmpty ? "" : ": \(reason)"))
  }

  private func event(_ id: String, _ startNs: Int64, _ endNs: Int64, _ title: String, _ text: String) -> [String] {
    [
      "BEGIN:VEVENT", "UID:\(id)@signalbox", "DTSTAMP:\(Self.stamp(nowNs))", "DTSTART:\(Self.stamp(startNs))",
      "DTEND:\(Self.stamp(max(endNs, startNs.addingClamped(1_000_000_000))))", "SUMMARY:\(Self.escaped(title))",
    ] + (text.isEmpty ? [] : ["DESCRIPTION:\(Self.escaped(text))"]) + ["TRANSP:TRANSPARENT", "END:VEVENT"]
  }

  /// 3.3.5, form 2: `20261121T080000Z`.
  static func stamp(_ ns: Int64) -> String { Timestamp.text(ns, digits: 0).filter { $0 != "-" && $0 != ":" } }

  /// 3.3.11.
  static func escaped(_ text: String) -> String {
    var shown = ""
    for scalar in PlainText.visible(PlainText.line(text)).unicodeScalars {
      if "\\;,".unicodeScalars.contains(scalar) { shown += "\\" }
      shown.unicodeScalars.append(scalar)
    }
    return shown
  }

  /// 3.1: longer lines go on in the next one, behind a blank, and no character is divided.
  static func folded(_ line: String) -> String {
    var folded = ""
    var room = 75
    for scalar in line.unicodeScalars {
      let width = UTF8.width(scalar)
      if width > room {
        folded += "\r\n "
        room = 74
      }
      folded.unicodeScalars.append(scalar)
      room -= width
    }
    return folded
  }

  private static func text(_ cell: Cell?) -> String { if case .text(let text)? = cell { text } else { "" } }
  private static func time(_ cell: Cell?) -> Int64? { if case .time(let ns)? = cell { ns } else { nil } }
}
