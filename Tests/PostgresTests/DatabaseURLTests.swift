import Postgres
import Testing

@Suite struct DatabaseURLTests {
  @Test(arguments: [
    ("postgresql://u:p%40ss@h:5433/db?sslmode=require", "postgresql://u:***@h:5433/db?sslmode=require"),
    ("postgresql://u@%2Fvar%2Frun%2Fx/db", "postgresql://u@%2Fvar%2Frun%2Fx/db"),
    ("host=h dbname=d password=p user=u", "postgresql://u:***@h/d"),
    ("postgresql://h1,h2:5/db", "postgresql:///db?host=h1,h2&port=,5"),
  ])
  func printingHidesThePasswordAndNothingElse(_ text: String, _ shown: String) throws {
    let url = try DatabaseURL(parsing: text)
    #expect(url.description == shown)
    #expect(try DatabaseURL(parsing: url.text).settings == url.settings)
  }

  @Test func brokenTextIsRefusedWithoutRepeatingIt() {
    let error = #expect(throws: PostgresError.self) { try DatabaseURL(parsing: "postgresql://u:geheim@[::1/db") }
    #expect(error.map { !"\($0)".contains("geheim") } == true)
  }
}
