package import FleetModel

/// Reads TensorBoard's event files, as TensorFlow, PyTorch, tensorboardX and Lightning write them: the scalars that are logged together
/// are a row, with their own step and time, and a metric for each tag.
///
/// Writers put each scalar into a record of its own; what follows each other with the same step, within a second, is one row, with the
/// time of its first record. All event files of a directory belong to one run, as TensorBoard has it; so the run's id comes from the
/// directory. A record whose data are damaged is left out, one whose length is damaged ends the file: both are losses, with their range.
/// A record that is not whole yet is waited for. A row has no reward: rows without the tag that holds it would look as if theirs were NaN.
/// - Source: tensorboard/summary/writer/record_writer.py; tensorflow/core/util/event.proto; RecordFrame.
package struct EventReader: FormatReader {
  /// Records that become one row.
  private struct Group {
    /// Of its first record in the bytes.
    var start: Int
    var wallSeconds: Double
    var row: TrainingStep
    /// Values beside it that are no scalars.
    var otherValues: UInt64
  }

  /// A row's records lie within so many bytes and seconds: larger ones between them hold images.
  private static let groupBytesMax = 64 << 10
  private static let groupSeconds = 1.0

  private var place: RunPlace
  private var run: String
  private let path: String
  private var record: EventRecord
  /// A length was damaged: where records begin is not known any more.
  private var isDamaged: Bool
  private var isOpen = false
  private var unread = UnreadContent()
  private var group: Group?
  package private(set) var oversizedRecordBytes: UInt64 = 0
  package private(set) var heldBytes = 0

  /// - Parameter redactor: removes secrets from parameters.
  package init(context: ReaderContext, redactor: Redactor? = nil) {
    path = context.file.path
    let isOfTrainer = context.offset > 0 && Self.isOfTrainer(context.head.span)
    place = RunPlace(path, .eventFile, isOfTrainer: isOfTrainer)
    run = place.run
    record = EventRecord(redactor)
    // Where none begins in the bytes before the offset, the last record is longer than they are.
    let isWhole = UInt64(context.preceding.count) == context.offset
    isDamaged = context.offset > 0 && RecordFrame.isChain(context.preceding.span, isWhole: isWhole) == false
  }

  /// Whether Hugging Face's Trainer writes the file: its arguments stand before everything else.
  /// - Parameter head: the file's first bytes.
  static func isOfTrainer(_ head: Span<UInt8>) -> Bool {
    let tag = (0..<min(head.count, 1024)).first { head.holds(EventRecord.trainerTag, at: $0) }
    guard let tag else { return false }
    return (tag..<min(head.count, tag + 1024)).contains { head.holds("\"\(EventRecord.trainerMember)\"", at: $0) }
  }

  package mutating func read(
    _ bytes: Span<UInt8>, at offset: UInt64, isFinal: Bool, nowNs: Int64, budget: Int, into delta: inout FileDelta
  ) -> Int {
    (oversizedRecordBytes, heldBytes, group) = (0, 0, nil)
    var position = 0
    var spent = 0
    while !isDamaged, spent < budget, position < bytes.count {
      let frame = RecordFrame.at(bytes, position, limitBytes: TrainingLimits.recordBytesMax)
      guard case .whole(let data, let end, let isIntact) = frame else {
        if frame == .damagedLength { isDamaged = true }
        guard case .tooLong(let length) = frame else { break }
        // The follower passes over it, once it is what comes next.
        if position == 0 { oversizedRecordBytes = length }
        close(into: &delta)
        return position
      }
      if isIntact, record.read(bytes, data) {
        spent += take(position..<end, nowNs: nowNs, into: &delta)
      } else {
        close(into: &delta)
        lose(position..<end, at: offset, nowNs: nowNs, into: &delta)
      }
      position = end
      if let group, position - group.start > Self.groupBytesMax { close(into: &delta) }
    }
    return end(bytes, position, at: offset, isFinal: isFinal, isSpent: spent >= budget, nowNs: nowNs, into: &delta)
  }

  /// What is left behind the last whole record.
  private mutating func end(
    _ bytes: Span<UInt8>, _ position: Int, at offset: UInt64, isFinal: Bool, isSpent: Bool, nowNs: Int64,
    into delta: inout FileDelta
  ) -> Int {
    if !isDamaged, !isFinal, !isSpent, let group, bytes.count - group.start <= Self.groupBytesMax {
      // More of it may come.
      heldBytes = position - group.start
      self.group = nil
      return group.start
    }
    close(into: &delta)
    guard isDamaged || isFinal && !isSpent else { return position }
    lose(position..<bytes.count, at: offset, nowNs: nowNs, into: &delta)
    return bytes.count
  }

  package var runPlace: RunPlace? { place }
  package var waitsForNewline: Bool { true }
  package var expectsMore: Bool { heldBytes > 0 }
  package var lineBytesMax: Int { TrainingLimits.recordBytesMax + RecordFrame.overheadBytes }
  package var leftOut: [UnreadContent.Part] { unread.parts }

  package mutating func finish(nowNs: Int64, into delta: inout FileDelta) {
    isOpen = false
    delta.runs.append(TrainingRun.update(place, .completed, framework: Self.framework, source: path, timeNs: nowNs))
  }

  // MARK: Rows

  /// - Returns: what the record costs of the budget.
  private mutating func take(_ range: Range<Int>, nowNs: Int64, into delta: inout FileDelta) -> Int {
    let timeNs = WrittenTime.ns(seconds: record.wallSeconds) ?? nowNs
    if !record.parameters.isEmpty {
      close(into: &delta)
      if record.isOfTrainer {
        place = RunPlace(path, .eventFile, isOfTrainer: true)
        run = place.run
      }
      open(timeNs: timeNs, detail: record.parameters.detail, into: &delta)
    }
    guard !record.figures.metrics.isEmpty else {
      if group == nil {
        unread.add(.noScalars, count: record.otherValues)
      } else {
        group?.otherValues += record.otherValues
      }
      return range.count
    }
    if !joins() {
      close(into: &delta)
      var row = TrainingStep()
      row.run = run
      row.timeNs = timeNs
      row.step = record.step
      group = Group(start: range.lowerBound, wallSeconds: record.wallSeconds, row: row, otherValues: 0)
    }
    group?.row.metrics += record.figures.complete
    group?.otherValues += record.otherValues
    return range.count + record.figures.metrics.count * 32
  }

  /// Whether the record belongs to the row that is open.
  private func joins() -> Bool {
    guard let group, group.row.step == record.step, abs(record.wallSeconds - group.wallSeconds) < Self.groupSeconds,
      group.row.metrics.count + record.figures.metrics.count <= TrainingLimits.metricsMax
    else { return false }
    // A tag that comes again is another row, and so is a number of the reader's own beside it.
    return record.figures.metrics.allSatisfy { added in !group.row.metrics.contains { $0.name == added.name } }
  }

  private mutating func close(into delta: inout FileDelta) {
    guard let group else { return }
    self.group = nil
    unread.add(.noScalars, count: group.otherValues)
    if !isOpen { open(timeNs: group.row.timeNs, detail: "{}", into: &delta) }
    delta.steps.append(group.row)
  }

  private mutating func open(timeNs: Int64, detail: String, into delta: inout FileDelta) {
    isOpen = true
    var update = TrainingRun.update(
      place, .running, framework: Self.framework, source: path, timeNs: timeNs, begins: true)
    update.detail = detail
    delta.runs.append(update)
  }

  private mutating func lose(_ range: Range<Int>, at offset: UInt64, nowNs: Int64, into delta: inout FileDelta) {
    guard !range.isEmpty else { return }
    unread.add(.damaged, count: 1, bytes: UInt64(range.count))
    let (from, to) = (offset + UInt64(range.lowerBound), offset + UInt64(range.upperBound))
    if let last = delta.losses.last, last.reason == .unreadable, last.to == from {
      delta.losses[delta.losses.count - 1].to = to
      return
    }
    var loss = Loss()
    loss.timeNs = nowNs
    loss.subject = path
    loss.from = from
    loss.to = to
    loss.reason = .unreadable
    delta.losses.append(loss)
  }

  package static let framework = "tensorboard"
}
