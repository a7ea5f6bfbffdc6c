internal import FleetModel

/// One input for one part that reads what others wrote: it must never trap, and what it says must hold together.
///
/// The fuzzer (`Tests/Fuzz/run.sh`) makes inputs; the unit tests replay the seeds and every input that once failed.
package struct FuzzTarget: Sendable {
  /// Also the folder below `Tests/Fuzz` with `Seeds` and `FailCases`.
  package let name: String
  package let run: @Sendable ([UInt8]) -> Void

  package static let all: [FuzzTarget] = [
    FuzzTarget(name: "SchemaDecoder", run: SchemaDecoderTarget.run),
    FuzzTarget(name: "JSONScanner", run: JSONScannerTarget.run),
    FuzzTarget(name: "ProcParsers", run: ProcParsersTarget.run),
    FuzzTarget(name: "TrainingReaders", run: TrainingReadersTarget.run),
    FuzzTarget(name: "LogReader", run: LogReaderTarget.run),
    FuzzTarget(name: "LineFollower", run: LineFollowerTarget.run),
    FuzzTarget(name: "Redactor", run: RedactorTarget.run),
    FuzzTarget(name: "GlobPattern", run: GlobPatternTarget.run),
    FuzzTarget(name: "SocketSession", run: SocketSessionTarget.run),
    FuzzTarget(name: "HTTP2Feed", run: HTTP2FeedTarget.run),
    FuzzTarget(name: "RPCDeframer", run: RPCDeframerTarget.run),
    FuzzTarget(name: "JoinToken", run: JoinTokenTarget.run),
    FuzzTarget(name: "WholeBatch", run: WholeBatchTarget.run),
  ]
}

/// Choices taken from the head of an input, so that one input says both what is read and how.
struct Choices {
  private let bytes: [UInt8]
  private var at = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// 0 where the input has ended.
  mutating func byte() -> UInt8 {
    guard at < bytes.count else { return 0 }
    defer { at += 1 }
    return bytes[at]
  }

  mutating func below(_ limit: Int) -> Int { Int(byte()) % limit }

  /// What was not used for choices.
  var rest: ArraySlice<UInt8> { bytes[at...] }
}
