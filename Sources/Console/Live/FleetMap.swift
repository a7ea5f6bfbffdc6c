internal import FleetModel

/// The fleet as a drawing of one cell a host, which the script fills from the live stream. The table of groups says the same without it.
struct FleetMap: Sendable {
  let by: String
  /// The drawing in words.
  let sentence: String

  func write(_ html: inout HTMLWriter) {
    html.open("figure", [("class", "map"), ("id", "map"), ("data-by", by)])
    html.open("canvas", [("role", "img"), ("aria-label", "One cell a host: \(sentence)")])
    html.close("canvas")
    html.open("figcaption")
    html.element("span", [("id", "map-text")], sentence)
    html.element(
      "span", [("class", "map-key")], " ● live ◐ late ○ silent or never reported, ▲ P2 or P3, ■ P1, ◆ P0 open")
    html.close("figcaption")
    html.close("figure")
  }

  /// For the script. `members` are pairs: so many hosts in a row, and the place of their group in `groups`.
  static func document(_ inventory: FleetInventory, by: String) -> [UInt8] {
    var places: [String: Int] = [:]
    var groups: [String] = []
    var members: [Int64] = []
    for host in inventory.hosts {
      let value = host.value(of: by)
      let place = places[value] ?? groups.count
      if place == groups.count {
        places[value] = place
        groups.append(value.isEmpty ? FleetGroups.none : value)
      }
      if members.last == Int64(place) {
        members[members.count - 2] += 1
      } else {
        members += [1, Int64(place)]
      }
    }
    let document = JSON.object([
      ("inventory", .text(inventory.key)), ("by", .text(by)), ("groups", .texts(groups)),
      ("members", .list(members.map(JSON.number))), ("names", .texts(inventory.hosts.map(\.name))),
    ])
    return Array((document.written + "\n").utf8)
  }
}
