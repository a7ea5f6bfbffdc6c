internal import TLS

/// A pasted join token: what is accepted is written and read again as the same.
enum JoinTokenTarget {
  static func run(_ input: [UInt8]) {
    let text = String(decoding: input, as: UTF8.self)
    if let address = CollectorAddress(text) {
      precondition(CollectorAddress(address.description) == address, "another address came back")
    }
    guard let token = try? JoinToken(parsing: text) else { return }
    precondition((try? JoinToken(parsing: token.text)) == token, "another token came back")
  }
}
