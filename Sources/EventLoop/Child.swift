internal import CLinux
package import Files
internal import Glibc

/// A child process with three pipes, watched through a pidfd(2): its end is an event of the loop, not a signal.
package final class Child {
  /// How a child ended.
  package enum Exit: Sendable, Equatable {
    case status(Int32)
    case signal(Int32)
  }

  package let pid: Int32
  /// Parent's ends, non-blocking; `nil` once closed.
  package private(set) var input: Descriptor?
  package let output: Descriptor
  package let errors: Descriptor
  private let handle: Descriptor
  private unowned let loop: EventLoop
  private var watch: Watch?
  private var onExit: ((Exit) -> Void)?

  /// - Parameters:
  ///   - path: the program, absolute.
  ///   - arguments: with the program's name as the first.
  ///   - environment: "NAME=value", nothing else is inherited.
  ///   - onExit: once, on the loop.
  package static func spawn(
    _ path: String, arguments: [String], environment: [String] = [], on loop: EventLoop,
    onExit: @escaping (Exit) -> Void
  ) throws(LoopError) -> Child {
    let input = try Pipe.make(path)
    let output = try Pipe.make(path)
    let errors = try Pipe.make(path)
    for parent in [input.writing.raw, output.reading.raw, errors.reading.raw] { _ = sbx_set_nonblocking(parent) }
    let pid = try start(
      path, arguments, environment, input.reading.raw, output.writing.raw, errors.writing.raw)
    let raw = sbx_pidfd_open(pid)
    if raw < 0 {
      let failure = LoopError.last("watch \(path)")
      _ = sbx_kill(pid, SIGKILL)
      throw failure
    }
    let child = Child(
      pid: pid, input: input.writing, output: output.reading, errors: errors.reading,
      handle: Descriptor(adopting: raw, path: path), loop)
    child.onExit = onExit
    // Held by the loop until the child has ended: it must be reaped.
    child.watch = try loop.watch(raw, .read) { _ in child.ended() }
    return child
  }

  private init(
    pid: Int32, input: consuming Descriptor, output: consuming Descriptor, errors: consuming Descriptor,
    handle: consuming Descriptor, _ loop: EventLoop
  ) {
    self.pid = pid
    self.input = consume input
    self.output = output
    self.errors = errors
    self.handle = handle
    self.loop = loop
  }

  package func closeInput() { input = nil }

  /// kill(2); harmless once the child has been reaped.
  package func signal(_ number: Int32) {
    if watch != nil { _ = sbx_kill(pid, number) }
  }

  /// Writes what fits into the child's input now; `nil` where nothing does.
  package func write(_ bytes: Span<UInt8>) throws(LoopError) -> Int? { try input?.writeSome(bytes) }

  private func ended() {
    let code = sbx_reap(pid)
    guard code >= 0, let watch else { return }
    loop.unwatch(watch)
    self.watch = nil
    let report = onExit
    onExit = nil
    report?(code < 256 ? .status(code) : .signal(code - 256))
  }

  private static func start(
    _ path: String, _ arguments: [String], _ environment: [String], _ input: Int32, _ output: Int32, _ errors: Int32
  ) throws(LoopError) -> Int32 {
    let argv = CStrings(arguments)
    let envp = CStrings(environment)
    var pid: Int32 = -1
    // posix_spawn has copied both into the new process when it returns.
    if unsafe sbx_spawn(path, argv.pointers, envp.pointers, input, output, errors, &pid) != 0 {
      throw .last("start \(path)")
    }
    return pid
  }
}

/// Texts as C wants them: an array of pointers that ends with NULL. Freed with this object.
@safe final class CStrings {
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  init(_ texts: [String]) {
    count = texts.count
    unsafe pointers = .allocate(capacity: texts.count + 1)
    for (index, text) in texts.enumerated() { unsafe (pointers + index).initialize(to: strdup(text)) }
    unsafe (pointers + texts.count).initialize(to: nil)
  }

  deinit {
    for index in 0..<count { unsafe free(pointers[index]) }
    unsafe pointers.deallocate()
  }
}

struct Pipe: ~Copyable {
  let reading: Descriptor
  let writing: Descriptor

  static func make(_ path: String) throws(LoopError) -> Pipe {
    var ends: (Int32, Int32) = (-1, -1)
    // A tuple of two Int32 has the layout of int[2].
    let result = unsafe withUnsafeMutableBytes(of: &ends) {
      unsafe sbx_pipe($0.assumingMemoryBound(to: Int32.self).baseAddress)
    }
    if result != 0 { throw .last("make a pipe for \(path)") }
    return Pipe(
      reading: Descriptor(adopting: ends.0, path: path), writing: Descriptor(adopting: ends.1, path: path))
  }
}
