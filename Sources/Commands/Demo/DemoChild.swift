internal import EventLoop
internal import Files

/// One program of the demo: its lines, its end, and its last line.
final class DemoChild {
  let name: String
  private var child: Child?
  private let loop: EventLoop
  private let onLine: (String) -> Void
  private var partial: [UInt8] = []
  private var said: [String] = []
  private var watches: [Watch] = []

  /// How long a program has to end by itself.
  private static let patienceNs: Int64 = 20_000_000_000

  init(
    name: String, path: String, words: [String], loop: EventLoop, onLine: @escaping (String) -> Void,
    onExit: @escaping (DemoChild, Child.Exit) -> Void
  ) throws(LoopError) {
    self.name = name
    self.loop = loop
    self.onLine = onLine
    let environment = ["PATH", "HOME", "LANG"].compactMap { name in Process.environment(name).map { "\(name)=\($0)" } }
    let child = try Child.spawn(path, arguments: [path] + words, environment: environment, on: loop) { [self] exit in
      drain()
      watches.forEach(loop.unwatch)
      onExit(self, exit)
    }
    self.child = child
    watches = [
      try loop.watch(child.output.raw, .read) { [weak self] _ in self?.read(isError: false) },
      try loop.watch(child.errors.raw, .read) { [weak self] _ in self?.read(isError: true) },
    ]
  }

  /// What it wrote to standard error at the end, for people.
  var lastWords: String { said.suffix(3).joined(separator: " ") }

  func stop() {
    child?.signal(Signal.terminate.rawValue)
    loop.after(Self.patienceNs) { [weak self] in self?.child?.signal(9) }
  }

  private func drain() {
    read(isError: true)
    read(isError: false)
  }

  private func read(isError: Bool) {
    guard let child else { return }
    var bytes: [UInt8] = []
    let read = { (bytes: inout [UInt8]) throws(FileError) -> Int? in
      isError
        ? try child.errors.read(into: &bytes, count: 16 << 10) : try child.output.read(into: &bytes, count: 16 << 10)
    }
    let got = (try? read(&bytes)) ?? nil
    guard let got, got > 0 else {
      // The end of the pipe stays readable.
      if got == 0, let watch = isError ? watches.last : watches.first { loop.unwatch(watch) }
      return
    }
    if isError {
      said += bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
      said = said.suffix(20)
    } else {
      partial += bytes
      while let end = partial.firstIndex(of: UInt8(ascii: "\n")) {
        onLine(String(decoding: partial[..<end], as: UTF8.self))
        partial.removeFirst(end + 1)
      }
    }
  }
}
