internal import Glibc

/// Standard output and error without the C library's buffers: what was written is out.
package enum StandardStream: Int32, Sendable {
  case output = 1
  case error = 2

  /// - Throws: `FileError`; `isClosedPipe` when the reader has gone, as in `| head`.
  package func write(_ text: String) throws(FileError) { try write(Array(text.utf8)) }

  package func write(_ bytes: [UInt8]) throws(FileError) {
    let stream = Descriptor(adopting: rawValue, path: self == .output ? "standard output" : "standard error")
    do {
      try stream.write(bytes.span)
    } catch {
      _ = stream.release()
      throw error
    }
    _ = stream.release()
  }

  package var isTerminal: Bool { isatty(rawValue) == 1 }

  /// Columns of the terminal, 1…; nil where this is none, or it does not answer. Source: man ioctl_tty(2).
  package var columns: Int? {
    var size = winsize()
    // The kernel writes one `winsize`.
    guard unsafe ioctl(rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}

/// Standard input, read without the C library's buffers.
package enum StandardInput {
  /// Reads to the end of the input, at most `limitBytes`. Waits where the input waits.
  package static func read(limitBytes: Int) throws(FileError) -> [UInt8] {
    let stream = Descriptor(adopting: 0, path: "standard input")
    var bytes: [UInt8] = []
    do throws(FileError) {
      while bytes.count < limitBytes,
        let got = try stream.read(into: &bytes, count: min(4096, limitBytes - bytes.count)), got > 0
      {}
    } catch {
      _ = stream.release()
      throw error
    }
    _ = stream.release()
    return bytes
  }
}

extension FileError {
  package var isClosedPipe: Bool { code == EPIPE }
}

/// The process itself.
package enum Process {
  /// Ends the process at once; nothing is flushed because nothing is buffered.
  package static func exit(_ code: Int32) -> Never { _exit(code) }

  /// A write to a closed pipe then fails with EPIPE instead of ending the process.
  package static func ignoreBrokenPipes() { _ = signal(SIGPIPE, SIG_IGN) }

  /// Ctrl-C on the terminal and its closing are for others in the pipeline.
  package static func ignoreInterrupts() { for number in [SIGINT, SIGHUP] { _ = signal(number, SIG_IGN) } }

  package static var id: Int32 { getpid() }

  package static func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }

  package static func sleep(ns: Int64) {
    var time = timespec(tv_sec: Int(ns / 1_000_000_000), tv_nsec: Int(ns % 1_000_000_000))
    var rest = timespec()
    while unsafe nanosleep(&time, &rest) != 0 { time = rest }
  }

  package static var isRoot: Bool { geteuid() == 0 }

  /// Who this process acts as; geteuid(2).
  package static var effectiveUser: UInt32 { geteuid() }
}
