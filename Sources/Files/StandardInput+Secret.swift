internal import Glibc

extension StandardInput {
  package static var isTerminal: Bool { isatty(0) == 1 }

  /// As `read`; a terminal gives one line, which it does not show. Source: man termios(3).
  package static func readSecret(limitBytes: Int) throws(FileError) -> [UInt8] {
    guard isTerminal else { return try read(limitBytes: limitBytes) }
    var before = termios()
    // The kernel writes one `termios`, and reads one below.
    guard unsafe tcgetattr(0, &before) == 0 else { return try readLine(limitBytes: limitBytes) }
    var hidden = before
    hidden.c_lflag &= ~tcflag_t(ECHO)
    unsafe _ = tcsetattr(0, TCSAFLUSH, &hidden)
    defer { unsafe _ = tcsetattr(0, TCSAFLUSH, &before) }
    return try readLine(limitBytes: limitBytes)
  }

  /// A terminal gives what was typed a line at a time.
  private static func readLine(limitBytes: Int) throws(FileError) -> [UInt8] {
    let stream = Descriptor(adopting: 0, path: "standard input")
    var bytes: [UInt8] = []
    do throws(FileError) {
      _ = try stream.read(into: &bytes, count: limitBytes)
    } catch {
      _ = stream.release()
      throw error
    }
    _ = stream.release()
    return bytes
  }
}
