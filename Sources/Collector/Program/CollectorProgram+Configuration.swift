internal import Files
internal import FleetModel
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

  /// The rules that the configuration names, or those that come with the program.
  static func rules(_ configuration: Configuration) throws -> RuleSet {
    guard let paths = configuration.rules ?? RuleDirectory.shipped().map({ [$0] }) else { return RuleSet() }
    let (set, mistakes) = RuleDirectory.rules(paths)
    guard let first = mistakes.first else { return set }
    let more = mistakes.count > 1 ? " (and \(mistakes.count - 1) more; signalbox rules check tells all)" : ""
    throw CollectorFailure(.usage, "\(first)\(more)")
  }
}
