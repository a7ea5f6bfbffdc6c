/// Rows in PostgreSQL's binary COPY format, appended without an allocation a row.
///
/// Source: PostgreSQL manual, COPY, "Binary Format": int16 field count, then each field as int32 length and big-endian
/// value, -1 for NULL. Header and trailer are added when it is sent. Grows, and keeps its memory when it is emptied.
@safe package struct CopyBuffer: ~Copyable {
  @usableFromInline package var memory: UnsafeMutableRawPointer
  @usableFromInline package var capacity: Int
  /// Bytes of all rows.
  package var byteCount: Int
  package var rowCount: Int

  package init(capacity: Int = 64 << 10) {
    self.capacity = max(64, capacity)
    unsafe memory = .allocate(byteCount: self.capacity, alignment: 16)
    byteCount = 0
    rowCount = 0
  }

  deinit { unsafe memory.deallocate() }

  package var isEmpty: Bool { rowCount == 0 }

  /// Forgets the rows; memory above `keepingBytes` is given back, so that one large group does not stay for good.
  package mutating func removeAll(keepingBytes: Int = 8 << 20) {
    byteCount = 0
    rowCount = 0
    if capacity > keepingBytes {
      unsafe memory.deallocate()
      capacity = max(64, keepingBytes)
      unsafe memory = .allocate(byteCount: capacity, alignment: 16)
    }
  }

  /// Takes back what was appended since `mark`; for a row that turns out not to be wanted.
  package mutating func truncate(toBytes bytes: Int, rows: Int) {
    precondition(bytes <= byteCount && rows <= rowCount)
    byteCount = bytes
    rowCount = rows
  }

  @inlinable package mutating func reserve(_ bytes: Int) {
    if byteCount &+ bytes > capacity { grow(bytes) }
  }

  @usableFromInline @inline(never) package mutating func grow(_ bytes: Int) {
    let larger = max(capacity * 2, byteCount + bytes)
    let next = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
    // Both blocks hold at least byteCount bytes and do not overlap.
    unsafe next.copyMemory(from: memory, byteCount: byteCount)
    unsafe memory.deallocate()
    unsafe memory = next
    capacity = larger
  }

  /// Unchecked: the caller has reserved room for it.
  @inlinable mutating func store<Value: FixedWidthInteger>(_ value: Value) {
    unsafe memory.storeBytes(of: value.bigEndian, toByteOffset: byteCount, as: Value.self)
    byteCount &+= MemoryLayout<Value>.size
  }

  /// Starts a row; exactly `columns` fields must follow.
  @inlinable package mutating func beginRow(columns: Int) {
    reserve(2)
    store(Int16(truncatingIfNeeded: columns))
    rowCount &+= 1
  }

  @inlinable package mutating func putNull() {
    reserve(4)
    store(Int32(-1))
  }

  @inlinable package mutating func put(_ value: Bool) {
    reserve(5)
    store(Int32(1))
    store(value ? UInt8(1) : 0)
  }

  @inlinable package mutating func put(_ value: Int16) {
    reserve(6)
    store(Int32(2))
    store(value)
  }

  @inlinable package mutating func put(_ value: Int32) {
    reserve(8)
    store(Int32(4))
    store(value)
  }

  @inlinable package mutating func put(_ value: Int64) {
    reserve(12)
    store(Int32(8))
    store(value)
  }

  /// float4; what is not finite is stored as NULL: it means "not available".
  @inlinable package mutating func put(_ value: Float) {
    guard value.isFinite else { return putNull() }
    reserve(8)
    store(Int32(4))
    store(value.bitPattern)
  }

  /// float8; what is not finite is stored as NULL.
  @inlinable package mutating func put(_ value: Double) {
    guard value.isFinite else { return putNull() }
    reserve(12)
    store(Int32(8))
    store(value.bitPattern)
  }

  /// uuid.
  @inlinable package mutating func put(uuidHigh high: UInt64, low: UInt64) {
    reserve(20)
    store(Int32(16))
    store(high)
    store(low)
  }

  /// timestamptz.
  /// - Parameter timeUs: µs since 1970.
  @inlinable package mutating func put(timeUs: Int64) { put(PostgresTime.fromUnix(us: timeUs)) }
}
