import FleetModel
import Incidents
import Postgres
import Store
import Testing

/// What the database decides in SQL is what the programs decide: patterns, and who may have a message.
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

  @Test func theDatabaseKnowsAsTheProgramsDoWhoMayHaveAMessage() throws {
    let fixture = try StoreFixture()
    let condition = DeliveryState.mayHaveBeenReceivedSQL(state: "$1::text", attempts: "$2::integer")
    for state in DeliveryState.allCases {
      for attempts in 0...3 {
        let rows = try fixture.store.connection.query(
          "select \(condition)", [.text(state.rawValue), .int4(Int32(attempts))])
        #expect(rows.bool(0, 0) == state.mayHaveBeenReceived(attempts: attempts), "\(state), \(attempts) attempts")
      }
    }
  }
}
