internal import Files
internal import FleetModel
internal import Incidents
internal import Paging
internal import Store

/// Changes that are paged from memory, and the messages about them, on disk, so that a restart while the database is
/// away neither loses nor repeats pages.
///
/// One file of records, each with its length and checksum; an incomplete last record is cut off. The file is empty
/// whenever everything is committed and reconciled.
final class ChangeJournal {
  private let path: String
  private let file: Descriptor?
  private var sizeBytes: UInt64

  /// Above this no record is added. The changes stay in memory, and after a restart their agents send them again.
  private static let limitBytes: UInt64 = 64 << 20
  private static let recordBytesMax = 1 << 20

  /// - Returns: the journal, with the records of an earlier process.
  static func open(_ instance: PagingInstance) -> (
    journal: ChangeJournal, changes: [IncidentChange], pages: [LocalPage]
  ) {
    let path = instance.directory + "/held"
    let bytes = instance.isOwn ? (try? HostFiles.read(path, limitBytes: Int(limitBytes) + (2 << 20))) ?? [] : []
    var changes: [IncidentChange] = []
    var pages: [LocalPage] = []
    var at = 0
    while let (record, next) = record(bytes, at) {
      var reader = RecordReader(record)
      switch reader.byte() {
      // Kind 1: a change of an older program, without causes and runbook.
      case 1: if let change = reader.change(hasCauses: false) { changes.append(change) }
      // Kind 3: without what a failure is put down to.
      case 3: if let change = reader.change(hasCauses: true) { changes.append(change) }
      case 5: if let change = reader.change(hasCauses: true, hasDiagnosis: true) { changes.append(change) }
      // Kind 2: a delivered message of an older program.
      case 2: if let page = reader.takenPage() { pages.append(page) }
      case 4: if let page = reader.page() { pages.append(page) }
      default: break
      }
      at = next
    }
    return (ChangeJournal(path, isOpen: instance.isOwn, sizeBytes: UInt64(at)), changes, pages)
  }

  private init(_ path: String, isOpen: Bool, sizeBytes: UInt64) {
    self.path = path
    self.sizeBytes = sizeBytes
    if isOpen, let file = try? Descriptor.open(path, .append), (try? file.truncate(to: sizeBytes)) != nil {
      self.file = consume file
    } else {
      file = nil
    }
  }

  /// Appends records and syncs them. - Returns: false where that failed.
  func keep(_ changes: [IncidentChange], _ pages: [LocalPage]) -> Bool {
    if changes.isEmpty && pages.isEmpty { return true }
    var bytes: [UInt8] = []
    for change in changes { Self.append(RecordWriter.change(change), to: &bytes) }
    for page in pages { Self.append(RecordWriter.page(page), to: &bytes) }
    guard sizeBytes + UInt64(bytes.count) <= Self.limitBytes else { return false }
    do throws(FileError) {
      guard file != nil else { return false }
      try file?.write(bytes.span)
      try file?.sync()
      sizeBytes += UInt64(bytes.count)
      return true
    } catch {
      return false
    }
  }

  /// Empties the file, once everything is committed and reconciled.
  func clear() {
    if sizeBytes == 0 { return }
    if (try? file?.truncate(to: 0)) != nil { sizeBytes = 0 }
  }

  private static func append(_ record: [UInt8], to bytes: inout [UInt8]) {
    RecordWriter.append(UInt64(record.count), to: &bytes)
    RecordWriter.append(ContentHash.of(record.span), to: &bytes)
    bytes += record
  }

  private static func record(_ bytes: [UInt8], _ at: Int) -> (record: [UInt8], next: Int)? {
    var reader = RecordReader(Array(bytes[min(at, bytes.count)..<min(at + 16, bytes.count)]))
    guard let length = reader.number(), let hash = reader.number(), length <= UInt64(recordBytesMax),
      at + 16 + Int(length) <= bytes.count
    else { return nil }
    let record = Array(bytes[at + 16..<at + 16 + Int(length)])
    return ContentHash.of(record.span) == hash ? (record, at + 16 + Int(length)) : nil
  }
}

/// Encodes records: numbers are eight bytes, little endian; texts and lists are preceded by their count.
private enum RecordWriter {
  static func append(_ number: UInt64, to bytes: inout [UInt8]) {
    for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(shift))) }
  }

  static func append(_ text: String, to bytes: inout [UInt8]) {
    append(UInt64(text.utf8.count), to: &bytes)
    bytes += Array(text.utf8)
  }

  static func append(_ texts: [String], to bytes: inout [UInt8]) {
    append(UInt64(texts.count), to: &bytes)
    for text in texts { append(text, to: &bytes) }
  }

  static func change(_ change: IncidentChange) -> [UInt8] {
    var bytes: [UInt8] = [5]
    append(UInt64(change.kind.rawValue), to: &bytes)
    append(UInt64(change.severity.rawValue), to: &bytes)
    append(change.isObserved ? 1 : 0, to: &bytes)
    append(UInt64(bitPattern: change.hostNumber.map(Int64.init) ?? -1), to: &bytes)
    append(UInt64(bitPattern: change.eventNs), to: &bytes)
    append(UInt64(bitPattern: change.detectedNs), to: &bytes)
    append([change.rule, change.title, change.hostName, change.entity, change.summary], to: &bytes)
    append(change.steps, to: &bytes)
    append(change.evidence, to: &bytes)
    append(change.mutes, to: &bytes)
    append(change.causes, to: &bytes)
    append(change.runbook, to: &bytes)
    append(change.diagnosis.map(texts) ?? [], to: &bytes)
    if let diagnosis = change.diagnosis {
      for list in [diagnosis.evidence, diagnosis.causes, diagnosis.steps] { append(list, to: &bytes) }
    }
    return bytes
  }

  private static func texts(_ diagnosis: Diagnosis) -> [String] {
    func text(_ number: Int32?) -> String { number.map { String($0) } ?? "" }
    return [
      diagnosis.failureClass, diagnosis.title, diagnosis.kind.rawValue, String(diagnosis.confidence), diagnosis.line,
      diagnosis.file, text(diagnosis.rank), text(diagnosis.exitCode), text(diagnosis.exitSignal),
      String(diagnosis.cascade), diagnosis.retry, diagnosis.severity.word, diagnosis.run,
    ]
  }

  static func page(_ page: LocalPage) -> [UInt8] {
    var bytes: [UInt8] = [4]
    append(UInt64(bitPattern: page.atNs), to: &bytes)
    append(UInt64(clamping: page.step), to: &bytes)
    append(UInt64(clamping: page.attempts), to: &bytes)
    append(page.answer == nil ? 0 : 1, to: &bytes)
    append(page.isOver ? 1 : 0, to: &bytes)
    append(
      [
        page.dedupKey, page.identity, page.receiver, page.event.rawValue, page.messageID, page.bundle ?? "",
        page.list ?? "", page.answer ?? "",
      ], to: &bytes)
    append(page.reached, to: &bytes)
    return bytes
  }
}

private struct RecordReader {
  private var bytes: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

  mutating func byte() -> UInt8? { bytes.popFirst() }

  mutating func number() -> UInt64? {
    guard bytes.count >= 8 else { return nil }
    defer { bytes = bytes.dropFirst(8) }
    return bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private mutating func signed() -> Int64? { number().map { Int64(bitPattern: $0) } }

  private mutating func text() -> String? {
    guard let count = number(), count <= UInt64(bytes.count) else { return nil }
    defer { bytes = bytes.dropFirst(Int(count)) }
    return String(decoding: bytes.prefix(Int(count)), as: UTF8.self)
  }

  private mutating func texts() -> [String]? {
    guard let count = number(), count <= UInt64(bytes.count) else { return nil }
    var texts: [String] = []
    for _ in 0..<count {
      guard let text = text() else { return nil }
      texts.append(text)
    }
    return texts
  }

  mutating func change(hasCauses: Bool, hasDiagnosis: Bool = false) -> IncidentChange? {
    guard let kind = number().flatMap({ IncidentChange.Kind(rawValue: UInt8(clamping: $0)) }),
      let severity = number().flatMap({ Severity(rawValue: UInt8(clamping: $0)) }), let isObserved = number(),
      let host = signed(), let eventNs = signed(), let detectedNs = signed(), let names = texts(), names.count == 5,
      let steps = texts(), let evidence = texts(), let mutes = texts(), let causes = hasCauses ? texts() : [],
      let runbook = hasCauses ? text() : "", let words = hasDiagnosis ? texts() : []
    else { return nil }
    var change = IncidentChange(
      kind, rule: names[0], severity: severity, hostNumber: host < 0 ? nil : Int32(clamping: host), hostName: names[2],
      entity: names[3], eventNs: eventNs, detectedNs: detectedNs)
    change.isObserved = isObserved == 1
    (change.title, change.summary) = (names[1], names[4])
    (change.steps, change.evidence, change.mutes) = (steps, evidence, mutes)
    (change.causes, change.runbook) = (causes, runbook)
    if !words.isEmpty {
      guard let diagnosis = diagnosis(words) else { return nil }
      change.diagnosis = diagnosis
    }
    return change
  }

  private mutating func diagnosis(_ words: [String]) -> Diagnosis? {
    guard words.count == 13, let kind = Diagnosis.Kind(rawValue: words[2]), let severity = Severity(word: words[11]),
      let evidence = texts(), let causes = texts(), let steps = texts()
    else { return nil }
    var diagnosis = Diagnosis()
    (diagnosis.failureClass, diagnosis.title, diagnosis.kind) = (words[0], words[1], kind)
    diagnosis.confidence = Double(words[3]) ?? 0
    (diagnosis.line, diagnosis.file, diagnosis.rank) = (words[4], words[5], Int32(words[6]))
    (diagnosis.exitCode, diagnosis.exitSignal) = (Int32(words[7]), Int32(words[8]))
    (diagnosis.cascade, diagnosis.retry, diagnosis.severity) = (Int(words[9]) ?? 0, words[10], severity)
    (diagnosis.run, diagnosis.evidence, diagnosis.causes, diagnosis.steps) = (words[12], evidence, causes, steps)
    return diagnosis
  }

  mutating func page() -> LocalPage? {
    guard let atNs = signed(), let step = number(), let attempts = number(), let isTaken = number(),
      let isOver = number(), let words = texts(), words.count == 8, let event = Delivery.Event(rawValue: words[3]),
      let reached = texts()
    else { return nil }
    var page = LocalPage(dedupKey: words[0], receiver: words[2], messageID: words[4], atNs: atNs)
    (page.identity, page.event, page.step) = (words[1], event, Int16(clamping: step))
    (page.attempts, page.isOver, page.reached) = (Int(clamping: attempts), isOver == 1, reached)
    page.bundle = words[5].isEmpty ? nil : words[5]
    page.list = words[6].isEmpty ? nil : words[6]
    page.answer = isTaken == 1 ? words[7] : nil
    return page
  }

  mutating func takenPage() -> LocalPage? {
    guard let atNs = signed(), let texts = texts(), texts.count == 5 else { return nil }
    var page = LocalPage(dedupKey: texts[0], receiver: texts[1], messageID: texts[2], atNs: atNs)
    page.bundle = texts[3].isEmpty ? nil : texts[3]
    page.answer = texts[4]
    return page
  }
}
