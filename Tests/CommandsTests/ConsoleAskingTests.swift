import Answers
import ArgumentParser
import FleetModel
import Testing

@testable import Commands

/// How the command line asks a console: addresses, contexts, kinds of values, and what is waited for.
@Suite struct ConsoleAskingTests {
  @Test func anAnswerIsTheSameBehindTheWire() throws {
    let shown: [Answer.Column] = [.init("a", "A", .age), .init("b", "B", .ratio)]
    let cells: [Cell] = [
      .null, .text("{\"time\":\"1\"}\u{202e}\n"), .integer(.min), .real(5), .real(0.1), .real(.infinity), .real(-0.0),
      .boolean(true), .time(1_764_455_334_123_456_789), .json("{\"a\": [1, 2.50]}"),
      .list([.text("x"), .null, .time(1)]),
    ]
    let answer = Answer(columns: shown, rows: cells.map { [$0, .text("y")] })
    let read = try #require(JSON.read(Array(answer.rowsJSON.written.utf8)))
    let back = try #require(Answer(rows: read, shown))
    #expect(back.rows == answer.rows && back.columns.map(\.title) == ["A", "B"])
    for text in [#"{}"#, #"{"columns":["a"],"rows":[[1,2]]}"#, #"{"columns":["a"],"rows":[[{"kind":1}]]}"#, "[]"] {
      let document = try #require(JSON.read(Array(text.utf8)))
      #expect(Answer(rows: document, []) == nil, "\(text)")
    }
  }

  @Test func addressesCarryAnyText() {
    let call = ConsoleCall.get("/api/v1/logs", [("q", "a&b=c d/é"), ("host", nil), ("limit", "5")])
    #expect(call.address == "/api/v1/logs?q=a%26b%3Dc%20d%2F%C3%A9&limit=5")
    #expect(FleetQuestion.host("a/b").call.address == "/api/v1/hosts/a%2Fb")
    let post = ConsoleCall.post("/x", [("text", "a \"b\""), ("more", nil)])
    #expect(String(decoding: post.body, as: UTF8.self) == #"{"text":"a \"b\""}"#)
  }

  @Test func contextsAreReadAsTheyWereWritten() throws {
    var file = ContextFile()
    file.use(ConsoleContext(name: "b", url: "https://b", token: "sbk_1", authorities: "/ca"))
    file.use(ConsoleContext(name: "a", url: "https://a", token: "sbk_2", authorities: nil))
    file.use(ConsoleContext(name: "b", url: "https://b:1", token: "sbk_3", authorities: nil))
    #expect(file.current == "b" && file.contexts.map(\.name) == ["a", "b"] && file["b"]?.url == "https://b:1")
    #expect(ContextFile(Array(file.json.written.utf8)) == file)
    #expect(ContextFile(Array("{}".utf8)) == nil && ContextFile(Array(#"{"contexts":[{"name":"a"}]}"#.utf8)) == nil)
    for name in ["a", "console.example.org", "a_b-1"] { #expect(ContextFile.isName(name)) }
    for name in ["", ".a", "-a", "a/b", "a b", "é", "~a", String(repeating: "a", count: 101)] {
      #expect(!ContextFile.isName(name), "\(name)")
    }
  }

  @Test func whatIsWaitedForEndsAsSoonAsItCannotCome() {
    let run = Wait(isRun: true, name: "7", state: "completed")
    #expect(run.verdict("completed") == .reached && run.verdict("running") == .waiting("running"))
    #expect(run.verdict("failed") == .lost("run '7' is failed: it does not become completed any more"))
    #expect(Wait(isRun: true, name: "7", state: "ended").verdict("failed") == .reached)
    let host = Wait(isRun: false, name: "a", state: "live")
    #expect(host.verdict("silent") == .waiting("silent") && host.verdict("live") == .reached)
  }

  @Test func doctorSaysWhatToDo() {
    let day: Int64 = 86_400_000_000_000
    func findings(_ expires: Int64, _ time: Int64, _ version: String) -> [DoctorCommand.Finding] {
      let caller = Answer(
        columns: ["name", "role", "expires", "time", "version"].map { Answer.Column($0) },
        rows: [[.text("ann"), .text("viewer"), .time(expires), .time(time), .text(version)]])
      return DoctorCommand.judge(caller, beganNs: 100 * day, endedNs: 100 * day + 1)
    }
    #expect(findings(190 * day, 100 * day, Build.version).allSatisfy { $0.isGood })
    let bad = findings(101 * day, 100 * day - 60_000_000_000, "0")
    #expect(bad.map(\.check) == ["token", "clock", "version"] && bad.allSatisfy { !$0.isGood }, "\(bad)")
    #expect(bad[1].detail.contains("behind") && bad[0].detail.contains("signalbox tokens create"))
  }

  @Test(
    arguments: [
      ("hosts", ["a/b"], "/hosts/a%2Fb"), ("runs", [], "/runs"), ("fleet", [], "/"),
      ("episodes", ["4", "2"], "/runs/4/episodes/2"), ("incidents", ["7"], "/incidents/7"),
    ] as [(String, [String], String)])
  func pagesHaveAddresses(_ noun: String, _ names: [String], _ path: String) throws {
    #expect(try OpenCommand.path(noun, names) == path)
    for wrong in [("nothing", []), ("runs", ["x"]), ("logs", ["1"]), ("episodes", ["1"])] as [(String, [String])] {
      #expect(throws: CommandFailure.self) { _ = try OpenCommand.path(wrong.0, wrong.1) }
    }
  }

  @Test func aBridgeMirrorsWhatHeadersMustCarry() throws {
    let message = try #require(
      JSON.read(
        Array(
          #"{"method":"tools/call","params":{"name":"é x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#
            .utf8)))
    #expect(
      AssistantBridge.headers(message) == [
        "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: =?base64?w6kgeA==?=",
      ])
    #expect(AssistantBridge.headers(.object([("method", .text("initialize"))])).isEmpty)
    #expect(!AssistantBridge.value("a\r\nX: y").contains("\n"))
  }

  // MARK: Examples

  private static func leaves(_ command: any ParsableCommand.Type = Root.self, _ path: [String] = []) -> [[String]] {
    let below = command.configuration.subcommands
    return below.isEmpty
      ? [path] : below.flatMap { leaves($0, path + [$0.configuration.commandName ?? ""]) }
  }

  /// Every command has examples, and each of them is a command line that the program takes.
  @Test func everyCommandHasExamplesThatAreTaken() throws {
    let paths = Set(Self.leaves().map { $0.joined(separator: " ") })
    #expect(Set(CommandExamples.all.keys) == paths)
    for (path, examples) in CommandExamples.all {
      #expect(
        !examples.isEmpty
          && CommandExamples.text(words: path.split(separator: " ").map(String.init))?.contains(examples[0]) == true)
      for example in examples {
        #expect(example.hasPrefix(path), "\(example)")
        let words = Self.words(example)
        #expect(throws: Never.self, "\(example)") { try Root.parseAsRoot(words) }
      }
    }
  }

  /// Words as a shell divides them; what is between quotes is one.
  private static func words(_ line: String) -> [String] {
    line.split(separator: "'", omittingEmptySubsequences: false).enumerated().flatMap { place, part in
      place % 2 == 1 ? [String(part)] : part.split(separator: " ").map(String.init)
    }
  }
}
