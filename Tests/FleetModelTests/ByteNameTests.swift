import FleetModel
import Testing

@Suite struct ByteNameTests {
  /// Canonically equivalent, and not the same bytes.
  private let composed = "/srv/\u{e9}.log"
  private let decomposed = "/srv/e\u{301}.log"

  @Test func namesAreComparedByTheirBytes() {
    #expect(composed == decomposed)
    #expect(!composed.hasBytes(of: decomposed) && composed.hasBytes(of: "/srv/\u{e9}" + ".log"))
    #expect(ByteName(composed) != ByteName(decomposed))
    #expect(ByteName(composed).hashValue == ByteName("/srv/\u{e9}" + ".log").hashValue)
  }

  @Test func aTableAndASetKeepBothApart() {
    var table = NameTable<Int>()
    (table[composed], table[decomposed]) = (1, 2)
    #expect(table.count == 2 && table[composed] == 1 && table[decomposed] == 2)
    table[composed] = nil
    #expect(table[composed] == nil && table.names.map { Array($0.utf8) } == [Array(decomposed.utf8)])
    var set: NameSet = [composed]
    #expect(set.contains(composed) && !set.contains(decomposed))
    let wasNew = set.insert(decomposed)
    #expect(wasNew && set.count == 2 && set != [composed])
    set.remove(composed)
    #expect(!set.contains(composed) && set.contains(decomposed))
  }
}
