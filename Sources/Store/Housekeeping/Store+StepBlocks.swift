internal import FleetModel
internal import Postgres

extension Store {
  /// Of one pass: reading so many steps takes some seconds.
  private static let stepsToRollUpMax: Int64 = 2_000_000
  private static let episodesToRollUpMax = 1_000
  /// An episode that goes on is folded when nothing has come for so long.
  private static let restUs: Int64 = 3_600_000_000

  /// Folds the steps of episodes that have ended, or that rest.
  /// - Returns: how many episodes.
  func rollUpSteps(_ nowUs: Int64) throws(StoreError) -> Int {
    let waiting = try ask(
      """
      select run, episode, steps from signalbox.episodes
      where rolled_up is null and steps >= \(StepBlockTables.stepsMin) and (state <> 0 or updated < $1)
      order by updated limit \(Self.episodesToRollUpMax)
      """, [.time(us: nowUs.subtractingClamped(Self.restUs))])
    var steps: Int64 = 0
    for row in 0..<waiting.count {
      let key: [Parameter] = [.int4(Int32(clamping: waiting.int(row, 0) ?? 0)), .int8(waiting.int(row, 1) ?? 0)]
      try inTransaction { () throws(StoreError) in
        for statement in StepBlockTables.fill { try run(statement, key) }
      }
      steps = steps.addingClamped(waiting.int(row, 2) ?? 0)
      if steps >= Self.stepsToRollUpMax { return row + 1 }
    }
    return waiting.count
  }
}
