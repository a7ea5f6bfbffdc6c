internal import CLinux
package import Files

/// A copy of this process that answers one question on its standard output and ends. It may hang: its maker kills it.
///
/// Why a copy: starting a program anew costs a hundred times as much. Only in a process of one thread.
package final class ForkedChild {
  package let pid: Int32
  /// What the copy writes; non-blocking.
  package let output: Descriptor
  /// Readable once the copy has ended; see `reap`.
  package let handle: Descriptor

  private init(_ pid: Int32, _ output: consuming Descriptor, _ handle: consuming Descriptor) {
    self.pid = pid
    self.output = output
    self.handle = handle
  }

  /// - Parameter body: runs in the copy, with descriptor 1 as its way out; it need not return.
  package static func make(_ body: () -> Void) throws(LoopError) -> ForkedChild {
    let pipe = try Pipe.make("a probe")
    let pid = sbx_fork(pipe.writing.raw)
    if pid < 0 { throw .last("fork a probe") }
    if pid == 0 {
      body()
      sbx_exit_now(0)
    }
    _ = sbx_set_nonblocking(pipe.reading.raw)
    let handle = sbx_pidfd_open(pid)
    if handle < 0 {
      let failure = LoopError.last("watch a probe")
      _ = sbx_kill(-pid, 9)
      throw failure
    }
    return ForkedChild(pid, pipe.reading, Descriptor(adopting: handle, path: "probe"))
  }

  /// SIGKILL to the copy and all that it has started. Not after `reap`.
  package func kill() { _ = sbx_kill(-pid, 9) }

  /// - Returns: nil while it runs.
  package func reap() -> Child.Exit? { Child.Exit(code: sbx_reap(pid)) }
}

/// A program whose end is waited for. Blocks: for forked copies only, which are killed when they take too long.
package enum BlockingProgram {
  package struct Result: Sendable {
    /// Standard output and error, in the order of writing.
    package var output: [UInt8]
    package var exit: Child.Exit
  }

  /// - Parameters:
  ///   - path: absolute.
  ///   - arguments: without the program's own name.
  ///   - environment: "NAME=value", nothing else is inherited.
  ///   - outputBytesMax: what is beyond is read and forgotten.
  package static func run(
    _ path: String, _ arguments: [String], environment: [String], outputBytesMax: Int
  ) throws(LoopError) -> Result {
    let words = CStrings([path] + arguments)
    let variables = CStrings(environment)
    var raw: Int32 = -1
    // Both arrays end with NULL and live until the program has been started.
    let pid = unsafe sbx_run(path, words.pointers, variables.pointers, &raw)
    if pid < 0 { throw .last("start \(path)") }
    let output = Descriptor(adopting: raw, path: path)
    _ = sbx_set_nonblocking(raw)
    let ended = sbx_pidfd_open(pid)
    if ended < 0 { throw .last("watch \(path)") }
    let handle = Descriptor(adopting: ended, path: path)
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    // Not until the output ends: what the program leaves running may hold it open.
    var ready = sbx_poll_both(raw, handle.raw)
    while ready > 0 {
      let got = ready & 1 == 1 ? (try? output.reread(into: &chunk, from: 0, at: nil)) ?? 0 : 0
      bytes.append(contentsOf: chunk[..<min(got, outputBytesMax - bytes.count)])
      if got == 0 { break }
      ready = sbx_poll_both(raw, handle.raw)
    }
    guard let exit = Child.Exit(code: sbx_wait(pid)) else { throw .last("wait for \(path)") }
    return Result(output: bytes, exit: exit)
  }
}

extension Socket {
  /// Waits for the connection, as long as the kernel does. The descriptor blocks.
  package static func connectBlocking(_ address: SocketAddress) throws(LoopError) -> Descriptor {
    let raw = unsafe sbx_tcp_connect(address.host, address.port)
    if raw < 0 { throw .last("connect to \(address)") }
    let socket = Descriptor(adopting: raw, path: address.description)
    // EINTR counts as a time-out.
    var ready = sbx_poll_write(raw, -1)
    while ready == 0 { ready = sbx_poll_write(raw, -1) }
    if ready < 0 { throw .last("connect to \(address)") }
    let failure = sbx_socket_error(raw)
    if failure != 0 { throw LoopError("connect to \(address)", code: failure) }
    _ = sbx_set_blocking(raw)
    return socket
  }

  /// A Unix socket whose descriptor blocks.
  package static func connectUnixBlocking(_ path: String) throws(LoopError) -> Descriptor {
    let socket = try connectUnix(path)
    _ = sbx_set_blocking(socket.raw)
    return socket
  }
}

extension Descriptor {
  /// Whether another process holds a POSIX lock on one byte of the file; asking takes none. `nil` where the file system has no locks.
  ///
  /// Where this process has locks of its own on the file, closing the descriptor gives them up: fcntl_locking(2).
  package borrowing func isLocked(at offset: Int) -> Bool? {
    let answer = sbx_is_locked(raw, offset)
    return answer < 0 ? nil : answer > 0
  }
}

extension Child.Exit {
  /// - Parameter code: of `sbx_reap`; nil where the child still runs.
  fileprivate init?(code: Int32) {
    guard code >= 0 else { return nil }
    self = code < 256 ? .status(code) : .signal(code - 256)
  }
}
