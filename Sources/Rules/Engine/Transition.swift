package import FleetModel

/// An entity of a host, as incidents name it.
package struct RuleEntity: Sendable, Hashable {
  package var kind: EntityKind
  /// GPU index, mount point, path, run…; empty for the host itself.
  package var name: String

  package init(kind: EntityKind, name: String) {
    self.kind = kind
    self.name = name
  }
}

/// A figure or a line that made a rule fire.
package enum Evidence: Sendable, Equatable {
  case value(metric: String, value: Double)
  /// A figure that reaches its rule's limit in `inNs` if it goes on as it does.
  case forecast(metric: String, value: Double, inNs: Int64)
  case line(file: String, text: String)
  case event(subject: String, text: String)
  case note(String)
  case failure(Diagnosis)
}

/// What the engine has found: incidents are made of these, in this order.
package struct Transition: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    case opened
    case cleared(Reason)
  }

  package enum Reason: String, Sendable {
    /// The condition no longer holds, or its `until` does.
    case recovered
    /// The entity (a run, a mount) is no longer there.
    case gone
    /// The rule was changed or taken away.
    case ruleChanged = "rule_changed"
  }

  package var kind: Kind
  /// Id of the rule.
  package var rule: String
  package var host: HostID
  package var entity: RuleEntity
  /// When the sample was taken or the line written, the host's clock; ns since 1970.
  package var timeNs: Int64
  /// When the fact came in, the collector's clock.
  package var arrivedNs: Int64
  package var evidence: [Evidence]
  /// Older than the first start of the host's agent: recorded as over, and never paged.
  package var isHistory = false
}
