internal import HTTPTypes
internal import Answers
internal import Files
internal import FleetModel
internal import Store

/// What many requests and viewers ask of the fleet at once, asked of the database once a second at most for all of them.
final class FleetFeed: Sendable {
  /// Answers to this are shared: a fleet of 10 000 hosts takes the database 20 ms, and each answer carries its presence.
  static let maxAgeNs: Int64 = 1_000_000_000

  private let states: Kept<FleetState>
  private let presences: Kept<Presence>
  private let hosts: Kept<Answer>
  private let overviews: Kept<FleetOverview>
  private let idle: Kept<IdleGPUs>
  /// Shared answers as they were written.
  let shared = SharedBytes()

  init(_ database: DatabasePool) {
    let book = InventoryBook(database)
    let states = Kept { try await book.state() }
    self.states = states
    presences = Kept {
      let reading = try await states.read(maxAgeNs: Self.maxAgeNs)
      return Presence(reading.value, asOfNs: reading.asOfNs)
    }
    hosts = Kept { try await database.answer(FleetQueries.status(), ShownColumns.fleet) }
    idle = Kept { try await IdleGPUs.read(database) }
    overviews = Kept {
      // The details after the state: a page that names a revision must not show what was before it, or its script would not ask again.
      let state = try await states.read(maxAgeNs: Self.maxAgeNs)
      return FleetOverview(state: state.value, parts: try await FleetParts.read(database), asOfNs: state.asOfNs)
    }
  }

  /// - Throws: `Problem`.
  func state(maxAgeNs: Int64 = FleetFeed.maxAgeNs) async throws -> Kept<FleetState>.Reading {
    try await states.read(maxAgeNs: maxAgeNs)
  }

  /// What an answer cannot speak for. - Throws: `Problem`.
  func presence() async throws -> Presence {
    try await presences.read(maxAgeNs: Self.maxAgeNs / 2).value
  }

  /// The same of some hosts. - Parameter names: nil: of all.
  func presence(of names: [String]?) async throws -> Presence {
    guard let names else { return try await presence() }
    let reading = try await state()
    return Presence(reading.value, asOfNs: reading.asOfNs, of: names)
  }

  /// One row a host, `FleetQueries.status`. - Throws: `Problem`.
  func status() async throws -> Kept<Answer>.Reading { try await hosts.read(maxAgeNs: Self.maxAgeNs) }

  /// GPUs that are held and idle, a minute old at most. - Throws: `Problem`.
  func idleGPUs() async throws -> Kept<IdleGPUs>.Reading { try await idle.read(maxAgeNs: Self.idleMaxAgeNs) }

  /// Today's hours of all GPUs are read for it, and change slowly.
  private static let idleMaxAgeNs: Int64 = 60_000_000_000

  /// For the page of the fleet; where the database is away, as it was when it last answered.
  /// - Throws: `Problem` where there is nothing to show.
  func overview() async throws -> FleetOverview {
    do {
      return try await Deadline.wait(.seconds(3)) { [overviews] in
        try await overviews.read(maxAgeNs: Self.maxAgeNs).value
      }
    } catch let problem as Problem where problem.status == .serviceUnavailable || problem.status == .gatewayTimeout {
      guard var last = await overviews.latest?.value else { throw problem }
      last.isAway = true
      return last
    }
  }
}

/// Keeps the inventory as long as the database says that it is the same.
private actor InventoryBook {
  private let database: DatabasePool
  private var inventory: FleetInventory?
  private var readNs: Int64 = 0

  /// Facts that raise no revision, such as a new GPU model, are read again after this.
  private static let maxAgeNs: Int64 = 60_000_000_000

  init(_ database: DatabasePool) { self.database = database }

  func state() async throws -> FleetState {
    // A host that joins between the two questions makes them differ once.
    for _ in 0..<5 {
      let answer = try await database.answer(FleetLiveQueries.states())
      guard let row = answer.rows.first, row.count == 5, case .text(let key) = row[1], case .text(let text) = row[2],
        case .text(let counts) = row[3], case .text(let news) = row[4]
      else { break }
      let known = try await inventory(key)
      guard known.key == key, known.hosts.count == text.utf8.count else { continue }
      return FleetState(
        inventory: known, codes: Array(text.utf8), incidents: counts.split(separator: ",").compactMap { Int($0) },
        news: news)
    }
    throw Problem(.serviceUnavailable, "hosts join faster than they can be counted: ask again in a moment")
  }

  private func inventory(_ key: String) async throws -> FleetInventory {
    let nowNs = Clock.monotonicNs()
    if let inventory, inventory.key == key, nowNs - readNs < Self.maxAgeNs { return inventory }
    let read = FleetInventory(try await database.answer(FleetLiveQueries.hosts()))
    (inventory, readNs) = (read, nowNs)
    return read
  }
}
