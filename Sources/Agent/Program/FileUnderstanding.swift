package import FleetModel

/// What the agent would report of one file, summed up for the person who asks: `signalbox-agent read FILE`.
package struct FileUnderstanding {
  /// Runs that are listed; a file has one, or a few.
  private static let runsMax = 100
  private static let examplesMax = 3

  package let path: String
  package private(set) var format: FileFormat = .log
  /// `binary` and `wideText` are never read.
  package private(set) var content: BinaryContent.Kind = .text
  package private(set) var rows = 0
  package private(set) var firstRow: TrainingStep?
  package private(set) var lastRow: TrainingStep?
  package private(set) var episodes = 0
  package private(set) var lines = 0
  package private(set) var timedLines = 0
  package private(set) var redactedLines = 0
  package private(set) var levels: [Level: Int] = [:]
  package private(set) var malformed = 0
  package private(set) var examples: [String] = []
  /// By run: what its files say of it, the newest last.
  package private(set) var runs: [(run: String, framework: String)] = []
  /// Members of a JSON object of parameters, as runs report them.
  private var details: [String] = []
  package var unread = UnreadContent()
  /// At the end of the file: of a record that is not whole.
  package private(set) var waitingBytes: UInt64 = 0
  private(set) var sizeBytes: UInt64 = 0

  /// Of a database: why its rows cannot be read now, in a sentence.
  package var trouble: String?

  package init(path: String) { self.path = path }

  package mutating func found(_ content: BinaryContent.Kind, _ format: FileFormat, sizeBytes: UInt64) {
    (self.content, self.format, self.sizeBytes) = (content, format, sizeBytes)
    if content != .text { waitingBytes = 0 }
  }

  package mutating func add(_ delta: FileDelta) {
    let isOfEpisodes = format == .monitorCSV
    rows += isOfEpisodes ? delta.episodes.count : delta.steps.count
    if firstRow == nil { firstRow = delta.steps.first }
    lastRow = delta.steps.last ?? lastRow
    episodes += delta.episodes.count { $0.state == .completed }
    for update in delta.runs {
      if !runs.contains(where: { $0.run == update.run }), runs.count < Self.runsMax {
        runs.append((update.run, update.framework))
      }
      let members = Self.members(update.detail)
      if !members.isEmpty, !details.contains(members), details.count < Self.runsMax { details.append(members) }
    }
    addLines(delta.lines)
  }

  /// What stands between the braces of a run's detail, or of the member that holds what the run itself says.
  private static func members(_ detail: String) -> String {
    let start = "{\"detail\": {"
    if detail.hasPrefix(start), detail.hasSuffix("}}") { return String(detail.dropFirst(start.count).dropLast(2)) }
    return String(detail.dropFirst().dropLast())
  }

  /// A JSON object.
  package var parameters: String { "{" + details.joined(separator: ", ") + "}" }

  private mutating func addLines(_ added: LogLines) {
    var at = 0
    for index in 0..<added.count {
      let end = at + Int(added.lengths[index])
      let flags = LineFlags(rawValue: added.flags[index])
      if flags.contains(.malformed) {
        malformed += 1
        if examples.count < Self.examplesMax {
          examples.append(PlainText.cut(String(decoding: added.text[at..<end], as: UTF8.self), bytesMax: 120))
        }
      } else {
        lines += 1
        levels[Level(rawValue: added.levels[index]) ?? .unknown, default: 0] += 1
        if flags.contains(.timed) { timedLines += 1 }
      }
      if flags.contains(.redacted) { redactedLines += 1 }
      at = end
    }
  }

  package mutating func ended(readTo offset: UInt64, sizeBytes: UInt64, leftOut: [UnreadContent.Part]) {
    waitingBytes = sizeBytes - min(offset, sizeBytes)
    for part in leftOut { unread.add(part.reason, count: part.count, bytes: part.bytes) }
  }

  /// The word that stands for the format in output.
  package var formatName: String {
    switch content {
    case .binary: "binary"
    case .wideText: "utf_16"
    case .text: format.name
    }
  }

  /// What is not understood, each as a sentence with a count and bytes.
  package var unreadParts: [(what: String, count: UInt64, bytes: UInt64)] {
    switch content {
    case .binary: return [("a binary file that no reader knows: never sent", 1, sizeBytes)]
    case .wideText: return [("text in UTF-16 or UTF-32, which is not read: write it as UTF-8", 1, sizeBytes)]
    case .text: break
    }
    var parts = unread.parts.map { (what: $0.reason.rawValue, count: $0.count, bytes: $0.bytes) }
    if let trouble { parts.append((trouble, 1, sizeBytes)) }
    if malformed > 0 {
      parts.append(("rows that their format's reader cannot read: sent as lines of their own", UInt64(malformed), 0))
    }
    if waitingBytes > 0 { parts.append(("a last record that is not whole yet: waited for", 1, waitingBytes)) }
    return parts
  }
}

extension FileFormat {
  /// As commands write it.
  package var name: String {
    switch self {
    case .log: "log"
    case .trainingLogCSV: "training_log_csv"
    case .monitorCSV: "monitor_csv"
    case .progressCSV: "progress_csv"
    case .resultJSON: "result_json"
    case .eventFile: "tensorboard_event_file"
    case .trainerState: "trainer_state_json"
    case .runParameters: "run_parameters"
    case .mlflowMetric: "mlflow_metric"
    case .wandbLog: "wandb_log"
    case .trackio: "trackio_database"
    }
  }
}

// MARK: Output

extension FileUnderstanding {
  /// One JSON object.
  package var json: String {
    JSON.object([
      ("file", .text(path)), ("format", .text(formatName)),
      ("runs", .list(runs.map { .object([("run", .text($0.run)), ("framework", .text($0.framework))]) })),
      ("rows", .number(Int64(rows))), ("first", firstRow.map(Self.object) ?? .null),
      ("last", lastRow.map(Self.object) ?? .null), ("episodes", .number(Int64(episodes))),
      ("parameters", .document(parameters)),
      (
        "lines",
        .object([
          ("count", .number(Int64(lines))), ("timed", .number(Int64(timedLines))),
          ("redacted", .number(Int64(redactedLines))),
          ("levels", .object(Level.allCases.map { ("\($0)", .number(Int64(levels[$0] ?? 0))) })),
        ])
      ),
      (
        "unread",
        .list(
          unreadParts.map {
            .object([
              ("what", .text($0.what)), ("count", .number(Int64(clamping: $0.count))),
              ("bytes", .number(Int64(clamping: $0.bytes))),
            ])
          })
      ),
    ]).written
  }

  private static func object(_ step: TrainingStep) -> JSON {
    var fields: [(String, JSON)] = [("time", .text(Timestamp.text(step.timeNs))), ("step", .number(step.step))]
    if step.episode != TrainingStep.noEpisode { fields.append(("episode", .number(step.episode))) }
    if !step.reward.isNaN { fields.append(("reward", .real(step.reward))) }
    fields.append(("metrics", .object(step.metrics.map { ($0.name, .real($0.value)) })))
    return .object(fields)
  }

  /// For people, a line for each thing; what the file says is shown without what a terminal would obey.
  package var text: String {
    var out = ["file        \(path)", "format      \(formatName)"]
    out += runs.map { "run         \($0.run) (\($0.framework))" }
    if format != .log || rows > 0 { out.append("rows        \(rows)") }
    if let firstRow { out.append("first row   " + Self.sentence(firstRow)) }
    if let lastRow, rows > 1 { out.append("last row    " + Self.sentence(lastRow)) }
    if episodes > 0 { out.append("episodes    \(episodes)") }
    if !details.isEmpty { out.append("parameters  \(parameters)") }
    if content == .text, format == .log {
      let named = Level.allCases.filter { levels[$0] != nil }.map { "\(levels[$0] ?? 0) \($0)" }
      out.append("lines       \(lines)\(named.isEmpty ? "" : ": " + named.joined(separator: ", "))")
      out.append("times       \(timedLines) of \(lines) lines have a time of their own")
    }
    if redactedLines > 0 { out.append("redacted    \(redactedLines) lines have had secrets removed") }
    for part in unreadParts {
      out.append("unread      \(part.count) × \(part.what)" + (part.bytes > 0 ? " (\(part.bytes) bytes)" : ""))
    }
    out += examples.map { "  such as   \($0)" }
    return out.map(PlainText.visible).joined(separator: "\n")
  }

  private static let metricsShown = 8

  private static func sentence(_ step: TrainingStep) -> String {
    let figures = step.metrics.prefix(metricsShown).map { "\($0.name) \($0.value)" }.joined(separator: ", ")
    let more = step.metrics.count > metricsShown ? ", and \(step.metrics.count - metricsShown) more" : ""
    return "step \(step.step) at \(Timestamp.text(step.timeNs)): \(figures)\(more)"
  }
}
