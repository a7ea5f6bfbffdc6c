internal import Answers
internal import Files
internal import FleetModel
internal import Postgres
internal import Store

/// Where a command's answers come from: the database itself, or a console. Confined to one thread.
final class FleetSource {
  enum Way {
    case database(FleetReader)
    case console(ConsoleClient)
  }

  let way: Way
  private let output: OutputOptions?
  /// Of the newest answer of a console that gave it.
  private var presence: Presence?

  init(_ way: Way, _ output: OutputOptions? = nil) {
    self.way = way
    self.output = output
  }

  /// - Throws: `CommandFailure`; `.nothingFound` where a console knows no host of the name that the question is about.
  func answer(_ question: FleetQuestion, _ shown: [Answer.Column] = [], notes: [String] = []) throws -> Answer {
    switch way {
    case .database(let reader):
      let answer = try reader.answer(question.query, shown, notes: notes)
      guard let limit = question.limit, answer.rows.count > limit else { return answer }
      var part = answer.first(limit)
      part.isCut = true
      return part
    case .console(let client):
      do {
        var answer = try ask(client, question.call, shown).answer
        answer.notes = notes
        return answer
      } catch let failure as CommandFailure where failure.code == .nothingFound && question.isOne {
        return Answer(columns: shown)
      } catch let failure as CommandFailure where failure.code == .nothingFound {
        throw try unknown(failure.message)
      }
    }
  }

  /// Of a console, with what else it tells.
  func ask(_ client: ConsoleClient, _ call: ConsoleCall, _ shown: [Answer.Column]) throws -> ConsoleClient.Reply {
    let reply = try client.ask(call, shown)
    presence = reply.presence ?? presence
    return reply
  }

  /// A question about a host that there is none of has no answer: "nothing was lost" of a mistyped name would be a lie. A console finds
  /// that out itself, and answers each question with it.
  /// - Throws: `CommandFailure.nothingFound`, naming the hosts that there are.
  func requireHosts(_ names: [String?]) throws {
    if case .database(let reader) = way, let output { try reader.requireHosts(names, output) }
  }

  /// Scripts get an empty list beside the code.
  private func unknown(_ sentence: String) throws -> CommandFailure {
    if let output, output.format == .json { try output.print(Answer(columns: [])) }
    var failure = CommandFailure(.nothingFound, sentence)
    failure.isAboutHost = true
    return failure
  }

  /// What of storing and paging needs a person, a sentence each; none where that cannot be found out.
  func problems() -> [String] {
    switch way {
    case .database(let reader): return reader.problems(nowNs: Clock.wallNs())
    case .console(let client):
      let answer = try? client.ask(.get("/api/v1/fleet/problems")).answer
      return answer?.texts ?? []
    }
  }

  /// Which hosts the answers cannot speak for.
  /// - Parameter hosts: names and patterns of those that were asked about; none for all.
  func missingHosts(of hosts: [String]) throws -> [String] {
    let whole: Presence
    switch way {
    case .database: whole = Presence(try answer(.presence), asOfNs: Clock.wallNs())
    case .console: whole = try presence ?? Presence(answer(.presence), asOfNs: Clock.wallNs())
    }
    return (hosts.isEmpty ? whole : whole.only { name in hosts.contains { StarPattern.matches(name, $0) } }).missing
  }
}

extension DatabaseOptions {
  /// - Throws: `CommandFailure` where neither is named, or it cannot be reached.
  func source(_ output: OutputOptions) throws -> FleetSource {
    switch try place() {
    case .database: return FleetSource(.database(try reader()), output)
    case .console(let context):
      Interrupts.arm()
      return FleetSource(.console(try ConsoleClient(context)), output)
    }
  }
}
