/// Files and variables that hold one value: a secret, a URL.
package enum ValueFile {
  /// The first line, without its line end and the blanks and tabs before that, and without a byte order mark: what an editor or
  /// `echo` adds is never a part of the value.
  ///
  /// Why not on a String: CR LF is one Character there, which is no "\n".
  package static func firstLine(_ bytes: [UInt8]) -> String {
    var line = bytes.prefix { $0 != UInt8(ascii: "\n") }
    if line.starts(with: [0xef, 0xbb, 0xbf]) { line = line.dropFirst(3) }
    while let last = line.last, last == UInt8(ascii: "\r") || last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") {
      line.removeLast()
    }
    return String(decoding: line, as: UTF8.self)
  }
}
