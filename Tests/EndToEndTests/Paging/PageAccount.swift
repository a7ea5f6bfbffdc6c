import Foundation

/// An escalation as the outbox has it.
struct Step {
  var key: String
  var receiver: String
  /// Seconds since 1970.
  var due: Double
}

/// What was paged, compared with what should have been.
struct PageAccount {
  var incidents = 0
  var requests = 0
  /// Incidents whose first page no receiver accepted, and ends that were not sent to a receiver of the page.
  var lost: [String] = []
  /// Lines that became no incident, or more than one.
  var wrong: [String] = []
  /// Opened a second time at a receiver that recognises incidents by their key, as PagerDuty does.
  var doubled: [String] = []
  /// Taken twice under one message id: the receiver had taken it and its answer was lost. HTTP promises no less.
  var repeated = 0
  /// Requests that the receiver took and hung up on, by plan.
  var cut = 0
  /// The same event of the same incident to the same receiver under two message ids.
  var secondMessages: [String] = []
  /// Escalations that were due, of incidents without an acknowledgement, and that no receiver accepted.
  var skipped: [String] = []
  /// Escalations that began more than a second after the answer that should have stopped them.
  var needless: [String] = []
  /// What each receiver got of an incident that something went wrong with.
  var stories: [String: String] = [:]
  /// Seconds from an escalation's due time to its first attempt at the receiver.
  var late: [Double] = []
  /// Seconds from the line on the host to the first page that was taken.
  var firstPage: [Double] = []

  /// An escalation may be so late, s.
  static let lateMax = 30.0

  /// - Parameter keys: of the incidents in the database, by what they are about.
  init(
    _ incidents: [IncidentDriver.Incident], _ pages: [PageReceiver.Page], keys: [String: [String]], steps: [Step]
  ) {
    self.incidents = incidents.count
    requests = pages.count
    let taken = Dictionary(grouping: pages.filter(\.accepted)) { "\($0.to) \($0.id)" }
    repeated = taken.values.reduce(0) { $0 + $1.count - 1 }
    cut = pages.filter { $0.plan == "cut" }.count
    var byKey: [String: [PageReceiver.Page]] = [:]
    for page in pages { for key in page.keys { byKey[key, default: []].append(page) } }
    let stepsByKey = Dictionary(grouping: steps, by: \.key)
    for incident in incidents {
      guard let key = keys[incident.entity]?.first, keys[incident.entity]?.count == 1 else {
        wrong.append("\(incident.entity) is \(keys[incident.entity]?.count ?? 0) incidents")
        for key in keys[incident.entity] ?? [] { stories[key] = Self.story(incident, byKey[key] ?? []) }
        continue
      }
      let before = faults
      judge(incident, key, byKey[key] ?? [], stepsByKey[key] ?? [])
      if faults > before { stories[key] = Self.story(incident, byKey[key] ?? []) }
    }
  }

  private var faults: Int { lost.count + doubled.count + secondMessages.count + skipped.count }

  private static func story(_ incident: IncidentDriver.Incident, _ pages: [PageReceiver.Page]) -> String {
    func seconds(_ time: Double?) -> String { time.map { String(format: "%.3f", $0 - incident.opened) } ?? "never" }
    let requests = pages.sorted { $0.time < $1.time }.map {
      "  \(seconds($0.time)) \($0.to) \($0.event) \($0.step) \($0.plan) \($0.id)"
    }
    return (["answered \(seconds(incident.acked)), ended \(seconds(incident.resolved))"] + requests).joined(
      separator: "\n")
  }

  private mutating func judge(
    _ incident: IncidentDriver.Incident, _ key: String, _ pages: [PageReceiver.Page], _ steps: [Step]
  ) {
    let taken = pages.filter(\.accepted)
    let first = taken.filter { $0.event == "trigger" }.map(\.time).min()
    if let first { firstPage.append(first - incident.opened) } else { lost.append("first page of \(key)") }
    for (receiver, here) in Dictionary(grouping: taken, by: \.to) { judge(incident, key, receiver, here) }
    for step in steps {
      let answered = min(incident.acked ?? .infinity, incident.resolved ?? .infinity)
      let here = pages.filter { $0.to == step.receiver && $0.event == "escalate" }
      if let began = here.map(\.time).min() {
        late.append(began - step.due)
        if began > answered + 1 { needless.append("\(key) to \(step.receiver)") }
      }
      // An answer that comes while a step is late, but not too late, makes it needless.
      let wasDue = answered > step.due + Self.lateMax
      let reached = taken.contains { $0.event == "escalate" && ($0.to == step.receiver || $0.to == "safety") }
      if wasDue, !reached { skipped.append("\(key) to \(step.receiver)") }
    }
  }

  private mutating func judge(
    _ incident: IncidentDriver.Incident, _ key: String, _ receiver: String, _ taken: [PageReceiver.Page]
  ) {
    var isOpen = false
    var opened = 0
    for page in taken.sorted(by: { $0.time < $1.time }) {
      switch page.event {
      case "resolve": isOpen = false
      case "acknowledge": break
      default:
        if !isOpen { opened += 1 }
        isOpen = true
      }
    }
    if opened > 1 { doubled.append("\(key) at \(receiver)") }
    if incident.resolved != nil, isOpen { lost.append("end of \(key) at \(receiver)") }
    for (event, pages) in Dictionary(grouping: taken, by: \.event) where receiver != "safety" {
      if Set(pages.map(\.id)).count > 1 { secondMessages.append("\(event) of \(key) at \(receiver)") }
    }
  }

  var line: String {
    "\(incidents) lines, \(wrong.count) of them not one incident, \(requests) requests: \(lost.count) pages lost, \(doubled.count) doubled by dedup key, "
      + "\(secondMessages.count) second messages, \(skipped.count) steps skipped, \(needless.count) needless, "
      + "steps late p50 \(Self.text(late, 0.5)) worst \(Self.text(late, 1)), first page p50 \(Self.text(firstPage, 0.5)) "
      + "worst \(Self.text(firstPage, 1)); \(repeated) messages taken again under one id, \(cut) of them or so because "
      + "the receiver hung up by plan"
  }

  private static func text(_ values: [Double], _ share: Double) -> String {
    guard !values.isEmpty else { return "-" }
    let sorted = values.sorted()
    return String(format: "%.2f s", sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))])
  }
}
