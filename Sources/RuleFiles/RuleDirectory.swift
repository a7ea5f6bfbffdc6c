internal import Files
package import FleetModel
package import Rules

/// Rule files and their cases on disk.
package enum RuleDirectory {
  /// Where the rules that come with Signalbox lie: the first of `shippedPlaces` that is there.
  ///
  /// - Returns: nil where they are nowhere.
  package static func shipped() -> String? { shipped(among: shippedPlaces) }

  /// - Returns: the first directory that holds a rule file.
  package static func shipped(among places: [String]) -> String? {
    places.first { place in
      (try? HostFiles.list(place))?.contains { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") } ?? false
    }
  }

  /// Where they may lie, most wanted first: what `SIGNALBOX_RULES` names and nothing else, beside the installed programs, in the tree
  /// that they were built in, where the package puts them.
  package static var shippedPlaces: [String] {
    let own = (try? HostFiles.readLink("/proc/self/exe")) ?? ""
    return places(executable: own, named: Machine.environment("SIGNALBOX_RULES"))
  }

  /// - Parameters:
  ///   - executable: path of the program; builds lie in `.build/debug`, which is a link to a directory named after the machine.
  ///   - named: the value of `SIGNALBOX_RULES`.
  package static func places(executable: String, named: String?) -> [String] {
    if let named, !named.isEmpty { return [named] }
    var places: [String] = []
    var directory = HostFiles.directory(of: executable)
    places.append(HostFiles.directory(of: directory) + "/share/signalbox/rules")
    for _ in 0..<treeLevels where directory.utf8.count > 1 {
      directory = HostFiles.directory(of: directory)
      places.append(directory + "/deploy/rules")
    }
    return places + ["/usr/local/share/signalbox/rules", "/usr/share/signalbox/rules"]
  }

  /// From `.build/x86_64-unknown-linux-gnu/debug` to the tree, and one more.
  private static let treeLevels = 4

  /// Reads rules from files, directories (their `*.yaml`, not those of directories below) and patterns of file names, such
  /// as `rules/*.yaml`.
  ///
  /// - Parameter others: ids of rules that run beside these, which these may name.
  /// - Returns: the rules that are right, and every mistake of every file.
  package static func rules(
    _ paths: [String], beside others: [String] = []
  ) -> (set: RuleSet, mistakes: [DocumentMistake]) {
    var mistakes: [DocumentMistake] = []
    var documents: [(file: String, tree: DocumentNode)] = []
    for file in files(paths, &mistakes) {
      if let tree = tree(file, &mistakes) { documents.append((file, tree)) }
    }
    var read = RuleSet.read(documents, beside: others)
    // The rules that come with Signalbox have a page each.
    if let shipped = shipped() {
      read.set.describe(where: { $0.file.hasPrefix(shipped + "/") }) { "docs/runbooks/\($0.id).md" }
    }
    return (read.set, mistakes + read.mistakes)
  }

  /// Ids of the rules that come with Signalbox; none where they are nowhere.
  package static func shippedIDs() -> [String] { shipped().map { rules([$0]).set.rules.map(\.id) } ?? [] }

  /// Reads the cases of a directory of rules: `tests/*.yaml` below it, or `*.yaml` of a directory named `tests`.
  package static func cases(_ directory: String) -> (cases: [RuleCase], mistakes: [DocumentMistake]) {
    var mistakes: [DocumentMistake] = []
    var cases: [RuleCase] = []
    for file in files([directory + "/tests"], &mistakes) {
      guard let tree = tree(file, &mistakes) else { continue }
      let read = RuleCase.read(tree, file: file)
      cases += read.cases
      mistakes += read.mistakes
    }
    return (cases, mistakes)
  }

  /// Reads the catalogue that a directory of rules is held against: its `catalogue/rows.yaml`.
  package static func catalogue(_ directory: String) -> (catalogue: RuleCatalogue, mistakes: [DocumentMistake]) {
    var mistakes: [DocumentMistake] = []
    let file = directory + "/catalogue/rows.yaml"
    guard let tree = tree(file, &mistakes) else { return (RuleCatalogue(), mistakes) }
    return RuleCatalogue.read(tree, file: file)
  }

  private static func files(_ paths: [String], _ mistakes: inout [DocumentMistake]) -> [String] {
    var files: [String] = []
    for path in paths {
      if HostFiles.name(of: path).contains(where: { $0 == "*" || $0 == "?" }) {
        files += matching(path, &mistakes)
        continue
      }
      if path.hasSuffix(".yaml") || path.hasSuffix(".yml") {
        files.append(path)
        continue
      }
      do {
        let names = try HostFiles.list(path).filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }.sorted()
        files += names.map { path + "/" + $0 }
        if names.isEmpty { mistakes.append(DocumentMistake(file: path, line: 0, message: "has no *.yaml file")) }
      } catch {
        mistakes.append(DocumentMistake(file: path, line: 0, message: "cannot be read: \(error)"))
      }
    }
    return files
  }

  private static func matching(_ pattern: String, _ mistakes: inout [DocumentMistake]) -> [String] {
    let directory = HostFiles.directory(of: pattern)
    let wanted = Wildcard(HostFiles.name(of: pattern))
    do {
      let names = try HostFiles.list(directory).filter(wanted.matches).sorted()
      if names.isEmpty { mistakes.append(DocumentMistake(file: pattern, line: 0, message: "fits no file")) }
      return names.map { directory + "/" + $0 }
    } catch {
      mistakes.append(DocumentMistake(file: pattern, line: 0, message: "cannot be read: \(error)"))
      return []
    }
  }

  private static func tree(_ file: String, _ mistakes: inout [DocumentMistake]) -> DocumentNode? {
    do {
      return try YAMLTree.read(String(decoding: HostFiles.read(file), as: UTF8.self), file: file)
    } catch let mistake as DocumentMistake {
      mistakes.append(mistake)
    } catch {
      mistakes.append(DocumentMistake(file: file, line: 0, message: "cannot be read: \(error)"))
    }
    return nil
  }
}
