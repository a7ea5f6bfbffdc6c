internal import Files
internal import TLS

/// Where `join` finds its token other than on the command line, which every user of the machine can read in /proc.
package enum JoinTokenSource: Equatable, Sendable {
  case standardInput
  case file(String)
  /// `SIGNALBOX_JOIN_TOKEN`: /proc/PID/environ is its owner's alone.
  case environment

  package static let variable = "SIGNALBOX_JOIN_TOKEN"

  /// - Throws: `UsageError` where there is none; `FileError` where standard input fails.
  static func read(_ source: JoinTokenSource) throws -> String {
    switch source {
    case .standardInput: return try text(StandardInput.read(limitBytes: JoinToken.textBytesMax + 1), "standard input")
    case .file(let path):
      let bytes: [UInt8]
      do throws(FileError) {
        bytes = try HostFiles.read(path, limitBytes: JoinToken.textBytesMax + 1)
      } catch {
        throw UsageError("\(error); name a readable file with --token-file")
      }
      return try text(bytes, path)
    case .environment:
      guard let token = Process.environment(variable), !token.isEmpty else { throw missing }
      return token
    }
  }

  private static func text(_ bytes: [UInt8], _ source: String) throws(UsageError) -> String {
    let text = String(decoding: bytes, as: UTF8.self)
    if text.utf8.allSatisfy({ $0 <= 0x20 }) { throw UsageError("There is no token in \(source).") }
    return text
  }

  static let missing = UsageError(
    "Give the token that `signalbox hosts invite NAME` printed: signalbox-agent join - --state-dir DIR reads it from standard "
      + "input, --token-file FILE from a file, and $\(variable) holds it where neither is given.")
}
