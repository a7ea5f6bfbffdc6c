import FleetModel
import Testing

@Suite struct CommandWordsTests {
  @Test(
    arguments: [
      (["logs", "--limit", "-1"], ["logs", "--limit=-1"]),
      (["--for", "-2h", "--by", "x"], ["--for=-2h", "--by", "x"]),
      (["--limit", "1", "-5"], ["--limit", "1", "-5"]), (["--since", "-x"], ["--since", "-x"]),
      (["--limit=3", "-1"], ["--limit=3", "-1"]), (["--", "--limit", "-1"], ["--", "--limit", "-1"]),
      (["--limit", "-1", "--", "-2"], ["--limit=-1", "--", "-2"]), (["--limit"], ["--limit"]),
      (["-f", "-1"], ["-f", "-1"]),
      (["--limit", "-"], ["--limit", "-"]), ([], []),
    ] as [([String], [String])])
  func aNegativeNumberIsTheValueOfItsOption(_ words: [String], _ joined: [String]) {
    #expect(CommandWords.joiningNegativeNumbers(words) == joined)
  }

  @Test(arguments: [
    "/srv/**/*.log", "/srv/[a-c]x", "/srv/[!a]x", "/srv/[^]]x", "/srv/[]]x", "/srv/[[]x", "/srv/[{]a", "*.tmp", "/", "",
    "/srv/a]b", "/srv/a}b", "/srv/[a]/[b]",
  ])
  func aPatternThatCanBeMeantIsTaken(_ pattern: String) {
    #expect(PathPatternGrammar.mistake(in: pattern) == nil)
  }

  @Test(arguments: [
    ("/x[a", "no ']'"), ("/srv/[", "no ']'"), ("/srv/[!", "no ']'"), ("/srv/[]", "no ']'"), ("/srv/[a/b]", "no ']'"),
    ("/srv/[a]x[b", "no ']'"), ("/srv/{a", "{a,b}"), ("/srv/{a,b}/x", "{a,b}"), ("/srv/[{]{", "{a,b}"),
  ])
  func aPatternThatWouldMatchNothingIsRefused(_ pattern: String, _ part: String) {
    #expect(PathPatternGrammar.mistake(in: pattern)?.contains(part) == true)
  }
}
