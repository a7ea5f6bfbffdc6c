import Agent
import Files
import FleetModel
import Testing

/// What training programs do to their files: temporary names, long lines, files written anew, files that just stay.
@Suite(.timeLimit(.minutes(10))) struct FollowingTrainingTests {
  // MARK: Names

  @Test("a file that is renamed before anything of it was told has its new name, and the format that goes with it")
  func temporaryName() throws {
    let harness = try FollowingHarness(["*"])
    try harness.append("result.json.tmp", #"{"training_iteration": 1, "episode_reward_mean": 2.5"#)
    harness.run(seconds: 1)
    try harness.rename("result.json.tmp", "result.json")
    try harness.append("result.json", "}\n")
    harness.run(seconds: 5)
    #expect(harness.collector.paths == ["result.json"])
    #expect(harness.collector.steps.map(\.reward) == [2.5])
    #expect(harness.collector.texts.isEmpty)
  }

  @Test("a file that no pattern found before its rename has the new name")
  func hiddenName() throws {
    let harness = try FollowingHarness(["*.log"])
    try harness.write(".app.partial", 3)
    harness.run(seconds: 4)
    try harness.rename(".app.partial", "app.log")
    try harness.write("app.log", 2)
    harness.run(seconds: 4)
    #expect(harness.collector.paths == ["app.log"])
    harness.expectEachLineOnce()
  }

  @Test(
    "what was told under one name keeps it, also where a rotation came before the first look", arguments: [true, false])
  func rotatedName(isReported: Bool) throws {
    let harness = try FollowingHarness(["app*"])
    if isReported { try harness.write("app.log", 3) } else { try harness.append("app.log", "line 0000001 of") }
    harness.run(seconds: 1)
    try harness.rename("app.log", "app.log.1")
    if !isReported { try harness.append("app.log.1", " a file\n") }
    harness.run(seconds: 10)
    try harness.restartAgent()
    harness.run(seconds: 4)
    #expect(harness.collector.paths == ["app.log"])
    #expect(harness.numbers.count == (isReported ? 3 : 1))
    #expect(harness.collector.violations.isEmpty)
  }

  @Test("a temporary name that was told stays with its rows; what comes after a truncation has the new one")
  func nextGeneration() throws {
    let harness = try FollowingHarness(["app*"])
    try harness.write("app.tmp", 3)
    harness.run(seconds: 1)
    try harness.rename("app.tmp", "app.log")
    harness.run(seconds: 4)
    #expect(harness.collector.paths == ["app.tmp"])
    try harness.truncate("app.log")
    harness.run(seconds: 1)
    try harness.write("app.log", 1)
    harness.run(seconds: 4)
    #expect(harness.collector.paths == ["app.log"])
  }

  // MARK: Long lines

  private static func result(_ iteration: Int, bytes: Int) -> String {
    let start = #"{"training_iteration": \#(iteration), "config": {"note": ""#
    let end = #""}, "episode_reward_mean": 1.5}"#
    return start + String(repeating: "x", count: max(0, bytes - start.utf8.count - end.utf8.count)) + end + "\n"
  }

  @Test("a line of result.json is read whole up to a MiB", arguments: [300 << 10, 1 << 20])
  func longLine(bytes: Int) throws {
    let harness = try FollowingHarness(["*.json"])
    for iteration in 1...3 {
      try harness.append("result.json", Self.result(iteration, bytes: iteration == 2 ? 100 : bytes))
      harness.run(seconds: 1)
    }
    try harness.restartAgent()
    try harness.append("result.json", Self.result(4, bytes: bytes))
    harness.run(seconds: 1)
    #expect(harness.collector.steps.map(\.step) == [1, 2, 3, 4])
    #expect(harness.collector.texts.isEmpty && harness.collector.violations.isEmpty)
  }

  @Test("a longer one is shown by its start, and the next is read")
  func tooLongLine() throws {
    let harness = try FollowingHarness(["*.json"])
    try harness.append("result.json", Self.result(1, bytes: (1 << 20) + 1))
    try harness.append("result.json", Self.result(2, bytes: 3 << 20))
    try harness.append("result.json", Self.result(3, bytes: 200))
    harness.run(seconds: 2)
    #expect(harness.collector.steps.map(\.step) == [3])
    #expect(harness.collector.rows.map(\.text.utf8.count) == [1024, 1024])
    #expect(harness.collector.rows.allSatisfy { $0.flags.contains(.malformed) && $0.flags.contains(.truncated) })
    #expect(harness.collector.violations.isEmpty)
  }

  @Test("half a secret never leaves: it is removed before a line is cut", arguments: 990..<1030)
  func secretAcrossTheCut(at place: Int) throws {
    let harness = try FollowingHarness(["*.csv"])
    try harness.append("training_log.csv", "episode,step,reward\n1,1,0.5\n")
    let secret = "ghp_0123456789abcdefghijABCDEFGHIJ0123456789"
    try harness.append("training_log.csv", String(repeating: "y ", count: place / 2) + secret + " and more\n")
    harness.run(seconds: 1)
    let text = try #require(harness.collector.texts.first)
    #expect(!text.contains("ghp_0") && text.utf8.count < 1060)
  }

  // MARK: Written anew with more columns

  /// What Stable-Baselines3's CSVOutputFormat does when a new key appears.
  private final class Progress {
    var names = ["time/iterations", "time/total_timesteps", "rollout/ep_rew_mean"]
    var rows: [String] = []

    var text: String { ([names.joined(separator: ",")] + rows).map { $0 + "\n" }.joined() }

    func add(_ step: Int, values: Int? = nil) {
      rows.append(
        ([String(step), String(step * 2048)] + (2..<(values ?? names.count)).map { "\($0).5" }).joined(separator: ","))
    }

    func grow(_ new: [String]) {
      names += new
      rows = rows.map { $0 + String(repeating: ",", count: new.count) }
    }
  }

  enum Moment: CaseIterable { case up, down, underWay, writtenInPieces }

  @Test(
    "progress.csv that is written anew with more columns gives each row once", arguments: Moment.allCases,
    [1, 30, 3000])
  func moreColumns(_ moment: Moment, rows: Int) throws {
    let harness = try FollowingHarness(["*.csv"])
    let progress = Progress()
    var step = 0
    func write(_ count: Int) throws {
      let before = progress.text
      for _ in 0..<count {
        step += 1
        progress.add(step)
      }
      try harness.append("progress.csv", String(progress.text.dropFirst(before.count)))
    }
    try harness.append("progress.csv", progress.text)
    try write(rows)
    if moment != .underWay { harness.run(seconds: 1) }
    for (round, new) in [["train/loss"], ["eval/mean_reward", "train/entropy_loss"]].enumerated() {
      func rewrite() throws {
        progress.grow(new)
        step += 1
        progress.add(step)
        let text = progress.text
        if moment == .writtenInPieces {
          try harness.overwrite("progress.csv", String(text.prefix(text.count / 2)))
          harness.look()
          harness.run(seconds: 0.2)
        }
        try harness.overwrite("progress.csv", text)
      }
      switch moment {
      case .up, .writtenInPieces: try rewrite()
      case .down: try harness.restartAgent { try rewrite() }
      case .underWay:
        harness.take(2)
        try rewrite()
        harness.look()
        harness.take(2)
        if round == 0 { harness.reconnect(committing: 1) }
      }
      harness.run(seconds: 3)
      try write(2)
      harness.run(seconds: 1)
    }
    try harness.restartAgent()
    try write(1)
    harness.run(seconds: 3)
    #expect(harness.collector.steps.map { $0.metrics.first?.value } == (1...step).map { Double($0) })
    #expect(Set(harness.collector.steps.map(\.run)).count == 1)
    #expect(harness.collector.steps.last?.metrics.count == 6)
    #expect(harness.collector.losses.isEmpty && harness.collector.texts.isEmpty)
    #expect(harness.collector.violations.isEmpty)
  }

  @Test("a header with more new names than the file was long, as PPO's first update brings it", arguments: [4, 300])
  func longerThanTheFile(names: Int) throws {
    let harness = try FollowingHarness(["*.csv"])
    try harness.append("progress.csv", "time/iterations,time/total_timesteps\n1,128\n")
    harness.run(seconds: 1)
    let new = (0..<names).map { "train/figure_\($0)" }.joined(separator: ",")
    let row = "2,256" + String(repeating: ",0.5", count: names)
    try harness.overwrite(
      "progress.csv",
      "time/iterations,time/total_timesteps,\(new)\n1,128\(String(repeating: ",", count: names))\n\(row)\n")
    harness.run(seconds: 5)
    #expect(harness.collector.steps.map(\.step) == [128, 256])
    #expect(Set(harness.collector.steps.map(\.run)).count == 1)
    #expect(harness.collector.losses.isEmpty && harness.collector.texts.isEmpty)
    #expect(harness.collector.violations.isEmpty)
  }

  @Test("rows that had empty fields at their end before are found among those that got more")
  func emptyFieldsBefore() throws {
    let harness = try FollowingHarness(["*.csv"])
    try harness.append("progress.csv", "time/iterations,train/loss,eval/mean_reward\n1,,\n2,0.5,\n")
    harness.run(seconds: 1)
    try harness.overwrite(
      "progress.csv", "time/iterations,train/loss,eval/mean_reward,a,b\n1,,,,\n2,0.5,,,\n3,0.5,7,1,2\n")
    harness.run(seconds: 5)
    #expect(harness.collector.steps.map(\.step) == [1, 2, 3])
    #expect(harness.collector.losses.isEmpty && harness.collector.violations.isEmpty)
  }

  @Test("what a replaced file is said to have lost is not more than it may have had")
  func estimateOfAReplacedFile() throws {
    let harness = try FollowingHarness(["*.csv"])
    let old = "time/iterations,time/fps\n1,100\n2,100\n"
    try harness.append("progress.csv", old)
    harness.run(seconds: 1)
    // The next run's file is much longer at once: its size is not that of what was there.
    let rows = (1...2000).map { "\($0),300\n" }.joined()
    try harness.overwrite("progress.csv", "time/iterations,time/fps\n" + rows)
    harness.run(seconds: 10)
    #expect(harness.collector.losses.count == 1)
    for loss in harness.collector.losses {
      #expect(loss.isEstimate && loss.from == UInt64(old.utf8.count))
      #expect(loss.to - loss.from <= UInt64(old.utf8.count))
    }
    #expect(harness.collector.steps.count == 2002)
  }

  @Test("progress.csv of the next attempt in the same file is another generation of one run, read from its start")
  func nextRun() throws {
    let harness = try FollowingHarness(["*.csv"])
    try harness.append("progress.csv", "time/iterations,time/fps\n1,100\n2,100\n")
    harness.run(seconds: 1)
    try harness.overwrite("progress.csv", "time/iterations,time/fps\n1,300\n2,300\n3,300\n")
    harness.run(seconds: 5)
    #expect(harness.collector.steps.compactMap { $0.metrics.last?.value } == [100, 100, 300, 300, 300])
    #expect(Set(harness.collector.steps.map(\.run)).count == 1 && Set(harness.collector.stepKeys).count == 2)
    #expect(harness.collector.runs.allSatisfy { $0.beginning == .source })
    #expect(Set(harness.collector.runs.filter { $0.state == .running }.map(\.mark)).count == 2)
    #expect(harness.collector.violations.isEmpty)
  }

  // MARK: Ends

  @Test(
    "an attempt whose file the next one writes over has ended, also where that must be sent twice",
    arguments: [false, true])
  func writtenOver(isReportedTwice: Bool) throws {
    let harness = try FollowingHarness(["*.csv"])
    try harness.append("training_log.csv", "episode,step,reward\n1,1,0.5\n1,2,0.5\n")
    harness.run(seconds: 5)
    try harness.overwrite("training_log.csv", "episode,step,reward\n7,1,0.25\n")
    if isReportedTwice {
      harness.look()
      harness.take(1)
      harness.reconnect(committing: 0)
    }
    harness.run(seconds: 10)
    let runs = Array(zip(harness.collector.runs, harness.collector.runKeys))
    let first = try #require(runs.first?.1)
    #expect(Set(runs.map(\.0.run)).count == 1)
    #expect(runs.last { $0.1 == first }?.0.state == .completed)
    #expect(runs.last { $0.1 != first }?.0.state == .running)
    #expect(harness.collector.steps.map(\.reward) == [0.5, 0.5, 0.25])
    #expect(harness.collector.violations.isEmpty)
  }

  @Test("the last episode ends when its program has closed the file and writes no more")
  func closedFile() throws {
    let harness = try FollowingHarness(["*.csv"])
    try harness.append("training_log.csv", "episode,step,reward\n")
    for step in 1...3 {
      // Opened and closed for each row.
      try harness.append("training_log.csv", "1,\(step),0.5\n")
      harness.run(seconds: 20)
    }
    #expect(harness.collector.episodes[1]?.state == .running)
    #expect(harness.collector.runs.map(\.state) == [.running])
    harness.run(seconds: 70)
    #expect(harness.collector.episodes[1]?.state == .completed)
    #expect(harness.collector.episodes[1]?.steps == 3)
    #expect(harness.collector.runs.map(\.state) == [.running, .completed])
    harness.run(seconds: 9000, step: 20)
    #expect(harness.collector.runs.count == 2)
    #expect(harness.collector.violations.isEmpty)
  }

  @Test("rows that come after all open run and episode again")
  func openedAgain() throws {
    let harness = try FollowingHarness(["*.csv"])
    try harness.append("training_log.csv", "episode,step,reward\n1,1,0.5\n")
    harness.run(seconds: 70)
    #expect(harness.collector.episodes[1]?.state == .completed)
    try harness.append("training_log.csv", "1,2,0.5\n")
    harness.run(seconds: 10)
    #expect(harness.collector.episodes[1]?.state == .running)
    #expect(harness.collector.runs.map(\.state) == [.running, .completed, .running])
    harness.run(seconds: 70)
    #expect(harness.collector.episodes[1]?.state == .completed)
    #expect(harness.collector.episodes[1]?.steps == 2)
  }

  @Test("while its program has the file open, a quiet hour is no end; two are")
  func openFile() throws {
    let harness = try FollowingHarness(["*.csv"])
    let writer = try Descriptor.open(harness.path("training_log.csv"), .append)
    // The last row is cut, as by a program that writes whole blocks.
    try writer.write(Array("episode,step,reward\n1,1,0.5\n1,2,0.".utf8).span)
    harness.run(seconds: 3600, step: 20)
    #expect(harness.collector.episodes[1]?.state == .running)
    harness.run(seconds: 3700, step: 20)
    #expect(harness.collector.episodes[1]?.state == .completed)
    try writer.write(Array("5\n".utf8).span)
    harness.run(seconds: 10)
    #expect(harness.collector.episodes[1]?.state == .running)
    #expect(harness.collector.episodes[1]?.steps == 2)
  }

  @Test("after a restart the end is told again, with the same time")
  func restartAfterEnd() throws {
    let harness = try FollowingHarness(["*.csv"])
    try harness.append("progress.csv", "time/iterations,time/fps\n1,100\n")
    harness.run(seconds: 70)
    try harness.restartAgent()
    harness.run(seconds: 7300, step: 20)
    #expect(harness.collector.runs.map(\.state) == [.running, .completed, .completed])
    #expect(harness.collector.runs[1].timeNs == harness.collector.runs[2].timeNs)
  }

  @Test("a last line that never becomes whole does not wake the agent all the time")
  func unfinishedLine() throws {
    let harness = try FollowingHarness(["*.csv"])
    try harness.append("training_log.csv", "episode,step,reward\n1,1,0.5\n1,2")
    harness.run(seconds: 30)
    let deadline = try #require(harness.followers.nextDeadlineNs)
    #expect(deadline > harness.nowNs)
  }
}
