/// How many files both ends of a stream know by their keys alone.
///
/// The agent forgets all names at once when it has reached a limit, and sends them anew as they are needed. The collector forgets
/// the older half when the newer one has reached the same limit: whatever the agent has sent since it last forgot is in one of them.
package enum StreamFileLimits {
  package static let files = 8192
  package static let pathBytes = 1 << 20
}

/// The agent's side: the identities that its collector knows on this stream.
package struct AnnouncedFiles: Sendable {
  private var known: [FileKey: FileIdentity] = [:]
  private var pathBytes = 0

  package init() {}

  /// - Returns: what the next delta of the file carries: its key alone where the collector knows the rest.
  package mutating func announce(_ file: FileIdentity) -> FileIdentity {
    if known[file.key] == file { return FileIdentity(key: file.key, path: "") }
    finished(file.key)
    let bytes = file.path.utf8.count
    if known.count >= StreamFileLimits.files || pathBytes + bytes > StreamFileLimits.pathBytes {
      known.removeAll()
      pathBytes = 0
    }
    known[file.key] = file
    pathBytes += bytes
    return file
  }

  /// Nothing more comes of the file.
  package mutating func finished(_ key: FileKey) {
    if let file = known.removeValue(forKey: key) { pathBytes -= file.path.utf8.count }
  }
}

/// The collector's side: the identities that an agent has sent on this stream, in memory of at most twice the limits.
package struct NamedFiles: Sendable {
  private var newer: [FileKey: FileIdentity] = [:]
  private var older: [FileKey: FileIdentity] = [:]
  private var newerPathBytes = 0

  package init() {}

  package var count: Int { newer.count + older.count }

  package subscript(_ key: FileKey) -> FileIdentity? { newer[key] ?? older[key] }

  package mutating func name(_ file: FileIdentity) {
    finished(file.key)
    if newer.count >= StreamFileLimits.files || newerPathBytes >= StreamFileLimits.pathBytes {
      older = newer
      newer = [:]
      newerPathBytes = 0
    }
    newer[file.key] = file
    newerPathBytes += file.path.utf8.count
  }

  package mutating func finished(_ key: FileKey) {
    if let file = newer.removeValue(forKey: key) { newerPathBytes -= file.path.utf8.count }
    older[key] = nil
  }
}
