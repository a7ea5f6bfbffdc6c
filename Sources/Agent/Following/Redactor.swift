internal import Files

/// The one place through which every text goes before it leaves the host: log lines, events, what programs send on the socket.
///
/// Secrets are known by the name before them (`*_TOKEN=`, `password:`, `Authorization:`, the user part of a URL), by the command or
/// sentence that they stand in (`-pPASSWORD`, `machine … login … password …`) and by their shape (JWT, PEM, AKIA…, ghp_…, high entropy
/// behind `=` or `:`), and replaced by `[redacted:<kind>]`. One is shared by all readers of a host; it counts what it removed.
package final class Redactor {
  /// Raised with every change of what is found; sent in `Hello`, so that it is known which rules a stored line went through.
  package static let version = "3"

  /// How many secrets were removed.
  package private(set) var total: UInt64 = 0
  private var scan = LineScan()

  package init() {}

  /// What was done to a text.
  package struct Outcome: Sendable, Equatable {
    package var count = 0
    /// It ends inside a PEM block: what follows belongs to that.
    package var isBlockOpen = false
  }

  /// Masks the secrets in `text[start...]` in place.
  @discardableResult
  package func redact(_ text: inout [UInt8], from start: Int) -> Outcome {
    mask(find(text.span.extracting(start..<text.count)), in: &text, from: start)
  }

  /// Masks the secrets in `text`, and cuts it to its first `limit` bytes: between characters, and behind a secret that lies
  /// across the cut, which is masked as a whole.
  package func redact(_ text: inout [UInt8], keeping limit: Int) -> Outcome {
    let secrets = find(text.span).filter { $0.range.lowerBound < limit }
    if text.count > limit {
      let cut = limit - UTF8Text.unfinishedSuffix(text.span, 0..<limit)
      text.removeLast(text.count - max(cut, secrets.last?.range.upperBound ?? 0))
    }
    return mask(secrets, in: &text, from: 0)
  }

  private func find(_ text: Span<UInt8>) -> [Secret] {
    scan.scan(text)
    return SecretFinder.all(text, scan, start: 0)
  }

  private func mask(_ secrets: [Secret], in text: inout [UInt8], from start: Int) -> Outcome {
    guard !secrets.isEmpty else { return Outcome() }
    let original = Array(text[start...])
    text.removeLast(text.count - start)
    var kept = 0
    for secret in secrets {
      text.append(contentsOf: original[kept..<secret.range.lowerBound])
      text.append(contentsOf: "[redacted:".utf8)
      text.append(contentsOf: secret.kind.rawValue.utf8)
      text.append(UInt8(ascii: "]"))
      kept = secret.range.upperBound
    }
    text.append(contentsOf: original[kept...])
    total += UInt64(secrets.count)
    return Outcome(count: secrets.count, isBlockOpen: secrets.last?.isOpen ?? false)
  }

  /// For short texts: events, socket messages.
  package func redact(_ text: String) -> String {
    var bytes = Array(text.utf8)
    return redact(&bytes, from: 0).count == 0 ? text : String(decoding: bytes, as: UTF8.self)
  }

  /// A line that lies inside a PEM block goes as a whole.
  func countBlockLine() { total += 1 }

  /// Whether `line`, which lies at `range` of the scanned bytes, holds a secret. Costs a look at each hint of the scan.
  static func isSuspect(_ bytes: Span<UInt8>, _ range: Range<Int>, _ scan: LineScan) -> Bool {
    SecretFinder.next(bytes.extracting(range), from: 0, scan, start: range.lowerBound) != nil
  }
}
