/// Why the console ends: one sentence, and the code that scripts test.
package struct ConsoleFailure: Error {
  package enum Code: Int32, Sendable {
    case failed = 1
    case usage = 2
    case notReachable = 4
  }

  package let code: Code
  package let message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}
