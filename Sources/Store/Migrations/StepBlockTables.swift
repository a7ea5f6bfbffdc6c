/// Steps of episodes that have ended, folded by 64: what a curve of a long run is drawn from.
enum StepBlockTables {
  /// log2 of the steps of a block.
  static let shift = 6
  static let stepsOfBlock = Int64(1) << shift
  /// A shorter episode is read step by step.
  static let stepsMin = 4 * stepsOfBlock

  /// `rolled_up` holds for the row that it stands in: a commit that adds to an episode writes the row anew, without it.
  static let sql = """
    create table signalbox.step_blocks (
      run integer not null,
      episode bigint not null,
      -- step >> \(shift)
      block bigint not null,
      first_step bigint not null,
      last_step bigint not null,
      first_time timestamptz not null,
      last_time timestamptz not null,
      \(CompareQueries.stepMetrics.map { figure in
        "\(figure)_count bigint not null, \(figure)_sum double precision, \(figure)_minimum double precision, "
          + "\(figure)_maximum double precision"
      }.joined(separator: ",\n  ")),
      primary key (run, episode, block)
    );
    alter table signalbox.episodes add column rolled_up boolean;
    create index episodes_to_roll_up on signalbox.episodes (updated) where rolled_up is null and steps >= \(stepsMin);

    """

  /// Makes the blocks of one episode, `$1` its run and `$2` its number, of the steps that one snapshot shows; where more are committed
  /// meanwhile the episode's row is another one, and stays without its mark.
  static let fill: [String] = [
    "delete from signalbox.step_blocks where run = $1 and episode = $2",
    """
    with marked as (update signalbox.episodes set rolled_up = true where run = $1 and episode = $2)
    insert into signalbox.step_blocks
    select run, episode, step >> \(shift), min(step), max(step), min(time), max(time), \(figures)
    from signalbox.training_steps where run = $1 and episode = $2 group by 1, 2, 3
    """,
  ]

  private static let figures = CompareQueries.stepMetrics.map { figure in
    let counted = "filter (where \(RunTotal.isCounted(figure)))"
    return
      "count(\(figure)) \(counted), sum(\(figure)) \(counted), min(\(figure)) \(counted), max(\(figure)) \(counted)"
  }.joined(separator: ", ")
}
