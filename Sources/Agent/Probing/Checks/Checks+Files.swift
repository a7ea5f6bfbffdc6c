internal import Files
internal import FleetModel

/// Probes of files. They see what the agent's user may read below what the host allows.
extension Checks {
  /// Of one JSON file: models describe themselves in a few kilobytes.
  private static let jsonBytesMax = 16 << 20
  /// Bytes between two looks at nothing else; a page cache's read-ahead.
  private static let chunkBytes = 256 << 10

  /// The value is the age of the newest match in seconds.
  func file(_ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    let found = try matches(probe.target)
    guard let newest = found.first, let oldest = found.last else {
      throw CheckFailure("no file matches \(probe.target)")
    }
    var answer = CheckAnswer(.ok, age(newest), newest.path)
    answer.add("bytes", Double(newest.status.sizeBytes))
    answer.add("count", Double(found.count))
    answer.add("oldest_seconds", age(oldest))
    return answer
  }

  /// As `file`, and how large the newest is compared to the one before it: a dump that broke off is shorter.
  func backup(_ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    let found = try matches(probe.target)
    guard let newest = found.first else { throw CheckFailure("no file matches \(probe.target)") }
    var answer = CheckAnswer(.ok, age(newest), newest.path)
    answer.add("bytes", Double(newest.status.sizeBytes))
    answer.add("count", Double(found.count))
    if found.count > 1, found[1].status.sizeBytes > 0 {
      answer.add("size_ratio", Double(newest.status.sizeBytes) / Double(found[1].status.sizeBytes))
    }
    return answer
  }

  /// The value is the number of files that are no JSON, and of models (`.pth`) without a `.json` of the same name beside them. What
  /// changed within the settling time may still be written, and is not judged.
  func json(_ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    let files = LinuxFollowedFileSystem(allowed: permissions.allowed, isWatching: false)
    let described = try matches(probe.target, files)
    let models = try matches(String(probe.target.dropLast(5)) + ".pth", files)
    var (invalid, checked, skipped) = (0, 0, 0)
    var first = ""
    func note(_ path: String, _ reason: String) {
      if invalid == 0 { first = "\(path): \(reason)" }
      invalid += 1
    }
    for found in described {
      if isSettling(found, probe) {
        skipped += 1
        continue
      }
      checked += 1
      if let reason = jsonMistake(found, files) { note(found.path, reason) }
    }
    let stems = Set(described.map { $0.path.dropLast(5) })
    for model in models where !stems.contains(model.path.dropLast(4)) {
      if isSettling(model, probe) { skipped += 1 } else { note(model.path, "no .json describes it") }
    }
    var answer = CheckAnswer(invalid == 0 ? .ok : .failed, Double(invalid), first)
    answer.add("checked", Double(checked))
    answer.add("settling", Double(skipped))
    return answer
  }

  // MARK: Finding

  /// Newest first.
  private func matches(_ pattern: String) throws(CheckFailure) -> [FoundFile] {
    try matches(pattern, LinuxFollowedFileSystem(allowed: permissions.allowed, isWatching: false))
  }

  private func matches(_ pattern: String, _ files: LinuxFollowedFileSystem) throws(CheckFailure) -> [FoundFile] {
    let hasWildcards = pattern.utf8.contains { [UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "[")].contains($0) }
    guard hasWildcards else {
      try requireReading(pattern)
      guard let status = try? FileStatus.of(path: pattern), status.kind == .file else { return [] }
      return [FoundFile(path: pattern, status: FollowedStatus(status))]
    }
    guard permissions.allowsListing(GlobPattern.fixedDirectory(of: pattern)) else { throw .notAllowed(pattern) }
    return files.list([GlobPattern(pattern)]).sorted {
      ($0.status.modifiedNs, $0.path) > ($1.status.modifiedNs, $1.path)
    }
  }

  private func age(_ found: FoundFile) -> Double { max(0, Double(Clock.wallNs() - found.status.modifiedNs) / 1e9) }

  private func isSettling(_ found: FoundFile, _ probe: ProbeSetting) -> Bool {
    probe.settleNs > 0 && Clock.wallNs() - found.status.modifiedNs < probe.settleNs
  }

  // MARK: JSON

  /// - Returns: nil for a file that Python's json would read.
  private func jsonMistake(_ found: FoundFile, _ files: LinuxFollowedFileSystem) -> String? {
    if found.status.sizeBytes == 0 { return "is empty" }
    if found.status.sizeBytes > Self.jsonBytesMax { return "is larger than \(Self.jsonBytesMax >> 20) MiB" }
    guard let handle = files.open(found.path) else { return "cannot be opened" }
    defer { files.close(handle) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Int(found.status.sizeBytes))
    var chunk: [UInt8] = []
    while bytes.count <= Self.jsonBytesMax {
      guard let got = files.read(handle, at: UInt64(bytes.count), count: Self.chunkBytes, into: &chunk) else {
        return "cannot be read"
      }
      if got == 0 { break }
      bytes += chunk[..<got]
    }
    return JSONValidity.mistake(bytes.span)
  }
}

/// Whether bytes are one JSON text.
enum JSONValidity {
  /// - Returns: what is wrong and where, in words; nil where nothing is.
  static func mistake(_ bytes: Span<UInt8>) -> String? {
    var scanner = JSONScanner(0..<bytes.count)
    while scanner.next(bytes) != nil {}
    if scanner.isComplete { return nil }
    return scanner.position >= bytes.count
      ? "breaks off after \(bytes.count) bytes" : "is no JSON at byte \(scanner.position)"
  }
}
