import FleetModel
import RuleFiles
import Testing

@testable import Rules

/// What a batch costs the shipped rules, counted in things that they look at.
@Suite struct CostTests {
  static let pack = RuleDirectory.rules([RulePackTests.root + "/deploy/rules"]).set

  /// All full: every rule on disks has to be judged.
  static func mounts(_ count: Int, _ at: Int64) -> Batch {
    var records = Records()
    for number in 0..<count {
      var disk = DiskSample()
      (disk.timeNs, disk.mountPoint) = (RuleEngineTests.start + at * RuleEngineTests.second, "/mnt/volume-\(number)")
      (disk.totalBytes, disk.availableBytes, disk.usedPercent) = (1_000_000, 10_000 - UInt64(at), 99)
      (disk.busyPercent, disk.waitMs, disk.isReadOnly) = (99, 500, true)
      records.disks.append(disk)
    }
    var batch = Batch()
    batch.wallNs = RuleEngineTests.start + at * RuleEngineTests.second
    batch.spooled = [
      SpooledRecords(lane: .live, firstSequence: UInt64(at + 1), lastSequence: UInt64(at + 1), records: records)
    ]
    return batch
  }

  private static func looks(_ count: Int) -> UInt64 {
    let engine = RuleEngine(pack)
    for at in Int64(0)..<4 { _ = RuleEngineTests.observe(engine, mounts(count, at * 60), at * 60) }
    return engine.looks
  }

  @Test func manyThingsCostInProportion() {
    let (few, many) = (Self.looks(125), Self.looks(1000))
    #expect(few > 0)
    #expect(many <= few * 12, "125 mounts cost \(few) looks, 1000 cost \(many)")
  }

  /// One letter in two forms is one `String`, but two mounts.
  @Test(arguments: [0, 100]) func thingsAreToldApartByTheirBytes(others: Int) throws {
    var host = HostState(id: RuleEngineTests.host, name: "h", labels: [:])
    for number in 0..<others { #expect(host.entity(.disk, "/\(number)") == number + 1) }
    let (composed, decomposed) = ("/mnt/caf\u{e9}", "/mnt/cafe\u{301}")
    #expect(host.entity(.disk, composed) == others + 1)
    #expect(host.known(.disk, decomposed) == nil)
    #expect(host.entity(.disk, decomposed) == others + 2)
    #expect(host.known(.disk, composed) == others + 1 && host.known(.disk, decomposed) == others + 2)
  }

  /// A service whose labels never repeat must not keep the rules from what else the host has.
  @Test func resultsOfProbesLeaveRoomForOtherThings() {
    var host = HostState(id: RuleEngineTests.host, name: "h", labels: [:])
    for number in 0..<2000 { _ = host.entity(.probe, "prometheus.x/p{n=\"\(number)\"}") }
    #expect(host.places(of: .probe).count == RuleLimits.probesMax && host.entity(.probe, "tcp/new") == nil)
    #expect(host.entity(.gpu, "0") != nil && host.entity(.probe, "prometheus.x/p{n=\"0\"}") == 1)
    host.forget([1])
    #expect(host.entity(.probe, "tcp/new") == 1)
  }

  @Test func thingsAreFoundAndForgottenHoweverMany() throws {
    var host = HostState(id: RuleEngineTests.host, name: "h", labels: [:])
    for number in 0..<200 { #expect(host.entity(.disk, "/\(number)") == number + 1) }
    for number in 0..<200 { #expect(host.known(.disk, "/\(number)") == number + 1) }
    #expect(host.known(.gpu, "/1") == nil)
    host.forget([5, 7])
    #expect(host.known(.disk, "/4") == nil)
    #expect(Set([host.entity(.disk, "/new"), host.entity(.gpu, "/new")]) == [5, 7])
    #expect(host.entity(.run, "r") == 201)
    #expect(host.entity(.disk, "/199") == 200)
    #expect(host.known(.gpu, "/new") != host.known(.disk, "/new"))
  }
}
