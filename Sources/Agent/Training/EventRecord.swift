internal import FleetModel

/// One TensorBoard event: a time, a step, and the scalars, parameters and other values in it. Kept between records, so that a record
/// costs no allocation but for its row.
///
/// - Source: tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto; tensorboard/plugins/hparams/{api,plugin_data}.proto.
struct EventRecord {
  /// Seconds since 1970.
  private(set) var wallSeconds = 0.0
  private(set) var step: Int64 = 0
  private(set) var figures = RowFigures()
  private(set) var parameters: RunParameters
  /// Values of this record that are no scalars and no parameters: histograms, images, sounds, texts of later steps.
  private(set) var otherValues: UInt64 = 0
  /// The parameters of this record are the arguments of Hugging Face's Trainer.
  private(set) var isOfTrainer = false
  private var names = TagNames()

  /// - Source: transformers/integrations/integration_utils.py (`TensorBoardCallback.on_train_begin`).
  static let trainerTag = "args/text_summary"
  static let trainerMember = "output_dir"

  init(_ redactor: Redactor?) { parameters = RunParameters(redactor) }

  /// - Returns: false where the bytes are no event.
  mutating func read(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    (wallSeconds, step, otherValues, isOfTrainer) = (0, 0, 0, false)
    figures.removeAll()
    parameters.removeAll()
    var summary: Range<Int>?
    var fields = ProtobufFields(range)
    while let field = fields.next(bytes) {
      switch (field.number, field.value) {
      case (1, .fixed64(let bits)): wallSeconds = Double(bitPattern: bits)
      case (2, .varint(let value)): step = Int64(bitPattern: value)
      case (5, .bytes(let range)): summary = range
      default: break
      }
    }
    if fields.isDamaged { return false }
    guard let summary else { return true }
    var values = ProtobufFields(summary)
    while let value = values.next(bytes) {
      guard case (1, .bytes(let range)) = value else { continue }
      if !readValue(bytes, range) { return false }
    }
    return !values.isDamaged
  }

  private mutating func readValue(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var (tag, plugin, content) = (0..<0, 0..<0, 0..<0)
    var simple: Double?
    var tensor: Range<Int>?
    var fields = ProtobufFields(range)
    while let field = fields.next(bytes) {
      switch (field.number, field.value) {
      case (1, .bytes(let range)): tag = range
      case (2, .fixed32(let bits)): simple = Double(Float(bitPattern: bits))
      case (8, .bytes(let range)): tensor = range
      case (9, .bytes(let range)): (plugin, content) = Self.plugin(bytes, range)
      default: break
      }
    }
    if fields.isDamaged { return false }
    if bytes.holds("_hparams_/", at: tag.lowerBound), tag.count > 10 {
      readHyperparameters(bytes, content)
    } else if let simple {
      figures.add(names.name(bytes, tag), simple)
    } else if let tensor, let scalar = TensorScalar(bytes, tensor) {
      take(bytes, tag, scalar, plugin)
    } else {
      otherValues += 1
    }
    return true
  }

  /// Only the first value of a tag names its plugin, so that the tensor itself must say what it is.
  private mutating func take(_ bytes: Span<UInt8>, _ tag: Range<Int>, _ scalar: TensorScalar, _ plugin: Range<Int>) {
    if let value = scalar.value(bytes), plugin.isEmpty || Self.isText(bytes, plugin, "scalars") {
      figures.add(names.name(bytes, tag), value)
    } else if let text = scalar.text, step == 0, Self.isText(bytes, plugin, "text") {
      takeText(bytes, tag, text)
    } else {
      otherValues += 1
    }
  }

  /// `plugin_data` of a value's metadata: the plugin's name, and what it keeps for itself.
  private static func plugin(_ bytes: Span<UInt8>, _ range: Range<Int>) -> (name: Range<Int>, content: Range<Int>) {
    var found = (name: 0..<0, content: 0..<0)
    var fields = ProtobufFields(range)
    while let field = fields.next(bytes) {
      guard case (1, .bytes(let range)) = field else { continue }
      var data = ProtobufFields(range)
      while let member = data.next(bytes) {
        switch (member.number, member.value) {
        case (1, .bytes(let range)): found.name = range
        case (2, .bytes(let range)): found.content = range
        default: break
        }
      }
    }
    return found
  }

  private static func isText(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: String) -> Bool {
    range.count == text.utf8.count && bytes.holds(text, at: range.lowerBound)
  }

  // MARK: Parameters

  /// `HParamsPluginData.session_start_info.hparams`: a map of names to `google.protobuf.Value`.
  private mutating func readHyperparameters(_ bytes: Span<UInt8>, _ content: Range<Int>) {
    var fields = ProtobufFields(content)
    while let field = fields.next(bytes) {
      guard case (3, .bytes(let start)) = field else { continue }
      var members = ProtobufFields(start)
      while let member = members.next(bytes) {
        if case (1, .bytes(let entry)) = member { readHyperparameter(bytes, entry) }
      }
    }
  }

  private mutating func readHyperparameter(_ bytes: Span<UInt8>, _ entry: Range<Int>) {
    var name: [UInt8] = []
    var value: Range<Int>?
    var fields = ProtobufFields(entry)
    while let field = fields.next(bytes) {
      switch (field.number, field.value) {
      case (1, .bytes(let range)): name = range.prefix(TrainingLimits.metricNameBytesMax).map { bytes[$0] }
      case (2, .bytes(let range)): value = range
      default: break
      }
    }
    guard let value, !fields.isDamaged else { return }
    var members = ProtobufFields(value)
    while let member = members.next(bytes) {
      switch (member.number, member.value) {
      case (2, .fixed64(let bits)): parameters.add(name, number: Double(bitPattern: bits))
      case (3, .bytes(let range)):
        parameters.add(name, text: range.prefix(TrainingLimits.parameterBytesMax).map { bytes[$0] })
      case (4, .varint(let flag)): parameters.add(name, isTrue: flag != 0)
      default: break
      }
    }
  }

  /// Text that a program logs at its start is what it was started with: CleanRL's table of two columns, the JSON object of Hugging Face's
  /// Trainer, or plain text.
  private mutating func takeText(_ bytes: Span<UInt8>, _ tag: Range<Int>, _ text: Range<Int>) {
    if takeTable(bytes, text) { return }
    if parameters.add(bytes, object: text) {
      let isArguments = tag.count == Self.trainerTag.utf8.count && bytes.holds(Self.trainerTag, at: tag.lowerBound)
      isOfTrainer = isArguments && parameters.members.contains { $0.name == Self.trainerMember }
      return
    }
    parameters.add(
      tag.prefix(TrainingLimits.metricNameBytesMax).map { bytes[$0] },
      text: text.prefix(TrainingLimits.parameterBytesMax).map { bytes[$0] })
  }

  /// `|param|value|`, a line of dashes, and a line for each parameter. Source: CleanRL, `writer.add_text("hyperparameters", …)`.
  private mutating func takeTable(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Bool {
    let lines = text.map { bytes[$0] }.split(separator: UInt8(ascii: "\n"))
    guard lines.count > 2, lines[1].starts(with: "|-".utf8) else { return false }
    let rows = lines.dropFirst(2).map { line in
      let cells = line.drop { $0 == 0x20 || $0 == UInt8(ascii: "|") }.split(
        separator: UInt8(ascii: "|"), maxSplits: 1, omittingEmptySubsequences: false)
      return (name: cells[0], value: (cells.count > 1 ? cells[1] : []).prefix { $0 != UInt8(ascii: "|") })
    }
    guard rows.allSatisfy({ !$0.name.isEmpty }) else { return false }
    for row in rows { parameters.add(row.name, text: row.value) }
    return true
  }
}

/// The names of tags as text: each is made once, not once a record.
private struct TagNames {
  /// A writer with more tags makes their text anew.
  private static let namesMax = 4096
  private var known: [UInt64: String] = [:]

  mutating func name(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
    let hash = ContentHash.of(bytes.extracting(range))
    if let name = known[hash], name.utf8.count == range.count, bytes.holds(name, at: range.lowerBound) { return name }
    let name = MetricName.text(range.prefix(TrainingLimits.metricNameBytesMax).map { bytes[$0] })
    if known.count < Self.namesMax { known[hash] = name }
    return name
  }
}
