internal import Answers
internal import FleetModel
internal import Store

/// What the page of the fleet shows beside the state of each host.
struct FleetParts: Sendable {
  /// Rows of its tables: the whole page stays below 200, with 10 000 hosts as well.
  static let incidentsMax = 20
  static let missingMax = 20
  static let hostsMax = 20
  static let runsMax = 10
  /// What the run's own page shows.
  static let leftOutOfRuns: Set<String> = ["episodes_completed", "sharpe_mean", "framework", "attempt"]

  /// Not resolved, the most urgent first; one more than are shown says that there are more.
  let incidents: Answer
  /// Incidents that page no one, because a silence or another incident mutes them.
  var muted: Int64 = 0
  let missing: Answer
  /// Worst first.
  let hosts: Answer
  let ingest: Answer
  let runs: Answer

  static func read(_ database: DatabasePool) async throws -> FleetParts {
    let answers = try await database.answers([
      (
        IncidentQueries.causes(limit: incidentsMax + 1),
        ShownColumns.incidents + [.init("muted_parts", "MUTED UNDER IT", rank: 6)]
      ),
      (FleetLiveQueries.missing(limit: missingMax), missingColumns),
      (FleetQueries.status(worst: hostsMax), ShownColumns.fleet), (FleetLiveQueries.ingest(), []),
      (TrainingQueries.runs(host: nil, state: "running", limit: runsMax), ShownColumns.runs),
      (IncidentQueries.muted(), []),
    ])
    let muted: Int64 = if case .integer(let count)? = answers[5].value("muted") { count } else { 0 }
    return FleetParts(
      incidents: answers[0].without(["entity", "rule", "muted_by"]), muted: muted, missing: answers[1],
      hosts: answers[2], ingest: answers[3],
      runs: answers[4].without(Self.leftOutOfRuns))
  }

  private static let missingColumns: [Answer.Column] = [
    .init("host", "HOST", rank: 0), .init("state", "STATE", rank: 1), .init("last_seen", "SEEN", .age, rank: 2),
    .init("why", "WHY", rank: 3), .init("run", "LAST RUN", rank: 4),
  ]
}

/// The fleet as its page shows it, read once for all who look.
struct FleetOverview: Sendable {
  enum Order: String, CaseIterable, Sendable {
    case trouble, missing, hosts, name
  }

  let state: FleetState
  let parts: FleetParts
  let asOfNs: Int64
  /// The database does not answer: this is its last answer.
  var isAway = false
  /// nil: not known, because the question failed.
  var idle: IdleGPUs?

  func page(by: String, order: Order, nowNs: Int64) -> Page {
    var page = Page(
      title: "Fleet", blocks: head(nowNs) + trouble + map(by: by, order: order), command: "signalbox fleet status")
    page.blocks += missing + idleBlocks
    page.blocks += [.heading("Reports"), .text(ingest(nowNs)), .links([("What never arrived", path: "/gaps")])]
    page.blocks += runs + hosts(nowNs)
    page.live = state.revision
    return page
  }

  private func head(_ nowNs: Int64) -> [Page.Block] {
    let sentence = Page.Block.text(Presence(state, asOfNs: asOfNs).sentence)
    guard isAway else { return [sentence] }
    return [
      .notice(
        "The database does not answer. What stands here is as it was \(TimeSpan.age(nowNs - asOfNs)) ago, at "
          + "\(Timestamp.text(asOfNs, digits: 0)); this page shows the present again when it answers."), sentence,
    ]
  }

  private var trouble: [Page.Block] {
    let open = state.incidents.reduce(0, +)
    var blocks: [Page.Block] = [
      open == 0
        ? .text(
          parts.incidents.rows.isEmpty && parts.muted == 0
            ? "No incident is open." : "Nothing is open that nobody has taken or muted.")
        : .notice("\(open) open incident\(open == 1 ? "" : "s")\(severities)")
    ]
    if !parts.incidents.rows.isEmpty {
      let shown = parts.incidents.first(FleetParts.incidentsMax)
      blocks.append(.table(name: "incidents", shown, links: [RouteTable.toIncident, RouteTable.toHost], empty: ""))
    }
    let more = parts.incidents.rows.count > FleetParts.incidentsMax ? [("All incidents", path: "/incidents")] : []
    let muted = parts.muted > 0 ? [("\(parts.muted) muted", path: "/incidents?state=muted")] : []
    if !(more + muted).isEmpty { blocks.append(.links(more + muted)) }
    return blocks
  }

  /// ": 1 P0, 3 P2".
  private var severities: String {
    let named = state.incidents.enumerated().filter { $0.element > 0 }.map { "\($0.element) P\($0.offset)" }
    return named.isEmpty ? "" : ": " + named.joined(separator: ", ")
  }

  private func map(by: String, order: Order) -> [Page.Block] {
    if state.codes.isEmpty { return [] }
    let groups = FleetGroups(state, by: by)
    let choice = { (key: String, sort: Order) in
      "/?by=\(PercentEncoding.pathPart(key))&sort=\(sort.rawValue)"
    }
    var blocks: [Page.Block] = [
      .heading("Hosts by \(FleetGroups.word(by))"),
      .choices(
        "Group by:", state.inventory.keys.map { .init(FleetGroups.word($0), choice($0, order), isChosen: $0 == by) }),
      .map(FleetMap(by: by, sentence: groups.sentence)), RouteTable.search(),
      .choices("Sort by:", Order.allCases.map { .init($0.rawValue, choice(by, $0), isChosen: $0 == order) }),
      .table(
        name: "groups", groups.answer(order), links: [.init(column: "group", path: "/hosts?q=", key: "search")],
        empty: ""),
    ]
    if groups.leftOut > 0 { blocks.append(.text("\(groups.leftOut) more groups, which these are sorted before.")) }
    return blocks
  }

  private var idleBlocks: [Page.Block] {
    // A fleet without GPUs has none that are idle.
    guard state.inventory.hosts.contains(where: { $0.gpuCount > 0 }) else { return [] }
    return idle?.blocks ?? [
      .heading("GPUs held and idle"), .text("They were not counted: the question took too long."),
    ]
  }

  private var missing: [Page.Block] {
    let count = state.counts.dropFirst().reduce(0, +)
    if count == 0 { return [] }
    let more = count - parts.missing.rows.count
    return [
      .heading("Missing"), .table(name: "missing", parts.missing, links: [RouteTable.toHost], empty: ""),
    ] + (more > 0 ? [.text("\(more) more: signalbox fleet status shows them.")] : [])
  }

  private func ingest(_ nowNs: Int64) -> String {
    let number = { (name: String) -> Int64 in
      if case .integer(let number)? = parts.ingest.value(name) { number } else { 0 }
    }
    guard case .time(let newestNs)? = parts.ingest.value("newest") else { return "No report has come yet." }
    var said = ["The newest report came \(TimeSpan.age(max(0, asOfNs - newestNs))) before this was read"]
    let (behind, backlog) = (number("behind"), number("backlog_bytes"))
    said.append(
      behind == 0
        ? "no host is behind"
        : "\(behind) \(behind == 1 ? "host is" : "hosts are") behind, with \(Quantity.bytes(Double(backlog))) to send")
    if number("skewed") > 0 { said.append("the clock of \(number("skewed")) is off by more than 5 s") }
    if number("dropped") > 0 { said.append("\(number("dropped")) have dropped records") }
    let gaps = number("gaps")
    said.append(
      gaps == 0 ? "nothing was lost in the last day" : "\(gaps) range\(gaps == 1 ? "" : "s") lost in the last day")
    return said.joined(separator: "; ") + "."
  }

  private var runs: [Page.Block] {
    if parts.runs.rows.isEmpty { return [] }
    return [
      .heading("Live runs"),
      .table(name: "runs", parts.runs, links: [RouteTable.toRun, RouteTable.toHost], empty: ""),
    ]
  }

  private func hosts(_ nowNs: Int64) -> [Page.Block] {
    let more = state.codes.count - parts.hosts.rows.count
    return [
      .heading(more > 0 ? "Hosts, the worst first" : "Hosts"),
      .table(name: "hosts", parts.hosts, links: [RouteTable.toHost], empty: "No host has joined yet."),
    ] + (more > 0 ? [.links([("\(more) more hosts", path: "/hosts")])] : [])
  }
}

/// Hosts that have one label or attribute in common.
struct FleetGroups {
  private struct Group {
    var name = ""
    var counts = [0, 0, 0, 0]
    /// Hosts with open incidents, by the worst: none, P3, P2, P1, P0.
    var troubles = [0, 0, 0, 0, 0]
    var gpus: Int64 = 0
  }

  static let rowsMax = 30
  static let none = "(none)"

  private var groups: [Group] = []
  private let by: String

  var leftOut: Int { max(0, groups.count - Self.rowsMax) }

  init(_ state: FleetState, by: String) {
    self.by = by
    var places: [String: Int] = [:]
    for (host, code) in zip(state.inventory.hosts, state.codes) {
      let value = host.value(of: by)
      let place = places[value] ?? groups.count
      if place == groups.count {
        places[value] = place
        groups.append(Group(name: value))
      }
      groups[place].counts[FleetState.presence(code).rawValue] += 1
      groups[place].troubles[min(4, FleetState.trouble(code))] += 1
      groups[place].gpus += host.gpuCount
    }
  }

  /// For people: `gpu_model` is a name of the interface.
  static func word(_ key: String) -> String {
    switch key {
    case "gpu_model": "GPU model"
    case "os_name": "system"
    default: key
    }
  }

  /// What the drawing shows, in words.
  var sentence: String {
    let bad = groups.count { $0.troubles.dropFirst().contains { $0 > 0 } || $0.counts.dropFirst().contains { $0 > 0 } }
    let all = "\(groups.count) group\(groups.count == 1 ? "" : "s")"
    return bad == 0
      ? "\(all): no host in them is missing or has an open incident" : "\(bad) of \(all) with trouble or missing hosts"
  }

  func answer(_ order: FleetOverview.Order) -> Answer {
    let sorted = groups.sorted { left, right in
      let keys = [left, right].map { group -> [Int] in
        switch order {
        case .trouble: group.troubles.dropFirst().reversed().map { -$0 } + [group.counts[0] - Self.size(group)]
        case .missing: [group.counts[0] - Self.size(group)]
        case .hosts: [-Self.size(group)]
        case .name: []
        }
      }
      return keys[0] == keys[1] ? left.name < right.name : keys[0].lexicographicallyPrecedes(keys[1])
    }
    return Answer(
      columns: [
        .init("group", "GROUP"), .init("hosts", "HOSTS"), .init("live", "LIVE"), .init("late", "LATE"),
        .init("silent", "SILENT"), .init("never", "NEVER"), .init("p0", "P0"), .init("p1", "P1"), .init("p2", "P2"),
        .init("p3", "P3"), .init("gpus", "GPUS"), .init("search", forPeopleOnly: true),
      ],
      rows: sorted.prefix(Self.rowsMax).map { group in
        [.text(group.name.isEmpty ? Self.none : group.name), .integer(Int64(Self.size(group)))]
          + (group.counts + group.troubles.dropFirst().reversed()).map { .integer(Int64($0)) }
          + [.integer(group.gpus), .text("\(by)=\(group.name)")]
      })
  }

  private static func size(_ group: Group) -> Int { group.counts.reduce(0, +) }
}
