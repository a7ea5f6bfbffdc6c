internal import CLibPQ

/// Where a database is and as whom: a `postgresql://` URL or a libpq keyword string, parsed by libpq itself.
///
/// Printing one never shows the password.
package struct DatabaseURL: Sendable, Equatable, CustomStringConvertible {
  /// libpq keywords (PostgreSQL manual 34.1.2) that were given, in libpq's order.
  package private(set) var settings: [String: String]

  package init(settings: [String: String]) { self.settings = settings }

  /// - Throws: `PostgresError` with libpq's reason; the text itself is not repeated, it may hold a password.
  package init(parsing text: String) throws(PostgresError) {
    var reason: UnsafeMutablePointer<CChar>?
    // libpq allocates both results; they are copied and freed here.
    guard let options = unsafe PQconninfoParse(text, &reason) else {
      unsafe PQfreemem(reason)
      throw PostgresError(
        sqlState: "", message: "it is neither postgresql://USER@HOST/DATABASE nor a libpq connection string",
        doing: "read the database URL")
    }
    defer { unsafe PQconninfoFree(options) }
    settings = [:]
    var option = unsafe options
    while let keyword = unsafe option.pointee.keyword {
      if let value = unsafe option.pointee.val {
        unsafe settings[String(cString: keyword)] = unsafe String(cString: value)
      }
      unsafe option += 1
    }
    try Self.check(text, port: settings["port"])
  }

  /// A password whose `/` or `@` is not percent-encoded ends where libpq sees the next part begin: its rest would be taken for
  /// a port, a host or a database, and printed as such.
  private static func check(_ text: String, port: String?) throws(PostgresError) {
    let isPort = (port ?? "").utf8.allSatisfy { $0 == UInt8(ascii: ",") || ($0 >= 0x30 && $0 <= 0x39) }
    if isPort, !hasStrayAt(Array(text.utf8)) { return }
    throw PostgresError(
      sqlState: "",
      message:
        "its port is no number, or it has an @ too many; in a password write / as %2F, @ as %40, : as %3A, % as %25",
      doing: "read the database URL")
  }

  /// - Returns: whether an `@` stands where libpq takes it for a part of host or database.
  private static func hasStrayAt(_ text: [UInt8]) -> Bool {
    guard text.starts(with: "postgres://".utf8) || text.starts(with: "postgresql://".utf8),
      let slash = text.firstIndex(of: UInt8(ascii: "/"))
    else { return false }
    var rest = text[(slash + 2)...]
    let border = rest.first { $0 == UInt8(ascii: "@") || $0 == UInt8(ascii: "/") }
    if border == UInt8(ascii: "@"), let at = rest.firstIndex(of: UInt8(ascii: "@")) { rest = rest[(at + 1)...] }
    return rest.prefix { $0 != UInt8(ascii: "?") }.contains(UInt8(ascii: "@"))
  }

  package subscript(keyword: String) -> String? {
    get { settings[keyword] }
    set { settings[keyword] = newValue }
  }

  /// The same server with other settings, for example another database or user.
  package func with(_ changes: [String: String]) -> DatabaseURL {
    DatabaseURL(settings: settings.merging(changes) { $1 })
  }

  /// A URL that libpq understands, password included: for 0600 files and environment variables only.
  package var text: String { render(password: settings["password"]) }

  /// The URL with `***` instead of the password.
  package var description: String { render(password: settings["password"].map { _ in "***" }) }

  private func render(password: String?) -> String {
    var text = "postgresql://"
    if let user = settings["user"] {
      text += Self.encoded(user)
      if let password { text += ":" + (password == "***" ? password : Self.encoded(password)) }
      text += "@"
    }
    // Several hosts have several ports: as parameters, libpq takes both lists as they are.
    let isList = settings["host"]?.contains(",") == true
    if !isList {
      text += Self.encoded(settings["host"] ?? "")
      if let port = settings["port"] { text += ":" + port }
    }
    text += "/" + Self.encoded(settings["dbname"] ?? "")
    let shown: Set = isList ? ["user", "password", "dbname"] : ["user", "password", "host", "port", "dbname"]
    var rest = settings.filter { !shown.contains($0.key) && !$0.key.contains("password") }
    if settings["user"] == nil, let password { rest["password"] = password }
    if !rest.isEmpty {
      text += "?" + rest.sorted { $0.key < $1.key }.map { "\($0.key)=\(Self.encoded($0.value))" }.joined(separator: "&")
    }
    return text
  }

  /// RFC 3986 percent-encoding of all but unreserved characters (and the comma between several hosts).
  private static func encoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"), UInt8(ascii: ","):
        encoded.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let hex = String(byte, radix: 16, uppercase: true)
        encoded += "%" + (byte < 16 ? "0" : "") + hex
      }
    }
    return encoded
  }
}
