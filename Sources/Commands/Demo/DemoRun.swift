internal import Answers
internal import Enrolment
internal import EventLoop
internal import Files
internal import FleetModel
internal import Postgres
internal import Store
internal import TLS

/// The demo as it goes: each step starts when the one before it has reported ready.
final class DemoRun {
  private(set) var problem: String?
  private let loop: EventLoop
  private let directory: String
  private let programs: DemoPrograms
  private let once: Bool
  private let steps: Int
  private var children: [DemoChild] = []
  private var reader: FleetReader?
  private var isStopping = false
  private var shown = ""
  /// The wait for the first report has been printed.
  private var isWaiting = false
  /// Of the console; works once.
  private var loginLink = ""

  init(loop: EventLoop, directory: String, programs: DemoPrograms, once: Bool, steps: Int) throws {
    self.loop = loop
    self.directory = directory
    self.programs = programs
    self.once = once
    self.steps = steps
    try HostFiles.makeDirectory(directory + "/training", mode: 0o755)
  }

  private var collectorState: String { directory + "/collector" }
  private var agentState: String { directory + "/agent" }
  private var training: String { directory + "/training" }

  // MARK: Steps

  func start() throws {
    say("1. collector with a private database below \(directory)")
    try launch(
      "collector", programs.collector, ["--state-dir", collectorState, "--listen", "127.0.0.1:0"],
      onLine: { [unowned self] line in if line.hasPrefix("ready ") { attempt { try self.invite() } } })
  }

  private func invite() throws {
    say("2. a join token for this machine, used once")
    let token = try HostInvitation.make(
      database: DatabaseOptions.url(ofStateDirectory: collectorState), endNs: Clock.wallNs() + 600_000_000_000,
      addresses: [], name: "demo"
    ) { $0.replaces = true }.text
    try launch(
      "join", programs.agent, ["join", token, "--state-dir", agentState], isExpectedToEnd: true,
      onDone: { [unowned self] in attempt { try self.watchTraining() } })
  }

  private func watchTraining() throws {
    say("3. agent, and a training job that knows nothing of it")
    try launch(
      "agent", programs.agent,
      ["run", "--state-dir", agentState, "--follow", training + "/**", "--process", "python3"])
    try launch(
      "training", programs.python,
      [
        programs.job, "--directory", training, "--episodes", "1000000", "--steps", String(steps), "--delay", "0.01",
        "--seed", "7",
      ])
    try launch(
      "console", programs.console, ["--state-dir", collectorState, "--listen", "127.0.0.1:0"],
      onLine: { [unowned self] line in if line.hasPrefix("ready ") { attempt { try self.openConsole() } } })
    reader = try FleetReader(DatabaseOptions.url(ofStateDirectory: collectorState))
    look()
  }

  private func openConsole() throws {
    let store = try Store.open(DatabaseOptions.url(ofStateDirectory: collectorState))
    defer { store.close() }
    let link = try LoginLink.make(store, url: nil, person: "demo", role: .admin, actor: "demo")
    loginLink = link?.url ?? ""
    say("4. console; this link logs a browser in once:\n   \(loginLink)")
  }

  // MARK: Showing

  private func look() {
    guard !isStopping else { return }
    attempt { try show() }
    loop.after(1_000_000_000) { [weak self] in self?.look() }
  }

  private func show() throws {
    guard let reader else { return }
    let fleet = try FleetStatus.answer(FleetSource(.database(reader)))
    guard fleet.rows.contains(where: { $0.contains(.text("live")) }) else {
      // Before the first report there is nothing to see of this machine.
      if !isWaiting { say("   waiting for the first report") }
      isWaiting = true
      return
    }
    let episodes = try reader.answer(
      TrainingQueries.episodes(host: nil, run: nil, status: "completed", limit: 5), ShownColumns.episodes)
    let renderer = Renderer(format: .table, nowNs: Clock.wallNs(), width: TerminalWidth.columns)
    let isComplete = !episodes.rows.isEmpty
    // What ends now has nothing more to try.
    let last = once && isComplete ? "The first episode is complete: the demo ends and removes what it made.\n" : hint
    let text = renderer.text(fleet) + (isComplete ? "\n" + renderer.text(episodes) : "") + "\n" + last
    if StandardStream.output.isTerminal {
      try StandardStream.output.write("\u{1b}[H\u{1b}[J" + text)
    } else if changed(fleet, episodes) {
      try StandardStream.output.write(text + "\n")
    }
    if once, isComplete { stop() }
  }

  /// Without a terminal only news is printed: another state, another completed episode.
  private func changed(_ fleet: Answer, _ episodes: Answer) -> Bool {
    let state =
      fleet.rows.map { "\($0[1])" }.joined() + "\(episodes.rows.count) \(episodes.rows.first.map { "\($0[2])" } ?? "")"
    defer { shown = state }
    return state != shown
  }

  private var hint: String {
    """
    Try in another terminal, with --state-dir \(collectorState):
      signalbox episodes list        signalbox logs --level error --follow
      signalbox runs latest          signalbox query 'select level, count(*) from log_lines group by 1'
    In a browser, which asks about the demo's own certificate; the link works once:
      \(loginLink.isEmpty ? "(the console is starting)" : loginLink)
    Ctrl-C ends the demo\(once ? " (--once: it ends by itself)" : "").

    """
  }

  // MARK: Children

  private func launch(
    _ name: String, _ path: String, _ words: [String], isExpectedToEnd: Bool = false,
    onLine: @escaping (String) -> Void = { _ in }, onDone: @escaping () -> Void = {}
  ) throws {
    let child = try DemoChild(name: name, path: path, words: words, loop: loop, onLine: onLine) {
      [unowned self] child, exit in
      children.removeAll { $0 === child }
      if isStopping { return stopNext() }
      if isExpectedToEnd, exit == .status(0) { return onDone() }
      fail("the \(name) ended (\(exit)): \(child.lastWords)")
    }
    children.append(child)
  }

  private func attempt(_ step: () throws -> Void) {
    do {
      try step()
    } catch let failure as CommandFailure {
      fail(failure.message)
    } catch {
      fail("\(error)")
    }
  }

  private func fail(_ sentence: String) {
    if problem == nil { problem = sentence }
    stop()
  }

  /// Ends the children, the newest first: the training job, then the agent, which drains, then the collector.
  func stop() {
    guard !isStopping else { return }
    isStopping = true
    reader?.close()
    stopNext()
  }

  private func stopNext() {
    guard let last = children.last else { return loop.stop() }
    last.stop()
  }

  private func say(_ line: String) { try? StandardStream.output.write(line + "\n") }
}
