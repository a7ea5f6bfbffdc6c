/// The two ways from a spool to the collector. Live goes first; backfill is what piled up while there was no collector.
package enum Lane: UInt8, Sendable, CaseIterable {
  case live = 0
  case backfill = 1
}

/// One step of a host's report: what is committed together and acked with one number.
package struct Batch: Sendable, Equatable {
  /// 1, 2, 3 … within one stream.
  package var number: UInt64 = 0
  /// CLOCK_REALTIME, ns since 1970.
  package var wallNs: Int64 = 0
  /// CLOCK_BOOTTIME, ns.
  package var monotonicNs: Int64 = 0
  package var spooled: [SpooledRecords] = []
  package var files: [FileDelta] = []
  package var health: AgentHealth?

  package init() {}

  /// Rows that it becomes, about: what a group of batches is measured by.
  package var rowCount: Int {
    var rows = 1
    for part in spooled { rows += part.records.count }
    for delta in files { rows += delta.lines.count + delta.steps.count + delta.episodes.count + delta.losses.count + 1 }
    return rows
  }
}

/// Records of one lane with their sequences in it.
package struct SpooledRecords: Sendable, Equatable {
  package var lane: Lane
  package var firstSequence: UInt64
  /// Greater than `firstSequence` only where a gap record stands for several.
  package var lastSequence: UInt64
  package var records: Records

  package init(lane: Lane, firstSequence: UInt64, lastSequence: UInt64, records: Records) {
    self.lane = lane
    self.firstSequence = firstSequence
    self.lastSequence = lastSequence
    self.records = records
  }
}

/// What cannot be read a second time, and so is spooled until it is acked.
package struct Records: Sendable, Equatable {
  package var hosts: [HostSample] = []
  package var gpus: [GPUSample] = []
  package var disks: [DiskSample] = []
  package var networks: [NetworkSample] = []
  package var processes: [ProcessSample] = []
  package var probes: [ProbeResult] = []
  package var events: [Event] = []
  package var losses: [Loss] = []
  package var runs: [RunUpdate] = []
  package var episodes: [EpisodeSummary] = []
  package var steps: [TrainingStep] = []

  package init() {}

  package var isEmpty: Bool { count == 0 }

  /// How many records there are of all kinds.
  package var count: Int {
    hosts.count + gpus.count + disks.count + networks.count + processes.count + probes.count + events.count
      + losses.count + runs.count + episodes.count + steps.count
  }
}

/// What was read from `from..<to` of one file. The committed offset moves from `from` to `to` with its rows.
package struct FileDelta: Sendable, Equatable {
  package var file: FileIdentity
  package var from: UInt64
  package var to: UInt64
  /// `ContentHash` of the (at most) 64 bytes before `to`: shows later whether the file is still the same before the offset.
  package var tailHash: UInt64 = 0
  /// Nothing will follow: rotated away or deleted, and read to its end.
  package var isFinished = false
  package var lines = LogLines()
  package var steps: [TrainingStep] = []
  package var episodes: [EpisodeSummary] = []
  package var runs: [RunUpdate] = []
  package var losses: [Loss] = []
  /// The host's clock when these bytes were first read, ns since 1970: the same each time they are sent. 0: not known.
  package var readNs: Int64 = 0

  package init(file: FileIdentity, from: UInt64, to: UInt64) {
    self.file = file
    self.from = from
    self.to = to
  }
}

/// How a followed file is known again after a restart of either side.
package struct FileIdentity: Sendable, Equatable {
  package var key: FileKey
  /// UTF-8, as the agent opened it.
  package var path: String
  package var device: UInt64 = 0
  package var inode: UInt64 = 0
  /// ns since 1970; 0 where the file system does not report it.
  package var birthNs: Int64 = 0
  /// `ContentHash` of the first `headLength` bytes.
  package var headHash: UInt64 = 0
  /// At most 1024.
  package var headLength: UInt32 = 0
  /// Raised by truncation and by rewriting in place.
  package var generation: UInt32 = 0
  package var format: FileFormat = .log
  /// Size of the file when its agent first saw it, at its first start with a pattern that matches. Bytes below are history: stored
  /// and judged with their own time, never paged. 0: everything is new.
  package var historyBytes: UInt64 = 0

  package init(key: FileKey, path: String) {
    self.key = key
    self.path = path
  }
}

package enum FileFormat: UInt8, Sendable, CaseIterable {
  case log = 0
  case trainingLogCSV = 1
  case monitorCSV = 2
  case progressCSV = 3
  case resultJSON = 4
  /// TensorBoard's, of records instead of lines.
  case eventFile = 5
  /// `trainer_state.json` of Hugging Face's Trainer.
  case trainerState = 6
  /// What a run was started with: `hparams.yaml`, `params.json`, and MLflow's `params/` and `meta.yaml`.
  case runParameters = 7
  /// One metric of a run in MLflow's file store.
  case mlflowMetric = 8
  /// The log of a Weights & Biases run, of records instead of lines.
  case wandbLog = 9
  /// The SQLite database of a Trackio project: its offsets are ids of rows.
  case trackio = 10

  /// Its files are no text: nothing in them is a line, and NULs mean something.
  package var isBinary: Bool { self == .eventFile || self == .wandbLog || isDatabase }

  /// Its rows are asked for by their ids: its bytes have no order.
  package var isDatabase: Bool { self == .trackio }

  /// Its files are written anew as a whole, in place: what they held before stands in them again, or holds no more.
  package var isDocument: Bool { self == .trainerState || self == .runParameters }

  /// What is read of it are lines, each for itself.
  package var hasLines: Bool { !isBinary && !isDocument }

  /// All its files of a directory are of one run, which none of them ends alone.
  package var isRunOfDirectory: Bool { self == .eventFile || self == .trainerState || self == .mlflowMetric }

  /// Its writer closes the file after each row: a close is no sign of the run's end.
  package var isClosedBetweenRows: Bool { isDocument || self == .mlflowMetric }
}

/// What the collector has committed of a file that is not finished.
package struct FileMark: Sendable, Equatable {
  package var file: FileIdentity
  package var offset: UInt64
  package var tailHash: UInt64

  package init(file: FileIdentity, offset: UInt64, tailHash: UInt64) {
    self.file = file
    self.offset = offset
    self.tailHash = tailHash
  }
}

/// The last committed sequence of a lane.
package struct LaneMark: Sendable, Equatable {
  package var lane: Lane
  package var sequence: UInt64

  package init(lane: Lane, sequence: UInt64) {
    self.lane = lane
    self.sequence = sequence
  }
}

/// Log lines as a structure of arrays, so that a batch of a million lines costs a handful of allocations.
///
/// `text` holds the lines back to back without newlines; every array has one element a line.
package struct LogLines: Sendable, Equatable {
  package var text: [UInt8] = []
  /// Bytes of each line in `text`.
  package var lengths: [UInt32] = []
  /// Bytes of the file from each line's start to the next one's.
  package var advances: [UInt32] = []
  /// µs since 1970 of each line.
  package var timesUs: [Int64] = []
  /// `Level.rawValue` of each line.
  package var levels: [UInt8] = []
  /// `LineFlags.rawValue` of each line.
  package var flags: [UInt8] = []
  /// File offset of the first line.
  package var firstOffset: UInt64 = 0

  package init() {}

  package var count: Int { lengths.count }
  package var isEmpty: Bool { lengths.isEmpty }
}

/// Inlined into the readers: several are made for each line.
@frozen package struct LineFlags: OptionSet, Sendable {
  package let rawValue: UInt8
  @inlinable package init(rawValue: UInt8) { self.rawValue = rawValue }
  /// The line had no newline yet when it was sent.
  @inlinable package static var partial: LineFlags { LineFlags(rawValue: 1) }
  /// Longer than the limit; the rest was left out.
  @inlinable package static var truncated: LineFlags { LineFlags(rawValue: 2) }
  /// Bytes that are no UTF-8, or NUL, were replaced by U+FFFD.
  @inlinable package static var repaired: LineFlags { LineFlags(rawValue: 4) }
  /// A secret was removed.
  @inlinable package static var redacted: LineFlags { LineFlags(rawValue: 8) }
  /// The time was read from the line; else it is when the agent read it.
  @inlinable package static var timed: LineFlags { LineFlags(rawValue: 16) }
  /// Several lines of the file (a traceback, a progress bar) in one.
  @inlinable package static var joined: LineFlags { LineFlags(rawValue: 32) }
  /// The rest of the partial line before it.
  @inlinable package static var continuation: LineFlags { LineFlags(rawValue: 64) }
  /// A row that its format's reader could not read.
  @inlinable package static var malformed: LineFlags { LineFlags(rawValue: 128) }
}

package enum Level: UInt8, Sendable, CaseIterable {
  case unknown = 0
  case debug = 1
  case info = 2
  case warn = 3
  case error = 4
}

/// A level as people ask for it: it and those above it.
package enum LevelName: String, CaseIterable, Sendable {
  case debug, info, warn, error

  package var level: Level {
    switch self {
    case .debug: .debug
    case .info: .info
    case .warn: .warn
    case .error: .error
    }
  }
}

/// First frame of a stream.
package struct Hello: Sendable, Equatable {
  /// `FleetProtocol.version` of the agent; 0: not set.
  package var protocolVersion: UInt32 = 0
  package var agentVersion = ""
  package var bootID = BootID(high: 0, low: 0)
  package var spoolID = SpoolID(high: 0, low: 0)
  package var instanceID = InstanceID(high: 0, low: 0)
  package var machineIDHash = MachineIDHash(high: 0, low: 0)
  package var facts = HostFacts()
  package var wallNs: Int64 = 0
  package var monotonicNs: Int64 = 0
  package var redactionVersion = ""
  /// HOST:PORT of the collectors that this agent would connect to; empty where it does not report them.
  package var knownCollectors: [String] = []
  /// Marks may follow the Welcome in parts; an agent that does not take them needs all of them in it.
  package var takesMarks = false

  package init() {}
}

package struct HostFacts: Sendable, Equatable {
  package var hostName = ""
  package var osName = ""
  package var kernelRelease = ""
  package var cpuModel = ""
  package var cpuCount: UInt32 = 0
  package var memoryTotalBytes: UInt64 = 0
  package var swapTotalBytes: UInt64 = 0
  package var gpuCount: UInt32 = 0
  package var gpuModel = ""
  package var gpuDriverVersion = ""
  package var architecture = ""

  package init() {}
}

/// What the collector answers to `Hello` once the fence stands.
package struct Welcome: Sendable, Equatable {
  package var epoch: UInt64 = 0
  package var serverNs: Int64 = 0
  package var lanes: [LaneMark] = []
  package var files: [FileMark] = []
  /// More of `files` comes in `CollectorFrame.marks`; until the last part no file can be sent.
  package var marksFollow = false
  package var settings = Settings()
  package var hostID = HostID(high: 0, low: 0)
  /// HOST:PORT of the fleet's collectors, which replace those that the agent knows; empty: it keeps its own.
  package var collectors: [String] = []

  package init() {}
}

package struct Settings: Sendable, Equatable {
  /// 0 = the agent's own.
  package var sampleIntervalMs: UInt32 = 0
  /// Glob patterns, applied within what the host allows.
  package var follow: [String] = []
  package var revision: UInt32 = 0
  /// Asked within what the host allows.
  package var probes: [ProbeSetting] = []
  /// Glob patterns of files that are not followed, whatever `follow` and the host ask for.
  package var exclude: [String] = []
  /// Rows among the lines of logs.
  package var metrics: [MetricPattern] = []

  package init() {}
}

package enum AgentFrame: Sendable, Equatable {
  case hello(Hello)
  case batch(Batch)
}

package enum CollectorFrame: Sendable, Equatable {
  case welcome(Welcome)
  /// Every batch up to `number` is committed and durable.
  case ack(number: UInt64)
  case settings(Settings)
  /// The next part of the Welcome's files.
  case marks([FileMark], more: Bool)
}
