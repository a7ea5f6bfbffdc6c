internal import Agent
internal import FleetModel
internal import Schema

/// Feeds a reader as the follower does, and checks what the follower and the collector rely on.
enum ReaderExercise {
  /// - Parameter input: first byte free for the caller, second byte how it is cut, the rest is the file.
  static func run(_ reader: inout any FormatReader, _ input: [UInt8]) {
    var choices = Choices(input)
    _ = choices.byte()
    let cut = choices.below(64) + 1
    let file = Array(choices.rest)
    // Not more than a hundred pieces: what is held back is read again with each.
    let piece = max(cut, file.count / 100)
    var start = 0
    var end = 0
    while start < file.count || end < file.count {
      end = min(file.count, max(end, start) + piece * (1 + piece % 7))
      let isFinal = end == file.count
      start += step(&reader, Array(file[start..<end]), at: start, isFinal: isFinal)
      if isFinal, start == file.count { break }
    }
    finish(&reader, at: file.count)
  }

  private static func finish(_ reader: inout any FormatReader, at offset: Int) {
    let file = FileIdentity(key: FileKey(high: 1, low: 2), path: "")
    var delta = FileDelta(file: file, from: UInt64(offset), to: UInt64(offset))
    delta.isFinished = true
    reader.finish(nowNs: 1_760_000_000_000_000_000, into: &delta)
    check(delta)
  }

  private static func step(_ reader: inout any FormatReader, _ bytes: [UInt8], at offset: Int, isFinal: Bool) -> Int {
    let key = FileKey(high: 1, low: 2)
    var delta = FileDelta(file: FileIdentity(key: key, path: ""), from: UInt64(offset), to: UInt64(offset))
    delta.isFinished = isFinal
    let taken = reader.read(
      bytes.span, at: UInt64(offset), isFinal: isFinal, nowNs: 1_760_000_000_000_000_000, budget: 1 << 20, into: &delta)
    precondition((0...bytes.count).contains(taken), "took \(taken) of \(bytes.count) bytes")
    precondition(!isFinal || bytes.isEmpty || taken > 0, "takes nothing of what is left of a file that has ended")
    delta.to = UInt64(offset + taken)
    check(delta)
    return taken
  }

  /// The collector would take it as it is.
  static func check(_ delta: FileDelta) {
    let lines = delta.lines
    precondition(lines.advances.reduce(0) { $0 + UInt64($1) } <= delta.to - delta.from, "lines longer than their range")
    if !lines.isEmpty {
      precondition((delta.from...delta.to).contains(lines.firstOffset), "first line outside of the range")
    }
    var batch = Batch()
    batch.files = [delta]
    var bytes: [UInt8] = []
    Wire.encode(.batch(batch), into: &bytes)
    guard bytes.count <= FleetProtocol.frameBytes else { return }
    do { _ = try Wire.decodeAgentFrame(bytes.span) } catch { fatalError("the collector refuses it: \(error)") }
  }
}
