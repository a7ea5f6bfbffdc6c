internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Outbound
internal import TLS

/// Acts on a reply to a page, which a mail server pipes to it.
struct ReplyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reply", abstract: "For a mail server: acts on a reply to a page, read from standard input.",
    discussion: """
      The first line of the reply is ack, resolve, or note and its text. What a program wrote, such as an absence note, never acts.
      Which page it answers says the address, signalbox+TOKEN@…, by paging.reply_to of signalbox.yaml. No login is needed: the token acts.
      Exit codes: 0 done, or a program wrote it; 65 the message cannot be used, with a sentence for its sender; 75 try again later.
      """)
  @Option(help: "https://HOST[:PORT] of the console.") var console: String
  @Option(help: "PEM file of the authority of the console's certificate; else the system's authorities.") var ca:
    String?
  @Option(help: "The envelope's recipient; else the message's headers name it.") var recipient: String?

  /// A mail server holds the message meanwhile.
  private static let deadlineMs = 30_000

  func run() throws {
    let bytes = try StandardInput.read(limitBytes: MailReply.bytesMax + 1)
    switch MailReply.read(bytes, recipient: recipient) {
    case .automatic: return
    case .refused(let sentence): throw CommandFailure(.badMessage, sentence)
    case .act(let token, let action): try act(token, action)
    }
  }

  private func act(_ token: String, _ action: MailReply.Action) throws {
    let address: String
    let client: ConsoleClient
    do {
      address = try LoginCommand.address(console)
      client = try ConsoleClient(ConsoleContext(name: "reply", url: address, token: "", authorities: ca))
    } catch let failure as CommandFailure {
      // A mistake of the mail server's configuration: the message waits until it is mended.
      throw CommandFailure(.tryAgain, failure.message)
    }
    client.deadlineMs = Self.deadlineMs
    var fields: [(String, String?)] = [("confirm", PageToken.confirmation(of: token))]
    switch action {
    case .acknowledge: fields.append(("action", "ack"))
    case .resolve: fields.append(("action", "resolve"))
    case .note(let text): fields += [("action", "note"), ("text", text)]
    }
    do {
      let answer = try client.send(.post("/i/\(token)", fields), accept: "application/json")
      if answer.code == 200 { return }
      let detail = JSON.read(answer.body)?["detail"]?.text.map { PlainText.cut($0, scalarsMax: 500) }
      let isLater = answer.code == 429 || answer.code >= 500
      throw CommandFailure(
        isLater ? .tryAgain : .badMessage, detail ?? "the console answers with status \(answer.code)")
    } catch let failure as CommandFailure where failure.code == .notReachable {
      throw CommandFailure(.tryAgain, failure.message)
    }
  }
}
