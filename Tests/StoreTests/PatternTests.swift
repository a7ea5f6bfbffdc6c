import FleetModel
import Incidents
import Postgres
import Store
import Testing

/// The grammar of patterns in the database is that of the programs.
@Suite(.timeLimit(.minutes(10))) struct PatternTests {
  @Test func theDatabaseMatchesAsTheProgramsDo() throws {
    let fixture = try StoreFixture()
    let patterns = [
      "gpu-*", "gpu-1", "*", "", "a*b", "*-1", "a*b*c", "a_b", "a%", "a%*", "a_*", "\\*", "a\\*", "\\%*", "**", "*é",
      "a?",
    ]
    let words = [
      "gpu-1", "gpu-", "cpu-1", "x", "", "ab", "axbbyc", "axb", "a%b", "a_b", "a\\b", "\\%x", "café", "a\nb",
    ]
    for pattern in patterns {
      for word in words {
        let rows = try fixture.store.connection.query(
          "select signalbox.matches($1, $2)::text", [.text(pattern), .text(word)])
        #expect(rows.text(0, 0) == String(StarPattern.matches(word, pattern)), "'\(pattern)' and '\(word)'")
      }
    }
    #expect(try fixture.value("select signalbox.matches(null, 'x')::text") == "true")
  }
}
