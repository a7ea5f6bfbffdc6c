internal import Files
internal import FleetModel
internal import Logging
internal import RuleFiles
internal import Rules
internal import SiteConfiguration

/// What is read at the start and on SIGHUP; a mistake is the user's to mend.
extension CollectorProgram {
  static func configuration(_ options: CollectorOptions, _ logger: Logger) throws -> Configuration {
    guard let path = options.configurationPath else { return Configuration() }
    do {
      let read = try ConfigurationReader.read(String(decoding: HostFiles.read(path), as: UTF8.self), file: path)
      log(read.unpaged, "a severity pages nobody, or the fallback alone", .warning, logger)
      return read
    } catch let error as FileError {
      throw CollectorFailure(.usage, "\(error); name a readable file with --config")
    } catch let error as ConfigurationMistakes {
      log(error.all, "a mistake in the configuration", .error, logger)
      throw CollectorFailure(.usage, "\(error)")
    }
  }

  /// The rules that the configuration names, or those that come with the program, without what is wrong in them.
  ///
  /// One mistake in one file must not end the watch over a fleet: it is logged, counted, and `signalbox rules check` fails on it.
  /// - Parameter before: rules that run; those of a file with a mistake that are not right in it now go on as they are.
  static func rules(
    _ configuration: Configuration, before: RuleSet, _ metrics: CollectorMetrics, _ logger: Logger
  ) -> RuleSet {
    guard let paths = configuration.rulePaths else {
      logger.warning(
        "the rules that come with Signalbox are nowhere; name a directory in SIGNALBOX_RULES or with rules: in the configuration",
        metadata: ["looked_in": "\(RuleDirectory.shippedPlaces.joined(separator: " "))"])
      metrics.rulesRefused.set(0)
      return before
    }
    var (set, found) = RuleDirectory.rules(paths)
    let mistakes = found.filter { $0.weight == .error }
    // A directory that is gone proves nothing about its rules: to drop them would end their incidents.
    if !before.rules.isEmpty, let missing = mistakes.first(where: { $0.line == 0 && paths.contains($0.file) }) {
      metrics.rulesRefused.set(Int64(mistakes.count))
      logger.error(
        "no rule is changed: what the configuration names as rules cannot be read", metadata: ["mistake": "\(missing)"])
      return before
    }
    let kept = set.keep(from: before, whereMistaken: mistakes)
    if kept > 0 { logger.warning("rules of files with mistakes stay as they were", metadata: ["rules": "\(kept)"]) }
    log(mistakes, "a rule is left out", .error, logger)
    log(found.filter { $0.weight != .error }, "a name in a rule leads nowhere", .warning, logger)
    log(
      configuration.unknownRules(among: set.rules.map(\.id) + OwnRule.all), "maintenance of no rule", .warning, logger)
    metrics.rulesRefused.set(Int64(mistakes.count))
    logger.info(
      "rules read",
      metadata: [
        "from": "\(paths.joined(separator: " "))", "rules": "\(set.rules.count)", "mistakes": "\(mistakes.count)",
      ])
    return set
  }

  private static func log(
    _ mistakes: [DocumentMistake], _ what: Logger.Message, _ level: Logger.Level, _ logger: Logger
  ) {
    for mistake in mistakes.prefix(mistakesLoggedMax) {
      logger.log(level: level, what, metadata: ["mistake": "\(mistake)"])
    }
    if mistakes.count > mistakesLoggedMax {
      logger.log(
        level: level, "more mistakes; signalbox config check prints all", metadata: ["mistakes": "\(mistakes.count)"])
    }
  }

  /// A file of another kind has a mistake a line: a log of a thousand helps no more than one of twenty.
  private static let mistakesLoggedMax = 20
}
