internal import CSQLite

/// Why SQLite does not answer.
package enum SQLiteError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The library is not on this host.
  case noLibrary(reason: String)
  /// SQLITE_BUSY or SQLITE_LOCKED: another connection holds the database.
  case busy
  case failed(code: Int32, message: String)

  package var description: String {
    switch self {
    case .noLibrary(let reason): "SQLite's library cannot be opened: \(reason)"
    case .busy: "the database is locked"
    case .failed(let code, let message): "\(message) (SQLite \(code))"
    }
  }
}

/// A database that others write, read through SQLite's library, which is opened at run time.
///
/// Read-only in every way: nothing is written, no lock is taken but the reader's. May wait for the disk: only a probe's own process
/// has one. Isolation: one thread. Source: sqlite.org/c3ref, sqlite.org/wal.html "Read-Only Databases".
@safe package final class SQLiteDatabase {
  /// Its pointers are the library's own and live as long as it is open.
  private var functions = unsafe sbx_sqlite()

  /// - Parameters:
  ///   - path: absolute.
  ///   - isImmutable: no one writes it and what its write-ahead log holds is of no interest: the only way into a database in WAL mode
  ///     whose writers are gone, without the right to write beside it.
  ///   - libraries: names for dlopen(3), the first that opens is taken.
  package init(
    path: String, isImmutable: Bool = false, libraries: [String] = ["libsqlite3.so.0", "libsqlite3.so"]
  ) throws(SQLiteError) {
    var reason = [CChar](repeating: 0, count: 256)
    // The texts' bytes live for the call.
    guard libraries.contains(where: { unsafe sbx_sqlite_load($0, &functions, &reason, reason.count) == 0 }) else {
      throw .noLibrary(reason: String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
    let uri = "file:\(Self.escaped(path))?mode=ro" + (isImmutable ? "&immutable=1" : "")
    try check(unsafe sbx_sqlite_open(&functions, uri))
  }

  deinit { unsafe sbx_sqlite_close(&functions) }

  /// How long a statement waits for a lock; 0 not at all.
  package func waitForLocks(ms: Int32) {
    // Only called while the database is open.
    if let set = unsafe functions.busy_timeout { _ = unsafe set(functions.database, ms) }
  }

  /// The first column of the first row; NaN for NULL, and where there is no row.
  package func number(_ sql: String) throws(SQLiteError) -> Double {
    var value = Double.nan
    try check(unsafe sbx_sqlite_number(&functions, sql, &value))
    return value
  }

  private func check(_ code: Int32) throws(SQLiteError) {
    switch code & 0xff {
    case 0: return
    case 5, 6: throw .busy
    default:
      // The text belongs to the connection and is copied at once; a database that was not opened has one, too.
      let text = unsafe functions.message.flatMap { unsafe $0(functions.database) }.map { unsafe String(cString: $0) }
      throw .failed(code: code, message: text ?? "error")
    }
  }

  /// What a URI's path may hold as it is; the rest in percent.
  private static func escaped(_ path: String) -> String {
    var text = ""
    for byte in path.utf8 {
      switch byte {
      case UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: "%"), 0...0x20, 0x7f...:
        let digits = String(byte, radix: 16)
        text += "%" + (digits.utf8.count < 2 ? "0" : "") + digits
      default: text.unicodeScalars.append(Unicode.Scalar(byte))
      }
    }
    return text
  }
}
