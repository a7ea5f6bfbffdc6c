internal import Answers
internal import Enrolment
internal import FleetModel
internal import HTTPTypes
internal import Store

/// What people change of a host.
extension RouteTable {
  private static let hostName = Route.Parameter("host", .path, .text, "Its name.", example: "trainer-1")

  static let hostChanges: [Route] = [
    Route(
      method: .post, path: "/api/v1/hosts/{host}/labels", role: .editor,
      summary: "Sets and removes labels, by which rules and profiles choose.", parameters: [hostName],
      fields: [
        .init(name: "labels", summary: "KEY=VALUE sets, KEY- removes, one a line.", charactersMax: 4000)
      ], shape: .change
    ) { question in
      let words = lines(question.fields["labels"])
      return try await changeHost(question) { store, name, actor throws(StoreError) in
        let change = try LabelChange(words)
        let labels = try store.label(hostName: name, set: change.set, remove: change.remove, actor: actor)
        return HostSentences.labels(name, labels)
      }
    },
    Route(
      method: .post, path: "/api/v1/hosts/{host}/rename", role: .editor,
      summary: "Gives it another name; all that is stored of it stays.", parameters: [hostName],
      fields: [.init(name: "name", summary: "Its new name.", charactersMax: 255)], shape: .change
    ) { question in
      let newName = question.fields["name"] ?? ""
      return try await changeHost(question, named: newName) { store, name, actor throws(StoreError) in
        try store.rename(hostName: name, to: newName, actor: actor)
        return HostSentences.renamed(name, to: newName)
      }
    },
    Route(
      method: .post, path: "/api/v1/hosts/{host}/revoke", role: .admin,
      summary: "Takes it out of the fleet and cuts its connection within a second; invited again it is the same host.",
      parameters: [hostName], shape: .change
    ) { question in
      try await changeHost(question) { store, name, actor throws(StoreError) in
        _ = try store.revoke(hostName: name, actor: actor)
        return HostSentences.revoked(name)
      }
    },
    Route(
      method: .post, path: "/api/v1/hosts/{host}/remove", role: .admin,
      summary: "Takes it out of the fleet for good: revoked, and no longer listed.", parameters: [hostName],
      shape: .change
    ) { question in
      try await changeHost(question, back: "/") { store, name, actor throws(StoreError) in
        try store.remove(hostName: name, actor: actor)
        return HostSentences.removed(name)
      }
    },
  ]

  /// What this person may change of it, at the end of its page.
  static func hostForms(_ name: String, _ question: Question) -> [Page.Block] {
    guard let caller = question.caller, caller.role >= .editor else { return [] }
    let path = "/api/v1/hosts/\(PercentEncoding.pathPart(name))"
    let labels = Page.Form.Input(name: "labels", label: "KEY=VALUE sets, KEY- removes, one a line", isLong: true)
    return [
      .heading("Change its labels"), .form(.init(path: path + "/labels", button: "Change labels", inputs: [labels])),
    ] + (caller.role < .admin ? [] : [.form(.init(path: path + "/revoke", button: "Revoke this host"))])
  }

  /// Of a field with several lines, which a form separates by CR LF.
  static func lines(_ text: String?) -> [String] {
    (text ?? "").split(whereSeparator: \.isNewline).map(String.init)
  }

  /// - Parameters:
  ///   - newName: what it is called afterwards, where that changes.
  ///   - back: where a browser goes; to the host without.
  private static func changeHost(
    _ question: Question, named newName: String? = nil, back: String? = nil,
    _ body: @escaping @Sendable (Store, _ name: String, _ actor: String) throws(StoreError) -> String
  ) async throws -> Reply {
    let (name, actor) = (question["host"] ?? "", question.actor)
    let sentence = try await question.database.change { store throws(StoreError) in
      do throws(StoreError) {
        return Optional(try body(store, name, actor))
      } catch .unknownHost {
        return nil
      }
    }
    guard let sentence else { throw Problem(.notFound, "no active host is called '\(name)'") }
    let host = try await question.database.answer(FleetQueries.hosts(named: newName ?? name), ShownColumns.fleet)
    return .change(
      sentence.asSentence, host.rows.isEmpty ? HostSentences.gone(name) : host,
      back: back ?? "/hosts/\(PercentEncoding.pathPart(newName ?? name))")
  }
}
