import Files
import Foundation
import TestSupport
import Testing

extension EndToEndTests {
  /// Who is on call, as a person asks it while the configuration changes and collectors come and go.
  @Suite(.timeLimit(.minutes(10))) struct OnCall {
    private static let paging = """
      paging:
        receivers: { duty: { webhook: { url: "http://127.0.0.1:1/" } } }
        schedules: { primary: { rotation: [duty] } }
        policies: { P0: [{ to: primary }] }
      """

    /// What the last collector published is no answer once none delivers pages.
    @Test func withoutPagingNobodyIsOnCall() throws {
      let fleet = try TestFleet("oncall")
      defer { fleet.tearDown() }
      let file = fleet.directory + "/signalbox.yaml"
      func write(_ text: String) throws { try HostFiles.replace(file, with: Array(text.utf8)) }
      func expectNobody(_ sentence: String) throws {
        try fleet.eventually("nobody on call") {
          let result = try fleet.signalbox("oncall", "now")
          return result.code == 3 && result.errors.contains(sentence)
        }
        #expect(try fleet.json("oncall", "now").isEmpty)
      }
      try write("retention: {}\n")
      try fleet.startCollector(["--config", file])
      try expectNobody("nobody is on call: no collector has delivered pages yet; one that runs with paging:")
      try write(Self.paging)
      fleet.signalCollector(SIGHUP)
      try fleet.eventually("the turn") { try fleet.json("oncall", "now").first?["receiver"] as? String == "duty" }
      try write("retention: {}\n")
      fleet.signalCollector(SIGHUP)
      try expectNobody("nobody is on call: no collector has delivered pages since 20")
      // A name that there is none of ends with the same code as any other.
      try write(Self.paging)
      fleet.signalCollector(SIGHUP)
      try fleet.eventually("the turn again") { try fleet.signalbox("oncall", "now").code == 0 }
      let words = ["override", "primary", "--for", "1h", "--to", "nobody"]
      let unknown = try Program.run(
        "signalbox", ["oncall"] + words, environment: ["SIGNALBOX_DATABASE_URL": fleet.databaseURL])
      #expect(unknown.code == 3 && unknown.errors.contains("nobody"), "\(unknown)")
      // Removed while the collector was stopped, no one is left who could withdraw it.
      #expect(fleet.stopCollector() == 0)
      try write("retention: {}\n")
      try fleet.startCollector(["--config", file])
      try fleet.execute("update signalbox.leases set expires = now() - interval '61 s' where name = 'paging'")
      try expectNobody("nobody is on call: no collector has delivered pages since 20")
    }
  }
}
