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

  /// The rest of a password that is not encoded must not become a host, a port or a database that messages name.
  @Test(arguments: [
    "postgresql://u:ge/heim@h/db", "postgresql://u:ge@heim@h/db", "postgres://u:12/heim@h:5432/db",
    "postgresql://u:geheim#x/y@h/db", "postgresql://u:geheim@h:geheim/db",
  ])
  func aPasswordThatIsNotEncodedIsRefusedWithWhatToDo(_ text: String) {
    let error = #expect(throws: PostgresError.self) { try DatabaseURL(parsing: text) }
    let said = error.map { "\($0)" } ?? ""
    #expect(said.contains("%2F"))
    #expect(!said.contains("heim") && !said.contains("ge/"))
  }

  @Test(arguments: [
    "postgresql://u:p@h1:5432,h2:5433/db?target_session_attrs=read-write", "postgresql:///db?host=/run/pg&user=a%40b",
    "postgresql://u%40x:p%2F%40@h/db?options=-c%20x%3Dy@z", "host=h user=a@b dbname=c@d",
  ])
  func whatIsRightIsTaken(_ text: String) throws { _ = try DatabaseURL(parsing: text) }

  @Test(arguments: ["postgresql://u:geheim@[::1/db", "postgresql://u:ge?h/geheim@h/db", "password=geheim x"])
  func brokenTextIsRefusedWithoutRepeatingIt(_ text: String) {
    let error = #expect(throws: PostgresError.self) { try DatabaseURL(parsing: text) }
    #expect(error.map { !"\($0)".contains("geheim") } == true)
  }
}
