package import FleetModel
internal import Incidents
internal import Rules
internal import Store

/// An incident that the rules would have opened.
package struct ReplayedIncident: Sendable, Equatable {
  package var rule: String
  package var severity: Severity
  package var host: String
  package var entity: String
  /// By the host's clock, ns since 1970.
  package var openedNs: Int64
  /// nil while it is open.
  package var resolvedNs: Int64?
  package var summary: String
  package var evidence: [String]
  package var isObserved: Bool
  /// The rule whose incident on the same host it follows from; empty for none.
  package var mutedBy: String
  /// How often it came back.
  package var flaps = 0
  var mutes: [String]

  /// Whether it would have paged when it opened.
  package var pages: Bool { !isObserved && mutedBy.isEmpty }
}

extension ReplayedIncident {
  fileprivate var cause: MuteCause { MuteCause(identity: "", rule: rule, mutes: mutes, endedNs: resolvedNs) }
}

/// Makes incidents of what the rules find, as the database does: what comes back soon is the same incident, and what
/// follows from another one on the same host is muted. Silences and the gathering of many hosts into one are left out.
package struct ReplayLedger {
  /// A rule that fires more often is not worth a longer list, and memory has an end.
  package static let incidentsMax = 100_000

  package private(set) var incidents: [ReplayedIncident] = []
  /// Those beyond `incidentsMax`.
  package private(set) var omitted = 0
  private var newest: [String: Int] = [:]
  /// Indexes of those of a host that may mute others or be muted.
  private var current: [Int32: [Int]] = [:]

  package init() {}

  package mutating func take(_ change: IncidentChange) {
    switch change.kind {
    case .opened: open(change)
    case .cleared:
      guard let place = newest[change.identity] else { return }
      incidents[place].resolvedNs = change.eventNs
    }
  }

  private mutating func open(_ change: IncidentChange) {
    if let place = newest[change.identity] {
      guard let resolvedNs = incidents[place].resolvedNs else { return }
      if change.eventNs.subtractingClamped(resolvedNs) <= IncidentLimits.reopenNs {
        incidents[place].resolvedNs = nil
        incidents[place].flaps += 1
        return
      }
    }
    guard incidents.count < Self.incidentsMax else {
      omitted += 1
      return
    }
    var incident = ReplayedIncident(
      rule: change.rule, severity: change.severity, host: change.hostName, entity: change.entity,
      openedNs: change.eventNs, summary: change.summary, evidence: change.evidence, isObserved: change.isObserved,
      mutedBy: "", mutes: change.isObserved ? [] : change.mutes)
    if let host = change.hostNumber { mute(&incident, on: host) }
    incidents.append(incident)
    newest[change.identity] = incidents.count - 1
  }

  /// What mutes a new incident, and what it mutes.
  private mutating func mute(_ incident: inout ReplayedIncident, on host: Int32) {
    let places = (current[host] ?? []).filter { place in
      incidents[place].resolvedNs.map { incident.openedNs.subtractingClamped($0) < IncidentLimits.muteTailNs } ?? true
    }
    let cause = incident.cause
    for place in places {
      if incident.mutedBy.isEmpty, incidents[place].cause.mutes(incident.rule, nowNs: incident.openedNs) {
        incident.mutedBy = incidents[place].rule
      }
      if incidents[place].resolvedNs == nil, incidents[place].mutedBy.isEmpty,
        cause.mutes(incidents[place].rule, nowNs: incident.openedNs)
      {
        incidents[place].mutedBy = incident.rule
      }
    }
    current[host] = places + [incidents.count]
  }
}
