internal import Answers

/// Counts by two names as a table for people: each cell with its share of the row.
struct CountMatrix {
  private var counts: [String: [String: Int64]] = [:]
  private var columns: Set<String> = []

  mutating func add(_ count: Int64, row: String, column: String) {
    counts[row, default: [:]][column, default: 0] += count
    columns.insert(column)
  }

  var isEmpty: Bool { counts.isEmpty }

  /// - Parameters:
  ///   - heading: of the rows' names.
  ///   - order: names that come first, in their order; the others follow by name.
  func answer(_ heading: String, order: [String] = []) -> Answer {
    let sorted = { (names: [String]) in
      names.sorted { left, right in
        (order.firstIndex(of: left) ?? order.count, Double(left) ?? .infinity, left)
          < (order.firstIndex(of: right) ?? order.count, Double(right) ?? .infinity, right)
      }
    }
    let names = sorted(Array(columns))
    return Answer(
      columns: [.init("row", heading), .init("steps", "STEPS")] + names.map { .init("action_\($0)", "ACTION \($0)") },
      rows: sorted(Array(counts.keys)).map { row in
        let whole = counts[row]?.values.reduce(0, +) ?? 0
        return [.text(row), .integer(whole)] + names.map { Self.cell(counts[row]?[$0] ?? 0, of: whole) }
      })
  }

  private static func cell(_ count: Int64, of whole: Int64) -> Cell {
    let share = whole > 0 ? Double(count) / Double(whole) * 100 : 0
    return .text(count == 0 ? "0" : "\(count) (\(Quantity.decimal(share, digits: 0)) %)")
  }
}
