internal import Answers
internal import FleetModel
internal import Store

/// GPUs that are held and not used today: by whom, and how long.
struct IdleGPUs: Sendable {
  /// Of a page; the API has all.
  static let rowsMax = 3

  /// Rows of `GPUQueries.idle`.
  let gpus: Answer
  /// The row of `GPUQueries.hours`.
  let hours: Answer

  static let columns: [Answer.Column] = [
    .init("host", "HOST"), .init("gpu", "GPU"), .init("model", "MODEL"),
    .init("idle_hours", "IDLE HOURS TODAY", .ratio),
    .init("is_idle_now", "STILL IDLE"), .init("memory_bytes", "MEMORY HELD", .bytes), .init("users", "BY"),
    .init("run", "RUN"), .init("id"),
  ]

  static func read(_ database: DatabasePool) async throws -> IdleGPUs {
    let answers = try await database.answers([
      (GPUQueries.idle(limit: GPUQueries.rowsMax), columns), (GPUQueries.hours(), []),
    ])
    return IdleGPUs(gpus: answers[0], hours: answers[1])
  }

  static let definition =
    "Held: \(GPUQueries.heldBytes >> 30) GiB of its memory or more is in use. Idle: used less than "
    + "\(GPUQueries.idlePercent) % on average. Counted are the hours since midnight UTC, the present one so far."

  /// Hours by who holds them, the most first.
  var owners: Answer {
    guard let by = gpus.columns.firstIndex(where: { $0.name == "users" }),
      let hours = gpus.columns.firstIndex(where: { $0.name == "idle_hours" })
    else { return Answer(columns: []) }
    var sums: [String: Double] = [:]
    for row in gpus.rows {
      let owner = if case .text(let text) = row[by] { text } else { Self.unknown }
      sums[owner, default: 0] += row[hours].double ?? 0
    }
    return Answer(
      columns: [.init("owner", "HELD BY"), .init("idle_hours", "IDLE GPU-HOURS TODAY", .ratio)],
      rows: sums.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { [.text($0.key), .real($0.value)] })
  }

  /// No process that holds memory of a GPU was reported in the last minutes.
  static let unknown = "(not known)"

  /// "ann (200.0), ben (100.0)".
  private var most: String {
    let shown = owners.rows.prefix(Self.ownersMax).map { row in
      let owner = if case .text(let text) = row[0] { text } else { Self.unknown }
      return "\(owner) (\(Quantity.decimal(row[1].double ?? 0, digits: 1)))"
    }
    return shown.joined(separator: ", ")
  }

  private static let ownersMax = 5

  var blocks: [Page.Block] {
    guard let reported = hours.value("reported_hours").flatMap(\.double), reported > 0 else {
      return [.heading("GPUs held and idle"), .text("No figures of a GPU are there of today: nothing was counted.")]
    }
    let idle = hours.value("idle_hours").flatMap(\.double) ?? 0
    let figure = { (hours: Double) in Quantity.decimal(hours, digits: 1) }
    var blocks: [Page.Block] = [
      .heading("GPUs held and idle"),
      .text("\(figure(idle)) of \(figure(reported)) GPU-hours today were held and idle. \(Self.definition)"),
    ]
    guard !gpus.rows.isEmpty else { return blocks }
    blocks += [
      .text("Most are held by \(most)."),
      .table(
        name: "idle_gpus", gpus.first(Self.rowsMax),
        links: [RouteTable.toHost, .init(column: "run", path: "/runs/", key: "id")], empty: ""),
    ]
    if gpus.rows.count > Self.rowsMax {
      blocks.append(.text("\(gpus.rows.count - Self.rowsMax) more: /api/v1/gpus/idle lists them."))
    }
    return blocks
  }
}
