/// What a collector finds about itself: no rule of a file, and ended by what opened it.
package enum OwnRule {
  package static let prefix = "SIGNALBOX-"
  /// The database is away, or stores nothing.
  package static let database = prefix + "DATABASE"
  /// The fleet's authority or a certificate of it ends soon.
  package static let authority = prefix + "AUTHORITY"
  package static let all = runbooks.map(\.id)

  /// The runbook of one of the collector's own rules.
  package struct Runbook: Sendable {
    package let id: String
    package let severity: Severity
    package let title: String
    /// In sentences.
    package let meaning: String
    package let causes: [String]
    package let steps: [String]
    /// How it is measured, in sentences.
    package let measured: String

    /// Where it stands, as a page names it.
    package var place: String { "docs/runbooks/\(id).md" }
  }

  package static let databaseRunbook = Runbook(
    id: database, severity: .p1, title: "Signalbox's database does not answer or stores nothing",
    meaning:
      "A collector has had no answer from its database for 30 s, or cannot store what hosts report. Pages come from its memory, by the same policies; agents keep their data.",
    causes: [
      "the database server is down, frozen or restarting", "its disk is full, or it is read-only",
      "the network between collector and database", "all its connections are taken", "a lock that somebody holds",
    ],
    steps: [
      "See the collector's log: journalctl -u signalbox-collector -n 50",
      "See the database server: is it running, is its disk full, does it take connections?",
      "Agents keep their data meanwhile; nothing needs to be done on the hosts.",
    ],
    measured:
      "By each collector on its own: its thread for incidents asks the database once a second, its writers note each commit. It ends when both go through again."
  )

  package static let authorityRunbook = Runbook(
    id: authority, severity: .p2, title: "The fleet's issuing authority ends soon",
    meaning:
      "In less than 60 days no host can join, and none can renew its certificate. The collector renews the authority by itself only where the root's key is in its state directory.",
    causes: ["the root's key is kept elsewhere, as it should be", "the collector cannot write its state directory"],
    steps: authoritySteps(stateDirectory: "STATE_DIR"),
    measured: "By each collector of its own copy of the authority, daily. It ends once that copy is renewed.")

  package static let runbooks = [authorityRunbook, databaseRunbook]

  /// - Parameter directory: of the collector.
  package static func authoritySteps(stateDirectory directory: String) -> [String] {
    [
      "Bring the root's key to \(directory)/ca/root.key, mode 0600.",
      "signalbox ca renew --state-dir \(directory)    (the running collector takes it over within a minute)",
      "Further collectors: signalbox ca export FILE here, signalbox ca import FILE --renewed there.",
      "Take the root's key away again.",
    ]
  }
}

extension IncidentChange {
  /// The change with the causes and the address of its runbook.
  package func described(by runbook: OwnRule.Runbook) -> IncidentChange {
    var change = self
    (change.causes, change.runbook) = (runbook.causes, runbook.place)
    return change
  }
}
