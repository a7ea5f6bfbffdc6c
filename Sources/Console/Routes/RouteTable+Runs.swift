internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

extension RouteTable {
  static let searchOfRuns = Route.Parameter(
    "q", .query, .text, "Contained in the run's name, its host's name or its parameters; case does not matter.",
    example: "learning_rate")

  static let runs: [Route] = [
    Route(
      method: .get, path: "/runs", role: .viewer, summary: "Training runs, newest first.", parameters: [searchOfRuns],
      allowsEmpty: true, shape: .page
    ) { question in
      let found = try await question.database.answer(
        TrainingQueries.runs(host: nil, state: nil, text: question["q"], limit: rowsMax + 1), ShownColumns.runs)
      var runs = found
      runs.rows = Array(found.rows.prefix(rowsMax))
      let search = Page.Search(
        path: "/runs", button: "Search",
        inputs: [.init(name: "q", label: "Name, host or parameters", value: question["q"] ?? "")])
      return .page(
        Page(
          title: "Runs",
          blocks: [
            .search(search),
            .table(
              name: "runs", runs, links: [toRun, toHost],
              empty: question["q"] == nil ? "No run has been seen yet." : "No run has that in its name or parameters."),
          ]
            + (question["q"].map { text in
              [.links([(name: "Compare them", path: "/compare?q=\(PercentEncoding.pathPart(text))")])]
            } ?? [])
            + (found.rows.count > rowsMax ? [.text("The newest \(rowsMax); a search finds older ones.")] : []),
          command: "signalbox runs list"))
    },
    Route(
      method: .get, path: "/runs/{id}", role: .viewer,
      summary: "One training run: learning, hosts, incidents, logs, parameters and episodes.",
      parameters: [runID, since, until], allowsEmpty: true, shape: .page
    ) { question in .page(try await runPage(question)) },
  ]

  private static let incidentsOfRun = 50
  private static let templatesOfRun = 15
  private static let pointsOfRun: Int64 = 150

  /// The part of the run's time that was asked for. - Throws: `Problem` 400.
  private static func part(of whole: RunView.Span, _ question: Question) throws -> RunView.Span {
    let fromNs = max(whole.fromNs, question.moment("since") ?? whole.fromNs)
    let toNs = min(whole.toNs, question.moment("until") ?? whole.toNs)
    guard fromNs < toNs else {
      throw Problem(
        .badRequest,
        "since and until name no time of this run, which lasted from \(Timestamp.text(whole.fromNs, digits: 0)) to "
          + Timestamp.text(whole.toNs, digits: 0))
    }
    return RunView.Span(fromNs: fromNs, toNs: toNs)
  }

  private static func runPage(_ question: Question) async throws -> Page {
    let number = question.integer("id") ?? 0
    let run = try await question.database.answer(TrainingQueries.run(number), ShownColumns.runs)
    guard case .text(let host)? = run.value("host"), case .text(let name)? = run.value("run"),
      case .integer(let attempt)? = run.value("attempt"),
      case .time(let startedNs)? = run.value("started"), case .time(let updatedNs)? = run.value("updated")
    else { throw Problem(.notFound, "no run has the number \(number)") }
    // A run of a moment has an axis, too.
    let whole = RunView.Span(fromNs: startedNs, toNs: max(updatedNs, startedNs.addingClamped(60_000_000_000)))
    let span = try part(of: whole, question)
    var questions: [(ReadQuery, [Answer.Column])] = [
      (RunQueries.hosts(run: number), RunView.hostColumns),
      (RunQueries.incidents(run: number, limit: incidentsOfRun), ShownColumns.incidents),
      (SeriesQueries.gaps(host, sinceNs: span.fromNs, untilNs: span.toNs, limit: gapsMax), gapColumns),
      (RunQueries.gaps(run: number, limit: rowsMax), RunView.gapColumns),
      (
        TrainingQueries.episodes(host: host, run: name, attempt: attempt, status: nil, limit: rowsMax),
        ShownColumns.episodes
      ),
    ]
    questions += RunView.learned.map {
      (CompareQueries.curves([number], metric: $0, along: .step, points: pointsOfRun), [])
    }
    questions.append(
      (CompareQueries.curves([number], metric: RunView.learned[0], along: .clock, points: pointsOfRun), []))
    questions += HostMetric.all.map {
      (SeriesQueries.host(host, $0, sinceNs: span.fromNs, untilNs: span.toNs, points: pointsOfRun), [])
    }
    let answers = try await question.database.answers(questions)
    var filter = LogFilter()
    filter.hosts = [host]
    filter.minimumLevel = .warn
    let worst = filter
    let time = around(startedNs, updatedNs)
    let logs = try await question.database.answers(worst) { scope in
      [
        (
          LogQueries.templates(
            worst, scope, sinceNs: time.fromNs, untilNs: time.toNs, limit: templatesOfRun), LogsView.templateColumns
        )
      ]
    }
    let rewards = 5 + RunView.learned.count
    let view = RunView(
      number: number, run: run, span: span, isWhole: span == whole, curves: Array(answers[5..<rewards]),
      rewards: answers[rewards],
      series: Array(answers[(rewards + 1)...]),
      hosts: answers[0], incidents: answers[1], silences: answers[2], gaps: answers[3], logs: logs[0],
      episodes: answers[4], episodesMax: rowsMax)
    let title: String = if case .text(let text)? = run.value("name") { text } else { name }
    return Page(
      title: title, blocks: view.blocks,
      command: "signalbox runs show \(ShellWord.quoted(name)) --host \(ShellWord.quoted(host))")
  }
}
