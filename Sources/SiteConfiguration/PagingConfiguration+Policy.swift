package import FleetModel
package import Incidents

extension PagingConfiguration {
  /// What decides who is paged, and in how many messages.
  package var policy: PagingPolicy {
    PagingPolicy(
      fallback: fallback, messagesPerMinute: messagesPerMinute,
      readByPeople: Set(receivers.filter { $0.value.isReadByPeople }.keys)
    ) { severity, nowNs in deliveries(severity, nowNs: nowNs) }
  }

  /// All steps of an incident that begins at a time. A schedule is resolved for the moment at which its step is due.
  /// Two steps that lead to one receiver at one time, such as by an override, are one page.
  package func deliveries(_ severity: Severity, nowNs: Int64) -> [PlannedDelivery] {
    var planned: [PlannedDelivery] = []
    for (index, step) in (policies[severity] ?? []).enumerated() {
      let dueNs = step.isDigest ? nextDigestNs(after: nowNs) : nowNs + step.afterNs
      let receiver = receiver(of: step.to, atNs: dueNs)
      if planned.contains(where: { $0.receiver == receiver && $0.dueNs == dueNs }) { continue }
      planned.append(
        PlannedDelivery(
          receiver: receiver, dueNs: dueNs, step: Int16(clamping: index), isDigest: step.isDigest,
          isEscalation: index > 0 && (step.afterNs > 0 || step.isDigest)))
    }
    return planned
  }

  /// Applies overrides. One whose receiver is not in the configuration would page no one, so that the turn stays with
  /// its owner.
  package mutating func take(_ overrides: [OnCallOverride]) {
    let known = overrides.filter { receivers[$0.receiver] != nil }
    for name in schedules.keys { schedules[name]?.overrides = known.filter { $0.schedule == name } }
  }

  /// - Parameter name: a receiver or a schedule.
  package func receiver(of name: String, atNs: Int64) -> String { schedules[name]?.shift(atNs: atNs).receiver ?? name }

  /// The next business day's digest: Monday to Friday but no holiday, by the digest's time zone; today's where it is still ahead.
  package func nextDigestNs(after nowNs: Int64) -> Int64 {
    let now = digestZone.localSeconds(atNs: nowNs)
    var day = LocalTime.day(now)
    // More holidays in a row than these are a mistake in the list.
    for _ in 0..<60 {
      let due = digestZone.utcNs(localSeconds: day * 86_400 + digestSecond)
      if LocalTime.isBusinessDay(day), !holidays.contains(day), due > nowNs { return due }
      day += 1
    }
    return nowNs
  }
}

/// Who takes turns.
package struct Schedule: Sendable, Equatable {
  /// Receivers, in the order of their turns; never empty.
  package var rotation: [String]
  /// Seconds of local time.
  package var turnSeconds: Int64
  /// Local time of the first hand-over, seconds since 1970 as if it were UTC.
  package var startLocalSeconds: Int64
  package var zone: TimeZoneRules
  /// Overrides, of which the first one in force counts.
  package var overrides: [OnCallOverride] = []

  package init(rotation: [String], turnSeconds: Int64, startLocalSeconds: Int64, zone: TimeZoneRules) {
    precondition(!rotation.isEmpty && turnSeconds > 0, "a schedule needs somebody and a turn")
    self.rotation = rotation
    self.turnSeconds = turnSeconds
    self.startLocalSeconds = startLocalSeconds
    self.zone = zone
  }

  /// Who is on call, and from when to when. Counted in local time: the hour of the hand-over stays where summer time begins.
  package func shift(atNs: Int64) -> (receiver: String, sinceNs: Int64, untilNs: Int64) {
    if let taken = overrides.first(where: { $0.startsNs <= atNs && atNs < $0.endsNs }) {
      return (taken.receiver, taken.startsNs, taken.endsNs)
    }
    return turn(number(atNs: atNs))
  }

  /// The turns of the rotation from the one at a time on, whoever has taken one over.
  /// - Returns: those that begin within `coveringNs`, `countMax` at most.
  package func turns(
    fromNs: Int64, coveringNs: Int64, countMax: Int
  ) -> [(receiver: String, sinceNs: Int64, untilNs: Int64)] {
    let first = number(atNs: fromNs)
    let endNs = fromNs.addingClamped(coveringNs)
    return (0..<Int64(countMax)).lazy.map { turn(first + $0) }.prefix { $0.sinceNs < endNs }.map { $0 }
  }

  private func number(atNs: Int64) -> Int64 {
    LocalTime.floorDivide(zone.localSeconds(atNs: atNs) - startLocalSeconds, turnSeconds)
  }

  private func turn(_ number: Int64) -> (receiver: String, sinceNs: Int64, untilNs: Int64) {
    let count = Int64(rotation.count)
    return (
      rotation[Int((number % count + count) % count)],
      zone.utcNs(localSeconds: startLocalSeconds + number * turnSeconds),
      zone.utcNs(localSeconds: startLocalSeconds + (number + 1) * turnSeconds)
    )
  }
}

/// Arithmetic on local time, seconds since 1970 as if it were UTC.
package enum LocalTime {
  /// Of the form 2026-12-25: days since 1970.
  package static func day(_ text: String) -> Int64? {
    guard text.utf8.count == 10, let ns = Timestamp.parse(text + "T00:00") else { return nil }
    return day(ns / 1_000_000_000)
  }

  package static func day(_ seconds: Int64) -> Int64 { floorDivide(seconds, 86_400) }

  /// Monday to Friday; day 0 was a Thursday.
  package static func isBusinessDay(_ day: Int64) -> Bool {
    let weekday = ((day + 3) % 7 + 7) % 7
    return weekday < 5
  }

  package static func floorDivide(_ value: Int64, _ by: Int64) -> Int64 {
    let quotient = value / by
    return value % by < 0 ? quotient - 1 : quotient
  }
}
