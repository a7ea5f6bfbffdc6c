import FleetModel
import Testing

@testable import Agent

/// CSV files of logged rows beside those of Stable-Baselines3 and RLlib: Lightning's and Keras'.
@Suite struct LoggedCSVTests {
  private static func harness(_ text: String, _ path: String) -> ReaderHarness {
    var file = ReaderHarness(text) { TrainingFormats.make($0) ?? LogReader($0, redactor: Redactor(), zone: { _ in 0 }) }
    file.path = path
    return file
  }

  @Test("Lightning's metrics.csv: rows by step, empty fields absent")
  func lightning() throws {
    let text = "epoch,step,train_loss,val_loss\r\n0,49,1.5,\r\n0,99,1.25,\r\n0,99,,1.125\r\n1,149,nan,\r\n"
    let file = Self.harness(text, "/srv/logs/version_0/metrics.csv")
    #expect(file.identity.format == .progressCSV)
    let delta = file.pass()
    #expect(delta.steps.map(\.step) == [49, 99, 99, 149] && delta.lines.isEmpty)
    #expect(delta.steps[2].metrics.map(\.name) == ["epoch", "step", "val_loss"])
    #expect(delta.steps[3].metrics[2].value.isNaN && delta.runs.map(\.framework) == ["lightning"])
  }

  @Test("Keras' CSVLogger: a row an epoch, whatever the file's name")
  func keras() throws {
    let file = Self.harness("epoch,accuracy,loss,val_loss\n0,0.5,1.5,1.6\n1,0.75,1.25,1.5\n", "/srv/history.csv")
    #expect(file.identity.format == .progressCSV)
    let delta = file.pass()
    #expect(delta.steps.map(\.step) == [0, 1] && delta.runs.map(\.framework) == ["keras"])
    #expect(Self.harness("epoch,name\n0,a\n", "/srv/other.csv").identity.format == .log)
    #expect(Self.harness("a,b\n1,2\n", "/srv/metrics.csv").identity.format == .log)
  }

  @Test("a file that Lightning writes anew with a column between the others gives each row once")
  func resorted() throws {
    let harness = try FollowingHarness(["*.csv"])
    try harness.append("metrics.csv", "epoch,step,train_loss\r\n")
    for step in 1...40 { try harness.append("metrics.csv", "0,\(step),\(Double(step) / 8)\r\n") }
    harness.run(seconds: 3)
    #expect(harness.collector.steps.count == 40)
    var text = "epoch,grad_norm,step,train_loss\r\n"
    for step in 1...40 { text += "0,,\(step),\(Double(step) / 8)\r\n" }
    try harness.truncate("metrics.csv")
    try harness.append("metrics.csv", text + "0,0.5,41,2.0\r\n")
    harness.run(seconds: 5)
    try harness.append("metrics.csv", "0,0.25,42,1.0\r\n")
    harness.run(seconds: 3)
    #expect(harness.collector.steps.map(\.step) == (1...42).map { Int64($0) })
    #expect(Set(harness.collector.steps.map(\.run)).count == 1)
    #expect(harness.collector.violations.isEmpty && harness.collector.losses.isEmpty)
  }
}
