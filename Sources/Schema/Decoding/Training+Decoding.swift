internal import CSchema
internal import FleetModel

// `tree` lies in the arena of the decode that is under way, which outlives each call; values are copied out.

extension RunUpdate: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__RunUpdate>) throws(SchemaError) {
    self.init()
    timeNs = unsafe tree.pointee.time_ns
    run = try unsafe Tree.text(tree.pointee.run, "RunUpdate.run")
    state = unsafe RunState(number: tree.pointee.state.rawValue) ?? .unknown
    framework = try unsafe Tree.text(tree.pointee.framework, "RunUpdate.framework")
    source = try unsafe Tree.text(tree.pointee.source, "RunUpdate.source")
    detail = try unsafe Tree.text(tree.pointee.detail, "RunUpdate.detail", limit: FleetProtocol.detailBytes)
    beginning = unsafe RunBeginning(number: tree.pointee.beginning.rawValue) ?? .none
    mark = unsafe tree.pointee.mark
    name = try unsafe Tree.text(tree.pointee.name, "RunUpdate.name")
    job = try unsafe Tree.text(tree.pointee.job, "RunUpdate.job")
    rank = unsafe tree.pointee.rank > 0 ? tree.pointee.rank - 1 : nil
  }
}

extension TrainingStep: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__TrainingStep>) throws(SchemaError) {
    self.init()
    timeNs = unsafe tree.pointee.time_ns
    run = try unsafe Tree.text(tree.pointee.run, "TrainingStep.run")
    episode = unsafe tree.pointee.episode
    step = unsafe tree.pointee.step
    reward = unsafe tree.pointee.reward
    action = unsafe tree.pointee.action
    balance = unsafe tree.pointee.balance
    sharesHeld = unsafe tree.pointee.shares_held
    price = unsafe tree.pointee.price
    portfolioValue = unsafe tree.pointee.portfolio_value
    position = unsafe tree.pointee.position
    metrics = try unsafe Tree.messages(
      tree.pointee.metrics, count: tree.pointee.n_metrics, "TrainingStep.metrics", limit: FleetProtocol.metricsPerStep)
  }
}

extension Metric: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__Metric>) throws(SchemaError) {
    self.init()
    name = try unsafe Tree.text(tree.pointee.name, "Metric.name")
    value = unsafe tree.pointee.value
  }
}

extension EpisodeSummary: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__EpisodeSummary>) throws(SchemaError) {
    self.init()
    timeNs = unsafe tree.pointee.time_ns
    run = try unsafe Tree.text(tree.pointee.run, "EpisodeSummary.run")
    episode = unsafe tree.pointee.episode
    state = unsafe EpisodeState(number: tree.pointee.state.rawValue) ?? .running
    startedNs = unsafe tree.pointee.started_ns
    steps = unsafe tree.pointee.steps
    firstStep = unsafe tree.pointee.first_step
    lastStep = unsafe tree.pointee.last_step
    rewardSum = unsafe tree.pointee.reward_sum
    rewardMinimum = unsafe tree.pointee.reward_minimum
    rewardMaximum = unsafe tree.pointee.reward_maximum
    rewardSquareSum = unsafe tree.pointee.reward_square_sum
    rewardCount = unsafe tree.pointee.reward_count
    valueCount = unsafe tree.pointee.value_count
    valueFirst = unsafe tree.pointee.value_first
    valueLast = unsafe tree.pointee.value_last
    valuePeak = unsafe tree.pointee.value_peak
    valueTrough = unsafe tree.pointee.value_trough
    drawdownMaximumRatio = unsafe tree.pointee.drawdown_maximum_ratio
    returnCount = unsafe tree.pointee.return_count
    returnSum = unsafe tree.pointee.return_sum
    returnSquareSum = unsafe tree.pointee.return_square_sum
    returnDownsideSquareSum = unsafe tree.pointee.return_downside_square_sum
    tradesClosed = unsafe tree.pointee.trades_closed
    tradesWon = unsafe tree.pointee.trades_won
    headPosition = unsafe tree.pointee.head_position
    headEndValue = unsafe tree.pointee.head_end_value
    tailPosition = unsafe tree.pointee.tail_position
    tailStartValue = unsafe tree.pointee.tail_start_value
    finalSteps = unsafe tree.pointee.final_steps
    finalReward = unsafe tree.pointee.final_reward
  }
}
