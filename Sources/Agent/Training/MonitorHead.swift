internal import FleetModel

/// What the first lines of a `monitor.csv` hold: when the run started, and which column is which.
struct MonitorHead {
  /// The comment and the column names are the first two lines.
  private static let linesMax: UInt64 = 3

  /// Seconds since 1970.
  private(set) var startSeconds: Double?
  /// Lines before the first row.
  private(set) var lines: UInt64 = 0
  private(set) var names = ["r", "l", "t"]
  private(set) var returnColumn = 0
  private(set) var lengthColumn = 1
  private(set) var timeColumn = 2
  /// The known columns stand first, as Stable-Baselines3 writes them.
  var isInOrder: Bool { (returnColumn, lengthColumn, timeColumn) == (0, 1, 2) }

  /// - Parameters:
  ///   - number: index of the line in the file, from 0; nil where it is not known.
  /// - Returns: whether the line is no row.
  mutating func take(_ bytes: Span<UInt8>, _ line: Range<Int>, number: UInt64?, _ row: inout DelimitedRow) -> Bool {
    guard !line.isEmpty else { return true }
    guard bytes[line.lowerBound] == UInt8(ascii: "#") || takeNames(bytes, line, &row) else { return false }
    if bytes[line.lowerBound] == UInt8(ascii: "#") { takeComment(bytes, line.dropFirst()) }
    if let number, number < Self.linesMax { lines = max(lines, number + 1) }
    return true
  }

  /// `{"t_start": 1795229452.78, "env_id": "CartPole-v1"}`
  private mutating func takeComment(_ bytes: Span<UInt8>, _ text: Range<Int>) {
    var scanner = JSONScanner(text)
    guard scanner.next(bytes) == .objectStart else { return }
    while case .key(let key)? = scanner.next(bytes) {
      let value = scanner.next(bytes)
      if case .number(let range)? = value, JSONScanner.matches(bytes, key, "t_start") {
        startSeconds = DecimalNumber.parse(bytes, range)
      }
      scanner.skip(bytes, value)
    }
  }

  private mutating func takeNames(_ bytes: Span<UInt8>, _ line: Range<Int>, _ row: inout DelimitedRow) -> Bool {
    guard line.count < 65536, bytes[line.lowerBound] > UInt8(ascii: "9"), row.split(bytes, line) else { return false }
    let names = row.names(bytes)
    guard let r = names.firstIndex(of: "r"), let l = names.firstIndex(of: "l"), let t = names.firstIndex(of: "t")
    else { return false }
    (self.names, returnColumn, lengthColumn, timeColumn) = (names, r, l, t)
    return true
  }
}

/// Turns a row's `t` into a time of day, as long as the file's start time holds.
struct MonitorClock {
  /// `t` of the row before; 0 = the start of the run.
  private(set) var lastSeconds = 0.0
  /// `t` went back: a program appended to the file of another run, and when it started is not written.
  private(set) var isAppended = false

  mutating func advance(to seconds: Double) {
    if seconds < lastSeconds { isAppended = true }
    if seconds.isFinite { lastSeconds = seconds }
  }

  /// ns since 1970; nil where the file does not hold it.
  func ns(_ seconds: Double, start: Double?) -> Int64? {
    guard !isAppended, let start else { return nil }
    return WrittenTime.ns(seconds: start + seconds)
  }
}
