internal import FleetModel

/// A training format in which each line is a record of its own.
protocol LinedReader: FormatReader {
  var cutter: LineCutter { get set }

  /// - Parameter offset: of `bytes` in the file.
  /// - Returns: what the line costs of the budget; at least 1.
  mutating func read(
    _ bytes: Span<UInt8>, _ line: LineCutter.Line, at offset: UInt64, nowNs: Int64, into delta: inout FileDelta
  ) -> Int
}

extension LinedReader {
  /// `FormatReader.read`, line by line.
  mutating func readLines(
    _ bytes: Span<UInt8>, at offset: UInt64, isFinal: Bool, nowNs: Int64, budget: Int, into delta: inout FileDelta
  ) -> Int {
    var (position, spent) = (0, 0)
    while spent < budget, let line = cutter.next(bytes, &position, takesPartial: isFinal) {
      spent += read(bytes, line, at: offset, nowNs: nowNs, into: &delta)
    }
    return position
  }
}
