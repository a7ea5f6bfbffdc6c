internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

extension RouteTable {
  static let models: [Route] = [
    Route(
      method: .get, path: "/api/v1/models", role: .viewer,
      summary: "What the probes of model descriptions and checkpoint files report, what is wrong first.",
      parameters: [host], shape: .list
    ) { question in
      try await requireHost(question["host"], question)
      return .list(try await question.database.answer(ModelQueries.newest(host: question["host"]), modelColumns))
    },
    Route(
      method: .get, path: "/models", role: .viewer, summary: "Model descriptions and checkpoints, what is wrong first.",
      parameters: [host], allowsEmpty: true, shape: .page
    ) { question in
      try await requireHost(question["host"], question)
      var answer = try await question.database.answer(ModelQueries.newest(host: question["host"]), modelColumns)
      let failing = answer.rows.count { $0[3] != .text("ok") }
      answer.rows = Array(answer.rows.prefix(rowsMax))
      let sentence =
        answer.rows.isEmpty
        ? "No probe of model files has reported within two days. The probes json (descriptions) and file (checkpoints) of the configuration do."
        : failing == 0
          ? "All \(answer.rows.count) probes of model files are well."
          : "\(failing) of \(answer.rows.count) probes of model files are not well."
      return .page(
        Page(
          title: "Models",
          blocks: [
            failing == 0 ? .text(sentence) : .notice(sentence),
            .table(name: "models", answer, links: [toHost], empty: ""),
            .text(
              "A description is broken where it is no JSON, or where a model beside it has none. Ages are those of the newest file, as of the result."
            ),
          ]))
    },
  ]

  private static let modelColumns: [Answer.Column] = [
    .init("host", "HOST"), .init("probe", "PROBE"), .init("what", "WHAT"), .init("state", "STATE"),
    .init("detail", "DETAIL"), .init("checked", "CHECKED"), .init("invalid", "BROKEN"),
    .init("age_seconds", "AGE S"), .init("bytes", "SIZE", .bytes), .init("files", "FILES"),
    .init("time", "SEEN", .age), .init("failing_since", "FAILING SINCE"),
  ]
}
