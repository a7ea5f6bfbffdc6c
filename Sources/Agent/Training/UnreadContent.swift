/// What a reader passes over without making rows of it, and why: for people who ask what is understood of a file.
package struct UnreadContent: Sendable {
  package enum Reason: String, Sendable, CaseIterable {
    case noScalars = "values that are no scalars: histograms, images, sounds, texts"
    case tooLong = "records longer than 1 MiB: images, sounds, graphs"
    case noParameters = "parameters that are lists, texts of several lines, or beyond the limits"
    case damaged = "damaged or incomplete records"
  }

  package struct Part: Sendable, Equatable {
    package var reason: Reason
    package var count: UInt64
    /// 0: they lie in records of which other parts were read.
    package var bytes: UInt64
  }

  package private(set) var parts: [Part] = []

  package init() {}

  package mutating func add(_ reason: Reason, count: UInt64, bytes: UInt64 = 0) {
    if count == 0 { return }
    if let index = parts.firstIndex(where: { $0.reason == reason }) {
      parts[index].count += count
      parts[index].bytes += bytes
    } else {
      parts.append(Part(reason: reason, count: count, bytes: bytes))
    }
  }
}
