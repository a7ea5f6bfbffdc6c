/// The fields of one line of a CSV file. Kept between lines, so that a row costs no allocation.
///
/// Source: RFC 4180 and Python's `csv` in its default dialect; a quoted field may not hold a newline.
struct DelimitedRow {
  private(set) var fields: [Range<Int>] = []

  /// - Returns: false where there are more than `TrainingLimits.columnsMax` fields or a quote stays open.
  mutating func split(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Bool {
    fields.removeAll(keepingCapacity: true)
    var start = line.lowerBound
    while true {
      guard fields.count < TrainingLimits.columnsMax else { return false }
      if start < line.upperBound, bytes[start] == UInt8(ascii: "\"") {
        guard let quote = Self.closingQuote(bytes, start + 1, line.upperBound) else { return false }
        fields.append(start + 1..<quote)
        start = quote + 1
        guard start < line.upperBound else { return true }
        guard bytes[start] == UInt8(ascii: ",") else { return false }
      } else {
        var end = start
        while end < line.upperBound, bytes[end] != UInt8(ascii: ",") { end += 1 }
        fields.append(start..<end)
        start = end
        guard start < line.upperBound else { return true }
      }
      start += 1
    }
  }

  /// A doubled quote stands for one inside the field.
  private static func closingQuote(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int? {
    var position = start
    while position < end {
      if bytes[position] == UInt8(ascii: "\"") {
        guard position + 1 < end, bytes[position + 1] == UInt8(ascii: "\"") else { return position }
        position += 1
      }
      position += 1
    }
    return nil
  }

  /// The fields as text, for a header: blanks are removed, names cut to the limit.
  func names(_ bytes: Span<UInt8>) -> [String] {
    fields.map { field in
      var name = field.map { bytes[$0] }[...]
      while let byte = name.first, byte == 0x20 || byte == 0x09 { name.removeFirst() }
      while let byte = name.last, byte == 0x20 || byte == 0x09 { name.removeLast() }
      return MetricName.text(name)
    }
  }
}

/// Names that come from a file: valid text of bounded length.
enum MetricName {
  /// Invalid UTF-8 and NUL become U+FFFD; what is longer than the limit is cut between characters.
  static func text(_ bytes: some Collection<UInt8>) -> String {
    SafeText.make(bytes, bytesMax: TrainingLimits.metricNameBytesMax)
  }
}

/// Text from outside, fit for a database column.
enum SafeText {
  /// Invalid UTF-8 and NUL become U+FFFD; cut after at most `bytesMax` bytes, between characters.
  static func make(_ bytes: some Collection<UInt8>, bytesMax: Int) -> String {
    var text = ""
    var count = 0
    for scalar in String(decoding: bytes.prefix(bytesMax), as: UTF8.self).unicodeScalars {
      let safe: Unicode.Scalar = scalar == "\0" ? "\u{fffd}" : scalar
      count += UTF8.width(safe)
      if count > bytesMax { break }
      text.unicodeScalars.append(safe)
    }
    return text
  }
}
