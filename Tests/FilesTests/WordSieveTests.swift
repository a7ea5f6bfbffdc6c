import Files
import Testing

@Suite struct WordSieveTests {
  /// Wherever a word stands, in whatever case, at least one place lies within it; and in text without it hardly any does.
  @Test func noWordIsMissedWhereverItStands() throws {
    var random = SystemRandomNumberGenerator()
    let words = ["cuda out of memory", "traceback (most", "exception in _sample_episodes", "watchdog", "xid (pci"]
      .map { Array($0.utf8) }
    let sieve = try #require(WordSieve(words))
    #expect(sieve.stride == 5)
    var places: [UInt32] = []
    for round in 0..<2000 {
      let filler = { (count: Int) in (0..<count).map { _ in UInt8.random(in: 32...126, using: &random) } }
      var text = filler(Int.random(in: 0...70, using: &random))
      let start = text.count
      let word = words[round % words.count].map { byte in
        (97...122).contains(byte) && Bool.random(using: &random) ? byte & 0xdf : byte
      }
      text += word + filler(Int.random(in: 0...70, using: &random))
      let isExact = sieve.find(in: text.span, &places)
      #expect(!isExact || places.contains { Int($0) >= start && Int($0) + 4 <= start + word.count })
      #expect(places == places.sorted())
      var found: [Int] = []
      for place in places { sieve.look(at: Int(place), in: text.span, 0..<text.count) { found.append($0) } }
      #expect(!isExact || found.contains(round % words.count))
    }
  }

  @Test func plainTextIsHardlyLookedAt() throws {
    let sieve = try #require(WordSieve([Array("cuda out of memory".utf8), Array("watchdog caught".utf8)]))
    var text: [UInt8] = []
    for line in 0..<1000 { text += Array("2026-11-21 08:00:00,000 - INFO - step \(line) reward 0.5 loss 1.25".utf8) }
    var places: [UInt32] = []
    #expect(sieve.find(in: text.span, &places))
    #expect(places.count < 20)
    #expect(sieve.find(in: [UInt8]().span, &places) && places.isEmpty)
  }

  /// More hints than one in 64 bytes are no help, and that is said.
  @Test func tooManyHintsAreSaid() throws {
    let sieve = try #require(WordSieve([Array("error".utf8)]))
    var places: [UInt32] = []
    let text = Array(String(repeating: "error ", count: 1000).utf8)
    #expect(!sieve.find(in: text.span, &places))
  }

  @Test func shortWordsHaveNoSieve() {
    #expect(WordSieve([]) == nil)
    #expect(WordSieve([Array("nan".utf8), Array("a long word".utf8)]) == nil)
  }
}
