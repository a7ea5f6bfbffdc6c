internal import FleetModel

// Field numbers are those of proto/signalbox/v1/report.proto; the tests compare every message with what Python writes.

extension RunUpdate: WireMessage {
  var sizeEstimate: Int {
    64 + run.utf8.count + framework.utf8.count + source.utf8.count + detail.utf8.count + name.utf8.count
      + job.utf8.count
  }

  func write(to writer: inout WireWriter) {
    writer.signed(1, timeNs)
    writer.text(2, run)
    writer.unsigned(3, UInt64(state.rawValue))
    writer.text(4, framework)
    writer.text(5, source)
    writer.text(6, detail, limit: FleetProtocol.detailBytes)
    writer.unsigned(7, UInt64(beginning.rawValue))
    writer.unsigned(8, mark)
    writer.text(9, name)
    writer.text(10, job)
    writer.unsigned(11, rank.map { min(UInt64($0) + 1, UInt64(UInt32.max)) } ?? 0)
  }
}

extension TrainingStep: WireMessage {
  var sizeEstimate: Int { 96 + run.utf8.count + 24 * metrics.count }

  func write(to writer: inout WireWriter) {
    writer.signed(1, timeNs)
    writer.text(2, run)
    writer.signed(3, episode)
    writer.signed(4, step)
    writer.double(5, reward)
    writer.double(6, action)
    writer.double(7, balance)
    writer.double(8, sharesHeld)
    writer.double(9, price)
    writer.double(10, portfolioValue)
    writer.double(11, position)
    writer.messages(12, metrics)
  }
}

extension Metric: WireMessage {
  var sizeEstimate: Int { 12 + name.utf8.count }

  func write(to writer: inout WireWriter) {
    writer.text(1, name)
    writer.double(2, value)
  }
}

extension EpisodeSummary: WireMessage {
  var sizeEstimate: Int { 276 + run.utf8.count }

  func write(to writer: inout WireWriter) {
    writer.signed(1, timeNs)
    writer.text(2, run)
    writer.signed(3, episode)
    writer.unsigned(4, UInt64(state.rawValue))
    writer.signed(5, startedNs)
    writer.unsigned(6, steps)
    writer.signed(7, firstStep)
    writer.signed(8, lastStep)
    writer.double(9, rewardSum)
    writer.double(10, rewardMinimum)
    writer.double(11, rewardMaximum)
    writer.double(12, rewardSquareSum)
    writer.unsigned(13, rewardCount)
    writer.unsigned(14, valueCount)
    writer.double(15, valueFirst)
    writer.double(16, valueLast)
    writer.double(17, valuePeak)
    writer.double(18, valueTrough)
    writer.double(19, drawdownMaximumRatio)
    writer.unsigned(20, returnCount)
    writer.double(21, returnSum)
    writer.double(22, returnSquareSum)
    writer.double(23, returnDownsideSquareSum)
    writer.unsigned(24, tradesClosed)
    writer.unsigned(25, tradesWon)
    writer.double(26, headPosition)
    writer.double(27, headEndValue)
    writer.double(28, tailPosition)
    writer.double(29, tailStartValue)
    writer.signed(30, finalSteps)
    writer.double(31, finalReward)
  }
}
