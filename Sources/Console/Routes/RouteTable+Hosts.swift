internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

/// Finding hosts, and what never arrived of them.
extension RouteTable {
  static let hostSearch: [Route] = [
    Route(
      method: .get, path: "/hosts", role: .viewer, summary: "Hosts by name, label or what they are.",
      parameters: [
        .init(
          "q", .query, .text, "A part of the name, a pattern with *, or KEY=VALUE of a label, gpu_model or os_name.",
          example: "rack=7")
      ], allowsEmpty: true, shape: .page
    ) { question in .page(try await hostsPage(question)) },
    Route(
      method: .get, path: "/gaps", role: .viewer, summary: "What never arrived, and why; what is not read at all.",
      parameters: [host, since], allowsEmpty: true, shape: .page
    ) { question in .page(try await gapsPage(question)) },
  ]

  static func search(_ text: String = "") -> Page.Block {
    .search(.init(path: "/hosts", button: "Find", inputs: [.init(name: "q", label: "Host", value: text)]))
  }

  private static func hostsPage(_ question: Question) async throws -> Page {
    let text = (question["q"] ?? "")[...].trimmingBlanks()
    let state = try await question.console.fleet.state()
    let names = state.value.inventory.names(matching: text)
    var found = try await question.console.fleet.status().value
    let place = found.columns.firstIndex { $0.name == "host" }
    found.rows = found.rows.filter { row in
      if let place, case .text(let name) = row[place] { names.contains(name) } else { false }
    }
    let count = found.rows.count
    var blocks: [Page.Block] = [
      search(text), .text("\(count) host\(count == 1 ? "" : "s") match\(count == 1 ? "es" : "")."),
    ]
    if count > rowsMax {
      blocks.append(.text("The first \(rowsMax) by name: narrow the search, or ask /api/v1/hosts."))
    }
    blocks.append(
      .table(
        name: "hosts", found.first(rowsMax), links: [toHost],
        empty: text.isEmpty
          ? "No host has joined." : "No host matches: a * stands for any text, KEY=VALUE asks for a label."))
    return Page(title: "Hosts", blocks: blocks, command: "signalbox hosts list")
  }

  private static func gapsPage(_ question: Question) async throws -> Page {
    try await requireHost(question["host"], question)
    let answers = try await question.database.answers([
      (
        FleetQueries.gaps(host: question["host"], sinceNs: question.moment("since"), newest: rowsMax + 1), lossColumns
      ),
      (FollowingQueries.passedOver(host: question["host"]), []),
    ])
    let (lost, notes) = (answers[0], FollowingNotes.notes(answers[1]))
    let inventory = try await question.console.fleet.state().value.inventory
    let names = question["host"].map { pattern in
      inventory.hosts.map(\.name).filter { StarPattern.matches($0, pattern) }
    }
    let presence = try await question.console.fleet.presence(of: names)
    var blocks: [Page.Block] = [
      .search(
        .init(
          path: "/gaps", button: "Show",
          inputs: [
            .init(name: "host", label: "Host", value: question["host"] ?? ""),
            .init(name: "since", label: "Since", value: question["since"] ?? ""),
          ])),
      .table(
        name: "gaps", lost.first(rowsMax), links: [toHost],
        empty: notes.isEmpty ? "Nothing that was reported was lost." : "Nothing of what is followed was lost."),
      // What a host that is away has lost is not known yet.
      .text(presence.sentence),
    ]
    if lost.rows.count > rowsMax { blocks.append(.text("The newest \(rowsMax); signalbox gaps lists them all.")) }
    if !notes.isEmpty { blocks += [.heading("Found and not read"), .items(notes, isNumbered: false)] }
    return Page(title: "Gaps", blocks: blocks, command: "signalbox gaps")
  }

  private static let lossColumns: [Answer.Column] = [
    .init("host", "HOST", rank: 1), .init("file", "FILE", rank: 2), .init("from", "FROM", rank: 4),
    .init("to", "TO", rank: 5), .init("reason", "WHY", rank: 0), .init("time", "TIME", rank: 3),
    .init("is_estimate", "ESTIMATE", rank: 6),
  ]
}

extension FleetInventory {
  /// - Parameter text: a part of the name in any case, a pattern of the whole name with `*`, or `KEY=VALUE`; empty: all.
  func names(matching text: String) -> Set<String> {
    if let equals = text.firstIndex(of: "=") {
      let (key, value) = (String(text[..<equals]), String(text[text.index(after: equals)...]))
      return Set(hosts.filter { StarPattern.matches($0.value(of: key), value) }.map(\.name))
    }
    if text.contains("*") { return Set(hosts.filter { StarPattern.matches($0.name, text) }.map(\.name)) }
    let part = text.lowercased()
    return Set(hosts.filter { part.isEmpty || $0.name.lowercased().contains(part) }.map(\.name))
  }
}
