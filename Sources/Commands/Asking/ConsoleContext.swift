internal import Files
internal import FleetModel

/// A console that `signalbox login` has stored, with what lets this person in.
struct ConsoleContext: Equatable {
  var name: String
  /// `https://HOST[:PORT]`, without a slash at its end.
  var url: String
  /// `sbk_…`
  var token: String
  /// File of the authorities that the console's certificate may come from (PEM); nil for the system's.
  var authorities: String?
}

/// The consoles that this person has logged in to: `contexts.json`, which only they may read.
struct ContextFile: Equatable {
  var current: String?
  var contexts: [ConsoleContext] = []

  static let contextsMax = 100
  private static let bytesMax = 1 << 20

  subscript(_ name: String) -> ConsoleContext? { contexts.first { $0.name == name } }

  /// Replaces the one of its name, and becomes the one in use.
  mutating func use(_ context: ConsoleContext) {
    contexts.removeAll { $0.name == context.name }
    contexts.append(context)
    contexts.sort { $0.name < $1.name }
    current = context.name
  }

  // MARK: On disk

  /// `$XDG_CONFIG_HOME/signalbox`, else `~/.config/signalbox`. Source: XDG Base Directory Specification 0.8.
  static func directory() throws -> String {
    if let base = Process.environment("XDG_CONFIG_HOME"), base.hasPrefix("/") { return base + "/signalbox" }
    guard let home = Process.environment("HOME"), home.hasPrefix("/") else {
      throw CommandFailure(.usage, "contexts are stored below $HOME/.config, and HOME is not set")
    }
    return home + "/.config/signalbox"
  }

  private static func path() throws -> String { try directory() + "/contexts.json" }

  /// Empty where there is no file.
  /// - Throws: `CommandFailure` for a file that others may read, or that is damaged.
  static func load() throws -> ContextFile {
    // A program without a home has no contexts.
    guard let path = try? path() else { return ContextFile() }
    do {
      guard try FileStatus.exists(path) else { return ContextFile() }
      if try FileStatus.of(path: path).mode & 0o077 != 0 {
        throw CommandFailure(.failed, "\(path) holds tokens, and others may read it: chmod 600 \(path)")
      }
      guard let file = ContextFile(try HostFiles.read(path, limitBytes: bytesMax)) else {
        throw CommandFailure(.failed, "\(path) is damaged: remove it and log in again")
      }
      return file
    } catch let error as FileError {
      throw CommandFailure(.failed, "\(error)")
    }
  }

  func save() throws {
    let directory = try Self.directory()
    try HostFiles.makeDirectory(directory)
    // A file that a program has left there keeps its own permissions when it is written anew.
    try HostFiles.remove(directory + "/contexts.json.new")
    try HostFiles.replace(directory + "/contexts.json", with: Array((json.written + "\n").utf8))
  }

  /// Keeps a copy of the authorities, so that the context does not depend on the file that was named.
  static func keepAuthorities(_ bytes: [UInt8], for name: String) throws -> String {
    let directory = try directory() + "/ca"
    try HostFiles.makeDirectory(directory)
    let path = "\(directory)/\(name).pem"
    try HostFiles.replace(path, with: bytes)
    return path
  }

  // MARK: As JSON

  init() {}

  init?(_ bytes: [UInt8]) {
    guard let document = JSON.read(bytes), let items = document["contexts"]?.items, items.count <= Self.contextsMax
    else { return nil }
    current = document["current"]?.text
    for item in items {
      guard let name = item["name"]?.text, let url = item["url"]?.text, let token = item["token"]?.text else {
        return nil
      }
      contexts.append(ConsoleContext(name: name, url: url, token: token, authorities: item["authorities"]?.text))
    }
  }

  var json: JSON {
    .object([
      ("current", .optional(current)),
      (
        "contexts",
        .list(
          contexts.map {
            .object([
              ("name", .text($0.name)), ("url", .text($0.url)), ("token", .text($0.token)),
              ("authorities", .optional($0.authorities)),
            ])
          })
      ),
    ])
  }

  // MARK: Names

  /// A name is part of a file's name.
  static func isName(_ text: String) -> Bool {
    (1...100).contains(text.utf8.count) && text.first != "." && text.first != "-"
      && text.utf8.allSatisfy { byte in
        PercentEncoding.pathPart(String(decoding: [byte], as: UTF8.self)).utf8.count == 1 && byte != UInt8(ascii: "~")
      }
  }
}
