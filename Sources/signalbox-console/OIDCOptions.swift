internal import ArgumentParser
internal import Console
internal import Files
internal import FleetModel

/// The identity provider by which people log in.
struct OIDCOptions: ParsableArguments {
  @Option(name: .customLong("oidc-issuer"), help: "https://… of an OpenID Connect provider: people log in by it.")
  var issuer: String?
  @Option(name: .customLong("oidc-client-id"), help: "Under which it knows this console.") var clientID: String?
  @Option(name: .customLong("oidc-client-secret-file"), help: "File with its secret; a public client has none.")
  var secretFile: String?
  @Option(name: .customLong("oidc-label"), help: "Its name on the login page; its host if not given.")
  var label: String?
  @Option(name: .customLong("oidc-name-claim"), help: "The claim of the ID token that is a person's name here.")
  var nameClaim = "preferred_username"
  @Option(name: .customLong("oidc-groups-claim"), help: "The claim with a person's groups.") var groupsClaim = "groups"
  @Option(
    name: .customLong("oidc-role"),
    help: "ROLE=GROUP: members of the group have the role; again for each group, and the highest counts.")
  var roles: [String] = []
  @Option(name: .customLong("oidc-default-role"), help: "Of who is in none of them; else they are refused.")
  var defaultRole: String?
  @Option(name: .customLong("oidc-scopes"), help: "Asked for beside openid, with blanks between them.")
  var scopes = "profile email"
  @Option(name: .customLong("oidc-session"), help: "How long a login lasts, 5m to 12h.") var session = "12h"
  @Option(
    name: .customLong("oidc-ca"),
    help: "PEM file of the authorities that its certificate may come from, and no others; else the system's.")
  var authorities: String?

  /// - Returns: nil where none is named.
  /// - Throws: `ConsoleFailure`.
  func settings() throws -> OIDCSettings? {
    guard let issuer else {
      let isGiven =
        [clientID, secretFile, label, defaultRole, authorities].contains { $0 != nil } || !roles.isEmpty
      if isGiven { throw usage("options that begin with --oidc- need --oidc-issuer https://…") }
      return nil
    }
    let host = issuer.dropFirst("https://".count).prefix { $0 != "/" }
    guard issuer.hasPrefix("https://"), !host.isEmpty, issuer.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
      !issuer.contains("?"), !issuer.contains("#")
    else { throw usage("--oidc-issuer takes an address that begins with https://, not '\(issuer)'") }
    guard let clientID, !clientID.isEmpty else { throw usage("--oidc-issuer needs --oidc-client-id as well") }
    var settings = OIDCSettings(issuer: issuer, clientID: clientID, label: label ?? String(host))
    settings.clientSecret = try secretFile.map(secret)
    settings.nameClaim = nameClaim
    settings.groupsClaim = groupsClaim
    settings.roles = try roles.map(Self.role)
    settings.defaultRole = try defaultRole.map { try Self.role(named: $0, "--oidc-default-role") }
    guard !settings.roles.isEmpty || settings.defaultRole != nil else {
      throw usage("say who may log in: --oidc-role viewer=GROUP, or --oidc-default-role viewer for everyone there")
    }
    settings.scopes = scopes.split(separator: " ").map(String.init).filter { $0 != "openid" }
    let most = OIDCSettings.sessionSecondsMax
    guard let seconds = TimeSpan.parse(session).map({ $0 / 1_000_000_000 }), (300...most).contains(seconds) else {
      throw usage("--oidc-session takes 5m to 12h, not '\(session)'")
    }
    settings.sessionSeconds = seconds
    settings.authorities = try authorities.map(Self.readable)
    return settings
  }

  private func usage(_ sentence: String) -> ConsoleFailure { ConsoleFailure(.usage, sentence) }

  private static func role(_ text: String) throws -> (role: Role, group: String) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, !parts[1].isEmpty else {
      throw ConsoleFailure(.usage, "--oidc-role takes ROLE=GROUP, such as admin=sre, not '\(text)'")
    }
    return (try role(named: parts[0], "--oidc-role"), parts[1])
  }

  private static func role(named word: String, _ option: String) throws -> Role {
    guard let role = Role(rawValue: word) else {
      let known = Role.allCases.map(\.rawValue).joined(separator: ", ")
      throw ConsoleFailure(.usage, "\(option) knows no role '\(word)'; there are: \(known)")
    }
    return role
  }

  private func secret(_ path: String) throws -> String {
    let line: String
    do throws(FileError) {
      line = ValueFile.firstLine(try HostFiles.read(path, limitBytes: 64 << 10))
    } catch {
      throw ConsoleFailure(.failed, "\(error)")
    }
    if line.isEmpty { throw ConsoleFailure(.failed, "the first line of \(path) is empty") }
    return line
  }

  static func readable(_ path: String) throws -> String {
    do throws(FileError) {
      _ = try HostFiles.read(path, limitBytes: 4 << 20)
      return path
    } catch {
      throw ConsoleFailure(.failed, "\(error)")
    }
  }
}
