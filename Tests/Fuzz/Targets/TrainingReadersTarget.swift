internal import Agent
internal import FleetModel

/// Files of training programs, read in pieces as a follower reads them: the first byte says which format.
enum TrainingReadersTarget {
  private static let formats: [FileFormat] = [
    .trainingLogCSV, .monitorCSV, .progressCSV, .resultJSON, .eventFile, .trainerState, .runParameters, .mlflowMetric,
    .wandbLog,
  ]

  static func run(_ input: [UInt8]) {
    var choices = Choices(input)
    var file = FileIdentity(key: FileKey(high: 1, low: 2), path: "/runs/a/file")
    file.format = formats[choices.below(formats.count)]
    _ = choices.byte()
    let head = Array(choices.rest.prefix(64 << 10))
    for name in ["a.csv", "monitor.csv", "progress.csv", "result.json", "trainer_state.json", "hparams.yaml"] {
      _ = TrainingFormats.detect(path: name, head: head.span)
    }
    let context = ReaderContext(file: file, offset: 0, head: head, preceding: [])
    guard var reader = TrainingFormats.make(context) else { return }
    ReaderExercise.run(&reader, input)
    // Once more from the middle, as after a restart.
    let half = head.count / 2
    let later = ReaderContext(
      file: file, offset: UInt64(half), head: head, preceding: Array(head[..<half]))
    _ = TrainingFormats.make(later)
  }
}
