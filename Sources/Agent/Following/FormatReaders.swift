package import FleetModel

/// Seconds that local time is ahead of UTC at a given time (ns since 1970): for log lines without a zone.
package typealias ZoneOffset = (_ wallNs: Int64) -> Int

/// Which reader a file gets: one of the training formats' where the file is of such a format, else the log reader.
package final class FormatReaders {
  private let redactor: Redactor
  private let zone: ZoneOffset
  private let streams: FollowedStreams?
  private var declared: MatchedMetrics

  /// - Parameter redactor: the host's one; every line goes through it.
  /// - Parameter declared: patterns of the host's owner for rows among the lines of logs.
  /// - Parameter streams: where files are no logs of their own; nil: nowhere.
  package init(
    redactor: Redactor, zone: @escaping ZoneOffset, streams: FollowedStreams? = nil,
    declared: MatchedMetrics = MatchedMetrics()
  ) {
    self.declared = declared
    self.redactor = redactor
    self.zone = zone
    self.streams = streams
  }

  /// - Returns: whether these are others than before: logs need new readers.
  func declare(_ declared: MatchedMetrics) -> Bool {
    defer { self.declared = declared }
    return !declared.isSame(as: self.declared)
  }

  /// - Parameter head: the file's first bytes: at least one whole line where it has one, at most 64 KiB.
  package func format(path: String, head: Span<UInt8>) -> FileFormat {
    TrainingFormats.detect(path: path, head: head)
  }

  /// Streams are text whatever they hold: the configuration names them.
  func mayBeBinary(_ path: String) -> Bool { streams.map { $0.shown(path) == path } ?? true }

  /// Whether the file was written for nothing but what is older than the agent.
  func isHistory(_ path: String) -> Bool { streams?.isHistory(path) ?? false }

  /// Whether `ReaderContext.linesBefore` is to be counted.
  package func countsLines(_ format: FileFormat) -> Bool { TrainingFormats.countsLines(format) }

  /// - Parameter path: by which its runs are named.
  func makeDatabase(_ file: DatabaseFile, path: String) -> TrackioDatabase {
    TrackioDatabase(file, path: path, redactor: redactor)
  }

  /// The reader for `context.file.format`.
  package func make(_ context: ReaderContext) -> any FormatReader {
    if let streams, streams.isJournal(context.file.path) {
      let isWhole = streams.shown(context.file.path) == "journal"
      return JournalReader(context, redactor: redactor, zone: zone, namesUnits: isWhole)
    }
    if let reader = TrainingFormats.make(context, redactor: redactor) { return reader }
    return LogReader(
      context, redactor: redactor, zone: zone, source: streams?.shown(context.file.path),
      declared: declared.of(context.file.path))
  }
}
