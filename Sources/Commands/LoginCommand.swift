internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import TLS

struct LoginCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "login", abstract: "Stores a console and a token, with which every command asks from then on.",
    discussion: """
      The token is read from --token-file, else from standard input: never from the command line, which others see.
      An admin makes one with signalbox tokens create NAME --role viewer; responder acts on incidents.
      It is checked against the console before anything is stored, below ~/.config/signalbox, readable by you alone.
      """)
  @Argument(help: "https://HOST[:PORT] of the console.") var url: String
  @Option(help: "File with the token; - is standard input.") var tokenFile: String?
  @Option(help: "PEM file of the authority of the console's certificate; else the system's authorities.") var ca:
    String?
  @Option(help: "How the context is called; else the console's host.") var name: String?
  @OptionGroup var output: OutputOptions

  private static let bytesMax = 64 << 10

  func run() throws {
    let address = try Self.address(url)
    let name = name ?? String(address.dropFirst("https://".count).prefix { $0 != ":" && $0 != "/" })
    guard ContextFile.isName(name) else {
      throw CommandFailure(.usage, "--name takes letters, digits, '.', '-' and '_', not '\(name)'")
    }
    var file = try ContextFile.load()
    guard file[name] != nil || file.contexts.count < ContextFile.contextsMax else {
      throw CommandFailure(
        .usage, "there are \(ContextFile.contextsMax) contexts: signalbox contexts remove NAME ends one")
    }
    if self.name == nil, let other = file[name], other.url != address {
      throw CommandFailure(.usage, "context '\(name)' is of \(other.url): --name NAME gives this one another name")
    }
    let authorities = try ca.map { try Self.read($0, "--ca") }
    var context = ConsoleContext(name: name, url: address, token: try token(), authorities: ca)
    let caller = try ConsoleClient(context).ask(.get("/api/v1/whoami"), ShownColumns.credentials).answer
    if let authorities { context.authorities = try ContextFile.keepAuthorities(authorities, for: name) }
    file.use(context)
    try file.save()
    try output.printChange(
      "context '\(name)' is in use: \(Self.word(caller, "name")) at \(address), with the role "
        + "\(Self.word(caller, "role")) until \(Self.word(caller, "expires"))"
    ) { ContextsCommand.answer(file, only: name) }
  }

  static func word(_ answer: Answer, _ name: String) -> String {
    switch answer.value(name) {
    case .text(let text)?: text
    case .time(let ns)?: Timestamp.text(ns, digits: 0)
    default: "?"
    }
  }

  /// - Throws: `.usage` for what is no address of a console.
  static func address(_ text: String) throws -> String {
    var address = text
    while address.hasSuffix("/") { address.removeLast() }
    let rest = address.dropFirst("https://".count)
    guard address.hasPrefix("https://"), !rest.isEmpty,
      PercentEncoding.path(address).elementsEqual(address) || rest.hasPrefix("["),
      !rest.contains(where: { "/?#@ ".contains($0) })
    else {
      throw CommandFailure(
        .usage, "a console's address begins with https:// and names a host, such as https://console:7444")
    }
    return address
  }

  private func token() throws -> String {
    let bytes: [UInt8]
    if let tokenFile, tokenFile != "-" {
      bytes = try Self.read(tokenFile, "--token-file")
    } else {
      if StandardInput.isTerminal { try StandardStream.error.write("token: ") }
      bytes = try StandardInput.readSecret(limitBytes: Self.bytesMax)
    }
    let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
    guard words.count == 1, AccessToken(String(words[0])) != nil else {
      throw CommandFailure(
        .usage, "that is no token: it begins with sbk_, as signalbox tokens create prints it, and is whole")
    }
    return String(words[0])
  }

  private static func read(_ path: String, _ option: String) throws -> [UInt8] {
    do {
      return try HostFiles.read(path, limitBytes: bytesMax)
    } catch {
      throw CommandFailure(.usage, "\(option): \(error)")
    }
  }
}

struct ContextsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "contexts", abstract: "Consoles that signalbox login has stored.",
    subcommands: [List.self, Use.self, Remove.self])

  private static let shown: [Answer.Column] = [
    .init("name", "NAME", rank: 0), .init("url", "CONSOLE", rank: 1), .init("is_current", "IN USE", rank: 2),
  ]

  /// Without the tokens.
  static func answer(_ file: ContextFile, only name: String? = nil) -> Answer {
    let rows = file.contexts.filter { name == nil || $0.name == name }.map { context in
      [Cell.text(context.name), .text(context.url), .boolean(context.name == file.current)]
    }
    return Answer(columns: shown, rows: rows)
  }

  static func known(_ name: String, _ file: ContextFile) throws -> ConsoleContext {
    guard let context = file[name] else {
      throw CommandFailure(.nothingFound, "no context is called '\(name)'; signalbox contexts list shows them")
    }
    return context
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "All of them, and which one is in use.")
    @OptionGroup var output: OutputOptions

    func run() throws {
      try output.print(
        ContextsCommand.answer(ContextFile.load()), orSay: "no console is stored: signalbox login URL stores one")
    }
  }

  struct Use: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "use", abstract: "Makes one the console that is asked.")
    @Argument(help: "Its name.") var name: String
    @OptionGroup var output: OutputOptions

    func run() throws {
      var file = try ContextFile.load()
      let context = try ContextsCommand.known(name, file)
      file.use(context)
      try file.save()
      try output.printChange("context '\(name)' is in use: \(context.url)") {
        ContextsCommand.answer(file, only: name)
      }
    }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove", abstract: "Removes one with its token, which stays valid until it is revoked.")
    @Argument(help: "Its name.") var name: String
    @OptionGroup var output: OutputOptions

    func run() throws {
      var file = try ContextFile.load()
      let context = try ContextsCommand.known(name, file)
      let removed = ContextsCommand.answer(file, only: name)
      file.contexts.removeAll { $0.name == name }
      if file.current == name { file.current = nil }
      try file.save()
      if let authorities = context.authorities { try HostFiles.remove(authorities) }
      try output.printChange("context '\(name)' is removed; signalbox tokens revoke ends its token") { removed }
    }
  }
}
