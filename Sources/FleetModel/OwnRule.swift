/// What a collector finds about itself: no rule of a file, and ended by what opened it.
package enum OwnRule {
  package static let prefix = "SIGNALBOX-"
  /// The database is away, or stores nothing.
  package static let database = prefix + "DATABASE"
  /// The fleet's authority or a certificate of it ends soon.
  package static let authority = prefix + "AUTHORITY"
  package static let all = [authority, database]
}
