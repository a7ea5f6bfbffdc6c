internal import Files

/// What the kernel tells of another process. Source: man proc(5).
struct ProcessFigures {
  let pid: Int32

  private func lines(_ name: String) throws(FileError) -> [Substring] {
    String(decoding: try HostFiles.read("/proc/\(pid)/\(name)"), as: UTF8.self).split(separator: "\n")
  }

  private static func numbers(_ line: Substring) -> [Int64] {
    line.split(whereSeparator: { $0 == " " || $0 == "\t" }).compactMap { Int64($0) }
  }

  /// A field of status or smaps_rollup, in its unit.
  private func field(_ name: String, in file: String) throws -> Int64 {
    let line = try lines(file).first { $0.hasPrefix(name + ":") }
    guard let line, let value = Self.numbers(line).first else { throw BenchFailure("/proc/\(pid)/\(file): no \(name)") }
    return value
  }

  func residentKiB() throws -> Int64 { try field("VmRSS", in: "status") }
  func threads() throws -> Int64 { try field("Threads", in: "status") }
  func privateDirtyKiB() throws -> Int64 { try field("Private_Dirty", in: "smaps_rollup") }

  /// CPU time of all its threads, ns, to the ns (/proc/PID/stat counts only hundredths of a second).
  func cpuNs() throws -> Int64 {
    var sum: Int64 = 0
    for task in try HostFiles.list("/proc/\(pid)/task") {
      sum += Self.numbers(try lines("task/\(task)/schedstat").first ?? "").first ?? 0
    }
    return sum
  }

  /// User and system time of its children that have ended, ns, in steps of 10 ms.
  func endedChildrenNs() throws -> Int64 {
    guard let line = try lines("stat").first, let name = line.lastIndex(of: ")") else { return 0 }
    let fields = line[line.index(after: name)...].split(separator: " ")
    return ((Int64(fields[13]) ?? 0) + (Int64(fields[14]) ?? 0)) * 10_000_000
  }

  /// Its children, as the kernel lists them.
  func children() throws -> [Int32] {
    try lines("task/\(pid)/children").first.map { Self.numbers($0).map { Int32(clamping: $0) } } ?? []
  }
}
