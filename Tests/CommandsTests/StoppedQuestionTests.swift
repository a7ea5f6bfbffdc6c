import Postgres
import Testing

@testable import Commands

@Suite struct StoppedQuestionTests {
  /// The server has one SQLSTATE for both, and each asks for something else of whoever reads it.
  @Test func aTimeLimitAndAnAdministratorAreToldApart() {
    func sentence(_ message: String) -> String {
      CommandFailure(PostgresError(sqlState: "57014", message: message, doing: "ask")).message
    }
    let late = sentence("canceling statement due to statement timeout")
    #expect(late == "the question took too long and was stopped; the command's --help lists what narrows it")
    #expect(sentence("canceling statement due to user request").hasPrefix("the question was cancelled in the database"))
  }
}
