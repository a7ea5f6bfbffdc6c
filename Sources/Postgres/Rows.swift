internal import CLibPQ

/// The rows that a statement gave. Owns libpq's result and lives apart from the connection.
///
/// Numbers are decoded from the binary format that `Connection.query` asks for; `text` reads both formats of text.
@safe package struct Rows: ~Copyable {
  private let result: OpaquePointer
  package let count: Int
  package let columnCount: Int

  init(adopting result: OpaquePointer) {
    unsafe self.result = result
    count = Int(unsafe PQntuples(result))
    columnCount = Int(unsafe PQnfields(result))
  }

  deinit { unsafe PQclear(result) }

  package var columnNames: [String] {
    (0..<columnCount).map { column in unsafe PQfname(result, Int32(column)).map { unsafe String(cString: $0) } ?? "" }
  }

  /// pg_type.oid of a column.
  package func columnType(_ column: Int) -> UInt32 { UInt32(unsafe PQftype(result, Int32(column))) }

  /// Rows that an INSERT, UPDATE, DELETE, COPY or SELECT touched.
  package var affected: Int {
    // PQcmdTuples points into the result, which is not changed by reading.
    Int(unsafe String(cString: PQcmdTuples(result))) ?? 0
  }

  /// Also true for a row that is not there.
  package func isNull(_ row: Int, _ column: Int) -> Bool {
    precondition(row >= 0 && column >= 0 && column < columnCount, "no such column")
    return unsafe row >= count || PQgetisnull(result, Int32(row), Int32(column)) != 0
  }

  /// The value's bytes as the server sent them; like every getter nil for NULL, and for a row that is not there.
  package func bytes(_ row: Int, _ column: Int) -> [UInt8]? {
    guard let memory = unsafe memory(row, column) else { return nil }
    return unsafe [UInt8](memory)
  }

  /// A text value, or any value of `Connection.queryText`.
  package func text(_ row: Int, _ column: Int) -> String? {
    guard let memory = unsafe memory(row, column) else { return nil }
    return unsafe String(decoding: memory, as: UTF8.self)
  }

  /// bool, int2, int4 or int8.
  package func int(_ row: Int, _ column: Int) -> Int64? {
    guard let memory = unsafe memory(row, column), (1...8).contains(memory.count) else { return nil }
    if memory.count == 1 { return Int64(unsafe memory[0]) }
    var value = unsafe Int64(Int8(bitPattern: memory[0]))
    for index in 1..<memory.count { unsafe value = value << 8 | Int64(memory[index]) }
    return value
  }

  package func bool(_ row: Int, _ column: Int) -> Bool? { int(row, column).map { $0 != 0 } }

  /// float4 or float8.
  package func double(_ row: Int, _ column: Int) -> Double? {
    guard let memory = unsafe memory(row, column), let raw = int(row, column) else { return nil }
    return memory.count == 4
      ? Double(Float(bitPattern: UInt32(truncatingIfNeeded: raw))) : Double(bitPattern: UInt64(bitPattern: raw))
  }

  /// timestamptz as µs since 1970.
  package func timeUs(_ row: Int, _ column: Int) -> Int64? { int(row, column).map { PostgresTime.toUnix(us: $0) } }

  /// timestamptz as ns since 1970; what lies beyond 64 bits, also an infinity, is the greatest or the least number.
  package func timeNs(_ row: Int, _ column: Int) -> Int64? { timeUs(row, column).map { PostgresTime.ns(us: $0) } }

  package func uuid(_ row: Int, _ column: Int) -> (high: UInt64, low: UInt64)? {
    guard let bytes = bytes(row, column), bytes.count == 16 else { return nil }
    var words = (high: UInt64(0), low: UInt64(0))
    for index in 0..<8 {
      words.high = words.high << 8 | UInt64(bytes[index])
      words.low = words.low << 8 | UInt64(bytes[index + 8])
    }
    return words
  }

  /// Valid as long as `self`: PQgetvalue points into the result.
  private func memory(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer? {
    if isNull(row, column) { return nil }
    let length = Int(unsafe PQgetlength(result, Int32(row), Int32(column)))
    return unsafe UnsafeRawBufferPointer(start: PQgetvalue(result, Int32(row), Int32(column)), count: length)
  }
}
