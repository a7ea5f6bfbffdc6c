package import FleetModel
package import Incidents
internal import Postgres

extension StoreError {
  /// The database refuses what it was given, and would again: it is to be set aside, so that everything else goes on.
  package var isRefusal: Bool {
    if case .database(let error) = self { error.isRefusal } else { false }
  }
}

extension Store {
  /// Keeps what the database refused, with its reason, where operators look for it (`dead_letters`).
  /// - Parameters:
  ///   - what: in words; at most `Limits.letterBytesMax` bytes are kept.
  ///   - table: where it was to be stored, qualified.
  ///   - hostNumber: nil for what belongs to no host.
  package func setAside(
    _ what: String, of table: String, hostNumber: Int32?, because error: StoreError, nowNs: Int64
  ) throws(StoreError) {
    guard case .database(let reason) = error else { return }
    let refusal = Refusal(
      hostNumber: hostNumber ?? 0, table: table, error: reason,
      bytes: Array(BoundedText.prefix(what, bytesMax: Limits.letterBytesMax).utf8))
    try asking { () throws(PostgresError) in try storeLetters([refusal], nowNs / 1000) }
    noteSetAside([refusal])
  }

  /// As `apply`, change by change: one that the database refuses is applied with as few of the texts that came from outside as it takes,
  /// so that it still opens and pages; one that it refuses even so is set aside.
  /// - Returns: what was done, and how many changes were set aside.
  package func applyOneByOne(
    _ changes: [IncidentChange], policy: PagingPolicy, reservation: Reservation? = nil, nowNs: Int64
  ) throws(StoreError) -> (done: AppliedChanges, setAside: Int) {
    var done = AppliedChanges()
    var count = 0
    for change in changes {
      do throws(StoreError) {
        done.add(try apply([change], policy: policy, reservation: reservation, nowNs: nowNs))
      } catch {
        guard error.isRefusal else { throw error }
        try setAside(
          "\(change)", of: "signalbox.incidents", hostNumber: change.hostNumber, because: error, nowNs: nowNs)
        if let plain = try applyPlain(change, policy: policy, reservation: reservation, nowNs: nowNs) {
          done.add(plain)
        } else {
          count += 1
        }
      }
    }
    return (done, count)
  }

  /// - Returns: nil where the database refuses it in every form.
  private func applyPlain(
    _ change: IncidentChange, policy: PagingPolicy, reservation: Reservation?, nowNs: Int64
  ) throws(StoreError) -> AppliedChanges? {
    for form in change.plainForms {
      do throws(StoreError) {
        return try apply([form], policy: policy, reservation: reservation, nowNs: nowNs)
      } catch {
        guard error.isRefusal else { throw error }
      }
    }
    return nil
  }
}

extension IncidentChange {
  /// Forms without what a host, a file or a rule's text could have brought in, the fullest first. Identity and deduplication key stay
  /// those of the finding as long as possible: by them its end finds the incident, and what was paged from memory its rows.
  fileprivate var plainForms: [IncidentChange] {
    var wordless = self
    wordless.title = ""
    wordless.summary = "\(rule): the database refuses this finding's own words; they are in dead_letters"
    wordless.steps = ["See what was found: select * from dead_letters order by received desc limit 20"]
    (wordless.evidence, wordless.causes, wordless.runbook) = ([], [], "")
    var unnamed = wordless.hashed
    unnamed.keyEntity = entity
    return [wordless, unnamed, wordless.hashed]
  }

  /// With the entity's hash in place of the entity, in the keys as well.
  var hashed: IncidentChange {
    var change = self
    change.entity = "~" + String(ContentHash.of(Array(entity.utf8).span), radix: 16)
    return change
  }
}

extension AppliedChanges {
  fileprivate mutating func add(_ other: AppliedChanges) {
    opened += other.opened
    reopened += other.reopened
    resolved += other.resolved
    ignored += other.ignored
  }
}
