internal import Files

/// `signalbox-bench all`, or one part of it by name: real programs, real TLS, a real database.
enum EndToEndBench {
  static let parts: [(name: String, run: @Sendable (Bench) throws -> Void)] = [
    // The fleet before the thousands of agents: whoever has held them takes 20 ms to start a process.
    ("ingest", IngestPart.run), ("logs", LogPart.run), ("agent", AgentPart.run), ("fleet", FleetPart.run),
    ("idle", IdlePart.run), ("latency", LatencyPart.run), ("rules", RulesBench.part),
    ("growth", GrowthPart.run),
  ]

  /// - Parameter names: parts in order; `--keep` keeps the directory with its database and logs.
  static func run(_ names: [String], _ options: [String]) {
    let startNs = Clock.monotonicNs()
    let load = loadAverage()
    do {
      let bench = try Bench()
      var failed = false
      for part in parts where names.contains(part.name) {
        Console.say("\(part.name) …")
        do { try part.run(bench) } catch {
          failed = true
          bench.add("\(part.name) could not be measured", "\(error)")
        }
      }
      bench.add(
        "other programs: load before and at the end, on \(Machine.processorCount) processors",
        "\(load), \(loadAverage())")
      bench.add("the whole run, s", "\((Clock.monotonicNs() - startNs) / 1_000_000_000)")
      bench.end(keepingFiles: options.contains("--keep"))
      Console.say("\n\(bench.figures.table)")
      if names.count == parts.count { try write(bench.figures, beside: bench.binaries) }
      if failed { Process.exit(1) }
    } catch {
      Console.say("signalbox-bench: \(error)")
      Process.exit(1)
    }
  }

  /// bench.json in the build directory: `.build/release/..`, whatever release is a link to.
  private static func write(_ figures: Figures, beside binaries: String) throws {
    let path = try FileStatus.exists(".build") ? ".build/bench.json" : binaries + "/bench.json"
    try HostFiles.replace(path, with: Array(figures.json.utf8), mode: 0o644)
    Console.say("\nwritten: \(path)")
  }

  private static func loadAverage() -> String {
    let text = (try? HostFiles.read("/proc/loadavg")).map { String(decoding: $0, as: UTF8.self) } ?? ""
    return text.split(separator: " ").first.map(String.init) ?? "?"
  }
}
