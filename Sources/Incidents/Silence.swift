package import FleetModel

/// A pattern and a time for which incidents that match it are muted. Patterns as `StarPattern`; nil matches everything.
package struct Silence: Sendable, Equatable {
  /// The row's number; nil before it is stored.
  package var number: Int64?
  package var rule: String?
  package var host: String?
  package var entity: String?
  package var severity: Severity?
  package var author: String
  package var reason: String
  package var startsNs: Int64
  package var endsNs: Int64
  /// nil for a single window; otherwise start and end are those of the window in force, or of the next one.
  package var repetition: Repetition?

  package init(author: String, reason: String, startsNs: Int64, endsNs: Int64) {
    self.author = author
    self.reason = reason
    self.startsNs = startsNs
    self.endsNs = endsNs
  }
}

extension Silence {
  /// The same result as the function `signalbox.matches` of the database.
  private static func matches(_ pattern: String?, _ word: String) -> Bool {
    pattern.map { StarPattern.matches(word, $0) } ?? true
  }

  package func matches(_ subject: MuteSubject, nowNs: Int64) -> Bool {
    startsNs <= nowNs && nowNs < endsNs && Self.matches(rule, subject.rule) && Self.matches(host, subject.hostName)
      && Self.matches(entity, subject.entity) && (severity == nil || severity == subject.severity)
  }
}

/// When the windows of a repeated silence begin, and how long they are.
package struct Repetition: Sendable, Equatable {
  package var cron: CronExpression
  /// Name of a time zone that the database has, such as `Europe/Berlin`.
  package var zone: String
  package var lengthNs: Int64

  package init(cron: CronExpression, zone: String, lengthNs: Int64) {
    self.cron = cron
    self.zone = zone
    self.lengthNs = lengthNs
  }

  /// Why what a person gave makes no repetition.
  package enum Mistake: Error, Equatable {
    case zoneAlone
    case ownStart
    case cron(CronExpression.Mistake)

    /// - Parameter mark: what stands before a name where the person gave it: `--`, or nothing.
    package func sentence(_ mark: String) -> String {
      switch self {
      case .zoneAlone: "\(mark)zone goes with \(mark)cron"
      case .ownStart: "\(mark)from does not go with \(mark)cron, which says when it begins"
      case .cron(let mistake): "\(mark)cron: \(mistake)"
      }
    }
  }

  /// - Parameter from: when a single window begins.
  /// - Returns: nil for a silence that does not come back.
  package static func given(
    cron: String?, zone: String?, from: String?, lengthNs: Int64
  ) throws(Mistake) -> Repetition? {
    guard let cron else {
      if zone != nil { throw .zoneAlone }
      return nil
    }
    if from != nil { throw .ownStart }
    do throws(CronExpression.Mistake) {
      return Repetition(cron: try CronExpression(cron), zone: zone ?? "UTC", lengthNs: lengthNs)
    } catch {
      throw .cron(error)
    }
  }
}
