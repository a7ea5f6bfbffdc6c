import Foundation
import Testing

extension EndToEndTests {
  /// What a collector does for many that it does not know.
  @Suite(.timeLimit(.minutes(10))) struct Strangers {
    /// More than one address may join at once: those that are refused for now try again.
    @Test func moreHostsThanMayJoinAtOnceAllJoin() throws {
      let fleet = try TestFleet("joins")
      defer { fleet.tearDown() }
      try fleet.startCollector()
      let count = 40
      let tokens = try (0..<count).map {
        try fleet.signalbox("hosts", "invite", "host-\($0)").output.trimmingCharacters(in: .newlines)
      }
      let joins = try tokens.enumerated().map { number, token in
        try Program(
          "signalbox-agent", ["join", token, "--state-dir", "\(fleet.directory)/agent-\(number)"],
          errorPath: "\(fleet.directory)/join-\(number).err")
      }
      let codes = joins.map { $0.wait(within: 240) }
      #expect(codes == [Int32](repeating: 0, count: count))
      #expect(try fleet.value("select count(*) from signalbox.certificates") == Int64(count))
      #expect(try fleet.metric("signalbox_enrolment_joins_refused_total") == 0)
    }

    /// Memory and the status port under `Tests/attacks.py`, whose other parts are figures of time.
    @Test func strangersTakeLittleMemoryAndDoNotBlindHealth() throws {
      let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("attacks.py").path
      let result = try Program.run(
        "/usr/bin/env", ["python3", script, "anonymous-memory", "health"],
        environment: ["SIGNALBOX_BIN": Program.directory.path], within: 300)
      #expect(result.code == 0, "\(result.output)\(result.errors)")
    }
  }
}
