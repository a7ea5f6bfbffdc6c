internal import Files
package import FleetModel

/// Reads the log that Weights & Biases writes of a run (`run-ID.wandb`), online or offline: its history is rows, with their own step and
/// time; its configuration is parameters; its exit is the run's end, with its code.
///
/// Values that are no numbers are passed over and counted. A damaged chunk costs the rest of its block of 32 KiB, which is a loss with its
/// range. A log without an exit record is of a run that goes on, or was killed: it ends as other runs do whose file rests.
/// - Source: wandb/proto/wandb_internal.proto; WandbChunks.
package struct WandbReader: FormatReader {
  private let place: RunPlace
  private let run: String
  private let path: String
  private let redactor: Redactor?
  private var figures = RowFigures()
  private var flat = FlatMetrics()
  private var isOpen = false
  /// The run's end was read.
  private var isExited: Bool
  /// By the writer's clock, ns since 1970; 0: not read by this reader.
  private var startNs: Int64 = 0
  private var unread = UnreadContent()

  /// - Parameter redactor: removes secrets from parameters.
  package init(context: ReaderContext, redactor: Redactor? = nil) {
    path = context.file.path
    place = RunPlace(path, .wandbLog)
    run = place.run
    self.redactor = redactor
    isExited = false
    isExited = Self.holdsExit(context.preceding, endingAt: context.offset)
  }

  package mutating func read(
    _ bytes: Span<UInt8>, at offset: UInt64, isFinal: Bool, nowNs: Int64, budget: Int, into delta: inout FileDelta
  ) -> Int {
    var (position, spent) = (0, 0)
    while spent < budget, position < bytes.count {
      switch WandbChunks.next(bytes, position, at: offset, limitBytes: TrainingLimits.recordBytesMax) {
      case .incomplete:
        guard isFinal else { return position }
        lose(position..<bytes.count, at: offset, nowNs: nowNs, into: &delta)
        return bytes.count
      case .filler(let end): position = end
      case .damaged(let end):
        lose(position..<end, at: offset, nowNs: nowNs, into: &delta)
        position = end
      case .tooLong(let end):
        unread.add(.tooLong, count: 1, bytes: UInt64(end - position))
        position = end
      case .record(let data, let end):
        spent += end - position
        if data.count == 1 {
          spent += take(bytes, data[0], nowNs: nowNs, into: &delta)
        } else {
          var whole: [UInt8] = []
          for range in data { whole.append(bytes, range) }
          spent += take(whole.span, 0..<whole.count, nowNs: nowNs, into: &delta)
        }
        position = end
      }
    }
    return position
  }

  package var waitsForNewline: Bool { true }
  /// With the heads of its chunks.
  package var lineBytesMax: Int { TrainingLimits.recordBytesMax + WandbChunks.blockBytes }
  package var leftOut: [UnreadContent.Part] { unread.parts }

  package mutating func finish(nowNs: Int64, into delta: inout FileDelta) {
    if isExited { return }
    isOpen = false
    delta.runs.append(TrainingRun.update(place, .completed, framework: Self.framework, source: path, timeNs: nowNs))
  }

  package static let framework = "wandb"

  private mutating func lose(_ range: Range<Int>, at offset: UInt64, nowNs: Int64, into delta: inout FileDelta) {
    unread.add(.damaged, count: 1, bytes: UInt64(range.count))
    var loss = Loss()
    loss.timeNs = nowNs
    loss.subject = path
    loss.from = offset + UInt64(range.lowerBound)
    loss.to = offset + UInt64(range.upperBound)
    loss.reason = .unreadable
    delta.losses.append(loss)
  }

  /// Whether an exit is among the records before an offset; those that follow it are few and short.
  private static func holdsExit(_ preceding: [UInt8], endingAt offset: UInt64) -> Bool {
    let bytes = preceding.span
    let from = offset - UInt64(preceding.count)
    let misaligned = Int(from % UInt64(WandbChunks.blockBytes))
    var position = misaligned == 0 ? 0 : WandbChunks.blockBytes - misaligned
    while position < bytes.count {
      switch WandbChunks.next(bytes, position, at: from, limitBytes: TrainingLimits.recordBytesMax) {
      case .incomplete: return false
      case .filler(let end), .damaged(let end), .tooLong(let end): position = end
      case .record(let data, let end):
        var fields = ProtobufFields(data[0])
        while let field = fields.next(bytes) { if field.number == 18 { return true } }
        position = end
      }
    }
    return false
  }
}

// MARK: Records

extension WandbReader {
  /// - Returns: what the record costs of the budget beside its bytes.
  private mutating func take(
    _ bytes: Span<UInt8>, _ record: Range<Int>, nowNs: Int64, into delta: inout FileDelta
  ) -> Int {
    var cost = 0
    var fields = ProtobufFields(record)
    while let field = fields.next(bytes) {
      guard case .bytes(let content) = field.value else { continue }
      switch field.number {
      case 2: cost += takeHistory(bytes, content, nowNs: nowNs, into: &delta)
      case 5: report(parameters(bytes, config: content, RunParameters(redactor)), nowNs: nowNs, into: &delta)
      case 17: takeRun(bytes, content, nowNs: nowNs, into: &delta)
      case 18: takeExit(bytes, content, nowNs: nowNs, into: &delta)
      default: break
      }
    }
    if fields.isDamaged { unread.add(.damaged, count: 1, bytes: UInt64(record.count)) }
    return cost
  }

  /// `HistoryRecord`: items 1, and the step 2 where no item has it.
  private mutating func takeHistory(
    _ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64, into delta: inout FileDelta
  ) -> Int {
    figures.removeAll()
    var row = TrainingStep()
    row.run = run
    row.timeNs = nowNs
    var others: UInt64 = 0
    var fields = ProtobufFields(range)
    while let field = fields.next(bytes) {
      switch (field.number, field.value) {
      case (1, .bytes(let content)):
        let item = WandbItem(bytes, content)
        switch item.number(bytes) {
        case let value? where item.name.elementsEqual("_step".utf8): row.step = Int64(exactly: value) ?? row.step
        case let value? where item.name.elementsEqual("_timestamp".utf8):
          row.timeNs = WrittenTime.ns(seconds: value) ?? nowNs
        case let value?: figures.add(MetricName.text(item.name), value)
        case nil: if !takeObject(bytes, item) { others += 1 }
        }
      case (2, .bytes(let content)):
        var step = ProtobufFields(content)
        if case (1, .varint(let number))? = step.next(bytes) { row.step = Int64(bitPattern: number) }
      default: break
      }
    }
    unread.add(.noScalars, count: others)
    guard !fields.isDamaged, !figures.metrics.isEmpty else { return 0 }
    row.metrics = figures.complete
    if !isOpen { open(timeNs: row.timeNs, detail: "{}", into: &delta) }
    delta.steps.append(row)
    return row.encodedBytes
  }

  /// The numbers of an object, as older versions log a dictionary; one with a `_type` is a histogram, an image or a table.
  private mutating func takeObject(_ bytes: Span<UInt8>, _ item: WandbItem) -> Bool {
    guard let json = item.json, !json.isEmpty, bytes[json.lowerBound] == UInt8(ascii: "{") else { return false }
    var scanner = JSONScanner(json)
    while let token = scanner.next(bytes) {
      if case .key(let key) = token, JSONScanner.matches(bytes, key, "_type") { return false }
    }
    guard scanner.isComplete, flat.read(bytes, json), !flat.figures.metrics.isEmpty else { return false }
    for metric in flat.figures.metrics {
      figures.add(MetricName.text(item.name + [UInt8(ascii: "/")] + Array(metric.name.utf8)), metric.value)
    }
    return true
  }

  /// `RunRecord`: run_id 1, project 3, config 4, display_name 8, start_time 17.
  private mutating func takeRun(
    _ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64, into delta: inout FileDelta
  ) {
    var parameters = RunParameters(redactor)
    var fields = ProtobufFields(range)
    while let field = fields.next(bytes) {
      guard case .bytes(let content) = field.value else { continue }
      let text = content.prefix(TrainingLimits.parameterBytesMax).map { bytes[$0] }
      switch field.number {
      case 1: parameters.add("wandb/id".utf8, text: text)
      case 3: parameters.add("wandb/project".utf8, text: text)
      case 4: parameters = self.parameters(bytes, config: content, parameters)
      case 8: parameters.add("wandb/name".utf8, text: text)
      case 17:
        var time = ProtobufFields(content)
        if case (1, .varint(let seconds))? = time.next(bytes) {
          startNs = WrittenTime.ns(seconds: Double(Int64(bitPattern: seconds))) ?? 0
        }
      default: break
      }
    }
    report(parameters, nowNs: startNs > 0 ? startNs : nowNs, into: &delta)
  }

  /// `ConfigRecord`: items to update 1. `_wandb` holds what the library notes of itself.
  private mutating func parameters(
    _ bytes: Span<UInt8>, config range: Range<Int>, _ before: RunParameters
  ) -> RunParameters {
    var text = ParameterText(before)
    var fields = ProtobufFields(range)
    while let field = fields.next(bytes) {
      guard case (1, .bytes(let content)) = field else { continue }
      let item = WandbItem(bytes, content, separator: UInt8(ascii: "."))
      guard let json = item.json, !item.name.starts(with: "_wandb".utf8) else { continue }
      text.add(item.name, json: bytes, json)
    }
    unread.add(.noParameters, count: UInt64(text.leftOut))
    return text.parameters
  }

  private mutating func report(_ parameters: RunParameters, nowNs: Int64, into delta: inout FileDelta) {
    if !parameters.isEmpty { open(timeNs: nowNs, detail: parameters.detail, into: &delta) }
  }

  /// `RunExitRecord`: exit_code 1, runtime in seconds 2.
  private mutating func takeExit(
    _ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64, into delta: inout FileDelta
  ) {
    var (code, runtime) = (Int64(0), Int64(0))
    var fields = ProtobufFields(range)
    while let field = fields.next(bytes) {
      switch (field.number, field.value) {
      case (1, .varint(let value)): code = Int64(bitPattern: value)
      case (2, .varint(let value)): runtime = Int64(bitPattern: value)
      default: break
      }
    }
    isExited = true
    isOpen = false
    // Of a log of an earlier day the end is then, not now; it is not before its last row.
    let lastNs = delta.steps.last?.timeNs ?? 0
    let endNs =
      startNs > 0 && (0..<1 << 31).contains(runtime)
      ? max(startNs.addingClamped(runtime * 1_000_000_000), lastNs) : nowNs
    var update = TrainingRun.update(
      place, code == 0 ? .completed : .failed, framework: Self.framework, source: path,
      timeNs: min(endNs, max(nowNs, lastNs)))
    update.detail = "{\"detail\": {\"wandb/exit_code\": \(code)}}"
    delta.runs.append(update)
  }

  private mutating func open(timeNs: Int64, detail: String, into delta: inout FileDelta) {
    isOpen = true
    // What follows an exit, such as a summary, does not open the run again.
    var update = TrainingRun.update(
      place, isExited ? .unknown : .running, framework: Self.framework, source: path, timeNs: timeNs)
    if isExited { update.source = "" }
    update.detail = detail
    delta.runs.append(update)
  }
}

/// `HistoryItem` and `ConfigItem`: key 1, nested_key 2, value_json 16, of which newer versions of the first write boolean 4, integer 5,
/// number 6 and json 8 instead.
struct WandbItem {
  /// Nested ones joined.
  private(set) var name: [UInt8] = []
  private(set) var json: Range<Int>?
  private var value: Double?

  init(_ bytes: Span<UInt8>, _ range: Range<Int>, separator: UInt8 = UInt8(ascii: "/")) {
    var fields = ProtobufFields(range)
    while let field = fields.next(bytes) {
      switch (field.number, field.value) {
      case (1, .bytes(let key)): name = key.prefix(TrainingLimits.metricNameBytesMax).map { bytes[$0] }
      case (2, .bytes(let key)) where name.count < TrainingLimits.metricNameBytesMax:
        if !name.isEmpty { name.append(separator) }
        name += key.prefix(TrainingLimits.metricNameBytesMax).map { bytes[$0] }
      case (4, .varint(let flag)): value = flag == 0 ? 0 : 1
      case (5, .varint(let number)): value = Double(Int64(bitPattern: number))
      case (6, .fixed64(let bits)): value = Double(bitPattern: bits)
      case (8, .bytes(let text)), (16, .bytes(let text)): json = text
      default: break
      }
    }
  }

  /// nil where it is none. Python's NaN and infinities are written as such, in newer versions as texts.
  func number(_ bytes: Span<UInt8>) -> Double? {
    if let value { return value }
    guard let json else { return nil }
    for word in ["NaN", "Infinity", "-Infinity"] as [StaticString] where json.count == word.utf8CodeUnitCount + 2 {
      if JSONScanner.matches(bytes, json.lowerBound + 1..<json.upperBound - 1, word) {
        return DecimalNumber.parse(bytes, json.lowerBound + 1..<json.upperBound - 1)
      }
    }
    return DecimalNumber.parseLogged(bytes, json)
  }
}
