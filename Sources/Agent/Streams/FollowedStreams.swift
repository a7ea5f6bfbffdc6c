package import FleetModel

/// Streams that have no file of their own, standard input and the journal, are kept in segments that are followed like any file.
/// `DIR/NAME.SERIAL.log` is shown as `pipe:NAME` and `journal:NAME`; a segment that is all the collector's becomes `….done`, then goes.
package struct FollowedStreams: Sendable, Equatable {
  /// Where a service's agent takes streams; deploy/systemd/tmpfiles.conf makes it.
  package static let sharedInbox = "/var/lib/signalbox-inbox"
  /// The name of what is followed of the whole journal.
  package static let wholeJournal = "all"

  /// Segments of `signalbox-agent pipe`.
  package var inbox: String
  /// Segments of the journal.
  package var journal: String

  package init(inbox: String, journal: String) {
    self.inbox = inbox
    self.journal = journal
  }

  package var patterns: [String] { [inbox + "/*.log", journal + "/*.log"] }

  /// Names that can be a file's, without a separator or a character that is not printed.
  package static func isName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 200 && name.utf8.first != UInt8(ascii: ".")
      && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
  }

  /// What people see; paths of other files stay.
  package func shown(_ path: String) -> String {
    if let name = Self.name(of: path, in: inbox) { return "pipe:" + name }
    return Self.name(of: path, in: journal).map(Self.shownJournal) ?? path
  }

  static func shownJournal(_ unit: String) -> String { unit == wholeJournal ? "journal" : "journal:" + unit }

  /// A path in the directory in which segments of that name lie; what is no stream stays.
  package func path(ofShown shown: String) -> String {
    if shown.hasPrefix("pipe:") { return Self.segment(inbox, String(shown.dropFirst(5)), serial: 0) }
    if shown == "journal" { return Self.segment(journal, Self.wholeJournal, serial: 0) }
    if shown.hasPrefix("journal:") { return Self.segment(journal, String(shown.dropFirst(8)), serial: 0) }
    return shown
  }

  /// Segments of the journal below hold what is older than the agent's first start with their unit. There is room for more of them than a
  /// journal has.
  static let firstLiveSerial: UInt64 = 1_000_000

  static func isHistory(serial: UInt64) -> Bool { serial < firstLiveSerial }

  /// `SERIAL` of `DIR/NAME.SERIAL.log`; 0 of other paths.
  static func serial(of path: String) -> UInt64 {
    path.split(separator: ".").dropLast().last.flatMap { UInt64($0) } ?? 0
  }

  /// Whether all of the file is history.
  func isHistory(_ path: String) -> Bool { isJournal(path) && Self.isHistory(serial: Self.serial(of: path)) }

  func isJournal(_ path: String) -> Bool { Self.name(of: path, in: journal) != nil }

  static func segment(_ directory: String, _ name: String, serial: UInt64) -> String {
    let digits = String(serial)
    return "\(directory)/\(name)." + String(repeating: "0", count: max(0, 20 - digits.count)) + digits + ".log"
  }

  /// `NAME` of `DIR/NAME.SERIAL.log` or `.done`.
  static func name(of path: String, in directory: String) -> String? {
    guard path.hasPrefix(directory + "/") else { return nil }
    let parts = path.dropFirst(directory.count + 1).split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count >= 3, !path.dropFirst(directory.count + 1).contains("/"),
      let last = parts.last, last == "log" || last == "done", UInt64(parts[parts.count - 2]) != nil
    else { return nil }
    return parts.dropLast(2).joined(separator: ".")
  }
}

/// What the uplink sees of the followers: streams under their names.
package final class NamedDeltaSource: DeltaSource {
  private let source: any DeltaSource
  private let streams: FollowedStreams
  /// The collector's marks have come.
  package private(set) var isResumed = false

  package init(_ source: any DeltaSource, _ streams: FollowedStreams) {
    self.source = source
    self.streams = streams
  }

  package func resume(from marks: [FileMark], nowNs: Int64) {
    isResumed = true
    source.resume(
      from: marks.map { mark in
        var mark = mark
        mark.file.path = streams.path(ofShown: mark.file.path)
        return mark
      }, nowNs: nowNs)
  }

  package func nextDelta(byteBudget: Int, nowNs: Int64) -> FileDelta? {
    guard var delta = source.nextDelta(byteBudget: byteBudget, nowNs: nowNs) else { return nil }
    delta.file.path = streams.shown(delta.file.path)
    for index in delta.losses.indices { delta.losses[index].subject = streams.shown(delta.losses[index].subject) }
    return delta
  }

  package func committed(_ file: FileKey, offset: UInt64) { source.committed(file, offset: offset) }
  package var backlogBytes: UInt64 { source.backlogBytes }
}
