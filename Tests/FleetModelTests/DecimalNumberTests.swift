import FleetModel
import TestSupport
import Testing

@Suite struct DecimalNumberTests {
  private func parse(_ text: String) -> Double? {
    let bytes = Array(text.utf8)
    return DecimalNumber.parse(bytes.span, 0..<bytes.count)
  }

  @Test("every number reads to the same bits as the standard library's", arguments: 0..<40)
  func sameBits(seed: UInt64) {
    var random = SplitMix(seed: seed)
    for _ in 0..<500 {
      let text = Self.number(using: &random)
      #expect(parse(text)?.bitPattern == Double(text)?.bitPattern, "\(text)")
    }
  }

  @Test("every double reads back from its shortest text", arguments: 0..<20)
  func roundTrips(seed: UInt64) {
    var random = SplitMix(seed: seed)
    for _ in 0..<500 {
      let value = Double(bitPattern: random.next())
      guard value.isFinite else { continue }
      #expect(parse("\(value)") == value, "\(value)")
    }
  }

  @Test("halfway cases round to even")
  func halfway() {
    #expect(parse("9007199254740993") == 9_007_199_254_740_992)
    #expect(parse("9007199254740993.0000000000000000000001") == 9_007_199_254_740_994)
    #expect(parse("9007199254740995") == 9_007_199_254_740_996)
    #expect(parse("0.500000000000000166533453693773481063544750213623046875") == 0.5000000000000002)
    #expect(parse("1.7976931348623157e308") == .greatestFiniteMagnitude)
    #expect(parse("5e-324") == .leastNonzeroMagnitude)
    #expect(parse("1e400") == .infinity && parse("-1e400") == -.infinity && parse("1e-400") == 0)
    #expect(parse("-0.0")?.sign == .minus)
  }

  @Test("the names of infinity and NaN are read in any case")
  func names() {
    #expect(parse("nan")?.isNaN == true && parse("NaN")?.isNaN == true && parse("-nan")?.isNaN == true)
    #expect(parse("inf") == .infinity && parse("-Infinity") == -.infinity && parse("+INF") == .infinity)
  }

  @Test(
    "what is no number is none",
    arguments: [
      "", " ", "-", "+", ".", "e5", "1e", "1e+", "1.2.3", "0x10", "1_000", "1,5", "nano", "infinit", "--1", "1 2", "é",
      "\0",
      "1e5x", "nan(1)",
    ])
  func refused(text: String) {
    #expect(parse(text) == nil)
  }

  @Test("blanks around a number are passed over, and an endless number is refused")
  func edges() {
    #expect(parse(" 1.5\t") == 1.5)
    #expect(parse(String(repeating: "9", count: 513)) == nil)
    #expect(parse("1" + String(repeating: "0", count: 400)) == .infinity)
    let bytes = Array("3.0".utf8)
    #expect(DecimalNumber.parseInteger(bytes.span, 0..<3) == 3)
    #expect(DecimalNumber.parseInteger(Array("3.5".utf8).span, 0..<3) == nil)
    #expect(DecimalNumber.parseInteger(Array("1e99".utf8).span, 0..<4) == nil)
  }

  private static func number(using random: inout SplitMix) -> String {
    func digits(_ count: ClosedRange<Int>) -> String {
      (0..<Int.random(in: count, using: &random)).map { _ in String(Int.random(in: 0...9, using: &random)) }.joined()
    }
    var text = Bool.random(using: &random) ? "-" : ""
    text += digits(1...18)
    if Bool.random(using: &random) { text += "." + digits(0...22) + "0" }
    if Int.random(in: 0..<3, using: &random) == 0 { text += "e\(Int.random(in: -40...40, using: &random))" }
    return text
  }
}
