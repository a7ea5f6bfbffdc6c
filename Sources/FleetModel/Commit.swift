/// A batch as the collector hands it to the store: whose it is comes from the connection, never from the message.
package struct StagedBatch: Sendable {
  package var host: HostID
  /// The database's short number of the host, from its `Fence`.
  package var hostNumber: Int32
  /// Of the stream it came on; a batch of an older epoch can no longer be committed.
  package var epoch: UInt64
  package var spool: SpoolID
  /// When the collector read it, ns since 1970.
  package var receivedNs: Int64
  /// Empty where only the rules' state of the host is to be saved.
  package var batch: Batch
  /// What the rules remember of the host with this batch judged, saved in the transaction that commits it; nil where nothing that must be
  /// kept has changed.
  package var ruleState: SavedRuleState?

  package init(
    host: HostID, hostNumber: Int32, epoch: UInt64, spool: SpoolID, receivedNs: Int64, batch: Batch
  ) {
    self.host = host
    self.hostNumber = hostNumber
    self.epoch = epoch
    self.spool = spool
    self.receivedNs = receivedNs
    self.batch = batch
  }

  /// Nothing but the rules' state: no report of the host. What agents send is numbered from 1.
  package var isStateOnly: Bool {
    ruleState != nil && batch.number == 0 && batch.spooled.isEmpty && batch.files.isEmpty
  }
}

/// What became of one staged batch.
package enum CommitOutcome: Sendable, Equatable {
  /// Stored and durable: ack it.
  case committed
  /// Every part of it had been committed before: ack it, nothing was stored twice.
  case duplicate
  /// A newer stream of the host has raised the epoch: close this one, store nothing.
  case fenced
  /// A part starts beyond what is committed: a batch before it is missing. Close the stream; the agent resumes from the marks.
  case outOfOrder
}

/// What the database answers when a stream takes over a host.
package struct Fence: Sendable, Equatable {
  package var hostNumber: Int32
  package var hostName: String
  package var epoch: UInt64
  package var lanes: [LaneMark]
  /// The first page of the host's files that are not finished.
  package var files: [FileMark]
  /// Where the next page of them begins; nil: `files` is all.
  package var moreFilesAfter: Int64?
  /// The stream before this one was alive moments ago under another instance and boot: a cloned identity.
  package var isSuspectedClone: Bool
  /// Two agent processes take this host's stream from each other: both use one identity.
  package var isContested = false
  /// What the collector has found out about the host with this fence, for the rules.
  package var notes: [Event] = []
  /// What rules and profiles choose by; the host's name is always among them, as `host`.
  package var labels: [String: String]
  /// What the rules last kept of the host; nil where nothing is.
  package var ruleState: SavedRuleState?
  /// The host's incidents that go on.
  package var open: [OpenIncident] = []

  package init(
    hostNumber: Int32, hostName: String, epoch: UInt64, lanes: [LaneMark], files: [FileMark], isSuspectedClone: Bool
  ) {
    self.hostNumber = hostNumber
    self.hostName = hostName
    self.epoch = epoch
    self.lanes = lanes
    self.files = files
    self.isSuspectedClone = isSuspectedClone
    moreFilesAfter = nil
    labels = ["host": hostName]
    ruleState = nil
  }
}

/// Some of a host's marks, in the order of the database's numbers.
///
/// A host may have thousands of files with long paths: neither the wire's frame nor a collector's memory is to hold all
/// of them at once.
package struct FileMarkPage: Sendable, Equatable {
  package var files: [FileMark]
  /// Where the next page begins; nil: this is the last one.
  package var moreAfter: Int64?

  package init(files: [FileMark], moreAfter: Int64?) {
    self.files = files
    self.moreAfter = moreAfter
  }
}

/// Which of a host's saved rule states is the newer one: the one place that decides whether a state replaces another.
///
/// Only the collector with the host's newest stream saves a state of it, which the epoch fences; within a stream the sequence orders
/// them, so that one that was under way for long never replaces a newer one.
package struct RuleStateVersion: Sendable, Hashable, Comparable {
  /// Of the host's stream when it was saved; of the fleet's state, the fence of the lease `rules`.
  package var epoch: UInt64
  /// Counted by the rule engine, over all streams and collectors.
  package var sequence: UInt64

  package init(epoch: UInt64, sequence: UInt64) {
    self.epoch = epoch
    self.sequence = sequence
  }

  package static func < (left: RuleStateVersion, right: RuleStateVersion) -> Bool {
    (left.epoch, left.sequence) < (right.epoch, right.sequence)
  }

  /// - Parameter kept: what the database has; nil: nothing.
  package func replaces(_ kept: RuleStateVersion?) -> Bool { kept.map { $0 < self } ?? true }
}

/// What the rules remember of a host, for the database. Opaque to it.
package struct SavedRuleState: Sendable, Equatable {
  /// 0 stands for the whole fleet.
  package var hostNumber: Int32
  package var version: RuleStateVersion
  package var bytes: [UInt8]
  /// Incidents that a person has ended since it was kept: in the state they are still open.
  package var ended: [EndedIncident] = []

  package init(hostNumber: Int32, version: RuleStateVersion, bytes: [UInt8]) {
    self.hostNumber = hostNumber
    self.version = version
    self.bytes = bytes
  }
}

/// An incident that is not resolved, as the rules know it.
package struct OpenIncident: Sendable, Hashable {
  package var rule: String
  /// nil: of the fleet.
  package var hostNumber: Int32?
  /// As incidents name it: `gpu 3`, a path; empty for the host itself.
  package var entity: String
  /// When what it is about began, ns since 1970…
  package var openedNs: Int64
  /// …and when it last began: it may have come back.
  package var lastEventNs: Int64

  package init(rule: String, hostNumber: Int32?, entity: String, openedNs: Int64, lastEventNs: Int64) {
    self.rule = rule
    self.hostNumber = hostNumber
    self.entity = entity
    self.openedNs = openedNs
    self.lastEventNs = lastEventNs
  }
}

/// A host as the collectors' common memory has it.
package struct KnownHost: Sendable, Equatable {
  package var id: HostID
  package var number: Int32
  package var name: String
  package var labels: [String: String]
  /// Of its newest stream.
  package var epoch: UInt64
  /// When any collector last received a report of it, ns since 1970; 0 = never.
  package var lastSeenNs: Int64

  package init(id: HostID, number: Int32, name: String) {
    self.id = id
    self.number = number
    self.name = name
    labels = ["host": name]
    epoch = 0
    lastSeenNs = 0
  }
}

/// An incident that a person has ended. Whether its cause has gone only the next facts show.
package struct EndedIncident: Sendable, Hashable {
  package var number: Int64
  package var rule: String
  /// nil where it is about the whole fleet, or about a job of several hosts.
  package var hostNumber: Int32?
  /// As `IncidentChange.entity`.
  package var entity: String
  /// Host's time of the last change before its end, µs since 1970: what opened later is not meant.
  package var lastEventUs: Int64

  package init(number: Int64, rule: String, hostNumber: Int32?, entity: String, lastEventUs: Int64) {
    self.number = number
    self.rule = rule
    self.hostNumber = hostNumber
    self.entity = entity
    self.lastEventUs = lastEventUs
  }
}
