/// Something that happened once.
package struct Event: Sendable, Equatable {
  package var timeNs: Int64 = 0
  package var kind: EventKind = .other
  package var level: Level = .unknown
  /// device, process, file….
  package var subject: String = ""
  package var message: String = ""
  /// Of a process that ended, from agents that look at how.
  package var processEnd: ProcessEnd?

  package init() {}
}

/// A range that will never arrive, and why.
package struct Loss: Sendable, Equatable {
  package var timeNs: Int64 = 0
  /// file path, or "spool/live", "spool/backfill".
  package var subject: String = ""
  /// first lost byte or sequence.
  package var from: UInt64 = 0
  /// one past the last lost.
  package var to: UInt64 = 0
  package var reason: LossReason = .unknown
  /// at most this much.
  package var isEstimate: Bool = false

  package init() {}
}

/// The agent about itself.
package struct AgentHealth: Sendable, Equatable {
  package var spoolBytes: UInt64 = 0
  package var spoolLimitBytes: UInt64 = 0
  package var spoolRecords: UInt64 = 0
  /// unread bytes of followed files.
  package var backlogBytes: UInt64 = 0
  package var followedFiles: UInt32 = 0
  package var droppedRecordsTotal: UInt64 = 0
  package var redactionsTotal: UInt64 = 0
  package var residentBytes: UInt64 = 0
  package var cpuSecondsTotal: Double = 0
  /// asked to follow, not allowed by this host.
  package var refusedPathsTotal: UInt64 = 0
  /// Of the last whole pass over the patterns: regular files that a pattern matches.
  package var matchedFiles: UInt64 = 0
  /// Beyond the files that can be followed at once; those that changed last come first.
  package var waitingFiles: UInt64 = 0
  /// Files and directories that the agent may not read, or whose names are not UTF-8.
  package var unreadableFiles: UInt64 = 0
  /// Links that lead out of what the host allows.
  package var outsideFiles: UInt64 = 0
  /// No text: never lines.
  package var binaryFiles: UInt64 = 0
  /// Directories of patterns that are not there.
  package var missingRoots: UInt64 = 0
  /// Directories without notification: looked at every few seconds only.
  package var unwatchedDirectories: UInt64 = 0
  /// Directories deeper, or with more names, than is looked at.
  package var cutDirectories: UInt64 = 0
  /// Text in UTF-16 or UTF-32, which is not read.
  package var utf16Files: UInt64 = 0

  package init() {}
}

package enum EventKind: UInt8, Sendable, CaseIterable {
  case other = 0
  case kernel = 1
  case oomKill = 2
  case xid = 3
  case ioError = 4
  case hungTask = 5
  case processExit = 6
  case agent = 7
}

/// Why a range will never arrive. `text` is what operators and scripts see.
package enum LossReason: UInt8, Sendable, CaseIterable {
  case unknown = 0
  case deletedUnread = 1
  case truncated = 2
  case spoolFull = 3
  case spoolDamaged = 4
  case descriptorLimit = 5
  case readError = 6
  case refused = 7
  case socketOverflow = 8
  /// Older than the agent's `--from`: left out on request, so no loss.
  case skipped = 9
  /// Bytes of a training file that are damaged.
  case unreadable = 10
  case databaseRestored = 15

  package var text: String {
    switch self {
    case .unknown: "unknown"
    case .deletedUnread: "deleted_unread"
    case .truncated: "truncated"
    case .spoolFull: "spool_full"
    case .spoolDamaged: "spool_damaged"
    case .descriptorLimit: "descriptor_limit"
    case .readError: "read_error"
    case .refused: "refused"
    case .socketOverflow: "socket_overflow"
    case .skipped: "skipped_by_from"
    case .unreadable: "unreadable"
    case .databaseRestored: "database_restored"
    }
  }
}
