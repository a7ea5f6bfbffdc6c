internal import FleetModel

/// What a key's value looks like, for messages and for the schema.
indirect enum ValueShape: Sendable {
  case text, number, duration, percentOrNumber, flag, count
  case word([String])
  case metric
  case condition
  case list(of: ValueShape)
  case textOrList
  case labels
  case map(KeyTable)
  case evidence
  case limits
  case anything
}

/// A key of the language.
struct RuleKey: Sendable {
  let name: String
  let shape: ValueShape
  let doc: String

  init(_ name: String, _ shape: ValueShape, _ doc: String) {
    self.name = name
    self.shape = shape
    self.doc = doc
  }
}

/// The keys that may stand together.
struct KeyTable: Sendable {
  /// For messages: "a rule", "a log condition".
  let what: String
  let keys: [RuleKey]
  let required: [String]

  init(_ what: String, required: [String] = [], _ keys: [RuleKey]) {
    self.what = what
    self.keys = keys
    self.required = required
  }

  var names: [String] { keys.map(\.name) }
}

/// Every key of the language. The reader, its messages and the JSON Schema are made from these tables.
enum RuleKeys {
  static let ruleFile = KeyTable(
    "a rule file", required: ["rules"],
    [
      RuleKey(
        "lists", .anything,
        "Named lists of numbers that rules of all files name as $name, or tables of numbers with a word each, named as $name.word."
      ),
      RuleKey("rules", .list(of: .map(rule)), "The rules."),
    ])

  static let rule = KeyTable(
    "a rule", required: ["id", "title", "severity", "when"],
    [
      RuleKey("id", .text, "Unique, such as RES-01. Capitals, digits and dashes."),
      RuleKey("title", .text, "What the page says."),
      RuleKey("severity", .word(Severity.allCases.map(\.word)), "P0 now, P1 within 1 h, P2 within 4 h, P3 next day."),
      RuleKey("observe", .flag, "true: shown, never paged."),
      RuleKey("scope", .word(EntityKind.allCases.map(\.word)), "One incident for each of these; host if not given."),
      RuleKey("match", .labels, "Labels that a host must have."),
      RuleKey("when", .condition, "What opens an incident."),
      RuleKey("until", .condition, "What ends it; if not given, that when is false for clear_after."),
      RuleKey("clear_after", .duration, "How long when must be false; if not given, as long as its for, at least 5m."),
      RuleKey("needs", .text, "What has to be configured before it can fire."),
      RuleKey("causes", .textOrList, "Likely causes, likeliest first."),
      RuleKey("steps", .textOrList, "What the operator does, in order. {{host}} and {{entity}} are filled in."),
      RuleKey("evidence", .evidence, "What is attached to the incident."),
      RuleKey("runbook", .text, "Address of a page of your own."),
      RuleKey("mutes", .textOrList, "Rules on the same host that follow from this one, such as EPI-*."),
      RuleKey("source", .text, "Where the threshold comes from."),
    ])

  private static let hold = RuleKey("for", .duration, "It must hold this long.")
  private static let samples = RuleKey(
    "samples", .text, "At least so many of the last ones, such as 5 of 6, at most of 256.")
  private static let every = RuleKey(
    "every", .duration, "For samples: all of this time are one, true if one of them is.")
  private static let last = RuleKey("last", .count, "About so many samples are its past; 100 if not given.")
  private static let average = RuleKey(
    "average", .count, "Not the value but the weighted mean of about so many samples, once there are so many.")
  private static let of = RuleKey("of", .text, "Only things whose name fits, such as /data*.")
  private static let above = RuleKey("above", .percentOrNumber, "More than this.")
  private static let below = RuleKey("below", .percentOrNumber, "Less than this.")
  private static let outside = RuleKey("outside", .limits, "Less than the first or more than the second: [5, 95].")
  private static let count = RuleKey("count", .count, "So many, 1 if not given.")
  private static let within = RuleKey("within", .duration, "Within this time, 5m if not given.")

  /// Comparisons with the entity's own past.
  static let past: [(key: String, baseline: Baseline, isAbove: Bool, doc: String)] = [
    ("above_median", .median, true, "More than this share of its own median so far, such as 200%."),
    ("below_median", .median, false, "Less than this share of its own median so far, such as 50%."),
    ("above_mean", .mean, true, "More than this share of the mean of its last values."),
    ("below_mean", .mean, false, "Less than this share of the mean of its last values."),
    ("above_max", .maximum, true, "More than this share of the largest of its last values."),
    ("above_start", .start, true, "More than this share of the largest of its first values."),
    ("below_best", .best, false, "Less than this share of its largest positive value so far."),
    ("below_peers", .peers, false, "Less than this share of the largest of its kind on the host now."),
    ("above_z", .deviation, true, "More than so many standard deviations above the mean of its last values."),
    ("below_z", .deviation, false, "So many standard deviations below that mean; write it negative."),
    ("no_new_low", .sinceLow, true, "So many samples without a new lowest value."),
    ("no_new_high", .sinceHigh, true, "So many samples without a new highest value."),
  ]
  private static let pastKeys = past.map { RuleKey($0.key, .percentOrNumber, $0.doc) }

  /// One table for each kind of condition, by the key that decides which it is.
  static let conditions: [(subject: String, table: KeyTable)] = [
    (
      "metric",
      KeyTable(
        "a metric condition", required: ["metric"],
        [
          RuleKey("metric", .metric, "What is compared."), above, below, outside,
          RuleKey("equals", .percentOrNumber, "Exactly this."),
          RuleKey("changed", .word(["any", "up", "down"]), "Differs from the sample before."),
          RuleKey("not_finite", .flag, "true: NaN or infinite."),
        ] + pastKeys + [
          last, average, of, hold, samples, every,
          RuleKey("count", .count, "It must come true so often…"), RuleKey("within", .duration, "…within this time."),
        ])
    ),
    (
      "rate",
      KeyTable(
        "a rate condition", required: ["rate"],
        [
          RuleKey("rate", .metric, "What changes."), RuleKey("per", .duration, "Change in this time; 1s if not given."),
          RuleKey("over", .duration, "Measured over this time; 5m if not given."), above, below, outside, of, hold,
        ])
    ),
    (
      "ratio",
      KeyTable(
        "a ratio condition", required: ["ratio"],
        [
          RuleKey("ratio", .list(of: .metric), "Two metrics of the same thing, or the second of its host: [a, b]."),
          above, below, outside, of, hold, samples, every,
        ])
    ),
    (
      "forecast",
      KeyTable(
        "a forecast", required: ["forecast", "reaches", "within"],
        [
          RuleKey("forecast", .metric, "What goes on as before."),
          RuleKey("reaches", .percentOrNumber, "This value…"), RuleKey("within", .duration, "…in this time."),
          RuleKey("over", .duration, "Judged by its change over this time; 1h if not given."), of, hold,
        ])
    ),
    (
      "absent",
      KeyTable(
        "an absent condition", required: ["absent"],
        [
          RuleKey("absent", .metric, "A number that was there and no longer comes while its host reports."), of,
          RuleKey("for", .duration, "For this long; 2m if not given."),
        ])
    ),
    (
      "stale",
      KeyTable(
        "a stale condition", required: ["stale"],
        [
          RuleKey(
            "stale", .word(["host", "run", "file", "gpu", "disk", "probe", "episode"]), "What gives no sign of life."),
          RuleKey("for", .duration, "For this long; 5m if not given."),
          RuleKey("intervals", .number, "And for so many of its usual intervals (their 95th percentile)."),
          RuleKey(
            "phase", .word(["any", "starting", "declared"]),
            "Of runs: starting = no step since it was told to begin; declared = only those that said themselves that they run."
          ),
        ])
    ),
    (
      "live",
      KeyTable(
        "a live condition", required: ["live"],
        [
          RuleKey(
            "live", .word(["run", "process"]),
            "A run that made steps, or a training process, when the host last reported."),
          RuleKey("within", .duration, "Its last sign is no older; 15m of a run, 1m of a process if not given."),
        ])
    ),
    (
      "open",
      KeyTable("an open condition", required: ["open"], [RuleKey("open", .text, "Rule that is open on the same host.")])
    ),
    ("log", KeyTable("a log condition", required: ["log"], [RuleKey("log", .map(log), "Which lines.")])),
    ("event", KeyTable("an event condition", required: ["event"], [RuleKey("event", .map(event), "Which events.")])),
    ("run", KeyTable("a run condition", required: ["run"], [RuleKey("run", .map(run), "Which runs.")])),
    (
      "episode",
      KeyTable("an episode condition", required: ["episode"], [RuleKey("episode", .map(episode), "Which episodes.")])
    ),
    ("probe", KeyTable("a probe condition", required: ["probe"], [RuleKey("probe", .map(probe), "Which answers.")])),
    (
      "hosts",
      KeyTable(
        "a hosts condition", required: ["hosts"],
        [
          RuleKey("hosts", .text, "Rule that is open on them; the scope must be fleet."),
          RuleKey("above", .percentOrNumber, "More than so many, or than this share of all hosts, such as 50%."),
          RuleKey("at_least", .percentOrNumber, "So many or more, or this share of all hosts or more."),
          RuleKey("of", .word(["all", "live"]), "live: a share of the hosts with a live run or training process."),
        ])
    ),
    (
      "all",
      KeyTable(
        "an all condition", required: ["all"],
        [
          RuleKey("all", .list(of: .condition), "Each must hold."), hold,
          RuleKey("in_order", .flag, "true: what happened must have happened last in this order."),
        ])
    ),
    (
      "any",
      KeyTable("an any condition", required: ["any"], [RuleKey("any", .list(of: .condition), "One must hold."), hold])
    ),
    ("not", KeyTable("a not condition", required: ["not"], [RuleKey("not", .condition, "Must not hold."), hold])),
  ]

  static let log = KeyTable(
    "log",
    [
      RuleKey("text", .text, "The line holds this."),
      RuleKey("matches", .text, "The line holds a match of this regular expression."),
      RuleKey("level", .word(["debug", "info", "warn", "error"]), "At least this level."),
      RuleKey("file", .text, "Pattern of the file's path, or of its name where it has no slash."),
      RuleKey("redacted", .flag, "true: a secret was removed from the line."), count, within,
      RuleKey("among", .text, "Lines with a match of this are the whole of which the others are a share."),
      RuleKey("share", .percentOrNumber, "More than this share of them, such as 5%."),
      RuleKey("times_usual", .number, "More often than so many times the rate over usual."),
      RuleKey("usual", .duration, "1h if not given."),
      RuleKey("missing", .duration, "The line came before, and has not come for so long."),
      RuleKey("intervals", .number, "For missing: and for so many of its usual intervals."),
      RuleKey(
        "unless_goes_on", .duration, "Taken back where its file goes on with a line of level info so long after it."),
    ])

  static let event = KeyTable(
    "event",
    [
      RuleKey("kind", .word(eventWords), "What happened."), RuleKey("text", .text, "The message holds this."),
      RuleKey("matches", .text, "The message holds a match of this regular expression."),
      RuleKey("subject", .text, "Pattern of the device, process or file."),
      RuleKey("code", .anything, "Xid codes: a list, or $name of one."),
      RuleKey("except_code", .anything, "Xid codes that are not meant."), count, within,
      RuleKey(
        "apart", .text, "What comes sooner after the last one is the same: a time, or reboot = one a boot counts."),
    ])

  static let run = KeyTable(
    "run", required: ["state"],
    [
      RuleKey(
        "state", .word(RunMoment.allCases.map(\.rawValue)),
        "Entered this state. restarted: began after one of its kind had failed; fruitless: ended or began again without a step; progressed: made its first step."
      ), count, within,
    ])

  static let episode = KeyTable(
    "episode", required: ["state"],
    [
      RuleKey(
        "state", .word(EpisodeMoment.allCases.map(\.rawValue)),
        "Ended so. hollow: completed with steps but no result; missing: its number was left out."), count, within,
    ])

  static let probe = KeyTable(
    "probe", required: ["name"],
    [
      RuleKey("name", .text, "Pattern of the probe's name."),
      RuleKey(
        "state", .word(["ok", "failed", "timed_out"]), "The answer; failed (which a late answer also is) if not given."),
      count, within,
    ])

  static let eventWords = [
    "other", "kernel", "oom_kill", "xid", "io_error", "hung_task", "process_exit", "agent", "loss",
  ]
}
