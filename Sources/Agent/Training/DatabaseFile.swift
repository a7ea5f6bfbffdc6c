internal import FleetModel

/// Why the rows of a database are not read now.
package enum DatabaseTrouble: Error, Equatable, Sendable {
  /// It changed during the read: the next look decides.
  case busy
  /// A transaction has written to it and has not ended; its journal lies beside it.
  case openTransaction
  /// Its write-ahead log may not be read, and rows are in it.
  case unreadableLog
  case readFailed
  case damaged
  case unsupported(String)

  /// - Returns: one sentence about the database, which says what to do.
  package var sentence: String {
    switch self {
    case .busy: "it changes all the time: read once it rests for a moment"
    case .openTransaction:
      "a transaction has not ended (FILE-journal): read once its writer has ended it; where the writer is gone, open it once with sqlite3"
    case .unreadableLog: "its write-ahead log (FILE-wal) cannot be read: give the agent's user access to it"
    case .readFailed: "the disk does not give its bytes"
    case .damaged: "it is damaged: restore it, or write its rows to a new one with sqlite3 .recover"
    case .unsupported(let what): "\(what), which is not read"
    }
  }
}

/// A database of SQLite that others write, read page by page without SQLite's library.
///
/// Why not the library: read in a transaction it locks the database, in rollback mode against its writer; of a write-ahead log it maps the index
/// (`-shm`), which the owner of the file can truncate under the agent (SIGBUS); and hosts whose Python brings its own SQLite have no
/// library. Here nothing is locked, mapped, or written. What a read found counts only where nothing changed meanwhile that it may have seen half of.
/// - Source: sqlite.org/fileformat2.html, sqlite.org/walformat.html.
package final class DatabaseFile {
  /// Where the file and its log stood at a look.
  struct Look: Equatable {
    var sizeBytes: UInt64 = 0
    var modifiedNs: Int64 = 0
    var logBytes: UInt64 = 0
    var logModifiedNs: Int64 = 0
    var hasJournal = false
  }

  static let signature = "SQLite format 3\0"
  private static let headerBytes = 100
  /// A time of change is that of the kernel's last tick: what is not older than this may have changed without showing it.
  private static let settleNs: Int64 = 20_000_000
  /// Pages that one read may look at.
  private static let pagesMax = 20_000

  private let fileSystem: any FollowedFileSystem
  private var handle: FileHandle
  private let path: String
  private var logHandle: FileHandle?
  private var log = DatabaseLog()
  private(set) var pageBytes = 0
  /// Bytes of a page that hold content.
  private(set) var usableBytes = 0
  private var pagesLeft = 0
  private var buffer: [UInt8] = []
  /// The file itself, without its log, since when it has not changed, as far as looks show.
  private var still: (sizeBytes: UInt64, modifiedNs: Int64, sinceNs: Int64)?

  package init(_ fileSystem: any FollowedFileSystem, _ handle: FileHandle, path: String) {
    self.fileSystem = fileSystem
    self.handle = handle
    self.path = path
  }

  /// The files that SQLite keeps beside a database.
  static let companions = ["-wal", "-journal", "-shm"]

  /// - Returns: the database beside which SQLite keeps a file of that name; nil where it keeps none.
  static func owner(of path: String) -> String? {
    guard let ending = companions.first(where: path.hasSuffix) else { return nil }
    let owner = String(path.dropLast(ending.count))
    return [".db", ".sqlite", ".sqlite3"].contains(where: owner.hasSuffix) ? owner : nil
  }

  static func isDatabase(_ head: Span<UInt8>) -> Bool {
    head.count >= headerBytes && head.holds(signature, at: 0)
  }

  /// The file was opened again.
  func reopened(_ handle: FileHandle) { self.handle = handle }

  // MARK: Looks

  /// - Returns: nil where the file system does not report the file any more.
  func look(nowNs: Int64) -> Look? {
    guard let status = fileSystem.status(of: handle) else { return nil }
    var look = Look()
    (look.sizeBytes, look.modifiedNs) = (status.sizeBytes, status.modifiedNs)
    if still?.sizeBytes != status.sizeBytes || still?.modifiedNs != status.modifiedNs {
      still = (status.sizeBytes, status.modifiedNs, nowNs)
    }
    if let log = fileSystem.find(path + "-wal") {
      (look.logBytes, look.logModifiedNs) = (log.status.sizeBytes, log.status.modifiedNs)
    }
    look.hasJournal = hasJournal()
    return look
  }

  /// The file is known for so long not to have changed that a change would show.
  func isStill(nowNs: Int64) -> Bool {
    guard let still else { return false }
    if nowNs &- still.modifiedNs >= Self.settleNs { return true }
    // By another clock than ours: two looks show it.
    return still.modifiedNs > nowNs && (nowNs &- still.sinceNs >= Self.settleNs || nowNs < still.sinceNs)
  }

  /// A rollback journal whose transaction has not ended; one that is kept for the next one has a head of zeros.
  private func hasJournal() -> Bool {
    let journal = path + "-journal"
    guard let found = fileSystem.find(journal), found.status.sizeBytes >= 8 else { return false }
    guard let handle = fileSystem.open(journal) else { return true }
    defer { fileSystem.close(handle) }
    guard let got = fileSystem.read(handle, at: 0, count: 8, into: &buffer), got == 8 else { return false }
    return buffer[..<8].elementsEqual([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7])
  }

  // MARK: Reading

  /// - Parameter body: reads pages and rows; what it returns is given on where it was read from one state of the database.
  func read<Result>(
    nowNs: Int64, _ body: () throws(DatabaseTrouble) -> Result
  ) throws(DatabaseTrouble) -> Result {
    guard let before = look(nowNs: nowNs) else { throw .readFailed }
    defer { closeLog() }
    pagesLeft = Self.pagesMax
    let isLogged = try begin(before)
    let ended = log.committedEnd
    var found: Result?
    var trouble: DatabaseTrouble?
    do throws(DatabaseTrouble) { found = try body() } catch { trouble = error }
    guard let after = look(nowNs: nowNs) else { throw .readFailed }
    let isFileSame =
      (before.sizeBytes, before.modifiedNs) == (after.sizeBytes, after.modifiedNs) && isStill(nowNs: nowNs)
      && !after.hasJournal
    var isOneState = isFileSame
    if isLogged {
      // A checkpoint writes only pages of the log, which were read from there; unless they were committed since.
      guard try isLogSame() else { throw .busy }
      isOneState = log.committedEnd == ended || isFileSame
    } else if after.logBytes > 0 && before.logBytes == 0 {
      isOneState = false
    }
    guard isOneState else { throw .busy }
    if let trouble { throw trouble }
    guard let found else { throw .busy }
    return found
  }

  /// - Returns: whether pages may be in a write-ahead log.
  private func begin(_ look: Look) throws(DatabaseTrouble) -> Bool {
    guard let got = fileSystem.read(handle, at: 0, count: Self.headerBytes, into: &buffer) else { throw .readFailed }
    let bytes = buffer
    let head = bytes.span.extracting(0..<got)
    guard Self.isDatabase(head) else { throw got < Self.headerBytes ? .busy : .damaged }
    let size = Int(bytes[16]) << 8 | Int(bytes[17])
    pageBytes = size == 1 ? 65_536 : size
    usableBytes = pageBytes - Int(bytes[20])
    guard pageBytes >= 512, pageBytes & (pageBytes - 1) == 0, usableBytes >= 480 else { throw .damaged }
    // 0: nothing was written to it yet but what its log holds.
    guard bytes[59] <= 1 else { throw .unsupported("its texts are in UTF-16") }
    if look.hasJournal { throw .openTransaction }
    let isLogged = bytes[19] == 2
    guard isLogged, look.logBytes >= UInt64(DatabaseLog.headerBytes) else {
      log = DatabaseLog()
      return false
    }
    guard let opened = fileSystem.open(path + "-wal") else { throw .unreadableLog }
    logHandle = opened
    if try !isLogSame() { try log.begin(pageBytes: pageBytes, logBytes(at: 0, count: DatabaseLog.headerBytes)) }
    try advanceLog()
    return true
  }

  /// Takes what was committed to the log since; forgets it where it was begun anew.
  private func isLogSame() throws(DatabaseTrouble) -> Bool {
    guard log.isBegun, log.isSame(logBytes(at: 0, count: DatabaseLog.headerBytes), pageBytes: pageBytes) else {
      return false
    }
    try advanceLog()
    return true
  }

  private func advanceLog() throws(DatabaseTrouble) {
    guard log.isBegun else { return }
    let frame = DatabaseLog.frameHeaderBytes + pageBytes
    let many = max(1, (256 << 10) / frame)
    var at = log.committedEnd
    log.beginFrames()
    while true {
      let bytes = logBytes(at: at, count: frame * many)
      guard bytes.count >= frame, try log.take(bytes, at: at) else { return }
      at += UInt64(bytes.count / frame * frame)
      if bytes.count < frame * many { return }
    }
  }

  private func closeLog() {
    if let logHandle { fileSystem.close(logHandle) }
    logHandle = nil
    if buffer.count > 256 << 10 { buffer = [] }
  }

  private func logBytes(at offset: UInt64, count: Int) -> [UInt8] {
    guard let logHandle, let got = fileSystem.read(logHandle, at: offset, count: count, into: &buffer) else {
      return []
    }
    return Array(buffer[..<got])
  }

  /// - Parameter number: from 1.
  func page(_ number: UInt32) throws(DatabaseTrouble) -> [UInt8] {
    guard number > 0, pagesLeft > 0 else { throw .damaged }
    pagesLeft -= 1
    if let logHandle, let at = log.pages[number] {
      guard fileSystem.read(logHandle, at: at, count: pageBytes, into: &buffer) == pageBytes else { throw .busy }
    } else {
      let at = UInt64(number - 1) * UInt64(pageBytes)
      guard let got = fileSystem.read(handle, at: at, count: pageBytes, into: &buffer) else { throw .readFailed }
      guard got == pageBytes else { throw .damaged }
    }
    return Array(buffer[..<pageBytes])
  }
}
