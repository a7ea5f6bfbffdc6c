/// How long each kind of record is kept, ns. `nil` keeps it for good.
///
/// The defaults are those of the operations guides that the project replaces: ERROR 90 d, WARN 60, INFO 30, DEBUG 7.
package struct Retention: Sendable, Equatable {
  package static let dayNs: Int64 = 86_400_000_000_000

  package var errorLogsNs: Int64? = 90 * dayNs
  package var warnLogsNs: Int64? = 60 * dayNs
  /// Also lines whose level is not known.
  package var infoLogsNs: Int64? = 30 * dayNs
  package var debugLogsNs: Int64? = 7 * dayNs
  package var samplesNs: Int64? = 30 * dayNs
  package var aggregatesNs: Int64? = 400 * dayNs
  package var probesNs: Int64? = 30 * dayNs
  package var eventsNs: Int64? = 90 * dayNs

  package init() {}
}
