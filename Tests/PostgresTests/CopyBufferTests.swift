import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct CopyBufferTests {
  @Test func rowsOfEveryTypeArriveInTheTable() throws {
    let database = try TestDatabase()
    let connection = try database.connect()
    try connection.execute(
      "create table t (a bool, b int2, c int4, d int8, e float4, f float8, g uuid, h timestamptz, i text, j jsonb, k text)"
    )
    var rows = CopyBuffer(capacity: 64)
    for index in 0..<10_000 {
      rows.beginRow(columns: 11)
      rows.put(index % 2 == 0)
      rows.put(Int16(truncatingIfNeeded: index))
      rows.put(Int32(index))
      rows.put(Int64(index) << 32)
      rows.put(index == 5 ? Float.nan : Float(index))
      rows.put(index == 5 ? Double.infinity : Double(index) / 2)
      rows.put(uuidHigh: 1, low: UInt64(index))
      rows.put(timeUs: 1_000_000 * Int64(index))
      rows.put(text: "row \(index) ü")
      rows.put(jsonb: Array("{\"a\": 1}".utf8).span)
      rows.putNull()
    }
    #expect(try connection.copyIn("t", columns: "a, b, c, d, e, f, g, h, i, j, k", rows) == 10_000)
    let check = try connection.queryText(
      """
      select count(*), sum(c), sum(d >> 32), count(e), sum(f) is not null, count(distinct g), min(h) = to_timestamp(0),
        bool_and(i = 'row ' || c || ' ü'), bool_and(j->>'a' = '1'), count(k), count(*) filter (where a) from t
      """)
    #expect(
      (0..<11).map { check.text(0, $0) } == [
        "10000", "49995000", "49995000", "9999", "t", "10000", "t", "t", "t", "0", "5000",
      ])
  }

  @Test func partOfTheRowsCanBeSentAndAFieldRead() throws {
    let database = try TestDatabase()
    let connection = try database.connect()
    try connection.execute("create table t (a int4, b text)")
    var rows = CopyBuffer()
    for index in 0..<5 {
      rows.beginRow(columns: 2)
      rows.put(Int32(index))
      if index == 3 { rows.putNull() } else { rows.put(text: "t\(index)") }
    }
    let starts = rows.rowStarts()
    #expect(starts.count == 6)
    #expect(rows.field(1, ofRowAt: starts[2]) == Array("t2".utf8))
    #expect(rows.field(1, ofRowAt: starts[3]) == nil)
    #expect(try connection.copyIn("t", columns: "a, b", rows, range: starts[1]..<starts[3]) == 2)
    #expect(try connection.queryText("select string_agg(b, ',' order by a) from t").text(0, 0) == "t1,t2")
    rows.removeAll()
    #expect(rows.isEmpty && rows.rowStarts() == [0])
  }

  @Test func refusedCopyLeavesTheConnectionUsable() throws {
    let database = try TestDatabase()
    let connection = try database.connect()
    try connection.execute("create table t (a int2 check (a < 5))")
    var rows = CopyBuffer()
    for index in 0..<100_000 {
      rows.beginRow(columns: 1)
      rows.put(Int16(index % 10))
    }
    let error = #expect(throws: PostgresError.self) { try connection.copyIn("t", columns: "a", rows) }
    #expect(error?.sqlState == "23514")
    #expect(try connection.query("select count(*) from t").int(0, 0) == 0)
    #expect(throws: PostgresError.self) { try connection.copyIn("nowhere", columns: "a", rows) }
    #expect(try connection.query("select 1").int(0, 0) == 1)
  }

  @Test(arguments: 0...70)
  func textIsCheckedAtEveryPlace(_ length: Int) {
    let plain = [UInt8](repeating: 0x41, count: length)
    #expect(isPlain(plain) && isValid(plain))
    for place in 0..<length {
      for bad: UInt8 in [0, 0x80, 0xff] {
        var text = plain
        text[place] = bad
        #expect(!isPlain(text))
        #expect(!isValid(text))
        let repaired = TextCheck.repaired(text.span)
        #expect(isValid(repaired))
        #expect(repaired.count == length + 2)
      }
    }
  }

  private func isPlain(_ text: [UInt8]) -> Bool { TextCheck.isPlain(text.span) }
  private func isValid(_ text: [UInt8]) -> Bool { TextCheck.isValid(text.span) }
}
