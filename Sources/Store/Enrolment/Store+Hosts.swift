package import FleetModel
internal import Postgres

/// Labels that the configuration gives to hosts by their names.
package struct HostLabels: Sendable, Equatable {
  /// A host's name, or one with a `*`.
  package var pattern: String
  package var labels: [String: String]

  package init(pattern: String, labels: [String: String]) {
    self.pattern = pattern
    self.labels = labels
  }

  /// - Returns: what all entries that fit give to a host; a later entry's value replaces an earlier one's.
  package static func labels(of name: String, _ all: [HostLabels]) -> [String: String] {
    all.reduce(into: [:]) { labels, entry in
      if StarPattern.matches(name, entry.pattern) { labels.merge(entry.labels) { $1 } }
    }
  }
}

extension Store {
  /// Payload of the notification that a host was renamed, beside the one with the host's id. A kind of its own, because applying labels
  /// notifies as well: collectors with different configurations would answer each other for ever.
  static let renamedPayload = "renamed"

  /// Gives a host of the fleet another name. Its rows, marks and certificates stay.
  /// - Throws: `.unknownHost`, `.badHostName`, `.hostNameInUse`.
  package func rename(hostName: String, to name: String, actor: String) throws(StoreError) {
    guard Self.isHostName(name) else { throw .badHostName(name) }
    do throws(StoreError) {
      try inTransaction { () throws(StoreError) in
        try change(hostName, "name = $2", [.text(name)], actor: actor, action: "hosts.rename", detail: "to \(name)")
        try run("select pg_notify($1, $2)", [.text(Self.hostsChannel), .text(Self.renamedPayload)])
      }
    } catch .database(let error) where error.sqlState == "23505" {
      throw .hostNameInUse(name)
    }
  }

  /// Sets and removes labels of a host of the fleet.
  /// - Returns: all labels that it then has, those of the configuration among them.
  /// - Throws: `.unknownHost`, `.badLabel`.
  @discardableResult
  package func label(
    hostName: String, set: [String: String], remove: [String], actor: String
  ) throws(StoreError) -> [String: String] {
    try requireLabels(set)
    let detail =
      (set.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" } + remove.sorted().map { "\($0)-" })
      .joined(separator: " ")
    let assignments = """
      set_labels = set_labels - $3::text[] || $2::jsonb,
      labels = configured_labels || (set_labels - $3::text[] || $2::jsonb)
      """
    return try inTransaction { () throws(StoreError) in
      let text = try change(
        hostName, assignments, [.text(Self.json(set)), .texts(remove)], actor: actor, action: "hosts.label",
        detail: detail)
      try requireLabels(Self.labels(text))
      return Self.labels(text)
    }
  }

  /// Takes a host out of the fleet for good: revoked, no longer listed, its name free for another machine.
  ///
  /// Its rows stay until their retention ends; runs and episodes are kept as those of every host.
  /// - Throws: `.unknownHost` where neither an active nor a revoked host has that name.
  package func remove(hostName: String, actor: String) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      let found = try ask(
        """
        update signalbox.hosts set state = 'revoked', revoked = coalesce(revoked, now()), removed = now()
        where name = $1 and removed is null returning number, host_id
        """, [.text(hostName)])
      guard found.count > 0 else { throw .unknownHost }
      for row in 0..<found.count {
        guard let number = found.int(row, 0), let host: HostID = found.id(row, 1) else { continue }
        try endIdentity(Int32(clamping: number), host)
      }
      try audit(actor: actor, action: "hosts.remove", subject: hostName)
    }
  }

  /// Refuses a host's certificates, fences its stream, and notifies every collector.
  func endIdentity(_ number: Int32, _ host: HostID) throws(StoreError) {
    try run("update signalbox.certificates set revoked = now() where host = $1 and revoked is null", [.int4(number)])
    try run("update signalbox.epochs set epoch = epoch + 1, disconnected = now() where host = $1", [.int4(number)])
    try notify(host)
  }

  /// Makes the configuration's labels those of the hosts. Hosts whose labels stay the same are not touched.
  /// - Parameter host: nil for all hosts of the fleet.
  /// - Returns: how many hosts were changed.
  @discardableResult
  package func applyLabels(_ configured: [HostLabels], to host: HostID? = nil) throws(StoreError) -> Int {
    try inTransaction { () throws(StoreError) in
      let rows = try ask(
        """
        select host_id, name, (select string_agg(key || chr(31) || value, chr(30)) from jsonb_each_text(configured_labels))
        from signalbox.hosts where state <> 'revoked' and ($1::uuid is null or host_id = $1)
        """, [host.map { .id($0) } ?? .null])
      var changed = 0
      for row in 0..<rows.count {
        guard let host: HostID = rows.id(row, 0), let name = rows.text(row, 1) else { continue }
        let wanted = HostLabels.labels(of: name, configured)
        if wanted == Self.labels(rows.text(row, 2)) { continue }
        try run(
          """
          update signalbox.hosts set configured_labels = $2::jsonb, labels = $2::jsonb || set_labels, revision = revision + 1
          where host_id = $1
          """, [.id(host), .text(Self.json(wanted))])
        try notify(host)
        changed += 1
      }
      return changed
    }
  }

  /// One change of one host, in the caller's transaction.
  /// - Returns: the host's labels after it, as `labelsText`.
  @discardableResult
  private func change(
    _ hostName: String, _ assignments: String, _ values: [Parameter], actor: String, action: String, detail: String
  ) throws(StoreError) -> String? {
    let found = try ask(
      """
      update signalbox.hosts h set \(assignments), revision = revision + 1
      where name = $1 and state <> 'revoked' returning host_id, \(Self.labelsText)
      """, [.text(hostName)] + values)
    guard let host: HostID = found.count == 1 ? found.id(0, 0) : nil else { throw .unknownHost }
    try audit(actor: actor, action: action, subject: hostName, detail: detail)
    try notify(host)
    return found.text(0, 1)
  }

  func requireLabels(_ labels: [String: String]) throws(StoreError) {
    if labels.count > HostNaming.labelsMax {
      throw .badLabel("a host has at most \(HostNaming.labelsMax) labels; remove some with KEY-")
    }
    for (key, value) in labels {
      if let problem = HostNaming.problem(ofLabel: key, value) { throw .badLabel(problem) }
    }
  }

  /// An object of texts.
  static func json(_ labels: [String: String]) -> String {
    let members = labels.sorted { $0.key < $1.key }.map { "\(JSONText.quoted($0.key)):\(JSONText.quoted($0.value))" }
    return "{\(members.joined(separator: ","))}"
  }
}
