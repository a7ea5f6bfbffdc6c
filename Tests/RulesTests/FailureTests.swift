import FleetModel
import RuleFiles
import Testing

@testable import Rules

/// What a log raises and how its process ends, put together: one failure, one finding, with a name.
@Suite struct FailureTests {
  private static let rules = """
    failures:
      - { class: memory, title: out of memory, lines: ['CUDA out of memory'], steps: [lower the batch], retry: "no" }
      - { class: missing, title: a key is missing, generic: true, lines: ['KeyError'], steps: [look] }
      - { class: rank, title: a rank is gone, kind: cascade, lines: ['NCCL error'], steps: [look at the others] }
      - { class: killed, title: killed, generic: true, signals: [9], lines: ['got signal: 9'], steps: [who] }
      - { class: unit, title: the unit failed, kind: cascade, ends: ['Main process exited'], steps: [read] }
    rules:
      - { id: F-1, title: Failed, severity: P1, scope: file, when: { failure: { end: known } } }
      - { id: F-2, title: Ended, severity: P1, scope: process, when: { failure: { end: known } } }
      - { id: F-3, title: Stopped, severity: P2, scope: file, when: { failure: { end: unknown } } }
    """
  private static let host = RuleEngineTests.host

  private static func engine() throws -> RuleEngine {
    let engine = try RuleEngineTests.engine(rules)
    _ = RuleEngineTests.feed(engine, 0...0, cpu: 1)
    return engine
  }

  /// Lines of one file at a second, as one batch.
  private static func lines(
    _ lines: [String], at seconds: Int64, from: UInt64 = 0, path: String = "/srv/a/train.log", level: Level = .error,
    joined: Bool = true
  ) -> Batch {
    var batch = RuleEngineTests.delta(lines, from: from, path: path)
    batch.files[0].file.key = FileKey(high: 3, low: ContentHash.of(Array(path.utf8).span))
    for index in lines.indices {
      batch.files[0].lines.timesUs[index] = (RuleEngineTests.start + seconds * RuleEngineTests.second) / 1000
      batch.files[0].lines.levels[index] = level.rawValue
      if joined { batch.files[0].lines.flags[index] = LineFlags.joined.rawValue }
    }
    batch.wallNs = RuleEngineTests.start + seconds * RuleEngineTests.second
    return batch
  }

  private static func end(
    _ exit: ProcessExit?, at seconds: Int64, pid: UInt32 = 7, output: String = "", parent: UInt32 = 0
  )
    -> Batch
  {
    var event = Event()
    event.kind = .processExit
    event.timeNs = RuleEngineTests.start + seconds * RuleEngineTests.second
    event.subject = "python[\(pid)]"
    var end = ProcessEnd()
    (end.exit, end.pid, end.output, end.parent) = (exit, pid, output, parent)
    event.processEnd = end
    var records = Records()
    records.events = [event]
    var batch = Batch()
    batch.wallNs = event.timeNs
    let number = UInt64(seconds * 100) + UInt64(pid)
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: number, lastSequence: number, records: records)]
    return batch
  }

  private static func ticks(_ engine: RuleEngine, _ range: ClosedRange<Int64>) -> [Transition] {
    range.flatMap { engine.tick(RuleEngineTests.start + $0 * RuleEngineTests.second) }
  }

  private static func diagnoses(_ found: [Transition]) -> [Diagnosis] {
    found.flatMap(\.evidence).compactMap { if case .failure(let diagnosis) = $0 { diagnosis } else { nil } }
  }

  private static let outOfMemory =
    "[rank1]: Traceback (most recent call last):\n[rank1]:   File \"t.py\", line 3, in f\n[rank1]:     raise KeyError('never')\n"
    + "[rank1]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB."

  @Test func theLastWordsOfAProgramNameItsBadEnd() throws {
    let engine = try Self.engine()
    #expect(RuleEngineTests.observe(engine, Self.lines([Self.outOfMemory], at: 10), 10) == [])
    #expect(RuleEngineTests.observe(engine, Self.end(.code(1), at: 11, output: "/srv/a/train.log"), 11) == [])
    let found = Self.ticks(engine, 11...14)
    #expect(found.map(\.rule) == ["F-1"] && found.first?.entity.name == "/srv/a/train.log")
    let diagnosis = try #require(Self.diagnoses(found).first)
    #expect(diagnosis.failureClass == "memory" && diagnosis.kind == .root && diagnosis.rank == 1)
    #expect(diagnosis.exitCode == 1 && diagnosis.exitSignal == nil && diagnosis.file == "/srv/a/train.log")
    #expect(diagnosis.line.hasPrefix("torch.OutOfMemoryError: CUDA out of memory"))
    // What is found again after a restart is the same finding: its time is that of the end, not that of the clock.
    #expect(found.first?.timeNs == RuleEngineTests.start + 11 * RuleEngineTests.second)
  }

  @Test func aCollectorThatGoesOnFromASavedStateNamesItAlike() throws {
    let engine = try Self.engine()
    _ = RuleEngineTests.observe(engine, Self.lines([Self.outOfMemory], at: 10), 10)
    _ = RuleEngineTests.observe(engine, Self.end(.signal(9, coreDumped: false), at: 11), 11)
    let other = try RuleEngineTests.engine(Self.rules)
    try other.restore(engine.nextState(of: Self.host).bytes, of: Self.host, name: "h", labels: ["host": "h"])
    let (found, again) = (Self.ticks(engine, 11...14), Self.ticks(other, 11...14))
    #expect(found.count == 1 && found == again)
    #expect(Self.diagnoses(again).map(\.failureClass) == ["memory"])
  }

  /// A state of before knows nothing of failures, and is read all the same.
  @Test func aStateThatIsCutOffIsRefusedAndHarmsNothing() throws {
    let engine = try Self.engine()
    _ = RuleEngineTests.observe(engine, Self.lines([Self.outOfMemory], at: 10), 10)
    _ = RuleEngineTests.observe(engine, Self.end(.code(1), at: 11), 11)
    let bytes = engine.nextState(of: Self.host).bytes
    for length in 1..<bytes.count {
      let other = try RuleEngineTests.engine(Self.rules)
      #expect(throws: RuleStateError.self) {
        try other.restore(Array(bytes.prefix(length)), of: Self.host, name: "h", labels: [:])
      }
    }
  }

  @Test func oneCrashOfManyProcessesIsOneFinding() throws {
    let engine = try Self.engine()
    let nccl =
      "[rank0]: Traceback (most recent call last):\n[rank0]: torch.distributed.DistBackendError: NCCL error in: x"
    _ = RuleEngineTests.observe(engine, Self.lines([nccl], at: 10, path: "/srv/a/rank0.log"), 10)
    _ = RuleEngineTests.observe(engine, Self.lines([Self.outOfMemory], at: 10, path: "/srv/a/rank1.log"), 10)
    for pid in UInt32(1)...8 {
      _ = RuleEngineTests.observe(engine, Self.end(.signal(15, coreDumped: false), at: 11, pid: pid), 11)
    }
    let found = Self.ticks(engine, 11...100)
    #expect(found.filter { $0.kind == .opened }.map(\.entity.name) == ["/srv/a/rank1.log"])
  }

  /// A launcher gives each rank a log of its own: what the others write about the crash is no second page, and neither is the same mistake of
  /// all of them. Another run beside it is.
  @Test func ranksWithLogsOfTheirOwnAreOneFinding() throws {
    let nccl = "Traceback (most recent call last):\ntorch.distributed.DistBackendError: NCCL error in: x"
    for others in [nccl, Self.outOfMemory] {
      let engine = try Self.engine()
      for rank in 0..<4 {
        let text = rank == 2 ? Self.outOfMemory : others
        _ = RuleEngineTests.observe(engine, Self.lines([text], at: 10, path: "/srv/a/rank\(rank).log"), 10)
      }
      _ = RuleEngineTests.observe(engine, Self.lines([Self.outOfMemory], at: 10, path: "/srv/b/train.log"), 10)
      for rank in 0..<4 {
        let end = Self.end(.code(1), at: 11, pid: UInt32(rank + 1), output: "/srv/a/rank\(rank).log")
        _ = RuleEngineTests.observe(engine, end, 11)
      }
      _ = RuleEngineTests.observe(engine, Self.end(.code(1), at: 11, pid: 9, output: "/srv/b/train.log"), 11)
      let opened = Self.ticks(engine, 11...100).filter { $0.kind == .opened }.map(\.entity.name)
      #expect(opened.count == 2 && opened.contains("/srv/b/train.log"), "\(opened)")
    }
  }

  /// A launcher ends the other ranks, and their logs show no more than that.
  @Test func whatALauncherEndsIsNoFindingOfItsOwn() throws {
    let engine = try Self.engine()
    let killed = "Traceback (most recent call last):\nSignalException: got signal: 9"
    _ = RuleEngineTests.observe(engine, Self.lines([Self.outOfMemory], at: 10, path: "/srv/a/rank0.log"), 10)
    _ = RuleEngineTests.observe(engine, Self.lines([killed], at: 11, path: "/srv/a/rank1.log"), 11)
    for rank in 0..<2 {
      let end = Self.end(.code(1), at: 11, pid: UInt32(rank + 1), output: "/srv/a/rank\(rank).log")
      _ = RuleEngineTests.observe(engine, end, 11)
    }
    let opened = Self.ticks(engine, 11...100).filter { $0.kind == .opened }.map(\.entity.name)
    #expect(opened == ["/srv/a/rank0.log"])
  }

  /// Each end has its own log, and one that ends well takes back what only its own raised.
  @Test func aGoodEndTakesBackWhatItsOwnLogRaised() throws {
    let engine = try Self.engine()
    for name in ["a", "b", "c"] {
      _ = RuleEngineTests.observe(engine, Self.lines([Self.outOfMemory], at: 10, path: "/srv/\(name)/train.log"), 10)
    }
    for (pid, name) in [(UInt32(1), "c"), (2, "a"), (3, "b")] {
      let exit = ProcessExit.code(name == "a" ? 0 : 1)
      _ = RuleEngineTests.observe(engine, Self.end(exit, at: 11, pid: pid, output: "/srv/\(name)/train.log"), 11)
    }
    let found = Self.ticks(engine, 11...40).filter { $0.kind == .opened }
    #expect(Set(found.map(\.entity.name)) == ["/srv/b/train.log", "/srv/c/train.log"])
  }

  @Test func aWorkerIsItsParentsBusiness() throws {
    let engine = try Self.engine()
    var process = ProcessSample()
    (process.name, process.pid, process.state) = ("python", 5, "S")
    process.timeNs = RuleEngineTests.start + 10 * RuleEngineTests.second
    var records = Records()
    records.processes = [process]
    var batch = Batch()
    batch.wallNs = process.timeNs
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 900, lastSequence: 900, records: records)]
    _ = RuleEngineTests.observe(engine, batch, 10)
    _ = RuleEngineTests.observe(engine, Self.end(.signal(9, coreDumped: false), at: 11, parent: 5), 11)
    #expect(Self.ticks(engine, 11...20) == [])
    _ = RuleEngineTests.observe(engine, Self.end(.signal(9, coreDumped: false), at: 30, parent: 4), 30)
    let found = Self.ticks(engine, 30...34)
    #expect(found.map(\.rule) == ["F-2"] && Self.diagnoses(found).map(\.failureClass) == ["killed"])
  }

  /// Whose process has ended well makes no more steps, and is not stalled while another one trains.
  @Test(arguments: [true, false]) func aRunEndsWithItsProcess(endsInItsDirectory: Bool) throws {
    let stalled =
      "  - { id: F-9, title: t, severity: P1, scope: run, when: { all: [{ stale: run, for: 5m }, { live: process }] } }"
    let engine = try RuleEngineTests.engine(Self.rules + "\n" + stalled)
    func other(_ at: Int64) -> Batch {
      var process = ProcessSample()
      (process.name, process.pid, process.state) = ("python", 5, "S")
      process.timeNs = RuleEngineTests.start + at * RuleEngineTests.second
      var records = Records()
      records.processes = [process]
      records.hosts = RuleEngineTests.batch(at, cpu: 1).spooled[0].records.hosts
      var batch = Batch()
      batch.wallNs = process.timeNs
      batch.spooled = [
        SpooledRecords(lane: .live, firstSequence: UInt64(at + 1), lastSequence: UInt64(at + 1), records: records)
      ]
      return batch
    }
    var found: [Transition] = []
    for at in stride(from: Int64(0), through: 900, by: 10) {
      found += RuleEngineTests.observe(engine, other(at), at)
      if at <= 100 {
        var batch = Self.lines(
          ["x"], at: at, from: UInt64(at) * 2, path: "/srv/a/progress.csv", level: .info, joined: false)
        var step = TrainingStep()
        (step.run, step.step, step.reward) = ("a", at, 1)
        step.timeNs = batch.wallNs
        batch.files[0].steps = [step]
        found += RuleEngineTests.observe(engine, batch, at)
      }
      if at == 110 {
        let output = endsInItsDirectory ? "/srv/a/train.log" : "/srv/b/train.log"
        var end = Self.end(.code(0), at: at, output: output)
        end.spooled[0].firstSequence = 112
        end.spooled[0].lastSequence = 112
        found += RuleEngineTests.observe(engine, end, at)
      }
      found += engine.tick(RuleEngineTests.start + at * RuleEngineTests.second)
    }
    #expect(found.map(\.rule) == (endsInItsDirectory ? [] : ["F-9"]))
  }

  @Test func aLogThatStopsBesideATrainingProcessIsNotKnownToHaveEnded() throws {
    let engine = try Self.engine()
    _ = RuleEngineTests.observe(engine, Self.lines([Self.outOfMemory], at: 10), 10)
    // No process is there: it has ended.
    let found = Self.ticks(engine, 11...40)
    #expect(found.map(\.rule) == ["F-1"])
    #expect(Self.diagnoses(found).first?.exitCode == nil)
  }

  /// Samples that come after its last word show that no process is left which could go on.
  @Test func aLogThatStopsWithoutAnyProcessHasEndedSoon() throws {
    let engine = try Self.engine()
    _ = RuleEngineTests.observe(engine, Self.lines([Self.outOfMemory], at: 10), 10)
    let found = RuleEngineTests.feed(engine, 11...13, cpu: 1, step: 1) + Self.ticks(engine, 13...14)
    #expect(found.map(\.rule) == ["F-1"])
  }

  /// A program may write the times of another zone, or of a record that it prints again.
  @Test(arguments: [true, false]) func aLogOfAnotherClockBelongsToTheEndThatFollowsIt(goesOn: Bool) throws {
    let engine = try Self.engine()
    func written(_ text: String, at seconds: Int64, from: UInt64, _ level: Level) -> Batch {
      var batch = Self.lines([text], at: seconds, from: from, level: level)
      batch.files[0].lines.timesUs[0] -= 10 * 86_400 * 1_000_000
      return batch
    }
    _ = RuleEngineTests.observe(engine, written(Self.outOfMemory, at: 10, from: 0, .error), 10)
    if goesOn {
      let next = UInt64(Self.outOfMemory.utf8.count + 1)
      _ = RuleEngineTests.observe(engine, written("step 4", at: 10, from: next, .info), 10)
    }
    _ = RuleEngineTests.observe(engine, Self.end(.code(1), at: 11, output: "/srv/a/train.log"), 11)
    let found = Self.diagnoses(Self.ticks(engine, 11...14))
    #expect(found.map(\.failureClass) == [goesOn ? Diagnosis.unknownClass : "memory"])
  }

  @Test func whatAWorkerWroteBesideItsLaunchersLogSaysMore() throws {
    let engine = try Self.engine()
    let launcher = "Traceback (most recent call last):\n  File \"run.py\", line 1\nDistBackendError: NCCL error in: x"
    let worker = "Traceback (most recent call last):\n  File \"t.py\", line 1\nKeyError: 'a'"
    _ = RuleEngineTests.observe(engine, Self.lines([worker], at: 10, path: "/srv/a/0/stderr.log"), 10)
    _ = RuleEngineTests.observe(engine, Self.lines([launcher], at: 11, path: "/srv/a/launcher.log"), 11)
    _ = RuleEngineTests.observe(engine, Self.end(.code(1), at: 11, output: "/srv/a/launcher.log"), 11)
    let found = Self.ticks(engine, 11...40).filter { $0.kind == .opened }
    #expect(found.map(\.entity.name) == ["/srv/a/0/stderr.log"])
    #expect(Self.diagnoses(found).map(\.failureClass) == ["missing"])
  }

  /// Whoever ended it by SIGTERM has a reason, which may come a little later.
  @Test func aProcessThatWasTerminatedWaitsForTheReason() throws {
    let engine = try Self.engine()
    _ = RuleEngineTests.observe(engine, Self.end(.signal(15, coreDumped: false), at: 11), 11)
    #expect(Self.ticks(engine, 11...12) == [])
    let reason = "Traceback (most recent call last):\n  File \"t.py\", line 1\nKeyError: 'a'"
    _ = RuleEngineTests.observe(engine, Self.lines([reason], at: 12, path: "/srv/a/rank1.log"), 12)
    #expect(Self.diagnoses(Self.ticks(engine, 13...14)).map(\.failureClass) == ["missing"])
  }

  @Test func whatIsRaisedIsOnlyOfAnExceptionOrAnError() throws {
    for (line, level) in [
      ("CUDA out of memory is avoided by a smaller batch", Level.info), ("CUDA out of memory, retrying", .warn),
      (
        "Traceback (most recent call last):\n  File \"a\", line 1\n    raise Error('CUDA out of memory')\nValueError: x",
        .info
      ),
    ] {
      let engine = try Self.engine()
      _ = RuleEngineTests.observe(engine, Self.lines([line], at: 10, level: level, joined: level != .info), 10)
      _ = RuleEngineTests.observe(engine, Self.end(.code(3), at: 11, output: "/srv/a/train.log"), 11)
      let found = Self.diagnoses(Self.ticks(engine, 11...14))
      #expect(found.allSatisfy { $0.failureClass == Diagnosis.unknownClass }, "\(line): \(found)")
    }
  }

  /// Whatever a host writes, it costs a bounded amount of memory.
  @Test func aHostThatRaisesWithoutEndIsBounded() throws {
    let engine = try Self.engine()
    for file in 0..<300 {
      let long = "Traceback (most recent call last):\nKeyError: " + String(repeating: "x", count: 5000)
      _ = RuleEngineTests.observe(engine, Self.lines([long], at: 10, path: "/srv/\(file)/a.log"), 10)
      _ = RuleEngineTests.observe(engine, Self.end(.code(1), at: 10, pid: UInt32(1000 + file), output: "/none"), 10)
    }
    #expect(engine.untrackedFailures > 0)
    #expect(engine.nextState(of: Self.host).bytes.count < 200_000)
  }

  @Test(arguments: [
    ("KeyError: 'a'", "KeyError"), ("torch.cuda.OutOfMemoryError: x", "torch.cuda.OutOfMemoryError"),
    ("AssertionError", "AssertionError"), ("[rank3]: ValueError: x", "ValueError"),
    ("(RayTrainWorker pid=12, ip=10.0.0.1) RuntimeError: x", "RuntimeError"), ("2: OSError: x", "OSError"),
  ])
  func anExceptionIsKnownByItsName(_ line: String, _ name: String) {
    let bytes = Array(("Traceback (most recent call last):\n  File \"t.py\", line 1, in f\n    g()\n" + line).utf8)
    let found = RaisedText.exceptions(bytes.span, 0..<bytes.count)
    #expect(found.map { String(decoding: bytes[$0.name], as: UTF8.self) } == [name])
  }

  @Test(arguments: [
    ("- { class: Bad, title: t, lines: [abcd], steps: [s] }", "is no class"),
    ("- { class: a, title: t, lines: [abc], steps: [s] }", "at least 4 bytes"),
    ("- { class: a, title: t, steps: [s] }", "nothing would show it"),
    ("- { class: a, title: t, lines: ['ab(cd'], steps: [s] }", "this expression"),
    (
      "- { class: a, title: t, lines: [abcd], steps: [s] }\n  - { class: a, title: t, lines: [abcd], steps: [s] }",
      "is already that of"
    ),
  ])
  func aMistakeInAClassIsNamed(_ classes: String, _ part: String) throws {
    let yaml = "failures:\n  \(classes)\nrules: []\n"
    let mistakes = RuleSet.read([("f.yaml", try YAMLTree.read(yaml, file: "f.yaml"))]).mistakes
    #expect(mistakes.contains { $0.message.contains(part) }, "\(mistakes)")
  }
}
