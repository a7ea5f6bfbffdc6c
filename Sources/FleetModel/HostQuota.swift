/// What one host may make the fleet keep: all limits by kind.
///
/// A host that is broken or taken over must not fill the disk of all, nor use up the numbers of runs and files. Lines of
/// logs have no quota: they wait in their files, by flow control. Each limit is several times what an honest host has,
/// and its burst is what a backlog of days or the first sight of a large directory brings.
package struct HostQuota: Sendable {
  package enum Kind: UInt8, Sendable, CaseIterable {
    /// Of hosts, GPUs, disks, interfaces and processes, and results of probes.
    case samples
    case events
    /// Entries of the loss ledger; kept for good.
    case losses
    /// Training steps; kept for good.
    case steps
    /// New episodes; kept for good. What is added to a known one is free.
    case episodes
    /// New runs; kept for good, and numbered.
    case runs
    /// New followed files; kept for good, and numbered.
    case files

    /// Where the configuration does not set another one.
    package var limit: RateLimit {
      switch self {
      // 1 000 a second: a node with hundreds of mounts and interfaces has half of that. Two days of it at once.
      case .samples: RateLimit(perDay: 86_400_000, burst: 172_800_000)
      case .events: RateLimit(perDay: 864_000, burst: 864_000)
      case .losses: RateLimit(perDay: 50_000, burst: 50_000)
      // 1 150 a second; 10 GB of a training log have about 250 million.
      case .steps: RateLimit(perDay: 100_000_000, burst: 300_000_000)
      case .episodes: RateLimit(perDay: 5_000_000, burst: 20_000_000)
      // Of 2^31 numbers one host uses up no more than 1 % in 29 years.
      case .runs: RateLimit(perDay: 2_000, burst: 20_000)
      // A directory of 100 000 files at first sight; then one host needs 117 years for all numbers.
      case .files: RateLimit(perDay: 50_000, burst: 200_000)
      }
    }

    /// Runs and files have numbers of 31 bits, which no host may use up.
    package var isNumbered: Bool { self == .runs || self == .files }

    /// As `text` has it; nil for any other word.
    package init?(text: String) {
      guard let kind = Self.allCases.first(where: { $0.text == text }) else { return nil }
      self = kind
    }

    /// As `hosts show`, the ledger and `quotas:` in the configuration name it.
    package var text: String {
      switch self {
      case .samples: "samples"
      case .events: "events"
      case .losses: "losses"
      case .steps: "steps"
      case .episodes: "episodes"
      case .runs: "runs"
      case .files: "files"
      }
    }
  }

  /// What was refused and is to be written down.
  package struct Refusal: Sendable, Equatable {
    package let kind: Kind
    package let rows: UInt64

    package init(kind: Kind, rows: UInt64) {
      self.kind = kind
      self.rows = rows
    }
  }

  /// A host that is over its quota in every batch has one entry a minute in the ledger, with all that was refused in it.
  package static let reportEveryNs: Int64 = 60_000_000_000
  /// Keys of refused files that are remembered, so that what follows of them is refused as well and the stream goes on.
  package static let refusedFilesMax = 65_536

  private var meters = [RateMeter](repeating: RateMeter(), count: Kind.allCases.count)
  private var refused = [UInt64](repeating: 0, count: Kind.allCases.count)
  private var reportedNs = [Int64](repeating: .min, count: Kind.allCases.count)
  /// Files of which nothing was stored since their first bytes were refused.
  package private(set) var refusedFiles: Set<FileKey> = []
  private let limits: @Sendable (Kind) -> RateLimit
  /// The connection of its host under which its meters were last read; nil where they never were.
  package var epochRead: UInt64?
  /// What of each meter is saved, as its `freeAtNs`.
  private var savedNs = [Int64](repeating: .min, count: Kind.allCases.count)
  /// A meter is saved when it has used up this part of its burst since: what a restart can give back to a host.
  private static let unsavedShare: Int64 = 16

  /// - Parameter limits: the configured ones; asked each time, so that a reload counts at once.
  package init(limits: @escaping @Sendable (Kind) -> RateLimit = { $0.limit }) { self.limits = limits }

  /// - Parameter nowNs: when the collector read the batch.
  /// - Returns: how many of `count` rows may be stored; the others are counted as refused.
  package mutating func take(_ count: Int, of kind: Kind, nowNs: Int64) -> Int {
    let taken = meters[Int(kind.rawValue)].take(count, of: limits(kind), nowNs: nowNs)
    refuse(count - taken, of: kind)
    return taken
  }

  /// Counts rows that cannot be stored because what they belong to was refused.
  package mutating func refuse(_ count: Int, of kind: Kind) {
    refused[Int(kind.rawValue)] &+= UInt64(max(0, count))
  }

  /// Leaves out what is beyond the quota, the last ones first.
  package mutating func trim<Row>(_ rows: inout [Row], _ kind: Kind, nowNs: Int64) {
    if rows.isEmpty { return }
    let taken = take(rows.count, of: kind, nowNs: nowNs)
    if taken < rows.count { rows.removeLast(rows.count - taken) }
  }

  /// Everything of `records` that has a quota by its number of rows.
  package mutating func trim(_ records: inout Records, nowNs: Int64) {
    trim(&records.hosts, .samples, nowNs: nowNs)
    trim(&records.gpus, .samples, nowNs: nowNs)
    trim(&records.disks, .samples, nowNs: nowNs)
    trim(&records.networks, .samples, nowNs: nowNs)
    trim(&records.processes, .samples, nowNs: nowNs)
    trim(&records.probes, .samples, nowNs: nowNs)
    trim(&records.events, .events, nowNs: nowNs)
    trim(&records.losses, .losses, nowNs: nowNs)
    trim(&records.steps, .steps, nowNs: nowNs)
  }

  /// A file's first bytes may be stored, or not.
  package mutating func takeFile(_ key: FileKey, nowNs: Int64) -> Bool {
    if take(1, of: .files, nowNs: nowNs) == 1 {
      refusedFiles.remove(key)
      return true
    }
    remember(key)
    return false
  }

  /// A file that cannot be stored, though it was within the quota: there is no number for it.
  package mutating func refuseFile(_ key: FileKey) {
    refuse(1, of: .files)
    remember(key)
  }

  private mutating func remember(_ key: FileKey) {
    // One that is forgotten ends its stream once; the agent then begins with its first bytes again.
    if refusedFiles.count >= Self.refusedFilesMax { refusedFiles.removeAll() }
    refusedFiles.insert(key)
  }

  /// Takes over a meter from the database.
  package mutating func adopt(_ kind: Kind, freeAtNs: Int64) {
    meters[Int(kind.rawValue)].adopt(freeAtNs: freeAtNs)
    savedNs[Int(kind.rawValue)] = freeAtNs
  }

  /// Meters that are to be saved now, because a restart of the collector would give back too much; they count as saved.
  /// - Returns: each with the time at which all of it is given back, ns since 1970.
  package mutating func takeUnsaved(nowNs: Int64) -> [(kind: Kind, freeAtNs: Int64)] {
    Kind.allCases.compactMap { kind in
      let index = Int(kind.rawValue)
      let freeAtNs = meters[index].freeAtNs
      let unsavedNs =
        RateMeter.usedNs(freeAtNs: freeAtNs, nowNs: nowNs) - RateMeter.usedNs(freeAtNs: savedNs[index], nowNs: nowNs)
      guard unsavedNs > limits(kind).spanNs / Self.unsavedShare else { return nil }
      savedNs[index] = freeAtNs
      return (kind, freeAtNs)
    }
  }

  /// What is to be written down now; it counts as written.
  package mutating func takeRefusals(nowNs: Int64) -> [Refusal] {
    Kind.allCases.compactMap { kind in
      let index = Int(kind.rawValue)
      let isDue =
        reportedNs[index] == .min || nowNs - reportedNs[index] >= Self.reportEveryNs || nowNs < reportedNs[index]
      guard refused[index] > 0, isDue else { return nil }
      defer { (refused[index], reportedNs[index]) = (0, nowNs) }
      return Refusal(kind: kind, rows: refused[index])
    }
  }
}
