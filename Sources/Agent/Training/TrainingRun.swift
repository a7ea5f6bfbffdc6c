internal import FleetModel

/// What readers report of a run.
enum TrainingRun {
  /// What a reader reports of a run when it meets the file's first line.
  static func update(_ run: String, _ state: RunState, framework: String, source: String, timeNs: Int64) -> RunUpdate {
    var update = RunUpdate()
    update.timeNs = timeNs
    update.run = run
    update.state = state
    update.framework = framework
    update.source = source
    update.detail = "{}"
    return update
  }

  /// The same of a file's run.
  /// - Parameter begins: the file has a beginning of its own: it does not go on where a rotated one stopped. Reported with each word of it.
  static func update(
    _ place: RunPlace, _ state: RunState, framework: String, source: String, timeNs: Int64, begins: Bool = false
  ) -> RunUpdate {
    var update = update(place.run, state, framework: framework, source: source, timeNs: timeNs)
    update.name = place.name
    update.rank = place.rank.map { UInt32(clamping: $0) }
    update.job = place.slurmJob.map { ProcessJob(kind: .slurm, id: $0).text } ?? ""
    update.beginning = begins ? .source : .none
    return update
  }
}
