internal import Answers
internal import Files
internal import FleetModel

/// Changes that a console makes, in the name of its token.
extension ChangeOptions {
  /// - Returns: nil where the database itself is changed.
  /// - Throws: `.usage` for a name that is not the token's own.
  func console() throws -> ConsoleClient? {
    guard case .console(let context) = try database.place() else { return nil }
    if by != nil { throw CommandFailure(.usage, "a console enters the name of your token: leave --by out") }
    return try ConsoleClient(context)
  }

  /// - Parameter value: what people take further, alone on standard output.
  func print(_ reply: ConsoleClient.Reply, value: Cell? = nil) throws {
    let text: String? =
      switch value {
      case .integer(let number)?: String(number)
      case .text(let text)?: text
      default: nil
      }
    try output.printChange(reply.done, value: text) { reply.answer }
  }

  /// Changes incidents one by one; one that cannot be changed keeps no other from it.
  /// - Parameter verb: the last part of the address.
  /// - Throws: `.nothingFound` after all others, where some are unknown.
  func changeEach(_ numbers: [Int64], _ client: ConsoleClient, verb: String) throws {
    var replies: [Int64: ConsoleClient.Reply] = [:]
    var problems: [String] = []
    for number in numbers where replies[number] == nil {
      do {
        replies[number] = try client.ask(.post("/api/v1/incidents/\(number)/\(verb)"))
      } catch let failure as CommandFailure where failure.code == .nothingFound {
        problems.append(failure.message)
      }
    }
    let changed = replies.sorted { $0.key < $1.key }.map(\.value)
    if output.format == .table {
      for reply in changed { try print(reply) }
    } else if var answer = changed.first?.answer {
      answer.rows = changed.flatMap(\.answer.rows)
      try output.print(answer)
    }
    if !problems.isEmpty { throw CommandFailure(.nothingFound, problems.joined(separator: "; ")) }
  }
}
