internal import FleetModel
internal import Postgres

/// Training steps and episodes as COPY rows.
enum TrainingRows {
  static let stepColumns = """
    time, received, host, run, episode, step, reward, action, balance, shares_held, price, portfolio_value, position, \
    metrics
    """

  static let episodeColumns = """
    run, episode, updated, state, started, steps, first_step, last_step, reward_count, reward_sum, reward_minimum, \
    reward_maximum, reward_square_sum, value_count, value_first, value_last, value_peak, value_trough, \
    drawdown_maximum_ratio, return_count, return_sum, return_square_sum, return_downside_square_sum, trades_closed, \
    trades_won, head_position, head_end_value, tail_position, tail_start_value, final_steps, final_reward
    """
}

extension RowBuffers {
  mutating func append(_ step: TrainingStep, run: Int32, _ arrival: Arrival) {
    let claimedUs = step.timeNs / 1000
    let timeUs = arrival.stored(claimedUs, within: Limits.oldestTrainingUs)
    if timeUs != claimedUs { note(claimedUs, "training_steps", arrival) }
    steps.begin(14, timeUs, arrival)
    steps.put(run)
    steps.put(step.episode)
    steps.put(step.step)
    steps.put(step.reward)
    steps.put(step.action)
    steps.put(step.balance)
    steps.put(step.sharesHeld)
    steps.put(step.price)
    steps.put(step.portfolioValue)
    steps.put(step.position)
    if step.metrics.isEmpty { steps.putNull() } else { steps.put(jsonb: JSONText.object(step.metrics).span) }
  }

  /// `summary` is the whole of what is known of its episode.
  mutating func append(_ summary: EpisodeSummary, run: Int32) {
    episodes.beginRow(columns: 31)
    episodes.put(run)
    episodes.put(summary.episode)
    episodes.put(timeUs: summary.timeNs / 1000)
    episodes.put(Int16(summary.state.rawValue))
    if summary.startedNs > 0 { episodes.put(timeUs: summary.startedNs / 1000) } else { episodes.putNull() }
    episodes.put(Int64(clamping: summary.steps))
    episodes.put(summary.firstStep)
    episodes.put(summary.lastStep)
    episodes.put(Int64(clamping: summary.rewardCount))
    episodes.put(summary.rewardSum)
    episodes.put(summary.rewardMinimum)
    episodes.put(summary.rewardMaximum)
    episodes.put(summary.rewardSquareSum)
    episodes.put(Int64(clamping: summary.valueCount))
    episodes.put(summary.valueFirst)
    episodes.put(summary.valueLast)
    episodes.put(summary.valuePeak)
    episodes.put(summary.valueTrough)
    episodes.put(summary.drawdownMaximumRatio)
    episodes.put(Int64(clamping: summary.returnCount))
    episodes.put(summary.returnSum)
    episodes.put(summary.returnSquareSum)
    episodes.put(summary.returnDownsideSquareSum)
    episodes.put(Int64(clamping: summary.tradesClosed))
    episodes.put(Int64(clamping: summary.tradesWon))
    episodes.put(summary.headPosition)
    episodes.put(summary.headEndValue)
    episodes.put(summary.tailPosition)
    episodes.put(summary.tailStartValue)
    episodes.put(summary.finalSteps)
    episodes.put(summary.finalReward)
  }
}

extension JSONText {
  /// An object of named numbers; what is not finite is null, as JSON has no such number. A NUL in a name, which jsonb
  /// refuses, becomes U+FFFD.
  static func object(_ metrics: [Metric]) -> [UInt8] {
    var text: [UInt8] = [UInt8(ascii: "{")]
    for (index, metric) in metrics.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      let name = metric.name
      text.append(
        contentsOf: quoted(name.utf8.contains(0) ? name.replacing("\0", with: "\u{fffd}") : name).utf8)
      text.append(UInt8(ascii: ":"))
      text.append(contentsOf: (metric.value.isFinite ? "\(metric.value)" : "null").utf8)
    }
    text.append(UInt8(ascii: "}"))
    return text
  }
}
