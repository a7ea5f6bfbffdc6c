internal import FleetModel

/// The keys of cases.
enum CaseKeys {
  /// A time since the case's beginning.
  private static let moment = ValueShape.duration(0...366 * 86_400_000_000_000, example: "30s, 10m or 1h30m")
  private static let at = DocumentKey("at", moment, "When, since the case's beginning; 0s if not given.")
  private static let every = DocumentKey("every", .time, "Time between two of them; 10s if not given.")
  private static let times = DocumentKey("times", .integer(1...10_000), "How often it comes; once if not given.")

  static let test = KeyTable(
    "a case", required: ["name", "given", "expect"],
    [
      DocumentKey("name", .text, "What it shows."),
      DocumentKey("rule", .text, "Only incidents of this rule count; all if not given."),
      DocumentKey("given", .list(of: .anything), "What the host reports."),
      DocumentKey("lasts", .time, "How long it goes on; until the end of what is given if not given."),
      DocumentKey("expect", .list(of: .anything), "Incidents that must open; [] = none may."),
      DocumentKey("labels", .labels, "Of the host."),
      DocumentKey("others", .integer(1...1000), "Hosts beside it on which nothing happens."),
    ])

  static let expectation = KeyTable(
    "an expected incident",
    [
      DocumentKey("rule", .text, "The case's rule if not given."), DocumentKey("opened", moment, "When it opens."),
      DocumentKey("cleared", moment, "When it clears."), DocumentKey("entity", .text, "What it is about."),
    ])

  /// By the key that each begins with. An episode also has a run, so it comes first.
  static let inputs: [KeyTable] = [
    KeyTable(
      "a series", required: ["series", "values"],
      [
        DocumentKey("series", .metric, "Which number."),
        DocumentKey("values", .anything, "95 x 70, 80..95 x 60, a list."),
        DocumentKey("entity", .text, "Of which thing."),
        DocumentKey(
          "rank", .integer(0...1000), "Of a training: which rank logs it, a step with each value, in a file of its own."
        ),
        at, every,
      ]),
    KeyTable(
      "a log", required: ["log", "lines"],
      [
        DocumentKey("log", .text, "The file's path."), DocumentKey("lines", .textOrList, "Its lines."),
        DocumentKey("level", .word(["debug", "info", "warn", "error"]), "info if not given."),
        DocumentKey("redacted", .flag, "A secret was removed from the lines."), at, every, times,
      ]),
    KeyTable(
      "an event", required: ["event"],
      [
        DocumentKey("event", .word(RuleKeys.eventWords), "What happens."),
        DocumentKey("subject", .text, "The device, process or file."), DocumentKey("message", .text, "Its text."),
        DocumentKey("code", .integer(0...255), "For process_exit: the code that it ended with."),
        DocumentKey("signal", .integer(1...64), "For process_exit: the signal that ended it."),
        DocumentKey("output", .text, "For process_exit: the file that its output went to."), at, every, times,
      ]),
    KeyTable(
      "an episode", required: ["episode", "state"],
      [
        DocumentKey("episode", .integer(-1_000_000_000_000...1_000_000_000_000), "Its number."),
        DocumentKey("run", .text, "Its run."),
        DocumentKey("state", .word(["running", "completed", "force_closed"]), "How it is or ends."),
        DocumentKey("steps", .count, "How many it had."), at, every, times,
      ]),
    KeyTable(
      "a run", required: ["run", "state"],
      [
        DocumentKey("run", .text, "Its name."),
        DocumentKey("state", .word(["unknown", "running", "completed", "failed"]), "The state that it takes."),
        DocumentKey("declared", .flag, "The program says so itself."),
        DocumentKey("episodes", .count, "How many it announces."), at, every, times,
      ]),
    KeyTable(
      "a probe", required: ["probe", "state"],
      [
        DocumentKey("probe", .text, "KIND/NAME."),
        DocumentKey("state", .word(["ok", "failed", "timed_out"]), "Its answer."),
        at, every, times,
      ]),
    KeyTable(
      "a silence of the host", required: ["silent"],
      [DocumentKey("silent", .time, "The host reports nothing for so long."), at]),
  ]
}
