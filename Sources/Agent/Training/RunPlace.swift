package import FleetModel

/// Which run a file's rows belong to, by where it lies: a run is what was started in one directory, not one file and not one generation
/// of it.
///
/// Rotation, overwriting, and several writers of one training (monitors of its environments, event files, tables, parameters) leave the
/// place as it is. A log lies in a directory with logs of other programs more often than with those of its own: it belongs to the
/// directory's run where its name says nothing else (`train.log`, `rank_0.log`), and is a run by its own name otherwise.
/// - Source: names that writers use: Keras' TensorBoard callback (`train`, `validation`), transformers (`checkpoint-500`), torch.distributed
///   (`attempt_0/0/stdout.log`), Slurm (`slurm-123.out`), stable_baselines3/common/monitor.py (`0.monitor.csv`).
package struct RunPlace: Sendable, Equatable {
  /// Without what tells ranks and parts of one run from each other.
  package private(set) var directory: String
  /// The directory, or that and the name of a log.
  package private(set) var path: String
  /// Which of a job's processes writes it; nil where its name does not say.
  package private(set) var rank: Int32?
  /// Which of its environments is monitored; 0 where its name does not say.
  package private(set) var environment: Int64 = 0
  /// Slurm's job number, where a name has it.
  package private(set) var slurmJob: String?

  /// What tells runs of one path from each other; empty: nothing.
  private var id = ""

  /// What people call it: the last two parts.
  package var name: String {
    SafeText.make(path.split(separator: "/").suffix(2).joined(separator: "/").utf8, bytesMax: 200)
  }

  /// The same on every host on which the path is the same.
  package var run: String {
    var hash = ContentHash()
    hash.update(Array(path.utf8).span)
    if !id.isEmpty { hash.update(Array("\n\(id)".utf8).span) }
    let digits = String(UInt32(truncatingIfNeeded: hash.value ^ hash.value >> 32), radix: 16)
    return name + "-" + String(repeating: "0", count: 8 - digits.count) + digits
  }

  /// - Parameters:
  ///   - path: absolute; anything may stand in it.
  ///   - isOfTrainer: an event file of Hugging Face's Trainer, which writes it below its output directory, where its checkpoints are. Of others
  ///     such a directory says nothing: what several trainings of one working directory write lies side by side in it.
  package init(_ path: String, _ format: FileFormat, isOfTrainer: Bool = false) {
    var parts = path.split(separator: "/")
    let file = parts.popLast() ?? ""
    var stem = file.prefix { $0 != "." }
    (directory, self.path) = ("", "")
    if format == .mlflowMetric || format == .runParameters, let run = MLflowPath(path) {
      (directory, self.path) = (run.directory, run.directory)
      return
    }
    switch format {
    case .eventFile, .trainerState, .runParameters, .mlflowMetric, .wandbLog, .trackio: stem = ""
    case .monitorCSV:
      // `monitor.csv` and `0.monitor.csv`; another word says which of several runs of the directory it is.
      if let number = Self.number(stem) {
        environment = min(number, Self.environmentMax)
        stem = ""
      }
    default: break
    }
    if let job = Self.slurmJob(stem) {
      slurmJob = job
    } else if let (rest, number) = Self.ranked(stem) {
      (stem, rank) = (rest, number)
    }
    if isOfTrainer, parts.count > 2, parts[parts.count - 2] == "runs", let last = parts.last, Self.isStarted(last) {
      parts.removeLast(2)
    }
    while parts.count > 1, let last = parts.last {
      if Self.isAttempt(last) {
        // Started again by its launcher: the same run.
      } else if Self.isAttempt(parts[parts.count - 2]), let number = Self.number(last).flatMap({ Int32(exactly: $0) }) {
        rank = number
      } else if let (rest, number) = Self.ranked(last), rest.isEmpty {
        rank = rank ?? number
      } else if !Self.isPart(last, format) {
        break
      }
      parts.removeLast()
    }
    directory = "/" + parts.joined(separator: "/")
    if !Self.isGeneric(stem) { parts.append(stem) }
    self.path = "/" + parts.joined(separator: "/")
  }

  /// A run of a database with those of a project: Trackio's names come again, its ids do not.
  package init(database path: String, run: String, id: String) {
    directory = path.hasSuffix(".db") ? String(path.dropLast(3)) : path
    self.path = directory + "/" + (run.isEmpty ? "run" : run)
    self.id = id
  }

  /// More than one host has.
  private static let environmentMax: Int64 = 1_000_000

  private static let ranks = ["local_rank", "rank", "worker", "node", "process", "proc"]

  /// Directories within that of a run.
  private static let parts: Set<String> = [
    "tb", "tensorboard", "tb_logs", "tensorboard_logs", "monitor", "monitors", "csv", "csv_logs", "metrics", "logs",
    "log",
  ]

  /// Those that writers of event files make for the data that the numbers are of.
  private static let splits: Set<String> = [
    "train", "training", "validation", "val", "valid", "eval", "evaluation", "test",
  ]

  /// Names of files that say nothing of which run it is.
  private static let generic: Set<String> = [
    "", "train", "training", "trainer", "training_log", "log", "logs", "out", "output", "stdout", "stderr", "console",
    "nohup", "run", "main", "debug", "info", "error", "errors", "err", "history", "metrics", "progress", "result",
    "monitor",
    "rank", "worker", "node", "trainer_state",
  ]

  private static func isGeneric(_ stem: Substring) -> Bool { generic.contains(stem.lowercased()) }

  private static func isPart(_ directory: Substring, _ format: FileFormat) -> Bool {
    let name = directory.lowercased()
    if parts.contains(name) || format == .eventFile && splits.contains(name) { return true }
    // `checkpoint-500`, `checkpoint_000010`, `global_step500`
    return ["checkpoint-", "checkpoint_", "global_step"].contains { prefix in
      name.hasPrefix(prefix) && number(name.dropFirst(prefix.utf8.count)) != nil
    }
  }

  /// `Nov30_23-04-57_HOST`: a time and where it was. Source: transformers/training_args.py (`default_logdir`).
  private static func isStarted(_ directory: Substring) -> Bool {
    let bytes = Array(directory.utf8.prefix(16))
    return directory.utf8.count > 15
      && zip(bytes, "AaaDD_DD-DD-DD_".utf8).allSatisfy { byte, form in
        switch form {
        case UInt8(ascii: "A"): byte &- 65 < 26
        case UInt8(ascii: "a"): byte &- 97 < 26
        case UInt8(ascii: "D"): byte &- 48 < 10
        default: byte == form
        }
      }
  }

  private static func number(_ text: Substring) -> Int64? {
    guard !text.isEmpty, text.utf8.count <= 18, text.utf8.allSatisfy({ $0 &- 48 <= 9 }) else { return nil }
    return Int64(text)
  }

  /// `attempt_0` of torch.distributed.
  private static func isAttempt(_ directory: Substring) -> Bool {
    directory.hasPrefix("attempt_") && number(directory.dropFirst(8)) != nil
  }

  /// `train_rank_3`, `rank3`, `worker-0`: what stands before the word for a rank.
  private static func ranked(_ name: Substring) -> (rest: Substring, number: Int32)? {
    let digits = name.suffix(while: { $0.isASCII && $0.isNumber })
    guard let value = number(digits), let rank = Int32(exactly: value) else { return nil }
    var rest = name.dropLast(digits.count)
    if let last = rest.last, "_-".contains(last) { rest.removeLast() }
    let lower = rest.lowercased()
    guard let word = ranks.first(where: { lower == $0 || lower.hasSuffix("_" + $0) || lower.hasSuffix("-" + $0) })
    else {
      return nil
    }
    return (rest.dropLast(word.count).dropLast(rest.count > word.count ? 1 : 0), rank)
  }

  /// `slurm-123`, `slurm-123_4`: the job, whose output the file is.
  private static func slurmJob(_ stem: Substring) -> String? {
    guard stem.hasPrefix("slurm-") else { return nil }
    let digits = stem.dropFirst(6).prefix { $0 != "_" }
    return number(digits).map { _ in String(digits) }
  }
}

extension Substring {
  fileprivate func suffix(while isIncluded: (Character) -> Bool) -> Substring {
    self[(lastIndex { !isIncluded($0) }.map { index(after: $0) } ?? startIndex)...]
  }
}
