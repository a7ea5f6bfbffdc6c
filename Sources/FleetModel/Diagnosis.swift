/// What a failure is put down to: its class, the line that shows it, and what else belongs to the same crash.
package struct Diagnosis: Sendable, Equatable {
  /// Where a class of failures stands between cause and consequence.
  package enum Kind: String, Sendable, CaseIterable {
    /// What began it.
    case root
    /// What follows from the failure of another process, such as a collective that waits for a rank that is gone.
    case cascade
    /// No class fits: the exception's own name, or how the process ended, is all there is.
    case unknown
  }

  /// Id of the class, such as `device-memory`; `unknownClass` where none fits.
  package var failureClass = Diagnosis.unknownClass
  /// What the class is called, such as "out of GPU memory".
  package var title = ""
  package var kind = Kind.unknown
  /// How well the evidence fits, 0…1: 1 = the end of the process itself shows the class, or its last raised line does and the process ended
  /// right after it; less where the end was not seen, or only a consequence is known.
  package var confidence = 0.0
  /// The line that shows the cause; empty = none was read.
  package var line = ""
  /// Path of the file that holds the line; empty = it is not from a file.
  package var file = ""
  /// Of a distributed job, where the line says so.
  package var rank: Int32?
  /// How the process ended; nil = not known, or by a signal.
  package var exitCode: Int32?
  /// The signal that ended it; nil = none, or not known.
  package var exitSignal: Int32?
  /// What the kernel, the device and the process's end show beside the line.
  package var evidence: [String] = []
  /// Further raised lines and ends of processes that belong to the same crash.
  package var cascade = 0
  package var causes: [String] = []
  /// What to do, in order.
  package var steps: [String] = []
  /// Whether starting it again is worth trying, and where.
  package var retry = ""
  /// No incident of the class is more severe.
  package var severity = Severity.p1
  /// The run that it is of; empty = none is known.
  package var run = ""

  package static let unknownClass = "unknown"

  package init() {}

  /// One JSON object, as `signalbox runs why --format json` prints it.
  package var json: String {
    func texts(_ texts: [String]) -> String { "[" + texts.map(JSONText.quoted).joined(separator: ", ") + "]" }
    func number(_ number: Int32?) -> String { number.map { String($0) } ?? "null" }
    let percent = Int((min(max(confidence, 0), 1) * 100).rounded())
    return
      "{\"class\": \(JSONText.quoted(failureClass)), \"title\": \(JSONText.quoted(title)), \"kind\": \"\(kind.rawValue)\", "
      + "\"confidence\": \(Double(percent) / 100), \"line\": \(JSONText.quoted(line)), \"file\": \(JSONText.quoted(file)), "
      + "\"rank\": \(number(rank)), \"exit\": {\"code\": \(number(exitCode)), \"signal\": \(number(exitSignal))}, "
      + "\"evidence\": \(texts(evidence)), \"cascade\": \(cascade), \"causes\": \(texts(causes)), \"steps\": \(texts(steps)), "
      + "\"retry\": \(JSONText.quoted(retry)), \"run\": \(JSONText.quoted(run))}"
  }
}
