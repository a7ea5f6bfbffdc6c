internal import FleetModel

/// Puts rows that a reader cannot read beside the log lines of the same range, so that they are seen and nothing is lost.
enum MalformedLines {
  /// - Parameters:
  ///   - content: the line in `bytes`.
  ///   - offset: file offset of `bytes[0]`.
  static func append(
    _ bytes: Span<UInt8>, _ line: LineCutter.Line, at offset: UInt64, nowNs: Int64, _ redactor: Redactor?,
    to lines: inout LogLines
  ) {
    let start = offset + UInt64(line.content.lowerBound)
    let kept = line.content.prefix(TrainingLimits.malformedBytesMax)
    let raw = kept.map { bytes[$0] }
    var text = Array(SafeText.make(raw, bytesMax: TrainingLimits.malformedBytesMax).utf8)
    var flags: LineFlags = .malformed
    if kept.count < line.content.count || line.kind == .tooLong { flags.insert(.truncated) }
    if line.kind == .partial { flags.insert(.partial) }
    if text != raw { flags.insert(.repaired) }
    if let redactor, redactor.redact(&text, from: 0).count > 0 { flags.insert(.redacted) }

    if lines.isEmpty {
      lines.firstOffset = start
    } else {
      // The line before reaches up to this one.
      let before = lines.advances.dropLast().reduce(lines.firstOffset) { $0 + UInt64($1) }
      lines.advances[lines.count - 1] = UInt32(clamping: start - min(before, start))
    }
    lines.text += text
    lines.lengths.append(UInt32(text.count))
    lines.advances.append(UInt32(clamping: line.end - line.content.lowerBound))
    lines.timesUs.append(nowNs / 1000)
    lines.levels.append(Level.warn.rawValue)
    lines.flags.append(flags.rawValue)
  }
}
