package import FleetModel
package import Incidents
internal import Postgres

extension StoreError {
  /// The database refuses the data, and would again: it is to be set aside, so that it does not block other data.
  package var isRefusal: Bool {
    if case .database(let error) = self { error.isRefusal } else { false }
  }
}

extension Store {
  /// Stores refused data with the reason in `dead_letters`.
  /// - Parameters:
  ///   - what: a description; at most `Limits.letterBytesMax` bytes are stored.
  ///   - table: qualified name of the table that it was meant for.
  ///   - hostNumber: nil for data of no host.
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

  /// As `apply`, change by change. A change that the database refuses is applied without texts from outside, as many of
  /// them as necessary, so that it still opens and pages; one that is refused even so is set aside.
  /// - Returns: the effects, and the number of changes that were set aside.
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

  /// - Returns: nil where the database refuses every form.
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
  /// Forms of the change with fewer and fewer texts of a host, a file or a rule, the fullest first. Identity and
  /// deduplication key are kept as long as possible: by them the end finds its incident, and pages from memory find
  /// their rows.
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

  /// The change with the hash of the entity in place of the entity, also in its keys.
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
