internal import Agent
internal import FleetModel

/// A log file, read in pieces as the follower reads it, and once more from its middle as after a restart.
enum LogReaderTarget {
  static func run(_ input: [UInt8]) {
    var choices = Choices(input)
    let restart = choices.below(64)
    _ = choices.byte()
    let file = FileIdentity(key: FileKey(high: 1, low: 2), path: "/var/log/train.log")
    let bytes = Array(choices.rest.prefix(64 << 10))
    var reader = LogReaderTarget.reader(ReaderContext(file: file, offset: 0, head: bytes, preceding: []))
    ReaderExercise.run(&reader, input)
    let offset = bytes.count * restart / 64
    let context = ReaderContext(file: file, offset: UInt64(offset), head: bytes, preceding: Array(bytes[..<offset]))
    var later = LogReaderTarget.reader(context)
    ReaderExercise.run(&later, input)
  }

  private static func reader(_ context: ReaderContext) -> any FormatReader {
    LogReader(context, redactor: Redactor(), zone: { _ in 3600 })
  }
}

/// Texts with secrets: what was UTF-8 stays UTF-8, and what was masked is counted.
enum RedactorTarget {
  static func run(_ input: [UInt8]) {
    let redactor = Redactor()
    let text = String(decoding: input, as: UTF8.self)
    var bytes = Array(text.utf8)
    let outcome = redactor.redact(&bytes, from: 0)
    precondition(String(validating: bytes, as: UTF8.self) != nil, "not UTF-8 any more")
    precondition(outcome.count > 0 || bytes == Array(text.utf8), "changed without being counted")
    _ = redactor.redact(text)
  }
}

/// A pattern from the settings on a path: always ends.
enum GlobPatternTarget {
  static func run(_ input: [UInt8]) {
    let parts = input.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    let path = parts.count > 1 ? String(decoding: parts[1].prefix(200), as: UTF8.self) : "/a/b.log"
    let pattern = GlobPattern(String(decoding: parts.first?.prefix(200) ?? [], as: UTF8.self))
    _ = pattern.isAbsolute
    _ = pattern.matches(path)
  }
}
