internal import FleetModel
internal import TLS

extension Message {
  /// Encodes a header as RFC 2047 encoded words. Each holds whole scalars and is so short that a line with the name of
  /// its header has at most 76 characters.
  static func encodedWord(_ text: String) -> String {
    var words: [String] = []
    var piece: [UInt8] = []
    for scalar in PlainText.cut(text, scalarsMax: ReceiverLimits.subjectScalars).unicodeScalars {
      let bytes = Array(String(scalar).utf8)
      if piece.count + bytes.count > 39 {
        words.append("=?utf-8?B?\(Base64.standard.encode(piece))?=")
        piece = []
      }
      piece += bytes
    }
    words.append("=?utf-8?B?\(Base64.standard.encode(piece))?=")
    return words.joined(separator: "\r\n ")
  }

  /// Base64 in lines of at most 76 characters (RFC 2045).
  static func folded(_ bytes: [UInt8]) -> String {
    stride(from: 0, to: bytes.count, by: 57).map { start in
      Base64.standard.encode(Array(bytes[start..<min(start + 57, bytes.count)]))
    }.joined(separator: "\r\n")
  }

  /// RFC 5322 date, UTC.
  static func mailDate(_ ns: Int64) -> String {
    let text = Array(Timestamp.text(ns, digits: 0))
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let month = months[(Int(String(text[5..<7])) ?? 1) - 1]
    return "\(String(text[8..<10])) \(month) \(String(text[0..<4])) \(String(text[11..<19])) +0000"
  }
}
