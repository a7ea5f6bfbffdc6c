import Files
import FleetModel
import Foundation
import Postgres
import TLS
import Testing

extension EndToEndTests {
  /// What ends with time: hosts' certificates and the fleet's authority, with the real programs.
  @Suite(.timeLimit(.minutes(10))) struct CertificateEnd {
    private static let cut = #""reason":"expired""#
    private let certificates = "select count(*) from signalbox.certificates"

    private func live(_ name: String, certificateSeconds: Int) throws -> TestFleet {
      let fleet = try TestFleet(name)
      try fleet.startCollector(["--certificate-seconds", "\(certificateSeconds)"])
      try fleet.join()
      try fleet.startAgent()
      try fleet.eventually("a live host") { try fleet.value("select count(*) from host_samples") > 0 }
      return fleet
    }

    private func eventuallySampled(_ fleet: TestFleet) throws {
      let before = try fleet.value("select count(*) from host_samples")
      try fleet.eventually("fresh samples", within: 240) {
        try fleet.value("select count(*) from host_samples") > before + 3
      }
    }

    /// Its first certificates end, and their connections would be cut, while it goes on.
    @Test func aHostThatRenewsInTimeIsNeverCutAndLosesNothing() throws {
      let fleet = try live("renewals", certificateSeconds: 60)
      defer { fleet.tearDown() }
      // A connection is cut a minute after its certificate.
      try fleet.eventually("the time of a cut", within: 300) {
        try fleet.value("select count(*) from signalbox.certificates where expires < now() - interval '70 s'") > 0
      }
      #expect(try fleet.value(certificates) >= 3)
      try eventuallySampled(fleet)
      #expect(fleet.collector?.errors.contains(Self.cut) == false)
      #expect(fleet.agent?.errors.contains("not renewed") == false)
      #expect(try fleet.value("select count(*) from loss_ledger") == 0)
      let renewals = "select count(*) from signalbox.audit_log where action = 'hosts.certificate'"
      #expect(try fleet.value(renewals + " and detail like 'renewal,%'") > 0)
      #expect(try fleet.value(renewals + " and detail like 'late_renewal,%'") == 0)
    }

    /// The agent cannot write its next key until its certificate has ended and its connection was cut.
    @Test func aConnectionIsCutAfterItsCertificateAndTheHostStillRenews() throws {
      let fleet = try live("cut", certificateSeconds: 8)
      defer { fleet.tearDown() }
      #expect(fleet.stopAgent() == 0)
      let generations = try HostFiles.list(fleet.agentState + "/identity").compactMap(Int.init)
      let obstacle = "\(fleet.agentState)/identity/\((generations.max() ?? 0) + 1)/key.pem"
      try? HostFiles.removeTree(obstacle)
      try FileManager.default.createDirectory(atPath: obstacle + "/x", withIntermediateDirectories: true)
      try fleet.restartAgent()
      try fleet.eventually("the cut", within: 180) { fleet.collector?.errors.contains(Self.cut) == true }
      // Nothing but a renewal is taken from it now.
      try fleet.eventually("the refusal") { fleet.agent?.errors.contains("disconnected") == true }
      let known = try fleet.value(certificates)
      try HostFiles.removeTree(obstacle)
      try fleet.eventually("the late renewal", within: 180) {
        try fleet.value("select count(*) from signalbox.audit_log where detail like 'late_renewal,%'") > 0
      }
      #expect(try fleet.value(certificates) > known)
      try eventuallySampled(fleet)
      #expect(try fleet.value("select count(*) from loss_ledger") == 0)
    }

    /// A renewal waits in the database until the certificate has ended; the answer to the first one is lost as well.
    @Test func aRenewalUnderWayAtTheEndDoesNotLockTheHostOut() throws {
      let fleet = try live("late", certificateSeconds: 12)
      defer { fleet.tearDown() }
      let holder = try fleet.connect()
      try holder.execute("begin; lock table signalbox.certificates in exclusive mode")
      let end = Double(try fleet.value("select extract(epoch from max(expires))::int8 from signalbox.certificates"))
      let waiting = "select count(*) from pg_locks where relation = 'signalbox.certificates'::regclass and not granted"
      try fleet.eventually("a renewal that waits at the end") {
        try Date().timeIntervalSince1970 > end + 1 && fleet.value(waiting) > 0
      }
      fleet.killAgent()
      try fleet.restartAgent()
      try fleet.eventually("the next agent's renewal") { try fleet.value(waiting) > 0 }
      try holder.execute("rollback")
      holder.close()
      try eventuallySampled(fleet)
      try fleet.eventually("another certificate") {
        try fleet.value("select count(*) from signalbox.certificates where expires > to_timestamp(\(end + 1))") > 0
      }
    }

    /// An agent that was off for longer than its certificate lasts.
    @Test func aHostThatComesBackAfterItsCertificatesEndRenewsAtItsFirstConnection() throws {
      let fleet = try live("away", certificateSeconds: 8)
      defer { fleet.tearDown() }
      #expect(fleet.stopAgent() == 0)
      let left = "select count(*) from signalbox.certificates where expires > now()"
      try fleet.eventually("the end") { try fleet.value(left) == 0 }
      try fleet.restartAgent()
      try eventuallySampled(fleet)
      #expect(try fleet.value("select count(*) from loss_ledger") == 0)
    }

    /// An authority of which 30 days are left; its root's key is elsewhere. Renewed once beside a running collector, once while none runs.
    @Test(arguments: [true, false])
    func theAuthoritysEndIsAnIncidentUntilItIsRenewed(isRunning: Bool) throws {
      let fleet = try TestFleet("authority-end")
      defer { fleet.tearDown() }
      let days: Int64 = 86_400_000_000_000
      try HostFiles.makeDirectory(fleet.collectorState, mode: 0o755)
      let created = Int64(Date().timeIntervalSince1970) * 1_000_000_000 - 700 * days
      _ = try CertificateAuthority.create(directory: fleet.collectorState, nowNs: created)
      let rootKey = fleet.collectorState + "/ca/root.key"
      try FileManager.default.moveItem(atPath: rootKey, toPath: fleet.directory + "/root.key")
      // Certificates of a minute are looked at every three seconds.
      try fleet.startCollector(["--server-certificate-seconds", "60"])
      try fleet.eventually("an incident") {
        try fleet.value("select count(*) from incidents where rule = 'SIGNALBOX-AUTHORITY' and state = 'open'") == 1
      }
      let incident = try fleet.json("incidents", "list").first
      #expect(incident?["severity"] as? String == "P2")
      #expect(incident?["runbook"] as? String == "docs/runbooks/SIGNALBOX-AUTHORITY.md")
      let detail = try Program.run("/usr/bin/curl", ["-s", "http://\(fleet.metricsAddress)/health-detail"]).output
      #expect(detail.contains("authority: the fleet's issuing authority ends in 29 days"), "\(detail)")
      #expect(try fleet.health().hasPrefix("ok"))
      let words = ["ca", "status", "--state-dir", fleet.collectorState]
      let status = try Program.run("signalbox", words)
      #expect(status.code == 0 && status.errors.contains("ends in 29 days"), "\(status)")
      if !isRunning { #expect(fleet.stopCollector() == 0) }
      try FileManager.default.moveItem(atPath: fleet.directory + "/root.key", toPath: rootKey)
      #expect(try Program.run("signalbox", ["ca", "renew", "--state-dir", fleet.collectorState]).code == 0)
      if !isRunning { try fleet.startCollector() }
      try fleet.eventually("the incident's end") {
        try fleet.value("select count(*) from incidents where state = 'resolved' and resolved_by = 'rule'") == 1
      }
      #expect(try fleet.value("select count(*) from incidents") == 1)
      #expect(try !Program.run("signalbox", words).errors.contains("ends in"))
    }
  }
}
