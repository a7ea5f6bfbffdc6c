internal import FleetModel

/// The id under which the rows of one file are kept.
enum TrainingRun {
  /// `directory/name-xxxxxxxx`: for people the last two parts of the path, for uniqueness on the host a hash.
  ///
  /// - Parameter mark: what distinguishes this run from all others, and is the same after every restart and rename: the
  ///   generation's key, or directory and first row.
  static func id(path: String, mark: some Sequence<UInt8>) -> String {
    var parts = path.split(separator: "/").suffix(2).map(String.init)
    if let name = parts.popLast() {
      parts.append(name.firstIndex(of: ".").map { String(name[..<$0]) } ?? name)
    }
    return id(parts: parts, mark: mark)
  }

  private static func id(parts: [String], mark: some Sequence<UInt8>) -> String {
    var hash = ContentHash()
    hash.update(Array(mark).span)
    let digits = String(UInt32(truncatingIfNeeded: hash.value ^ hash.value >> 32), radix: 16)
    return SafeText.make(parts.joined(separator: "/").utf8, bytesMax: 200) + "-"
      + String(repeating: "0", count: 8 - digits.count) + digits
  }

  /// The same for a run that has a directory to itself: all files in it are of one run, whatever their generations.
  static func id(directoryOf path: String) -> String {
    let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    return id(parts: directory.split(separator: "/").suffix(2).map(String.init), mark: directory.utf8)
  }

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
}
