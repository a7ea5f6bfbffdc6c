/// What launchers and container runtimes put before the lines of the programs that they run.
///
/// - Source: Kubernetes "CRI log format" (design proposal kubelet-cri-logging); Ray's `print_worker_logs`; mpirun(1), `--tag-output`.
enum LineWrapper {
  private static let groupBytesMax = 96

  /// `<time> stderr F <line>`: where the line begins. `P` stands for a part of one.
  /// - Parameter end: behind the time.
  @inline(__always) static func ofRuntime(_ bytes: Span<UInt8>, behind end: Int, _ range: Range<Int>) -> Int? {
    guard end + 10 <= range.upperBound, bytes[end + 1] == UInt8(ascii: "s"), bytes.holds(" std", at: end) else {
      return nil
    }
    let stream = ["err ", "out "].contains { bytes.holds($0, at: end + 4) }
    let tag = bytes[end + 8]
    let isTagged = tag == UInt8(ascii: "F") || tag == UInt8(ascii: "P")
    return stream && isTagged && bytes[end + 9] == UInt8(ascii: " ") ? end + 10 : nil
  }

  /// `(WorkerDict pid=1, ip=10.0.0.1) <line>` and `[1,0]<stderr>:<line>`: where the line begins.
  static func ofLauncher(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    guard let first = range.first, bytes[first] == UInt8(ascii: "(") || bytes[first] == UInt8(ascii: "[") else {
      return nil
    }
    let close: UInt8 = bytes[first] == UInt8(ascii: "(") ? UInt8(ascii: ")") : UInt8(ascii: "]")
    guard let end = range.prefix(groupBytesMax).first(where: { bytes[$0] == close }) else { return nil }
    if close == UInt8(ascii: ")") {
      let isWorker = (first..<end).contains { bytes.holds(" pid=", at: $0) || bytes.holds("(pid=", at: $0) }
      guard isWorker, end + 1 < range.upperBound, bytes[end + 1] == UInt8(ascii: " ") else { return nil }
      return end + 2
    }
    for stream in ["<stderr>:", "<stdout>:", "<stddiag>:"] where bytes.holds(stream, at: end + 1) {
      let start = end + 1 + stream.utf8.count
      return start <= range.upperBound ? start : nil
    }
    return nil
  }
}
