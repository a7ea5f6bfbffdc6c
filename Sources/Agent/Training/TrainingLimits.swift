/// Limits of the training readers. What lies beyond one becomes a line flagged `malformed`, never a wrong row.
package enum TrainingLimits {
  /// RLlib writes its whole configuration into every line; the largest seen is 17 kB.
  package static let lineBytesMax = 1 << 20
  /// The widest file seen (RLlib `progress.csv` of many policies) has 302 columns. So many of the shortest fields fit a line of
  /// `lineBytesMax`, and their positions take 256 KiB for as long as the line is read.
  package static let columnsMax = 16_384
  /// Figures kept of one row, besides those that step, reward, time and end are read from: the wire takes 512 a step.
  package static let metricsMax = 256
  package static let metricNameBytesMax = 128
  /// Data of a TensorBoard record that is read. A record of scalars has some hundred bytes; longer ones hold images, sounds or graphs.
  package static let recordBytesMax = 1 << 20
  /// Of a `trainer_state.json`, which is looked through as a whole for what was reported before: some 100 000 rows. Of a larger one nothing is
  /// read, and its size is a loss.
  package static let historyBytesMax: UInt64 = 16 << 20
  /// Of a file of parameters; a larger one holds data.
  package static let parameterFileBytesMax = 256 << 10
  /// Runs beside one file of parameters that get them.
  package static let runsOfDirectoryMax = 8
  /// Of one parameter's value.
  package static let parameterBytesMax = 1024
  /// Of all parameters that a file reports at once; a run's detail holds 64 KiB.
  package static let parametersBytesMax = 16 << 10
  /// Of a line that could not be read: enough to see what it was.
  package static let malformedBytesMax = 1024
  /// Of that line, looked at for secrets: one that starts before the cut is known by what follows it, a JWT of some KiB too.
  package static let malformedSearchedBytesMax = 64 << 10
  /// Open episodes of one range that are kept apart; writers interleave as many episodes as they have environments.
  package static let episodesSearchedMax = 64
}
