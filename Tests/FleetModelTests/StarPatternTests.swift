import FleetModel
import Testing

@Suite struct StarPatternTests {
  @Test(arguments: [
    ("gpu-*", "gpu-1", true), ("gpu-*", "gpu-", true), ("gpu-*", "cpu-1", false), ("*", "x", true), ("*", "", true),
    ("a*b", "ab", true), ("a*a", "a", false), ("*-1", "gpu-1", true), ("gpu-1", "gpu-1", true),
    ("gpu-1", "gpu-10", false), ("", "", true), ("", "a", false), ("*b*", "abc", true), ("a*b*c", "axbbyc", true),
    ("a*b*c", "axyc", false), ("*aab", "aaab", true), ("a_b", "axb", false), ("a%", "ab", false), ("a?", "ab", false),
    ("a\\*", "a\\b", true), ("a%*", "a%b", true), ("a%*", "ab", false), ("*é", "café", true), ("**", "x", true),
  ])
  func everyStarStandsForAnyText(pattern: String, word: String, fits: Bool) {
    #expect(StarPattern.matches(word, pattern) == fits)
  }

  @Test func aHostNeedsEveryLabelThatIsWanted() {
    let labels = ["host": "gpu-7", "role": "trainer"]
    for wanted in [[:], ["host": "gpu-*"], ["host": "gpu-*", "role": "train*"], ["role": "trainer"]] {
      #expect(StarPattern.match(wanted, labels), "\(wanted)")
    }
    for wanted in [["host": "cpu-*"], ["host": "gpu-*", "role": "db"], ["rack": "*"]] {
      #expect(!StarPattern.match(wanted, labels), "\(wanted)")
    }
  }

  @Test(arguments: [
    ("gpu-*", "gpu-1", true), ("gpu-1", "gpu-*", true), ("gpu-*", "*-1", true), ("gpu-*", "cpu-*", false),
    ("*-a", "*-b", false), ("gpu-*", "gpu-1*", true), ("a", "b", false),
  ])
  func patternsThatOneHostMayFitMeet(one: String, other: String, meet: Bool) {
    #expect(StarPattern.mayMeet(one, other) == meet)
  }
}
