@testable internal import Agent
internal import FleetModel

/// Files of training programs, read in pieces as a follower reads them.
enum TrainingReadersTarget {
  static func run(_ input: [UInt8]) {
    var choices = Choices(input)
    _ = choices.byte()
    let head = Array(choices.rest.prefix(64 << 10))
    let context = ReaderContext(
      file: FileIdentity(key: FileKey(high: 1, low: 2), path: "/runs/a/file"), offset: 0, head: head, preceding: [])
    var reader: any FormatReader = TrainingLogReader(context: context)
    ReaderExercise.run(&reader, input)
  }
}
