extension Connection {
  /// "PGCOPY\n\377\r\n\0", flags 0, extension length 0.
  private static let header: [UInt8] = [
    0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0x00, 0, 0, 0, 0, 0, 0, 0, 0,
  ]
  private static let trailer: [UInt8] = [0xff, 0xff]
  /// Larger pieces bring nothing, and libpq keeps a buffer of the largest.
  private static let pieceBytes = 64 << 10

  /// Sends rows to `COPY table (columns) FROM STDIN (FORMAT binary)`.
  /// - Parameter range: bytes of whole rows; all rows by default.
  /// - Returns: how many rows the server took.
  @discardableResult
  package func copyIn(
    _ table: String, columns: String, _ rows: borrowing CopyBuffer, range: Range<Int>? = nil
  ) throws(PostgresError) -> Int {
    let doing = "COPY \(table)"
    let range = range ?? 0..<rows.byteCount
    precondition(range.lowerBound >= 0 && range.upperBound <= rows.byteCount)
    try startCopy("copy \(table) (\(columns)) from stdin (format binary)", doing: doing)
    try put(Self.header, doing)
    var at = range.lowerBound
    while at < range.upperBound {
      let next = min(at + Self.pieceBytes, range.upperBound)
      // Inside the buffer's filled part, which does not change during the call.
      try unsafe putCopy(UnsafeRawBufferPointer(start: rows.memory + at, count: next - at), doing: doing)
      at = next
    }
    try put(Self.trailer, doing)
    return try endCopy(doing: doing)
  }

  private func put(_ bytes: [UInt8], _ doing: String) throws(PostgresError) {
    var failure: PostgresError?
    unsafe bytes.withUnsafeBytes { memory in
      do throws(PostgresError) { try unsafe putCopy(memory, doing: doing) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
