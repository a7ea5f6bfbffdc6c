internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import TLS

struct CACommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ca", abstract: "The fleet's certificate authority.",
    subcommands: [Init.self, Status.self, Renew.self, Export.self, Import.self])

  struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "init",
      abstract: "Makes the root and the issuing CA below a collector's state directory.",
      discussion: "A collector makes them itself at its first start. ca/root.key may be kept offline afterwards.")
    @OptionGroup var authority: AuthorityOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let made = try authority.perform { directory throws(IdentityError) in
        try CertificateAuthority.create(directory: directory, nowNs: Clock.wallNs())
      }
      try output.printChange("an authority is in \(authority.place) now; its pin is \(Hex.text(made.root.keyPin))") {
        authority.row(made)
      }
    }
  }

  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "status", abstract: "Pin and end of root and issuing CA, and whether the root's key is there.",
      aliases: ["show"])
    @OptionGroup var authority: AuthorityOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let loaded = try authority.perform { directory throws(IdentityError) in
        try CertificateAuthority.load(directory: directory)
      }
      let hasRootKey = CertificateAuthority.hasRootKey(directory: authority.stateDirectory)
      let nowNs = Clock.wallNs()
      func row(_ name: String, _ certificate: Certificate, _ key: String) -> [Cell] {
        let days = (certificate.notAfterNs - nowNs) / 86_400_000_000_000
        return [
          .text(name), .time(certificate.notAfterNs), .integer(days), .text(key), .text(Hex.text(certificate.keyPin)),
        ]
      }
      try output.print(
        Answer(
          columns: [
            .init("certificate", "CERTIFICATE", rank: 0), .init("expires", "UNTIL", rank: 1),
            .init("days_left", "DAYS LEFT", rank: 2),
            .init("key", "KEY", rank: 3), .init("pin", "PIN", rank: 4, least: 64),
          ],
          rows: [
            row("root", loaded.root, hasRootKey ? "here" : "elsewhere"), row("issuing", loaded.issuing, "here"),
          ],
          notes: loaded.endSentence(nowNs: nowNs).map { [$0 + "; renew it with signalbox ca renew"] } ?? []))
    }
  }

  struct Renew: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "renew",
      abstract: "Gives the issuing CA another two years with the same key; needs the root's key in ca/root.key.",
      discussion: """
        A running collector takes it over within a minute, and renews by itself once two thirds are over where ca/root.key is there.
        Further collectors get it with ca export and ca import --renewed.
        """)
    @OptionGroup var authority: AuthorityOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      guard CertificateAuthority.hasRootKey(directory: authority.stateDirectory) else {
        throw CommandFailure(
          .failed,
          "\(authority.stateDirectory)/ca/root.key is not there: bring the root's key back in its place, mode 0600, and take it away afterwards"
        )
      }
      let renewed = try authority.perform { directory throws(IdentityError) in
        try CertificateAuthority.renewIssuing(directory: directory, nowNs: Clock.wallNs())
      }
      let end = Timestamp.text(renewed.issuing.notAfterNs, digits: 0)
      try output.printChange("the issuing CA is good until \(end); a running collector takes it over within a minute") {
        authority.row(renewed)
      }
    }
  }

  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "export",
      abstract: "Writes the authority to one file, mode 0600: a backup, or for a second collector.",
      discussion: "Whoever has the file can sign for the fleet.")
    @Argument(help: "The file to write; it must not exist.") var file: String
    @Flag(help: "Leave out the root's key, which only ca renew needs.") var withoutRootKey = false
    @OptionGroup var authority: AuthorityOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let holdsRootKey = !withoutRootKey && CertificateAuthority.hasRootKey(directory: authority.stateDirectory)
      let text = try authority.perform { directory throws(IdentityError) in
        try CertificateAuthority.export(directory: directory, includingRootKey: !withoutRootKey)
      }
      if try orFailure({ () throws(FileError) in try FileStatus.exists(file) }) {
        throw CommandFailure(
          .failed, "\(file) exists already and is not replaced: name another file, or remove it first")
      }
      try orFailure { () throws(FileError) in
        let target = try Descriptor.open(file, .createNew)
        try target.write(Array(text.utf8).span)
        try target.sync()
      }
      let exported = try authority.perform { directory throws(IdentityError) in
        try CertificateAuthority.load(directory: directory)
      }
      let parts = holdsRootKey ? "with the root's key" : "without the root's key"
      try output.printChange("the authority, \(parts), is in \(file): whoever has the file can sign for the fleet") {
        authority.row(exported).with("file", .text(file)).with("has_root_key", .boolean(holdsRootKey))
      }
    }
  }

  struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "import",
      abstract: "Makes ca/ of what ca export wrote, for a second collector or after a loss.",
      discussion: "To be run as the collector's user, before the collector is started.")
    @Argument(help: "What ca export wrote.") var file: String
    @Flag(help: "Take over the renewed certificate of the authority that is there.") var renewed = false
    @OptionGroup var authority: AuthorityOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let pem = try orFailure { () throws(IdentityError) in try KeyFiles.read(file) }
      if renewed {
        try authority.perform { directory throws(IdentityError) in
          try CertificateAuthority.importingRenewal(pem, directory: directory)
        }
      } else {
        try importWhole(pem)
      }
      let there = try authority.perform { directory throws(IdentityError) in
        try CertificateAuthority.load(directory: directory)
      }
      let end = Timestamp.text(there.issuing.notAfterNs, digits: 0)
      try output.printChange("the authority is in \(authority.place); its issuing CA is good until \(end)") {
        authority.row(there)
      }
    }

    private func importWhole(_ pem: [UInt8]) throws {
      do throws(IdentityError) {
        // Makes the state directory too, once it is known that there is an authority to put into it.
        try CertificateAuthority.importing(pem, directory: authority.stateDirectory)
      } catch {
        guard error.code == .alreadyExists else { throw CommandFailure(.failed, error.description) }
        throw CommandFailure(
          .failed,
          "\(error); --renewed takes over a renewed certificate of the same authority, and a backup goes into an empty directory"
        )
      }
    }
  }
}

/// Where the authority lies.
struct AuthorityOptions: ParsableArguments {
  @Option(name: .customLong("state-dir"), help: "The collector's state directory.") var stateDirectory: String

  /// Of its files.
  var place: String { CertificateAuthority.directory(below: stateDirectory) }

  /// An authority for scripts: one object.
  func row(_ authority: CertificateAuthority) -> Answer {
    Answer(
      columns: [.init("directory"), .init("pin"), .init("root_expires"), .init("issuing_expires")],
      rows: [
        [
          .text(place), .text(Hex.text(authority.root.keyPin)), .time(authority.root.notAfterNs),
          .time(authority.issuing.notAfterNs),
        ]
      ])
  }

  /// - Parameter body: gets the state directory.
  /// - Throws: `CommandFailure` with the error's description.
  @discardableResult
  func perform<Result>(_ body: (String) throws(IdentityError) -> Result) throws -> Result {
    do throws(IdentityError) {
      return try body(stateDirectory)
    } catch {
      switch error.code {
      case .notFound:
        throw CommandFailure(
          .failed,
          "\(error): there is no whole authority in \(stateDirectory); a collector makes one at its first start, signalbox ca import FILE "
            + "brings one back from what ca export wrote")
      case .notPermitted: throw CommandFailure(.failed, "\(error): run it as the collector's user")
      default: throw CommandFailure(.failed, error.description)
      }
    }
  }
}

/// An error of a file or an authority becomes the command's sentence.
private func orFailure<Result, Failure: Error & CustomStringConvertible>(
  _ body: () throws(Failure) -> Result
) throws -> Result {
  do throws(Failure) {
    return try body()
  } catch {
    throw CommandFailure(.failed, error.description)
  }
}
