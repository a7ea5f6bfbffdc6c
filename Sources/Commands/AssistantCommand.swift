internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Outbound

struct AssistantCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mcp", abstract: "Lets an assistant on this machine ask the console (Model Context Protocol).",
    discussion: """
      Reads one JSON-RPC message a line from standard input, hands it to the console of the context in use, and writes its answer as one line.
      What the assistant may do is what the token may: give it one of a viewer.
      """)
  @Option(help: "Console to ask, as signalbox contexts list names it; else the one in use.") var context: String?

  func run() throws {
    let file = try ContextFile.load()
    guard let known = (context ?? file.current).flatMap({ file[$0] }) else {
      throw CommandFailure(.usage, "there is no such console: signalbox login URL stores one")
    }
    let bridge = AssistantBridge(client: try ConsoleClient(known))
    var input = InputLines()
    while let line = try input.next() {
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }) { continue }
      guard let answer = bridge.answer(line) else { continue }
      try StandardStream.output.write(answer + [UInt8(ascii: "\n")])
    }
  }
}

/// Takes messages of one transport to the other: the console wants in headers what stands in the body.
/// Source: modelcontextprotocol.io/specification/2026-07-28, basic/transports (stdio and streamable-http).
struct AssistantBridge {
  let client: ConsoleClient

  /// - Parameter line: one message.
  /// - Returns: one line; nil for what needs no answer.
  func answer(_ line: [UInt8]) -> [UInt8]? {
    let message = JSON.read(line)
    let id = message?["id"] ?? .null
    do {
      let answer = try client.send(
        .post("/mcp"), accept: "application/json, text/event-stream", content: line,
        more: message.map(Self.headers) ?? [])
      if case .object? = JSON.read(answer.body), JSON.read(answer.body)?["jsonrpc"] != nil {
        return answer.body.filter { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
      }
      if answer.code == 202 || message?["id"] == nil { return nil }
      let detail = JSON.read(answer.body)?["detail"]?.text ?? "the console answers with status \(answer.code)"
      return Self.failure(id, detail)
    } catch {
      return message?["id"] == nil ? nil : Self.failure(id, (error as? CommandFailure)?.message ?? "\(error)")
    }
  }

  /// -32000: the first of those that JSON-RPC leaves to servers.
  private static func failure(_ id: JSON, _ sentence: String) -> [UInt8] {
    let error = JSON.object([("code", .number(-32000)), ("message", .text(PlainText.visible(sentence)))])
    return Array(JSON.object([("jsonrpc", .text("2.0")), ("id", id), ("error", error)]).written.utf8)
  }

  /// Of a message of the stateless version; older ones need none.
  static func headers(_ message: JSON) -> [String] {
    guard let version = message["params"]?["_meta"]?["io.modelcontextprotocol/protocolVersion"]?.text else { return [] }
    var headers = ["MCP-Protocol-Version: \(value(version))", "Mcp-Method: \(value(message["method"]?.text ?? ""))"]
    if let name = message["params"]?["name"]?.text { headers.append("Mcp-Name: \(value(name))") }
    return headers
  }

  /// What a header cannot carry as it is goes as Base64.
  static func value(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { (0x21...0x7e).contains($0) } && !text.isEmpty && !text.hasPrefix("=?base64?")
    return isPlain ? text : "=?base64?\(Base64.standard.encode(Array(text.utf8)))?="
  }
}
