internal import FleetModel
internal import Postgres

enum LossRows {
  static let columns = "time, received, host, subject, from_offset, to_offset, reason, is_estimate"
}

extension RowBuffers {
  mutating func append(_ loss: Loss, _ arrival: Arrival) {
    losses.begin(8, arrival.stored(loss.timeNs / 1000), arrival)
    losses.put(text: loss.subject)
    losses.put(Int64(clamping: loss.from))
    losses.put(Int64(clamping: loss.to))
    losses.put(text: loss.reason.text)
    losses.put(loss.isEstimate)
  }
}
