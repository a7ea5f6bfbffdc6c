internal import FleetModel
internal import NIOCore

/// One state of the fleet as server-sent events, encoded once for all viewers. Source: html.spec.whatwg.org, server-sent events.
struct LiveFrame: Sendable {
  /// Counts up by one; a viewer that has the one before needs only the changes.
  let sequence: Int
  /// Everything: for who has just come, or has lost frames.
  let whole: ByteBuffer
  /// What differs from the frame before; nil where that is no less.
  let changes: ByteBuffer?

  /// - Parameter previous: the frame before.
  init(_ state: FleetState, asOfNs: Int64, sequence: Int, previous: FleetState?) {
    self.sequence = sequence
    let head: [(String, JSON)] = [
      ("sequence", .number(Int64(sequence))), ("as_of", .text(Timestamp.text(asOfNs, digits: 0))),
    ]
    let codes = RunLength.encode(state.codes)
    whole = Self.event(
      "fleet", head + Self.figures(state) + [("inventory", .text(state.inventory.key)), ("states", .text(codes))])
    guard let previous, previous.inventory.key == state.inventory.key else {
      changes = nil
      return
    }
    let changed = Self.changed(from: previous.codes, to: state.codes)
    let isCounted =
      previous.counts != state.counts || previous.incidents != state.incidents || previous.news != state.news
    let event = Self.event(
      "change",
      head + (isCounted ? Self.figures(state) : []) + (changed.isEmpty ? [] : [("changes", .text(changed))]))
    changes = event.readableBytes < whole.readableBytes ? event : nil
  }

  private static func figures(_ state: FleetState) -> [(String, JSON)] {
    let counts = zip(["live", "late", "silent", "never"], state.counts).map { ($0, JSON.number(Int64($1))) }
    let incidents = state.incidents.enumerated().map { ("P\($0)", JSON.number(Int64($1))) }
    return [("counts", .object(counts)), ("incidents", .object(incidents)), ("news", .text(state.news))]
  }

  /// Distance from the change before and new letter of each host that changed: `12B0C` is host 12 and the one behind it.
  private static func changed(from old: [UInt8], to new: [UInt8]) -> String {
    var text: [UInt8] = []
    var next = 0
    for index in new.indices where old[index] != new[index] {
      text.append(contentsOf: String(index - next).utf8)
      text.append(new[index])
      next = index + 1
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// - Parameter name: a literal of the program.
  static func event(_ name: StaticString, _ fields: [(String, JSON)]) -> ByteBuffer {
    ByteBuffer(string: "event: \(name)\ndata: \(JSON.object(fields).written)\n\n")
  }

  /// Keeps proxies and browsers from taking a quiet stream for a dead one.
  static let comment = ByteBuffer(string: ":\n\n")
}
