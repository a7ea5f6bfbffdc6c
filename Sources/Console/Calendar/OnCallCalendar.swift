internal import Answers
internal import FleetModel

/// Who is on call as a calendar that a phone subscribes to. Pure. Source: RFC 5545; its numbers stand below.
struct OnCallCalendar {
  let nowNs: Int64

  /// - Parameters:
  ///   - turns: the rows of `IncidentQueries.turns`. - overrides: of `IncidentQueries.overrides`, which have not ended.
  /// - Returns: lines of at most 75 octets, ended by CRLF.
  func text(turns: Answer, overrides: Answer) -> String {
    let head = [
      "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Signalbox//On call//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH",
      "X-WR-CALNAME:Signalbox on call", "REFRESH-INTERVAL;VALUE=DURATION:PT15M", "X-PUBLISHED-TTL:PT15M",
    ]
    let lines = head + rows(turns).flatMap(turn) + rows(overrides).flatMap(override) + ["END:VCALENDAR"]
    return lines.map { Self.folded($0) + "\r\n" }.joined()
  }

  private func rows(_ answer: Answer) -> [[String: Cell]] {
    answer.rows.map { row in Dictionary(zip(answer.columns.map(\.name), row)) { first, _ in first } }
  }

  private func turn(_ row: [String: Cell]) -> [String] {
    let (schedule, receiver) = (Self.text(row["schedule"]), Self.text(row["receiver"]))
    guard let startNs = Self.time(row["starts"]), let endNs = Self.time(row["ends"]) else { return [] }
    // Of one start it is the same turn, whoever has it; who takes it over for a while is an event of its own.
    let id = "shift-\(PercentEncoding.pathPart(schedule))-\(startNs / 1_000_000_000)"
    return event(id, startNs, endNs, "\(receiver) is on call for \(schedule)", "")
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
