internal import Answers
internal import FleetModel
internal import Foundation

/// What the fleet's hosts are; it stays the same until one comes, goes, or gets another name or label.
struct FleetInventory: Sendable {
  struct Host: Sendable {
    let name: String
    let gpuModel: String
    let osName: String
    let gpuCount: Int64
    let labels: [String: String]

    /// - Parameter by: `gpu_model`, `os_name`, or the key of a label.
    /// - Returns: empty where it has none.
    func value(of by: String) -> String {
      switch by {
      case "gpu_model": gpuModel
      case "os_name": osName
      default: labels[by] ?? ""
      }
    }
  }

  /// Attributes that every host has beside its labels.
  static let attributes = ["gpu_model", "os_name"]
  /// Keys that are offered; others can be asked for by name.
  private static let keysMax = 8

  /// As the database makes it: `FleetLiveQueries.states`.
  let key: String
  /// In the order of `FleetState.codes`.
  let hosts: [Host]
  /// By what hosts can be grouped: the labels that most of them have, then the attributes.
  let keys: [String]

  /// - Parameter answer: the rows of `FleetLiveQueries.hosts`.
  init(_ answer: Answer) {
    var counts: [String: Int] = [:]
    var hosts: [Host] = []
    hosts.reserveCapacity(answer.rows.count)
    for row in answer.rows {
      guard row.count == 6, case .text(let name) = row[1] else { continue }
      let labels = Self.labels(row[5])
      for label in labels.keys { counts[label, default: 0] += 1 }
      hosts.append(
        Host(
          name: name, gpuModel: Self.text(row[2]), osName: Self.text(row[3]), gpuCount: Self.number(row[4]),
          labels: labels))
    }
    self.hosts = hosts
    key = answer.rows.first.map { Self.text($0[0]) } ?? "0.0.0"
    let usual = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(Self.keysMax).map(\.key)
    keys = usual.filter { !Self.attributes.contains($0) } + Self.attributes
  }

  /// What the page groups by where nothing is asked for: a label if there is one, else what tells hosts apart.
  var usualKey: String { keys.first ?? "gpu_model" }

  private static func text(_ cell: Cell) -> String { if case .text(let text) = cell { text } else { "" } }
  private static func number(_ cell: Cell) -> Int64 { if case .integer(let number) = cell { number } else { 0 } }

  static func labels(_ cell: Cell) -> [String: String] {
    guard case .json(let document) = cell, document != "{}" else { return [:] }
    return (try? JSONDecoder().decode([String: String].self, from: Data(document.utf8))) ?? [:]
  }
}

/// How each host does: one byte a host.
struct FleetState: Sendable {
  enum Presence: Int, CaseIterable, Sendable {
    case live = 0
    case late, silent, never
  }

  let inventory: FleetInventory
  /// `FleetLiveQueries.states`, one byte a host of the inventory.
  let codes: [UInt8]
  /// Hosts by `Presence`.
  let counts: [Int]
  /// Open incidents of P0, P1, P2, P3.
  let incidents: [Int]
  /// Another text where an incident opened, ended, or somebody took it.
  let news: String

  init(inventory: FleetInventory, codes: [UInt8], incidents: [Int], news: String) {
    (self.inventory, self.codes, self.incidents, self.news) = (inventory, codes, incidents, news)
    var counts = [0, 0, 0, 0]
    for code in codes { counts[Self.presence(code).rawValue] += 1 }
    self.counts = counts
  }

  /// What a page was made from, as the script compares it with the live stream.
  var revision: String { "\(inventory.key) \(news)" }

  static func presence(_ code: UInt8) -> Presence { Presence(rawValue: Int(code &- letter) & 3) ?? .live }
  /// 0 none, 1 P3, 2 P2, 3 P1, 4 P0.
  static func trouble(_ code: UInt8) -> Int { Int(code &- letter) >> 2 }

  private static let letter = UInt8(ascii: "A")
}

/// Rows of the same letters in a row as a count and a letter: `9990AB12A`; a letter alone stands for one.
enum RunLength {
  static func encode(_ codes: [UInt8]) -> String {
    var text: [UInt8] = []
    var index = 0
    while index < codes.count {
      let end = codes[index...].firstIndex { $0 != codes[index] } ?? codes.count
      if end - index > 1 { text.append(contentsOf: String(end - index).utf8) }
      text.append(codes[index])
      index = end
    }
    return String(decoding: text, as: UTF8.self)
  }
}
