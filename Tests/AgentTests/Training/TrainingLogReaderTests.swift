import Agent
import FleetModel
import TestSupport
import Testing

@Suite struct TrainingLogReaderTests {
  static let header =
    "episode,step,action,reward,balance,shares_held,current_price,portfolio_value,current_position\r\n"
  static let row =
    "10,1,1,-0.0009864005859375538,126.13013476562446,32,308.25018310546875,9990.135994140624,1\r\n"

  private func harness(_ text: String) -> ReaderHarness { ReaderHarness(text) { TrainingLogReader(context: $0) } }

  @Test("a row of the seed's file is read to the last digit")
  func realRow() throws {
    let delta = harness(Self.header + Self.row).pass()
    let step = try #require(delta.steps.first)
    #expect(delta.steps.count == 1 && delta.lines.isEmpty)
    #expect(step.episode == 10 && step.step == 1 && step.action == 1 && step.position == 1)
    #expect(step.reward == -0.0009864005859375538 && step.balance == 126.13013476562446)
    #expect(step.sharesHeld == 32 && step.price == 308.25018310546875 && step.portfolioValue == 9990.135994140624)
    #expect(step.timeNs == 1_000_000 && step.metrics.isEmpty)
    #expect(delta.runs.map(\.state) == [.running])
    #expect(delta.runs[0].source == "/srv/runs/seven/training_log.csv" && delta.runs[0].run == step.run)
    #expect(step.run.hasPrefix("runs/seven-"))
    #expect(delta.episodes.map(\.state) == [.running])
  }

  @Test("columns are found by name, in any order, and unknown ones become metrics")
  func columns() {
    let text = "reward, step ,loss,episode,note,portfolio_value\n0.5,7,1e-3,2,\"a,b\",\n,8,nan,2,x,inf\n"
    let steps = harness(text).pass().steps
    #expect(steps.map(\.step) == [7, 8])
    #expect(steps[0].reward == 0.5 && steps[0].portfolioValue.isNaN && steps[0].position.isNaN)
    #expect(steps[0].metrics.map(\.name) == ["loss"] && steps[0].metrics[0].value == 1e-3)
    #expect(steps[1].reward.isNaN && steps[1].portfolioValue == .infinity && steps[1].metrics[0].value.isNaN)
  }

  @Test("an episode is complete when a row of the next one appears, also where that is the first after a restart")
  func completion() {
    let file = harness(Self.header + "1,1,0,1,1,0,1,100,0\n1,2,0,1,1,0,1,110,0\n2,1,0,1,1,0,1,100,0\n")
    let whole = Stored([file.pass()])
    #expect(whole.episodes[1]?.state == .completed && whole.episodes[2]?.state == .running)
    #expect(whole.episodes[1]?.steps == 2 && whole.episodes[1]?.metrics.pnl == 10)
    let border = file.file.count - "2,1,0,1,1,0,1,100,0\n".utf8.count
    let deltas = file.resumed(at: border)
    #expect(deltas[0].episodes.map(\.state) == [.running])
    #expect(deltas[1].episodes.map(\.episode) == [1, 2])
    #expect(deltas[1].episodes.map(\.state) == [.completed, .running])
    #expect(deltas[1].episodes[0].steps == 0)
  }

  /// Evaluation and warm-up are written so; the writer says that the step is of no episode.
  @Test("rows with a negative episode are steps of none, and end the one before", arguments: ["-1", "-7"])
  func noEpisode(_ number: String) {
    let rows = "1,1,0,1,1,0,1,100,0\n\(number),2,0,1,1,0,1,110,0\n\(number),3,0,1,1,0,1,90,0\n2,1,0,1,1,0,1,100,0\n"
    let file = harness(Self.header + rows)
    let whole = Stored([file.pass(isFinished: true)])
    #expect(whole.steps.map(\.episode) == [1, -1, -1, 2] && whole.malformed.isEmpty)
    #expect(whole.episodes.mapValues(\.state) == [1: .completed, 2: .completed])
    for cut in 0...file.file.count {
      #expect(Stored(file.resumed(at: cut, isFinished: true)).fingerprint == whole.fingerprint, "\(cut)")
    }
  }

  @Test("a finished file ends its last episode and its run")
  func finished() {
    let delta = harness(Self.header + "1,1,0,1,1,0,1,100,0\n").pass(isFinished: true)
    #expect(delta.episodes.map(\.state) == [.completed])
    #expect(delta.runs.map(\.state) == [.running, .completed])
  }

  @Test(
    "a row that cannot be read is kept as a line flagged malformed",
    arguments: [
      "1,2,0,1,1,0,1", "1,2,0,1,1,0,1,100,0,5", "x,2,0,1,1,0,1,100,0", "1,2.5,0,1,1,0,1,100,0", "1,2,0,one,1,0,1,100,0",
      "nan,2,0,1,1,0,1,100,0", "\"1,2,0,1,1,0,1,100,0", "Traceback (most recent call last):",
    ])
  func malformed(line: String) {
    let text = Self.header + "1,1,0,1,1,0,1,100,0\n" + line + "\n1,3,0,1,1,0,1,100,0\n" + line + "\n"
    let delta = harness(text).pass()
    #expect(delta.steps.map(\.step) == [1, 3])
    #expect(delta.lines.texts == [line, line])
    #expect(delta.lines.flags.allSatisfy { LineFlags(rawValue: $0).contains(.malformed) })
    let at = Self.header.utf8.count + "1,1,0,1,1,0,1,100,0\n".utf8.count
    let next = at + line.utf8.count + 1 + "1,3,0,1,1,0,1,100,0\n".utf8.count
    #expect(delta.lines.offsets == [UInt64(at), UInt64(next)])
    #expect(delta.lines.advances.last == UInt32(line.utf8.count + 1))
  }

  @Test("a line that is no row goes through the redactor, its place in the file stays true")
  func redaction() {
    let line = "export API_TOKEN=ghp_0123456789abcdefghijklmnopqrstuvwxyz"
    let text = Self.header + line + "\n" + Self.row
    let delta = ReaderHarness(text) { TrainingLogReader(context: $0, redactor: Redactor()) }.pass()
    #expect(!delta.lines.texts[0].contains("ghp_0123456789") && delta.lines.texts[0].contains("[redacted:"))
    #expect(LineFlags(rawValue: delta.lines.flags[0]) == [.malformed, .redacted])
    #expect(delta.lines.advances[0] == UInt32(line.utf8.count + 1) && delta.steps.count == 1)
  }

  @Test("the last episode is known again far into a file, and a rename keeps the run's id")
  func farInto() {
    let rows = (1...2000).map { "1,\($0),0,0.001,126.5,32,308.25,9990.5,1\r\n" }.joined()
    var file = harness(Self.header + rows + "2,1,0,1,1,0,1,100,0\n")
    let cut = file.file.count - "2,1,0,1,1,0,1,100,0\n".utf8.count
    #expect(cut > 65536)
    let deltas = file.resumed(at: cut)
    #expect(deltas[1].episodes.map(\.state) == [.completed, .running] && deltas[1].episodes[0].episode == 1)
    file.path += ".1"
    #expect(file.resumed(at: cut)[1].steps[0].run == deltas[1].steps[0].run)
  }

  @Test("a repeated header is no row, and a file without a header has the seed's columns")
  func headers() {
    #expect(harness(Self.header + Self.row + Self.header + Self.row).pass().steps.count == 2)
    let bare = harness(Self.row).pass()
    #expect(bare.steps.first?.portfolioValue == 9990.135994140624 && bare.lines.isEmpty)
  }

  @Test("a row without its newline waits; it is taken, as malformed, only when the file is finished")
  func partialRow() {
    let text = Self.header + "1,1,0,1,1,0,1,100,0\n1,2,0,1,1,0,1,100"
    let waiting = harness(text).pass()
    #expect(waiting.steps.count == 1 && waiting.to < UInt64(text.utf8.count))
    let done = harness(text).pass(isFinished: true)
    #expect(done.steps.count == 1 && done.to == UInt64(text.utf8.count))
    #expect(done.lines.texts == ["1,2,0,1,1,0,1,100"])
    #expect(LineFlags(rawValue: done.lines.flags[0]) == [.malformed, .partial])
  }

  @Test("a line beyond the limit is passed over, and the rows after it are read")
  func longLine() {
    let long = String(repeating: "9", count: 3 << 20)
    let file = harness(Self.header + long + "\n" + Self.row)
    let whole = file.pass()
    #expect(whole.steps.count == 1 && whole.lines.count == 1)
    #expect(LineFlags(rawValue: whole.lines.flags[0]).contains([.malformed, .truncated]))
    // The newline is not there yet: what came so far is taken, and a restart finds itself inside the line.
    let resumed = file.resumed(at: Self.header.utf8.count + (2 << 20))
    #expect(Stored(resumed).fingerprint == Stored([whole]).fingerprint)
  }

  @Test("a small budget only means more deltas")
  func budget() {
    let text = Self.header + (1...50).map { "1,\($0),0,1,1,0,1,100,0\n" }.joined()
    var delta = FileDelta(file: harness(text).identity, from: 0, to: 0)
    var reader: any FormatReader = TrainingLogReader(context: harness(text).context(at: 0))
    let taken = harness(text).read(
      &reader, from: 0, to: text.utf8.count, isFinal: false, budget: 1000, into: &delta)
    #expect(taken < text.utf8.count && delta.steps.count >= 5 && delta.steps.count <= 12)
    #expect(Stored([harness(text).pass(budget: 300)]).fingerprint == Stored([harness(text).pass()]).fingerprint)
  }

  @Test("a reader made anew at any offset gives what one pass gives")
  func resume() {
    let text =
      Self.header + "1,1,1,0.5,1,2,3,100,1\r\n1,2,0,-0.5,1,2,3,99,1\nbroken\n1,3,0,nan,1,2,3,101,0\n\n"
      + Self.header + "2,1,2,0.25,1,2,3,100,-1\n2,2,2,0.25,1,2,3,90,-1\n1,4,0,1,1,2,3,102,0\n3,1,0,,,,,,\n"
    let file = harness(text)
    let expected = Stored([file.pass(isFinished: true)]).fingerprint
    for cut in 0...file.file.count {
      #expect(Stored(file.resumed(at: cut, isFinished: true)).fingerprint == expected, "cut at \(cut)")
    }
  }

  @Test("any truncation gives only rows of the whole file")
  func truncation() {
    let text = Self.header + Self.row + "10,2,0,1e-3,1,2,3,4,0\r\n11,1,0,1,1,2,3,4,0\r\n"
    let whole = harness(text).pass()
    for length in 0...text.utf8.count {
      let cut = ReaderHarness(Array(text.utf8.prefix(length))) { TrainingLogReader(context: $0) }
      for delta in [cut.pass(), cut.pass(isFinished: true)] {
        #expect(delta.steps.count <= whole.steps.count)
        for (step, known) in zip(delta.steps, whole.steps) { #expect("\(step)" == "\(known)") }
      }
    }
  }

  @Test("random bytes are read without a trap, each line once", arguments: 0..<100)
  func randomBytes(seed: UInt64) {
    var random = SplitMix(seed: seed)
    let alphabet = Array("0123456789,,,\n\r\"-.einf\0\u{e9}".utf8)
    let noise = (0..<2000).map { _ in
      seed % 2 == 0 ? UInt8.random(in: 0...255, using: &random) : alphabet.randomElement(using: &random)!
    }
    let file = ReaderHarness((seed % 3 == 0 ? Array(Self.header.utf8) : []) + noise) { TrainingLogReader(context: $0) }
    let delta = file.pass(isFinished: true)
    #expect(delta.to == UInt64(file.file.count))
    #expect(Stored(file.resumed(at: 1000, isFinished: true)).fingerprint == Stored([delta]).fingerprint, "seed \(seed)")
  }
}
