/// When something comes back, in local time: the five fields of crontab(5): minute, hour, day of month, month, day of week.
///
/// Each field is `*`, a number, `a-b`, `*/n`, `a-b/n`, or several of these with commas; months and days of the week also by their
/// first three letters. As in crontab(5), where both days are given, either is enough.
package struct CronExpression: Sendable, Equatable {
  package let text: String
  package let minutes: [Int]
  package let hours: [Int]
  package let days: [Int]
  package let months: [Int]
  /// 0 is Sunday.
  package let weekdays: [Int]
  /// Both the day of the month and the day of the week are given.
  package let isEitherDay: Bool

  /// Why a text is no cron expression: one clause.
  package struct Mistake: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
  }

  package init(_ text: String) throws(Mistake) {
    let fields = text.split(separator: " ").map(String.init)
    guard fields.count == 5 else {
      throw Mistake(
        description:
          "'\(text)' is no cron expression: write minute, hour, day of month, month, day of week, such as 0 2 * * 0")
    }
    self.text = fields.joined(separator: " ")
    minutes = try Self.field(fields[0], "minute", 0...59)
    hours = try Self.field(fields[1], "hour", 0...23)
    days = try Self.field(fields[2], "day of month", 1...31)
    months = try Self.field(fields[3], "month", 1...12, Self.monthNames, from: 1)
    let named = try Self.field(fields[4], "day of week", 0...7, Self.dayNames, from: 0)
    weekdays = Array(Set(named.map { $0 % 7 })).sorted()
    isEitherDay = fields[2] != "*" && fields[4] != "*"
  }

  /// Whether any calendar has such a day: there is no 31 February.
  package var canCome: Bool {
    let lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return isEitherDay || months.contains { month in days.contains { $0 <= lengths[month - 1] } }
  }

  private static let monthNames = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
  private static let dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

  private static func field(
    _ text: String, _ what: String, _ range: ClosedRange<Int>, _ names: [String] = [], from first: Int = 0
  ) throws(Mistake) -> [Int] {
    var values: Set<Int> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let pieces = part.split(separator: "/", omittingEmptySubsequences: false)
      let step = pieces.count == 2 ? Int(pieces[1]) : 1
      guard pieces.count <= 2, let step, step > 0, let span = pieces.first else { throw mistake(text, what, range) }
      let ends = span.split(separator: "-", omittingEmptySubsequences: false).map { value(String($0), names, first) }
      let (low, high): (Int, Int)
      if span == "*" {
        (low, high) = (range.lowerBound, range.upperBound)
      } else if ends.count == 1, let only = ends[0] {
        (low, high) = (only, pieces.count == 2 ? range.upperBound : only)
      } else if ends.count == 2, let begin = ends[0], let end = ends[1] {
        (low, high) = (begin, end)
      } else {
        throw mistake(text, what, range)
      }
      guard range.contains(low), range.contains(high), low <= high else { throw mistake(text, what, range) }
      values.formUnion(stride(from: low, through: high, by: step))
    }
    return values.sorted()
  }

  private static func value(_ text: String, _ names: [String], _ first: Int) -> Int? {
    names.firstIndex(of: text.lowercased()).map { $0 + first }
      ?? (text.utf8.allSatisfy { $0 >= 48 && $0 <= 57 } ? Int(text) : nil)
  }

  private static func mistake(_ text: String, _ what: String, _ range: ClosedRange<Int>) -> Mistake {
    Mistake(
      description:
        "'\(text)' is no \(what): write \(range.lowerBound) to \(range.upperBound), a range such as 1-5, or */n")
  }
}
