import FleetModel
import Testing

@testable import Agent

/// Numbers that training programs print, as their writers' source formats them.
@Suite struct PrintedMetricsTests {
  private static func harness(_ text: String) -> ReaderHarness {
    var file = ReaderHarness(text) { LogReader($0, redactor: Redactor(), zone: { _ in 0 }) }
    file.path = "/srv/runs/gpt/train.log"
    return file
  }

  private static func steps(_ text: String) -> [TrainingStep] { harness(text).pass().steps }

  private static func figures(_ step: TrainingStep) -> [String: Double] {
    Dictionary(step.metrics.map { ($0.name, $0.value) }) { first, _ in first }
  }

  private static let lines: [(line: String, step: Int64, figures: [String: Double])] = [
    // nanoGPT, train.py
    ("step 250: train loss 2.1043, val loss 2.2010", 250, ["train loss": 2.1043, "val loss": 2.201]),
    ("iter 10: loss 2.3001, time 12.34ms, mfu 3.05%", 10, ["loss": 2.3001, "time": 12.34, "mfu": 3.05]),
    // Megatron-LM, training.py
    (
      " iteration      100/    1000 | consumed samples:        12800 | elapsed time per iteration (ms): 501.3 |"
        + " learning rate: 1.500000E-04 | global batch size:   128 | lm loss: 7.123456E+00 | loss scale: 1.0 |"
        + " grad norm: 1.234 | number of skipped iterations:   0 | number of nan iterations:   0 |", 100,
      [
        "consumed samples": 12800, "elapsed time per iteration (ms)": 501.3, "learning rate": 1.5e-4,
        "global batch size": 128, "lm loss": 7.123456, "loss scale": 1, "grad norm": 1.234,
        "number of skipped iterations": 0, "number of nan iterations": 0,
      ]
    ),
    (
      " [2026-01-02 03:04:05] iteration       20/     100 | consumed samples:  40 | lm loss: nan | grad norm: inf |",
      20,
      ["consumed samples": 40, "lm loss": .nan, "grad norm": .infinity]
    ),
    // DeepSpeed, engine.py and timer.py
    (
      "[2026-01-02 03:04:05,678] [INFO] [logging.py:96:log_dist] [Rank 0] step=10, skipped=0, lr=[0.001], mom=[[0.9, 0.95]]",
      10, ["skipped": 0, "lr": 0.001]
    ),
    // torchtitan, components/metrics.py, with its colours
    (
      "[rank0]:[titan] 2026-01-02 03:04:05,678 - root - INFO - \u{1b}[31mstep:  1  \u{1b}[32mloss:  8.1309  "
        + "\u{1b}[38;2;180;60;0mgrad_norm:  1.5413  \u{1b}[38;2;54;234;195mmemory:  0.79GiB(0.83%)  "
        + "\u{1b}[34mtps: 1,322  \u{1b}[36mtflops: 0.51  \u{1b}[35mmfu: 0.16%\u{1b}[39m", 1,
      ["loss": 8.1309, "grad_norm": 1.5413, "memory": 0.79, "tps": 1322, "tflops": 0.51, "mfu": 0.16]
    ),
    // transformers, PrinterCallback; quoted since version 5
    (
      "{'loss': 1.25, 'grad_norm': 0.5, 'learning_rate': 5e-05, 'epoch': 0.12}", 120,
      ["loss": 1.25, "grad_norm": 0.5, "learning_rate": 5e-05, "epoch": 0.12]
    ),
    ("{'eval_loss': '0.5', 'epoch': '2'}", 2000, ["eval_loss": 0.5, "epoch": 2]),
    // CleanRL
    ("global_step=1024, episodic_return=[21.]", 1024, ["episodic_return": 21]),
    ("global_step=1024, episodic_return=21.5", 1024, ["episodic_return": 21.5]),
    ("Episode 12: reward = 200.0, length = 200", 12, ["reward": 200, "length": 200]),
    // XGBoost and LightGBM
    ("[10]\ttrain-logloss:0.12345\teval-logloss:0.23456", 10, ["train-logloss": 0.12345, "eval-logloss": 0.23456]),
    ("[10]\tvalid_0's l2: 0.24\tvalid_0's auc: 0.81", 10, ["valid_0's l2": 0.24, "valid_0's auc": 0.81]),
    ("[20]\tcv_agg's binary_logloss: 0.24 + 0.01", 20, ["cv_agg's binary_logloss": 0.24]),
    ("epoch: 3 | loss: 0.5 | acc: 91.5%", 3, ["loss": 0.5, "acc": 91.5]),
    // Behind a logger's head, glog's among them; numbers that are none, with a unit
    (
      "I20260102 03:04:05 3454734 dinov2 linear.py:399] iter=40 loss=inf lr=0.001", 40,
      ["loss": .infinity, "lr": 0.001]
    ),
    ("2026-01-02 03:04:05,678 - train - INFO - Epoch 3: loss=0.52, acc=0.9", 3, ["loss": 0.52, "acc": 0.9]),
    ("2026-01-02 03:04:05,678 INFO iteration [20/100]: loss nan", 20, ["loss": .nan]),
    ("2026-01-02 03:04:05,678 INFO timestep: 20 loss: 0.5", 20, ["loss": 0.5]),
    ("Step 7: Loss=nan (nan%), Viol: 0.1/0.2 (3)", 7, ["Loss": .nan]),
  ]

  @Test("a line is a row of its writer's step, and stays a line", arguments: lines.indices)
  func line(_ index: Int) throws {
    let (line, number, figures) = Self.lines[index]
    let delta = Self.harness(line + "\n").pass()
    #expect(delta.lines.count == 1)
    let step = try #require(delta.steps.first)
    #expect(delta.steps.count == 1 && step.step == number && step.run.hasPrefix("runs/gpt-"))
    let found = Self.figures(step)
    for (name, value) in figures {
      #expect(found[name].map { $0 == value || $0.isNaN && value.isNaN } == true, "\(name) in \(found)")
    }
    #expect(found.count >= figures.count && delta.runs.map(\.state) == [.running])
  }

  @Test(
    "what only looks like it is no row",
    arguments: [
      "Step 3/10 : RUN apt-get install loss", "step 4: removed 5 files", "iteration of the loop took 3 s",
      "2026-01-02 03:04:05 INFO loaded 3 files: a, b=2", "{'a': 1, 'b': 2}", "{'loss': [1, 2]}", "{'loss': 1",
      "[10] loss: 5", "[2026-01-02] loss: 1", "| loss | 1 |", "10/100 files - 3 - 4", "Epoch 3/10", "steps: many",
      "--------", "global_step=x, episodic_return=1", "step 1: loss: unknown", "[12]\t", "[12]\tno numbers: here",
      "2026-01-02 03:04:05 INFO arbiter: 3 loss: 2", "2026-01-02 03:04:05 INFO worker 3: loss of 2",
      "{'", "| ", "step", "\u{1b}[31mred\u{1b}[0m", "1/", "iter 99999999999999999999: loss 1",
    ])
  func nearMisses(_ line: String) {
    let delta = Self.harness(line + "\n").pass()
    #expect(delta.steps.isEmpty && delta.runs.isEmpty && delta.lines.count == 1)
  }

  private static let table = """
    ------------------------------------------
    | rollout/                |              |
    |    ep_len_mean          | 22.3         |
    |    ep_rew_mean          | 21.5         |
    | time/                   |              |
    |    fps                  | 1027         |
    |    total_timesteps      | 4096         |
    | train/                  |              |
    |    approx_kl            | 0.0090478    |
    |    loss                 | 7.12         |
    ------------------------------------------

    """

  @Test("Stable-Baselines3's box is one row, at its end")
  func box() throws {
    let steps = Self.steps(Self.table + "between\n" + Self.table)
    #expect(steps.count == 2 && steps[0].step == 4096 && steps[0].reward == 21.5)
    #expect(Self.figures(steps[0])["train/approx_kl"] == 0.0090478 && steps[0].metrics.count == 6)
    // A box that never ends, and one without groups.
    #expect(Self.steps("--------\n| a/ | |\n|    b | 1 |\nno\n").isEmpty)
    #expect(Self.steps("--------\n| b | 1 |\n--------\n").isEmpty)
  }

  @Test("Keras' bars are of the epoch above them")
  func bars() {
    let text =
      "Epoch 3/10\n\u{1b}[1m100/100\u{1b}[0m \u{1b}[32m━━━━━\u{1b}[0m\u{1b}[37m\u{1b}[0m \u{1b}[1m1s\u{1b}[0m 3ms/step"
      + " - accuracy: 0.9 - loss: 0.25 - val_loss: 0.3\n"
    let steps = Self.steps(text)
    #expect(steps.map(\.step) == [3])
    #expect(steps.first.map(Self.figures) == ["accuracy": 0.9, "loss": 0.25, "val_loss": 0.3])
  }

  @Test("in pieces of 97 bytes, over restarts, and behind records that are held back, each row comes once")
  func pieces() {
    var text = ""
    for number in 1...40 {
      text += "iter \(number): loss \(Double(number) / 8), time 12.34ms, mfu 3.05%\n"
      if number % 7 == 0 { text += Self.table }
      // Held back: a traceback may follow.
      if number % 5 == 0 { text += "2026-01-02 03:04:05 ERROR step: \(number)  loss: 1.5\n" }
    }
    let file = Self.harness(text)
    let whole = file.pass(isFinished: true)
    #expect(whole.steps.count == 40 + 5 + 8)
    for isNew in [false, true] {
      let delta = file.grown(by: 97, isNew: isNew)
      #expect(delta.to == UInt64(file.file.count))
      #expect(delta.steps.map { "\($0)" } == whole.steps.map { "\($0)" })
    }
  }

  @Test("a log's run ends when its file was closed and rests; what comes then opens it again")
  func ends() throws {
    var limits = FollowingLimits()
    limits.closedIdleNs = 20_000_000_000
    let harness = try FollowingHarness(["*.log"], limits: limits)
    try harness.append("a.log", "iter 1: loss 2.5, time 1ms\n")
    harness.run(seconds: 40)
    #expect(harness.collector.runs.map(\.state) == [.running, .completed])
    try harness.append("a.log", "iter 2: loss 2.0, time 1ms\n")
    harness.run(seconds: 3)
    #expect(harness.collector.runs.map(\.state) == [.running, .completed, .running])
    #expect(harness.collector.steps.map(\.step) == [1, 2] && harness.collector.texts.count == 2)
    // The same run in the next file of a rotation.
    try harness.rename("a.log", "a.log.1")
    try harness.append("a.log", "iter 3: loss 1.5, time 1ms\n")
    harness.run(seconds: 3)
    #expect(Set(harness.collector.steps.map(\.run)).count == 1)
  }
}
