import Agent
import FleetModel
import TestSupport
import Testing

@Suite struct TrainingFixtureTests {
  @Test("the demo's training log gives the figures that its definitions give")
  func trainingLog() throws {
    let file = try ReaderHarness(fixture: "seed-format/training_log.csv")
    let delta = file.pass(isFinished: true)
    #expect(delta.steps.count == 180 && delta.lines.isEmpty && delta.to == UInt64(file.file.count))
    #expect(delta.episodes.map(\.episode) == [1, 2, 3])
    #expect(delta.episodes.allSatisfy { $0.state == .completed })
    // Computed from the file by a program of its own, from the definitions in EpisodeMetrics.
    let expected: [(reward: Double, pnl: Double, closed: UInt64, won: UInt64, drawdown: Double, ratios: [Double])] = [
      (
        0.1861943600232766, 1934.4739072886496, 22, 12, 0.08775676003137681,
        [0.17253278094684665, 0.292012490165545, 2.206552066436356]
      ),
      (
        -0.14542856051085196, -1399.0819299111627, 27, 11, 0.17636817833525892,
        [-0.1878242210685198, -0.23035597547295678, -0.7932734482587003]
      ),
      (
        0.27881262747209135, 2927.060430506097, 26, 13, 0.15485845501316056,
        [0.17117909434854786, 0.333013589200993, 1.8920288410141224]
      ),
    ]
    for (episode, figures) in zip(delta.episodes, expected) {
      let metrics = episode.metrics
      #expect(metrics.steps == 60 && metrics.tradesClosed == figures.closed && metrics.tradesWon == figures.won)
      let pairs = [
        (metrics.totalReward, figures.reward), (metrics.pnl, figures.pnl), (metrics.maxDrawdownRatio, figures.drawdown),
        (metrics.sharpeRatio, figures.ratios[0]), (metrics.sortinoRatio, figures.ratios[1]),
        (metrics.calmarRatio, figures.ratios[2]), (metrics.winRateRatio, Double(figures.won) / Double(figures.closed)),
      ]
      for (found, wanted) in pairs { #expect(abs(found - wanted) <= 1e-9 * max(abs(wanted), 1)) }
    }
  }

  @Test("every row of a Monitor file is one completed episode with its return, length and time")
  func monitor() throws {
    let delta = try ReaderHarness(fixture: "sb3-cartpole-ppo/0.monitor.csv").pass()
    #expect(delta.episodes.count == 152 && delta.lines.isEmpty && delta.steps.isEmpty)
    #expect(delta.episodes.map(\.episode) == Array(1...152))
    #expect(delta.episodes.allSatisfy { $0.state == .completed && $0.metrics.steps == $0.finalSteps })
    #expect(delta.episodes.reduce(0) { $0 + $1.metrics.totalReward } == 12287)
    #expect(delta.episodes.reduce(0) { $0 + $1.metrics.steps } == 12287)
    let start = 1795229452.783955
    #expect(delta.episodes[0].startedNs == Int64(start * 1e9))
    #expect(delta.episodes[0].timeNs == Int64((start + 1.075599) * 1e9))
    #expect(delta.episodes[1].startedNs == delta.episodes[0].timeNs)
    #expect(delta.episodes[151].timeNs == Int64((start + 8.227396) * 1e9))
    #expect(delta.runs.map(\.state) == [.running] && delta.runs[0].framework == "stable-baselines3")
  }

  @Test("progress.csv gives what progress.json of the same run says")
  func progress() throws {
    let csv = try ReaderHarness(fixture: "sb3-cartpole-ppo/progress.csv").pass().steps
    let json = try ReaderHarness(fixture: "sb3-cartpole-ppo/progress.json").pass().steps
    #expect(csv.count == 24 && json.count == 24)
    for (left, right) in zip(csv, json) {
      let metrics = Self.metrics(right)
      #expect(Set(left.metrics.map(\.name)) == Set(metrics.keys))
      // The CSV prints 32-bit floats with fewer digits than the JSON.
      for metric in left.metrics { #expect(metrics[metric.name].map(Float.init) == Float(metric.value), "\(metric)") }
      #expect(left.step == right.step && left.reward == right.reward)
    }
    #expect(csv.map(\.step) == (1...24).map { $0 * 512 })
    #expect(csv[0].metrics.count == 6 && csv[1].metrics.count == 16)
    #expect(csv[0].reward == 23.476190476190474 && csv[0].episode == -1)
  }

  @Test("RLlib's result.json gives its numbers without the configuration, and progress.csv beside it the same")
  func rllib() throws {
    let json = try ReaderHarness(fixture: "rllib-cartpole-ppo/result.json").pass()
    #expect(json.steps.count == 6 && json.lines.isEmpty)
    #expect(json.steps.map(\.metrics.count) == [102, 104, 104, 104, 104, 104])
    #expect(json.steps.map(\.step) == (1...6).map { $0 * 1000 })
    #expect(json.steps[5].reward == 165.6 && json.steps[0].timeNs == 1_795_229_619_000_000_000)
    #expect(json.runs.map(\.state) == [.running, .completed])
    #expect(json.runs[0].detail.contains("\"trial_id\": \"bcd0e_00000\"") && json.runs[0].framework == "rllib")
    #expect(!json.steps.contains { $0.metrics.contains { $0.name.hasPrefix("config") } })

    let csv = try ReaderHarness(fixture: "rllib-cartpole-ppo/progress.csv").pass()
    #expect(csv.steps.count == 6 && csv.lines.isEmpty && csv.runs.map(\.state) == [.running, .completed])
    for (left, right) in zip(csv.steps, json.steps) {
      #expect(left.step == right.step && left.reward == right.reward && left.timeNs == right.timeNs)
      let metrics = Self.metrics(right)
      for metric in left.metrics {
        let value = metrics[metric.name]
        #expect(value == metric.value || (value?.isNaN == true && metric.value.isNaN), "\(metric)")
      }
    }
  }

  @Test("the progress file that was rewritten with more columns keeps its run")
  func rewritten() {
    let before = "time/total_timesteps,rollout/ep_rew_mean\n512,23.5\n"
    let after = "time/total_timesteps,rollout/ep_rew_mean,train/loss\n512,23.5,\n1024,24.5,0.25\n"
    let steps = [before, after].map { text in
      var file = ReaderHarness(text) { ProgressReader(context: $0) }
      file.path = "/srv/a/progress.csv"
      return file.pass().steps
    }
    #expect(steps[0][0].run == steps[1][0].run && steps[1].count == 2)
    #expect(steps[1][0].metrics.count == 2 && steps[1][1].metrics.map(\.value) == [1024, 24.5, 0.25])
  }

  @Test("in a Monitor file that a second program appended to, times after the border are those of reading")
  func appendedMonitor() {
    let text = "#{\"t_start\": 1795229452.5}\nr,l,t\r\n1.0,10,5.5\r\n2.0,20,7.0\r\n-inf,30,1.5\r\nnan,5,9.5\n"
    let file = ReaderHarness(text) { MonitorReader(context: $0) }
    let episodes = file.pass().episodes
    #expect(episodes.map(\.timeNs) == [1_795_229_458_000_000_000, 1_795_229_459_500_000_000, 1_000_000, 1_000_000])
    #expect(episodes.map(\.finalSteps) == [10, 20, 30, 5] && episodes[2].finalReward == -.infinity)
    #expect(episodes.map(\.episode) == [1, 2, 3, 4])
  }

  @Test("further columns of a Monitor file are metrics of the episode")
  func monitorExtras() throws {
    let text = "#{\"t_start\": 1795229452.5}\nl,is_success,r,t\n10,True,1.5,2\n"
    let delta = ReaderHarness(text) { MonitorReader(context: $0) }.pass()
    let step = try #require(delta.steps.first)
    #expect(step.metrics.map(\.name) == ["is_success"] && step.metrics[0].value == 1 && step.reward == 1.5)
    #expect(delta.episodes[0].finalSteps == 10 && step.episode == 1)
  }

  @Test("rows of a Monitor file whose lines were not counted are numbered by their place, and never alike")
  func monitorMiddle() {
    let rows = (0..<8000).map { "1.0,10,\($0)\r\n" }.joined()
    let file = ReaderHarness("#{\"t_start\": 1795229452.5}\nr,l,t\r\n" + rows) { MonitorReader(context: $0) }
    let cut = file.file.count - 1000
    let resumed = file.resumed(at: cut)
    let numbers = resumed.flatMap(\.episodes).map(\.episode)
    #expect(numbers.count == 8000 && Set(numbers).count == 8000 && numbers == numbers.sorted())
    var context = file.context(at: Int(resumed[0].to))
    context.linesBefore = UInt64(resumed[0].episodes.count + 2)
    var reader: any FormatReader = MonitorReader(context: context)
    var delta = FileDelta(file: file.identity, from: context.offset, to: 0)
    _ = file.read(&reader, from: Int(resumed[0].to), to: file.file.count, isFinal: false, budget: .max, into: &delta)
    #expect(delta.episodes.last?.episode == 8000)
  }
}

// MARK: Any offset, any damage

extension TrainingFixtureTests {
  @Test(
    "a reader made anew at any byte gives what one pass gives",
    arguments: [
      ("seed-format/training_log.csv", 180, 97), ("sb3-cartpole-ppo/0.monitor.csv", 30, 1),
      ("sb3-cartpole-ppo/progress.csv", 4, 1), ("sb3-cartpole-ppo/progress.json", 3, 1),
      ("rllib-cartpole-ppo/progress.csv", 3, 211), ("rllib-cartpole-ppo/result.json", 3, 1999),
    ])
  func resume(name: String, lines: Int, stride: Int) throws {
    let file = try ReaderHarness(fixture: name, lines: lines)
    let expected = Stored([file.pass(isFinished: true)]).fingerprint
    for cut in Swift.stride(from: 0, through: file.file.count, by: stride) {
      #expect(Stored(file.resumed(at: cut, isFinished: true)).fingerprint == expected, "cut at \(cut)")
    }
  }

  @Test(
    "random damage is read to its end without a trap",
    arguments: FileFormat.allCases.dropFirst().filter { !$0.isDatabase },
    0..<40 as Range<UInt64>)
  func damage(format: FileFormat, seed: UInt64) throws {
    let names = [
      "seed-format/training_log.csv", "sb3-cartpole-ppo/0.monitor.csv", "sb3-cartpole-ppo/progress.csv",
      "sb3-cartpole-ppo/progress.json", "tensorboard/tensors/train/events.out.tfevents.1795300000.host",
      "trainer/tiny-run/trainer_state.json", TrackerFiles.mlflowRun + "/meta.yaml",
      TrackerFiles.mlflowRun + "/metrics/accuracy",
      "wandb/bad-run/run.wandb",
    ]
    var random = SplitMix(seed: seed)
    var file = try ReaderHarness(fixture: names[Int(format.rawValue) - 1], lines: 6)
    for _ in 0..<Int.random(in: 1...40, using: &random) {
      file.file[Int.random(in: 0..<file.file.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
    }
    file.make = { context in
      var context = context
      context.file.format = format
      return TrainingFormats.make(context) ?? TrainingLogReader(context: context)
    }
    let delta = file.pass(isFinished: true)
    #expect(delta.to == UInt64(file.file.count))
    #expect(delta.lines.texts.allSatisfy { $0.utf8.count <= 1024 && !$0.contains("\0") })
  }

  private static func metrics(_ step: TrainingStep) -> [String: Double] {
    Dictionary(step.metrics.map { ($0.name, $0.value) }) { first, _ in first }
  }
}

@Suite struct TrainingFormatsTests {
  private func detect(_ path: String, _ head: String) -> FileFormat {
    TrainingFormats.detect(path: path, head: Array(head.utf8).span)
  }

  @Test("fixtures are recognised")
  func fixtures() throws {
    let expected: [(String, FileFormat)] = [
      ("seed-format/training_log.csv", .trainingLogCSV), ("sb3-cartpole-ppo/0.monitor.csv", .monitorCSV),
      ("sb3-cartpole-ppo/progress.csv", .progressCSV), ("sb3-cartpole-ppo/progress.json", .resultJSON),
      ("rllib-cartpole-ppo/progress.csv", .progressCSV), ("rllib-cartpole-ppo/result.json", .resultJSON),
      ("tensorboard/tensors/train/events.out.tfevents.1795300000.host", .eventFile),
      ("trainer/tiny-run/checkpoint-20/trainer_state.json", .trainerState), ("wandb/good-run/run.wandb", .wandbLog),
      (TrackerFiles.mlflowRun + "/meta.yaml", .runParameters),
      (TrackerFiles.mlflowRun + "/params/env/name", .runParameters),
      (TrackerFiles.mlflowRun + "/metrics/train/loss", .mlflowMetric),
    ]
    for (name, format) in expected { #expect(try ReaderHarness(fixture: name).identity.format == format, "\(name)") }
  }

  private static let fixtureNames = [
    "seed-format/training_log.csv", "sb3-cartpole-ppo/0.monitor.csv", "sb3-cartpole-ppo/progress.csv",
    "sb3-cartpole-ppo/progress.json", "rllib-cartpole-ppo/progress.csv", "rllib-cartpole-ppo/result.json",
  ]

  /// As spreadsheets and Python's `utf-8-sig` write it.
  @Test("a byte order mark changes nothing of what is read", arguments: fixtureNames)
  func byteOrderMark(_ name: String) throws {
    let plain = try ReaderHarness(fixture: name, lines: 40)
    var marked = plain
    marked.file = [0xef, 0xbb, 0xbf] + plain.file
    #expect(marked.identity.format == plain.identity.format)
    let whole = [marked, plain].map { Stored([$0.pass(isFinished: true)]).fingerprint }
    #expect(whole[0] == whole[1])
    let half = marked.file.count / 2
    let resumed = [marked.resumed(at: half), plain.resumed(at: half - 3)].map { Stored($0).fingerprint }
    #expect(resumed[0] == resumed[1])
    // The name decides while the first line is not whole, also of a file that is nothing but the mark.
    let mark = detect("/a/progress.json", "\u{feff}")
    #expect(mark == .resultJSON && detect("/a/result.json", "\u{feff}{\"config\": {") == .resultJSON)
    #expect(detect("/a/x.csv", "\u{feff}\"episode\",\"step\",\"reward\"\r\n") == .trainingLogCSV)
  }

  @Test("what a file holds decides, its name only while it holds no line")
  func contents() {
    #expect(detect("/a/other.csv", "step,episode,reward\n") == .trainingLogCSV)
    #expect(detect("/a/training_log.csv", "name,age\n") == .log)
    #expect(detect("/a/training_log.csv", "") == .trainingLogCSV)
    #expect(detect("/a/training_log.csv.1", "10,1,1\n") == .log)
    #expect(detect("/a/training_log.csv", TrainingLogReaderTests.row) == .trainingLogCSV)
    #expect(detect("/a/x.csv", "#{\"t_start\": 1.5}\n") == .monitorCSV)
    #expect(detect("/a/x.csv", "# a comment\n") == .log)
    #expect(detect("/a/0.monitor.csv", "") == .monitorCSV)
    #expect(detect("/a/progress.csv", "a,b\n1,2\n") == .log)
    #expect(detect("/a/data.csv", "time/fps\n1\n") == .log)
    #expect(detect("/a/result.json", "[1]\n") == .log)
    #expect(detect("/a/result.json", "{\"config\": {") == .resultJSON)
    #expect(detect("/a/train.log", "episode,step,reward\n") == .log)
    #expect(detect("", "") == .log && detect("/", "\n") == .log && detect("/a/x.csv", "\r\n") == .log)
  }
}
