internal import Agent
internal import Files
internal import FleetModel

/// What it costs to follow a log (reading, splitting, UTF-8 and secrets checked, level and time parsed) and an event file.
enum FollowingBench {
  private static let lineCount = 1_000_000
  private static let eventBytes = 128 << 20

  static func run() {
    let directory = "/tmp/signalbox-following-bench-\(Clock.monotonicNs())"
    do {
      try HostFiles.makeDirectory(directory)
      for (name, line) in lines {
        let path = directory + "/\(name).log"
        let bytes = try write(path, line)
        let plainNs = measure(name, directory, path, bytes)
        if name == "plain" { compare(plainNs, directory, path, bytes) }
        try HostFiles.remove(path)
      }
      try measureEvents(directory)
      _ = try HostFiles.removeDirectory(directory)
    } catch {
      print("following: \(error)")
    }
  }

  /// What a pattern of the owner costs where no line, and where each line, is a row: as multiples of the same lines without one.
  private static func compare(_ plainNs: Int64, _ directory: String, _ path: String, _ bytes: Int) {
    let patterns = [
      ("metrics-match-no-line", #"it (?<step>\d+) \| cost=(?<cost>\S+)"#),
      ("metrics-match-each-line", #"episode (?<step>\d+) finished .* reward of (?<reward>\S+)"#),
      ("metrics-match-no-literal", #"(?<a>\d+):(?<b>\d+)"#),
    ]
    for (name, text) in patterns {
      guard let pattern = try? MatchedMetrics.pattern(text) else { continue }
      let ns = measure(name, directory, path, bytes, MatchedMetrics([pattern]))
      print("following \(name): \(Double(ns * 100 / max(plainNs, 1)) / 100) times the plain line")
    }
  }

  /// About 120 bytes each.
  private static let lines: [(String, @Sendable (Int) -> String)] = [
    (
      "python",
      { number in
        "2025-05-14 22:\(two(number / 60)):\(two(number)),210 - trainer.ppo - INFO - episode \(number) finished after 972 steps, reward -12.5137, portfolio 9990.13\n"
      }
    ),
    (
      "python-key-value",
      { number in
        "2025-05-14 22:\(two(number / 60)):\(two(number)),210 - INFO - step=\(number) loss=0.01234 entropy=1.0986 kl=0.00123 lr=0.0003 reward_mean=-12.513 fps=1234\n"
      }
    ),
    (
      "clock",
      { number in
        "12:\(two(number / 60)):\(two(number)),210 - trainer.ppo - INFO - episode \(number) finished after 972 steps, reward -12.5137, portfolio 9990.13\n"
      }
    ),
    (
      "json",
      { number in
        "{\"timestamp\": \"2025-05-14T22:\(two(number / 60)):\(two(number)).210Z\", \"level\": \"info\", \"message\": \"episode \(number) finished\", \"reward\": -12.5137}\n"
      }
    ),
    (
      "plain",
      { number in
        "episode \(number) finished after 972 steps with a reward of -12.5137 and a portfolio of 9990.13 which is less than before again\n"
      }
    ),
  ]

  private static func two(_ number: Int) -> String {
    let value = number % 60
    return value < 10 ? "0\(value)" : "\(value)"
  }

  private static func write(_ path: String, _ line: (Int) -> String) throws(FileError) -> Int {
    let file = try Descriptor.open(path, .replace)
    var bytes: [UInt8] = []
    var total = 0
    for number in 0..<lineCount {
      bytes.append(contentsOf: line(number).utf8)
      if bytes.count > 1 << 20 || number == lineCount - 1 {
        try file.write(bytes.span)
        total += bytes.count
        bytes.removeAll(keepingCapacity: true)
      }
    }
    return total
  }

  /// An event file of Stable-Baselines3, whose records are repeated.
  private static func measureEvents(_ directory: String) throws(FileError) {
    let name = "events.out.tfevents.1795300000.host"
    let source = "Tests/Fixtures/training/tensorboard/classic/PPO_1/" + name
    guard let whole = try? HostFiles.read(source) else {
      return print("following events: not measured: \(source) is not here; run it where the project's sources are")
    }
    // The first record names the format's version: 24 bytes and what a record has around its data.
    let first = whole.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) } + 16
    let path = directory + "/" + name
    let file = try Descriptor.open(path, .replace)
    try file.write(whole.span)
    let records = Array(whole.dropFirst(first))
    var bytes = whole.count
    while bytes < eventBytes {
      try file.write(records.span)
      bytes += records.count
    }
    measure("events", directory, path, bytes)
    try HostFiles.remove(path)
  }

  /// - Returns: ns of CPU time a line.
  @discardableResult private static func measure(
    _ name: String, _ directory: String, _ path: String, _ bytes: Int, _ declared: MatchedMetrics = MatchedMetrics()
  ) -> Int64 {
    var number: UInt64 = 0
    let followers = Followers(
      fileSystem: LinuxFollowedFileSystem(allowed: [directory]),
      readers: FormatReaders(redactor: Redactor(), zone: Clock.zoneOffsetSeconds, declared: declared)
    ) {
      number += 1
      return FileKey(high: 0, low: number)
    }
    followers.follow([path])
    var nowNs = Clock.wallNs()
    followers.resume(from: [], nowNs: nowNs)
    let start = (cpuNs: Machine.cpuNs(), wallNs: Clock.monotonicNs())
    var rows = 0
    var timed = 0
    while let delta = followers.nextDelta(byteBudget: 256 << 10, nowNs: nowNs) {
      rows += delta.lines.count + delta.steps.count
      timed += delta.lines.flags.count { LineFlags(rawValue: $0).contains(.timed) }
      followers.committed(delta.file.key, offset: delta.to)
      nowNs += 1_000_000
    }
    let cpuNs = Machine.cpuNs() - start.cpuNs
    let wallNs = Clock.monotonicNs() - start.wallNs
    print(
      "following \(name): \(rows) rows (\(timed) timed) of \(bytes / max(rows, 1)) bytes, \(cpuNs / Int64(max(rows, 1))) ns CPU a row, "
        + "\(Int(Double(bytes) / (Double(max(cpuNs, 1)) / 1e9) / 1e6)) MB per CPU second, "
        + "\(Double(cpuNs * 100 / Int64(bytes)) / 100) CPU s/GB, wall \(wallNs / 1_000_000) ms")
    return cpuNs / Int64(max(rows, 1))
  }
}
