internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

extension RouteTable {
  private static let episode = Route.Parameter(
    "episode", .path, .integer(0...Int64.max), "Its number within the run.", example: "7")

  private static let stepRange: [Route.Parameter] = [
    .init("from", .query, .integer(0...Int64.max), "With to: only the steps from this one on.", example: "100"),
    .init("to", .query, .integer(0...Int64.max), "With from: the last of them.", example: "200"),
  ]

  static let episodes: [Route] = [
    Route(
      method: .get, path: "/api/v1/runs/{id}/episodes", role: .viewer, summary: "Episodes of a run, newest first.",
      parameters: [
        runID,
        .init(
          "status", .query, .choice(["running", "completed", "force_closed"]), "Only with it.", example: "completed"),
        limit,
      ], shape: .list
    ) { question in
      let count = Int(question.integer("limit") ?? 1000)
      let run = try await runNames(question)
      let answer = try await question.database.answer(
        TrainingQueries.episodes(
          host: run.host, run: run.name, attempt: run.attempt, status: question["status"], limit: count + 1),
        ShownColumns.episodes)
      return cut(answer, to: count)
    },
    Route(
      method: .get, path: "/api/v1/runs/{id}/episodes/{episode}", role: .viewer,
      summary: "All that is known of an episode.", parameters: [runID, episode], shape: .one
    ) { question in
      let run = try await runNames(question)
      return .one(
        try await question.database.answer(
          TrainingQueries.episode(
            host: run.host, run: run.name, attempt: run.attempt, episode: question.integer("episode") ?? 0),
          ShownColumns.episodes),
        missing: missing(question))
    },
    Route(
      method: .get, path: "/api/v1/runs/{id}/episodes/{episode}/steps", role: .viewer,
      summary: "Its steps in buckets, with mean, minimum and maximum of each figure.",
      parameters: [
        runID, episode, .init("points", .query, .integer(1...5_000), "At most so many buckets.", example: "300"),
      ] + stepRange, shape: .list
    ) { question in
      let (run, number) = try await requireEpisode(question)
      return .list(
        try await question.database.answer(
          EpisodeQueries.steps(
            run: run, episode: number, points: question.integer("points") ?? 300, within: try question.steps()),
          EpisodeView.stepColumns))
    },
    Route(
      method: .get, path: "/api/v1/runs/{id}/episodes/{episode}/actions", role: .viewer,
      summary:
        "How often which action was taken, by the price's move, the position held and the action before: sums of these rows are its distribution, transitions and decisions.",
      parameters: [runID, episode], shape: .list
    ) { question in
      let (run, number) = try await requireEpisode(question)
      return .list(
        try await question.database.answer(
          EpisodeQueries.actions(run: run, episode: number), EpisodeView.actionColumns))
    },
    Route(
      method: .get, path: "/runs/{id}/episodes/{episode}", role: .viewer,
      summary: "One episode: figures, price and operations, portfolio, reward, decisions, step by step.",
      parameters: [
        runID, episode, .init("step", .query, .integer(0...Int64.max), "Show the row of this step.", example: "120"),
        .init(
          "with", .query, .integer(0...Int64.max), "Another episode of the run, drawn over this one.", example: "1"),
      ] + stepRange, allowsEmpty: true, shape: .page
    ) { question in .page(try await episodePage(question)) },
  ]

  /// - Throws: `Problem` 404.
  static func runNames(_ question: Question) async throws -> (host: String, name: String, attempt: Int64) {
    let number = question.integer("id") ?? 0
    let names = try await question.database.answer(EpisodeQueries.names(run: number))
    guard case .text(let host)? = names.value("host"), case .text(let name)? = names.value("run"),
      case .integer(let attempt)? = names.value("attempt")
    else {
      throw Problem(.notFound, "no run has the number \(number)")
    }
    return (host, name, attempt)
  }

  private static func missing(_ question: Question) -> String {
    "run \(question["id"] ?? "") has no episode \(question["episode"] ?? "")"
  }

  /// An episode without steps has no buckets; one that is none is not found. - Throws: `Problem` 404.
  private static func requireEpisode(_ question: Question) async throws -> (run: Int64, episode: Int64) {
    let (run, number) = (question.integer("id") ?? 0, question.integer("episode") ?? 0)
    let names = try await runNames(question)
    let found = try await question.database.answer(
      TrainingQueries.episode(host: names.host, run: names.name, attempt: names.attempt, episode: number))
    guard !found.rows.isEmpty else { throw Problem(.notFound, missing(question)) }
    return (run, number)
  }

  private static let pointsOfPage: Int64 = 240
  private static let operationsMax = 2_000

  private static func episodePage(_ question: Question) async throws -> Page {
    let (run, number) = (question.integer("id") ?? 0, question.integer("episode") ?? 0)
    let names = try await runNames(question)
    let other = question.integer("with").flatMap { $0 == number ? nil : $0 }
    var questions: [(ReadQuery, [Answer.Column])] = [
      (ViewQueries.columns(of: "episodes"), []),
      (EpisodeQueries.actions(run: run, episode: number), EpisodeView.actionColumns),
      (EpisodeQueries.operations(run: run, episode: number, limit: operationsMax), []),
      (EpisodeQueries.row(run: run, episode: number, step: question.integer("step") ?? 0), EpisodeView.rowColumns),
      (EpisodeQueries.neighbours(run: run, episode: number), []),
    ]
    let range = try question.steps()
    let shown = [number] + (other.map { [$0] } ?? [])
    for episode in shown {
      questions += [
        (TrainingQueries.episode(host: names.host, run: names.name, attempt: names.attempt, episode: episode), []),
        (EpisodeQueries.steps(run: run, episode: episode, points: pointsOfPage, within: range), []),
      ]
    }
    let answers = try await question.database.answers(questions)
    let episodes = zip(shown, stride(from: 5, to: answers.count, by: 2)).map { number, place in
      EpisodeView.Episode(number: number, figures: answers[place], steps: answers[place + 1])
    }
    for episode in episodes where episode.figures.rows.isEmpty {
      throw Problem(.notFound, "run \(run) has no episode \(episode.number)")
    }
    let view = EpisodeView(
      run: run, episodes: episodes, definitions: answers[0].definitions, actions: answers[1], operations: answers[2],
      row: answers[3], neighbours: answers[4], step: question.integer("step"), range: range)
    return Page(
      title: "\(names.name), episode \(number)", blocks: view.blocks,
      command:
        "signalbox episodes show \(ShellWord.quoted(names.name)) \(number) --host \(ShellWord.quoted(names.host))")
  }
}
