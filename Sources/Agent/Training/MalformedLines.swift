internal import Files
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
    let start = offset + UInt64(line.start)
    var flags: LineFlags = .malformed
    if line.content.count > TrainingLimits.malformedBytesMax || line.kind == .tooLong { flags.insert(.truncated) }
    if line.kind == .partial { flags.insert(.partial) }
    let text = text(bytes, line.content.prefix(TrainingLimits.malformedSearchedBytesMax), redactor, &flags)

    if lines.isEmpty {
      lines.firstOffset = start
    } else {
      // The line before reaches up to this one.
      let before = lines.advances.dropLast().reduce(lines.firstOffset) { $0.addingClamped(UInt64($1)) }
      lines.advances[lines.count - 1] = UInt32(clamping: start - min(before, start))
    }
    lines.text += text
    lines.lengths.append(UInt32(text.count))
    lines.advances.append(UInt32(clamping: line.end - line.start))
    lines.timesUs.append(nowNs / 1000)
    lines.levels.append(Level.warn.rawValue)
    lines.flags.append(flags.rawValue)
  }

  /// Secrets are looked for before the text is cut: half of one would not be known as such.
  private static func text(
    _ bytes: Span<UInt8>, _ range: Range<Int>, _ redactor: Redactor?, _ flags: inout LineFlags
  ) -> [UInt8] {
    var text: [UInt8] = []
    if UTF8Text.isClean(bytes, range) {
      text.append(bytes, range)
    } else {
      _ = UTF8Text.appendRepaired(bytes, range, limit: .max, to: &text)
      flags.insert(.repaired)
    }
    let found = (redactor ?? Redactor()).redact(&text, keeping: TrainingLimits.malformedBytesMax)
    if found.count > 0 { flags.insert(.redacted) }
    return text
  }
}
