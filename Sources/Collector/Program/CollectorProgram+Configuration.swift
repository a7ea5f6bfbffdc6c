internal import Files
internal import FleetModel
internal import Logging
internal import RuleFiles
internal import Rules

/// What is read at the start and on SIGHUP; a mistake is the user's to mend.
extension CollectorProgram {
  static func configuration(_ options: CollectorOptions) throws -> Configuration {
    guard let path = options.configurationPath else { return Configuration() }
    do {
      return try ConfigurationReader.read(String(decoding: HostFiles.read(path), as: UTF8.self), file: path)
    } catch let error as FileError {
      throw CollectorFailure(.usage, "\(error); name a readable file with --config")
    } catch let error as DocumentMistake {
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
    var paths = configuration.rules ?? []
    if configuration.rules == nil {
      guard let shipped = RuleDirectory.shipped() else {
        logger.warning(
          "the rules that come with Signalbox are nowhere; name a directory in SIGNALBOX_RULES or with rules: in the configuration",
          metadata: ["looked_in": "\(RuleDirectory.shippedPlaces.joined(separator: " "))"])
        metrics.rulesRefused.set(0)
        return RuleSet()
      }
      paths = [shipped]
    }
    var (set, mistakes) = RuleDirectory.rules(paths)
    let kept = set.keep(from: before, whereMistaken: mistakes)
    if kept > 0 { logger.warning("rules of files with mistakes stay as they were", metadata: ["rules": "\(kept)"]) }
    for mistake in mistakes.prefix(mistakesLoggedMax) {
      logger.error("a rule is left out", metadata: ["mistake": "\(mistake)"])
    }
    if mistakes.count > mistakesLoggedMax {
      logger.error(
        "more mistakes in the rules; signalbox rules check lists all", metadata: ["mistakes": "\(mistakes.count)"])
    }
    metrics.rulesRefused.set(Int64(mistakes.count))
    logger.info(
      "rules read",
      metadata: [
        "from": "\(paths.joined(separator: " "))", "rules": "\(set.rules.count)", "mistakes": "\(mistakes.count)",
      ])
    return set
  }

  /// A file of another kind has a mistake a line: a log of a thousand says no more than one of twenty.
  private static let mistakesLoggedMax = 20
}
