import Answers
import Testing

@testable import Console

@Suite struct CalendarTests {
  private static let calendar = OnCallCalendar(nowNs: 1_764_455_334_000_000_000)
  private static let turns = Answer(columns: ["schedule", "receiver", "starts", "ends"].map { Answer.Column($0) })

  private static func text(_ row: [Cell]) -> String {
    var answer = turns
    answer.rows = [row]
    return calendar.text(turns: answer, overrides: Answer(columns: []))
  }

  @Test func linesAreFoldedWithinCharacters() {
    let line = "SUMMARY:" + String(repeating: "ü€😀a", count: 40)
    let folded = OnCallCalendar.folded(line)
    let parts = folded.split(separator: "\r\n")
    #expect(
      parts.count > 3 && parts.allSatisfy { $0.utf8.count <= 75 } && parts.dropFirst().allSatisfy { $0.first == " " })
    #expect(parts.enumerated().map { String($0 == 0 ? $1 : $1.dropFirst()) }.joined() == line)
    #expect(OnCallCalendar.folded("short") == "short")
  }

  @Test func aTurnIsTheSameOneWhoeverHasIt() {
    let times = [Cell.time(1_764_400_000_000_000_000), .time(1_764_500_000_000_000_000)]
    let open = Self.text([.text("a b"), .text("ann")] + times)
    let ended = Self.text([.text("a b"), .text("bea")] + times)
    for text in [open, ended] { #expect(text.contains("UID:shift-a%20b-1764400000@signalbox\r\n"), "\(text)") }
    #expect(ended.contains("bea is on call") && ended.contains("DTEND:20251130T105320Z\r\n"), "\(ended)")
    #expect(ended.hasPrefix("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") && ended.hasSuffix("END:VCALENDAR\r\n"))
  }

  @Test func textsAreNoSyntax() {
    let text = Self.text([.text("x\r\nEND:VCALENDAR"), .text("a;b,c\\d\u{202e}"), .time(0), .time(1_000_000_000)])
    #expect(text.contains("SUMMARY:a\\;b\\,c\\\\d"), "\(text)")
    #expect(text.split(separator: "\r\n").count { $0 == "END:VCALENDAR" } == 1)
  }
}
