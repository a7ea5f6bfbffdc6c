import Answers
import FleetModel
import Foundation
import Store
import Testing

@testable import Console

/// The page of the fleet, without a database.
@Suite struct FleetPageTests {
  private static func rows(_ shown: [Answer.Column], _ count: Int, _ cell: (String) -> Cell) -> Answer {
    Answer(columns: shown, rows: (0..<count).map { _ in shown.map { cell($0.name) } })
  }

  /// Every table as full as it may be.
  private static func full(nowNs: Int64) -> FleetParts {
    let cell = { (name: String) -> Cell in
      switch name {
      case "last_seen", "opened", "started", "updated": .time(nowNs - 240_000_000_000)
      case "cpu_busy_percent", "memory_used_percent", "disk_used_percent_max", "load1", "reward_mean": .real(93)
      case "runs_live", "episodes", "steps": .integer(3)
      default: .text("a text of \(name)")
      }
    }
    return FleetParts(
      incidents: rows(ShownColumns.incidents, FleetParts.incidentsMax + 1, cell).without(["entity", "rule"]),
      missing: rows(["host", "state", "last_seen", "why", "run"].map { .init($0, $0) }, FleetParts.missingMax, cell),
      hosts: rows(ShownColumns.fleet, FleetParts.hostsMax, cell),
      ingest: Answer(
        columns: ["newest", "behind", "backlog_bytes", "dropped", "skewed", "gaps"].map { .init($0) },
        rows: [[.time(nowNs - 400_000_000), .integer(3), .integer(12 << 20), .integer(0), .integer(1), .integer(0)]]),
      runs: rows(
        ShownColumns.runs.filter { !FleetParts.leftOutOfRuns.contains($0.name) }, FleetParts.runsMax, cell))
  }

  private static var idle: IdleGPUs {
    var rows: [[Cell]] = []
    for index in 0..<400 {
      let user: Cell = index % 2 == 0 ? .text("ann") : index % 4 == 1 ? .text("ben") : .null
      rows.append([
        .text("gpu-\(index)"), .integer(0), .text("H200"), .real(1), .text("true"), .integer(8 << 30), user,
        .text("ppo"),
        .integer(Int64(index)),
      ])
    }
    let hours: [[Cell]] = [[.real(1000), .real(400)]]
    return IdleGPUs(
      gpus: Answer(columns: IdleGPUs.columns, rows: rows),
      hours: Answer(columns: [.init("reported_hours"), .init("idle_hours")], rows: hours))
  }

  private static func html(_ page: Page, nowNs: Int64) -> String {
    let caller = Caller(name: "ann", role: .admin, kind: .session, credentialID: "a")
    return String(
      decoding: PageFrame(page: page, caller: caller, formToken: "token", nowNs: nowNs).html, as: UTF8.self)
  }

  /// 10 000 hosts in 300 groups, with trouble in every list.
  @Test func theLargestFleetIsASmallPage() {
    let nowNs: Int64 = 1_800_000_000_000_000_000
    let inventory = LiveTests.inventory(10_000) { "{\"rack\":\"rack-\($0 % 300)\"}" }
    let codes = (0..<10_000).map { UInt8(ascii: "A") + UInt8($0 % 20) }
    let state = FleetState(inventory: inventory, codes: codes, incidents: [3, 4, 5, 6], news: "1")
    var overview = FleetOverview(state: state, parts: Self.full(nowNs: nowNs), asOfNs: nowNs)
    #expect(inventory.usualKey == "rack" && inventory.keys == ["rack", "gpu_model", "os_name"])
    overview.idle = Self.idle
    let html = Self.html(overview.page(by: "rack", order: .trouble, nowNs: nowNs), nowNs: nowNs)
    #expect(html.contains("400.0 of 1000.0 GPU-hours today were held and idle.") && html.contains("397 more"))
    #expect(Self.idle.owners.rows.first == [.text("ann"), .real(200)], "\(Self.idle.owners.rows)")
    let nodes = html.split(separator: "<").count { $0.first?.isLetter == true }
    let rows = html.components(separatedBy: "<tr").count - 1
    #expect(nodes <= 1_500 && rows <= 200 && html.utf8.count <= 100_000, "\(nodes) \(rows) \(html.utf8.count)")
    #expect(html.contains("18 open incidents: 3 P0, 4 P1, 5 P2, 6 P3"))
    #expect(html.contains("2500 of 10000 hosts are live; late: "))
    #expect(html.contains("270 more groups"))
    #expect(
      html.contains("3 hosts are behind, with 12 MB to send") || html.contains("3 hosts are behind, with 12.0 MiB"))
    // Figures of a host that has not reported for four minutes carry that.
    #expect(html.contains("<tr class=\"old\">") && html.contains("<small>4m old</small>"), "\(html.suffix(6000))")
    // The script's map: names and groups of all hosts.
    let document = FleetMap.document(inventory, by: "rack")
    #expect(document.count < 250_000)
  }

  @Test func aQuietFleetSaysSo() {
    var parts = Self.full(nowNs: 0)
    parts = FleetParts(
      incidents: parts.incidents.first(0), missing: parts.missing.first(0), hosts: parts.hosts.first(0),
      ingest: parts.ingest.first(0), runs: parts.runs.first(0))
    let overview = FleetOverview(state: LiveTests.state("AAA"), parts: parts, asOfNs: 0)
    let text = Markdown.text(overview.page(by: "gpu_model", order: .name, nowNs: 0), nowNs: 0)
    for words in [
      "All 3 hosts are live.", "No incident is open.", "2 groups: no host in them is missing or has an open incident",
    ] {
      #expect(text.contains(words), "\(text)")
    }
    #expect(!text.contains("Missing") && !text.contains("does not answer"))
    var away = overview
    away.isAway = true
    let old = Markdown.text(away.page(by: "gpu_model", order: .name, nowNs: 65_000_000_000), nowNs: 65_000_000_000)
    #expect(old.contains("The database does not answer. What stands here is as it was"), "\(old)")
  }

  @Test func groupsAreCountedAndSorted() {
    let inventory = LiveTests.inventory(6) { "{\"rack\":\"\(["a", "b", "c"][$0 / 2])\"}" }
    let codes = "ABACAQ".utf8.map(\.self)
    let groups = FleetGroups(
      FleetState(inventory: inventory, codes: codes, incidents: [1, 0, 0, 0], news: ""), by: "rack")
    let names = { (order: FleetOverview.Order) in groups.answer(order).rows.map { $0[0] } }
    #expect(names(.trouble).first == .text("c"), "one with an open P0 comes first")
    #expect(names(.name) == [.text("a"), .text("b"), .text("c")])
    #expect(names(.missing).last == .text("c"))
    let row = groups.answer(.name).rows[2]
    #expect(
      row == [.text("c"), .integer(2), .integer(2)] + [0, 0, 0, 1, 0, 0, 0, 8].map { Cell.integer($0) }
        + [.text("rack=c")], "\(row)")
    #expect(groups.sentence == "3 of 3 groups with trouble or missing hosts")
  }

  @Test func hostileNamesStayText() {
    let hostile = "</script><b>\u{202e}x"
    let columns = ["inventory", "host", "gpu_model", "os_name", "gpu_count", "labels"].map { Answer.Column($0) }
    let inventory = FleetInventory(
      Answer(
        columns: columns, rows: [[.text("k"), .text(hostile), .text(hostile), .text(""), .integer(1), .json("{}")]]))
    let document = String(decoding: FleetMap.document(inventory, by: "gpu_model"), as: UTF8.self)
    #expect(!document.unicodeScalars.contains("\u{202e}") && document.contains("\\u202e"))
    let state = FleetState(inventory: inventory, codes: [65], incidents: [0, 0, 0, 0], news: "")
    let overview = FleetOverview(state: state, parts: Self.full(nowNs: 0), asOfNs: 0)
    let html = Self.html(overview.page(by: "gpu_model", order: .trouble, nowNs: 0), nowNs: 0)
    #expect(!html.contains("<b>") && !html.unicodeScalars.contains("\u{202e}"))
  }
}
