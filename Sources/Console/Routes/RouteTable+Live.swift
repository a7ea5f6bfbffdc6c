internal import FleetModel
internal import HTTPTypes
internal import Store

extension RouteTable {
  /// What pages are drawn with; without a login, because the page that logs in needs them as well.
  static let files: [Route] =
    StaticFile.all.map { file in
      Route(
        method: .get, path: file.path, role: nil, summary: file.summary, shape: .document(file.type)
      ) { _ in .document(file.bytes, contentType: file.contentType) }
    }
    + ChartLibrary.File.all.map { file in
      Route(
        method: .get, path: file.path, role: nil, summary: "\(file.name) of uPlot 1.6.31, which draws charts.",
        shape: .document(file.type)
      ) { question in
        let library = question.console.charts
        guard let bytes = library.bytes(of: file) else {
          throw Problem(.notFound, "this console has no uPlot, and draws charts without it: \(library.missing ?? "")")
        }
        return .document(bytes, contentType: file.type + "; charset=utf-8")
      }
    }

  static let frames = Route.Parameter(
    "frames", .query, .integer(1...1_000_000), "End after so many frames.", example: "10")

  static let live: [Route] = [
    Route(
      method: .get, path: "/api/v1/live", role: .viewer,
      summary:
        "The fleet as it changes, as server-sent events: fleet (everything, one letter a host), change, resync (frames were lost), away, end.",
      parameters: [frames], shape: .document("text/event-stream")
    ) { question in
      guard let caller = question.caller else { throw Problem.unauthorized }
      try question.console.live.requireRoom(for: caller)
      let stream = LiveStream(
        hub: question.console.live, caller: caller, frames: question.integer("frames").map { Int($0) },
        whenGone: question.whenGone)
      return .stream(stream.body, .events)
    },
    Route(
      method: .get, path: "/api/v1/live/map", role: .viewer,
      summary: "Names and groups of the hosts, in the order of the letters of /api/v1/live.",
      parameters: [by], shape: .document("application/json")
    ) { question in
      let inventory = try await question.console.fleet.state(maxAgeNs: 60 * FleetFeed.maxAgeNs).value.inventory
      return .document(
        FleetMap.document(inventory, by: try key(question, inventory)), contentType: "application/json")
    },
  ]

  static let by = Route.Parameter(
    "by", .query, .text, "Group hosts by gpu_model, os_name, or the key of a label.", example: "gpu_model")
  static let sort = Route.Parameter(
    "sort", .query, .choice(FleetOverview.Order.allCases.map(\.rawValue)), "Order of the groups.", example: "missing")

  /// - Throws: `Problem` 400 for a key that no host has.
  static func key(_ question: Question, _ inventory: FleetInventory) throws -> String {
    guard let by = question["by"] else { return inventory.usualKey }
    guard inventory.keys.contains(by) || inventory.hosts.contains(where: { $0.labels[by] != nil }) else {
      throw Problem(.badRequest, "no host has the label '\(by)'; there are: \(inventory.keys.joined(separator: ", "))")
    }
    return by
  }

  static func fleetPage(_ question: Question) async throws -> Page {
    var overview = try await question.console.fleet.overview()
    if !overview.isAway {
      let fleet = question.console.fleet
      overview.idle = try? await Deadline.wait(.seconds(2)) { try await fleet.idleGPUs().value }
    }
    let order = question["sort"].flatMap(FleetOverview.Order.init) ?? .trouble
    return overview.page(by: try key(question, overview.state.inventory), order: order, nowNs: question.nowNs)
  }
}
