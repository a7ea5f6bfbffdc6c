package import FleetModel

/// One fact that the database holds of a host's past, as the agent reported it.
package struct StoredFact: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    case host(HostSample)
    case gpu(GPUSample)
    case disk(DiskSample)
    case network(NetworkSample)
    case process(ProcessSample)
    case probe(ProbeResult)
    case event(Event)
    case loss(Loss)
    case line(StoredLine)
    case run(RunUpdate)
    case step(TrainingStep)
    case episode(EpisodeSummary)
  }

  /// Where it stands in time, ns since 1970.
  package var timeNs: Int64
  /// The database's short number of the host.
  package var host: Int32
  package var kind: Kind
}

/// One log line.
package struct StoredLine: Sendable, Equatable {
  /// The database's short number of the file.
  package var file: Int32
  package var path: String
  package var level: Level
  /// `LineFlags.rawValue`.
  package var flags: UInt8
  /// UTF-8 without the newline.
  package var text: [UInt8]
}
