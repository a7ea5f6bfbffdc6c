package import FleetModel

/// Turns the bytes of one followed file into what is reported of it. An engine: no file, no clock.
///
/// The follower owns offsets, rotation and limits; a reader only sees bytes in order. A reader keeps no state that could
/// not be made again from the file: after a restart it is made anew with the file's head and the bytes before the offset.
package protocol FormatReader {
  /// Reads records that lie whole in `bytes`.
  ///
  /// - Parameters:
  ///   - bytes: the file from `offset` on; starts at the start of a line.
  ///   - offset: file offset of the first byte.
  ///   - isFinal: nothing will follow (end of a rotated file, or a partial last line that waited long enough): take all.
  ///   - nowNs: CLOCK_REALTIME, ns since 1970, for records without a time of their own.
  ///   - budget: stop after about so many bytes of content.
  ///   - delta: gets lines, steps, episodes and runs appended; `from` and `to` belong to the caller.
  /// - Returns: how many bytes were taken, always up to the end of a line unless a line is longer than the limit or `isFinal`.
  mutating func read(
    _ bytes: Span<UInt8>, at offset: UInt64, isFinal: Bool, nowNs: Int64, budget: Int, into delta: inout FileDelta
  ) -> Int
  /// A last line without a newline is half a record and worth nothing: `isFinal` only when the file is no longer written.
  var waitsForNewline: Bool { get }
  /// More of the record that the last `read` held back is to be expected; else it may be whole.
  var expectsMore: Bool { get }
  /// The longest line that it reads whole, in bytes.
  var lineBytesMax: Int { get }
  /// The record at which the last `read` stopped without taking anything is longer than `lineBytesMax`: its length, so that it is passed
  /// over without being read. 0: it is not.
  var oversizedRecordBytes: UInt64 { get }
  /// Of a format of records: how long the whole ones are that the last `read` held back, because the next may belong to the same row.
  var heldBytes: Int { get }
  /// Of a document: the last `read` found it whole, and took nothing because no row of it is left; what follows them holds none.
  var isAtRest: Bool { get }
  /// Of a log: numbers that were printed in it belong to a run whose end was not reported.
  var hasOpenRun: Bool { get }
  /// Which run its rows are of, where that follows from more than the path.
  var runPlace: RunPlace? { get }
  /// What it passed over so far without making rows of it.
  var leftOut: [UnreadContent.Part] { get }
  /// The file is finished and everything in it was read: reports what follows from that.
  mutating func finish(nowNs: Int64, into delta: inout FileDelta)
}

extension FormatReader {
  package var waitsForNewline: Bool { false }
  package var expectsMore: Bool { false }
  package var lineBytesMax: Int { LogReader.lineBytesMax }
  package var oversizedRecordBytes: UInt64 { 0 }
  package var heldBytes: Int { 0 }
  package var isAtRest: Bool { false }
  package var hasOpenRun: Bool { false }
  package var runPlace: RunPlace? { nil }
  package var leftOut: [UnreadContent.Part] { [] }
  package mutating func finish(nowNs: Int64, into delta: inout FileDelta) {}
}

/// What a reader needs to start in the middle of a file.
package struct ReaderContext: Sendable {
  package var file: FileIdentity
  /// Offset at which reading (again) starts.
  package var offset: UInt64
  /// The first bytes of the file: column names, comments. At most 64 KiB, of a training file whose first line is longer
  /// `TrainingLimits.lineBytesMax`.
  package var head: [UInt8]
  /// The bytes before `offset`, at most 64 KiB, ending at it.
  package var preceding: [UInt8]
  /// Newlines before `offset`, for formats that number their rows by index (`TrainingFormats.countsLines`); nil = not counted.
  package var linesBefore: UInt64?
  /// The last bytes, at most 64 KiB, of the file that this one follows in a rotation; a record may go on from there.
  package var predecessorTail: [UInt8]
  /// When the file was last changed, ns since 1970: the time of rows whose format has none. 0: not known.
  package var modifiedNs: Int64
  /// Ids of the runs whose files lie beside this one, for what it says of them.
  package var runs: [String]

  package init(
    file: FileIdentity, offset: UInt64, head: [UInt8], preceding: [UInt8], linesBefore: UInt64? = nil,
    predecessorTail: [UInt8] = [], modifiedNs: Int64 = 0, runs: [String] = []
  ) {
    self.file = file
    self.offset = offset
    self.head = head
    self.preceding = preceding
    self.linesBefore = linesBefore
    self.predecessorTail = predecessorTail
    self.modifiedNs = modifiedNs
    self.runs = runs
  }
}
