package import FleetModel

/// The host's clocks as the caller read them.
package struct HostTime: Sendable, Equatable {
  /// CLOCK_REALTIME, ns since 1970. It may jump; nothing is timed by it.
  package var wallNs: Int64
  /// CLOCK_BOOTTIME, ns. Every timer of the uplink runs on it.
  package var monotonicNs: Int64

  package init(wallNs: Int64, monotonicNs: Int64) {
    self.wallNs = wallNs
    self.monotonicNs = monotonicNs
  }
}

/// What the uplink wants sent, in order.
package enum OutgoingFrame: Sendable, Equatable {
  case hello(Hello)
  case batch(OutgoingBatch)
}

/// A `Batch` whose spooled records are still encoded as the spool kept them: they go onto the wire as they are.
package struct OutgoingBatch: Sendable, Equatable {
  package var number: UInt64
  package var time: HostTime
  package var spooled: [SpooledItem] = []
  package var files: [FileDelta] = []
  package var health: AgentHealth?

  package init(number: UInt64, time: HostTime) {
    self.number = number
    self.time = time
  }

  package var isEmpty: Bool { spooled.isEmpty && files.isEmpty && health == nil }
}

/// One sequence of a lane, or a gap of several, as it leaves the spool.
package struct SpooledItem: Sendable, Equatable {
  package enum Content: Sendable, Equatable {
    /// An encoded `Records` message.
    case encoded([UInt8])
    /// A gap: what is known to be lost in it, or nothing where the numbers were never used.
    case gap([Loss])
  }

  package var lane: Lane
  package var firstSequence: UInt64
  package var lastSequence: UInt64
  package var content: Content

  package init(lane: Lane, firstSequence: UInt64, lastSequence: UInt64, content: Content) {
    self.lane = lane
    self.firstSequence = firstSequence
    self.lastSequence = lastSequence
    self.content = content
  }

  /// About what it takes on the wire.
  package var estimatedBytes: Int {
    switch content {
    case .encoded(let bytes): bytes.count + 24
    case .gap(let losses): 24 + 48 * losses.count
    }
  }
}

extension FileDelta {
  /// About what it takes on the wire: text and numbers of each line, and the fixed parts.
  package var estimatedBytes: Int {
    128 + file.path.utf8.count + lines.text.count + 12 * lines.count + 110 * steps.count + 260 * episodes.count
      + 120 * runs.count + 80 * losses.count
  }
}
