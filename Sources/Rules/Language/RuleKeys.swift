internal import FleetModel

extension ValueShape {
  /// A time of a condition.
  static let time = ValueShape.duration(1_000_000...400 * 86_400_000_000_000, example: "30s, 10m, 1h30m or 7d")
  static let count = ValueShape.integer(1...1_000_000)
  /// Defined by `RuleSchema`.
  static let metric = ValueShape.reference("metric")
  static let condition = ValueShape.reference("condition")
  static let evidence = ValueShape.list(of: .either([.word(RuleKeys.evidenceWords), .map(RuleKeys.evidence)]))
}

/// Every key of the language. The reader, its messages and the JSON Schema are made from these tables.
enum RuleKeys {
  static let ruleFile = KeyTable(
    "a rule file", required: ["rules"],
    [
      DocumentKey(
        "lists", .anything,
        "Named lists of numbers that rules of all files name as $name, or tables of numbers with a word each, named as $name.word."
      ),
      DocumentKey("failures", .list(of: .reference("failure")), "Classes of failures, most telling first."),
      DocumentKey("rules", .list(of: .reference("rule")), "The rules."),
    ])

  static let failure = KeyTable(
    "a class of failures", required: ["class", "title", "steps"],
    [
      DocumentKey("class", .text, "Unique, such as device-memory. Small letters, digits and dashes."),
      DocumentKey("title", .text, "What follows 'Training failed: ', such as out of GPU memory."),
      DocumentKey(
        "kind", .word(["root", "cascade"]),
        "root: what began it (if not given); cascade: it follows from another one's."),
      DocumentKey(
        "severity", .word(Severity.allCases.map(\.word)), "Its incidents are never more severe; P1 if not given."),
      DocumentKey("generic", .flag, "true: any other class that fits as well says more."),
      DocumentKey("retried", .flag, "true: programs often go on, or try again, after a line of it."),
      DocumentKey(
        "ends", .textOrList,
        "Regular expressions of what a shell, the kernel or a launcher says of a program that has ended, at any level."),
      DocumentKey("lines", .textOrList, "A raised line holds a match of one of these regular expressions."),
      DocumentKey("except", .textOrList, "And of none of these."),
      DocumentKey(
        "level", .word(["info", "warn", "error"]), "Of lines that have a level, at least this; error if not given."),
      DocumentKey("signals", .list(of: .count), "Numbers of signals that show it where no line shows more."),
      DocumentKey("causes", .list(of: .text), "Likely causes, likeliest first."),
      DocumentKey("steps", .list(of: .text), "What to do, in order. {{host}} and {{entity}} are filled in."),
      DocumentKey("retry", .text, "Whether to start it again, and where."),
      DocumentKey("source", .text, "Where the texts come from."),
    ])

  static let failureCondition = KeyTable(
    "failure",
    [
      DocumentKey("class", .textOrList, "Only these classes; unknown stands for what none fits."),
      DocumentKey("except", .textOrList, "Not these classes."),
      DocumentKey(
        "end", .word(["known", "unknown", "any"]),
        "known: its process has ended, or no training process is left; unknown: its log just stopped; any if not given."
      ),
      count, within,
    ])

  static let rule = KeyTable(
    "a rule", required: ["id", "title", "severity", "when"],
    [
      DocumentKey("id", .text, "Unique, such as RES-01. Capitals, digits and dashes."),
      DocumentKey("title", .text, "What the page says."),
      DocumentKey(
        "severity", .word(Severity.allCases.map(\.word)), "P0 now, P1 within 1 h, P2 within 4 h, P3 next day."),
      DocumentKey("observe", .flag, "true: shown, never paged."),
      DocumentKey(
        "scope", .word(EntityKind.allCases.map(\.word)), "One incident for each of these; host if not given."),
      DocumentKey("match", .labels, "Labels that a host must have."),
      DocumentKey("when", .condition, "What opens an incident."),
      DocumentKey("until", .condition, "What ends it; if not given, that when is false for clear_after."),
      DocumentKey(
        "clear_after", .time,
        "How long when must be false; if not given, as long as its for, at least 5m; of a silent host, not at all."),
      DocumentKey("needs", .text, "What has to be configured before it can fire."),
      DocumentKey("causes", .list(of: .text), "Likely causes, likeliest first."),
      DocumentKey(
        "steps", .list(of: .text), "What the operator does, in order. {{host}} and {{entity}} are filled in."),
      DocumentKey("evidence", .evidence, "What is attached to the incident."),
      DocumentKey("runbook", .text, "Address of a page of your own."),
      DocumentKey("mutes", .list(of: .text), "Rules on the same host that follow from this one, such as EPI-*."),
      DocumentKey("source", .text, "Where the threshold comes from."),
    ])

  private static let hold = DocumentKey("for", .time, "It must hold this long.")
  private static let samples = DocumentKey(
    "samples", .text, "At least so many of the last ones, such as 5 of 6, at most of 256.")
  private static let every = DocumentKey(
    "every", .time, "For samples: all of this time are one, true if one of them is.")
  private static let last = DocumentKey("last", .count, "About so many samples are its past; 100 if not given.")
  private static let average = DocumentKey(
    "average", .count, "Not the value but the weighted mean of about so many samples, once there are so many.")
  private static let of = DocumentKey("of", .text, "Only things whose name fits, such as /data*.")
  private static let above = DocumentKey("above", .quantity, "More than this.")
  private static let below = DocumentKey("below", .quantity, "Less than this.")
  private static let outside = DocumentKey(
    "outside", .list(of: .quantity), "Less than the first or more than the second: [5, 95].")
  private static let count = DocumentKey("count", .count, "So many, 1 if not given.")
  private static let within = DocumentKey("within", .time, "Within this time, 5m if not given.")

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
  private static let pastKeys = past.map { DocumentKey($0.key, .quantity, $0.doc) }

  /// One table for each kind of condition, by the key that decides which it is.
  static let conditions: [(subject: String, table: KeyTable)] = [
    (
      "metric",
      KeyTable(
        "a metric condition", required: ["metric"],
        [
          DocumentKey("metric", .metric, "What is compared."), above, below, outside,
          DocumentKey("equals", .quantity, "Exactly this."),
          DocumentKey("changed", .word(["any", "up", "down", "true"]), "Differs from the sample before."),
          DocumentKey("not_finite", .flag, "true: NaN or infinite."),
        ] + pastKeys + [
          last, average, of, hold, samples, every,
          DocumentKey("count", .count, "It must come true so often…"),
          DocumentKey("within", .time, "…within this time."),
        ])
    ),
    (
      "rate",
      KeyTable(
        "a rate condition", required: ["rate"],
        [
          DocumentKey("rate", .metric, "What changes."),
          DocumentKey("per", .time, "Change in this time; 1s if not given."),
          DocumentKey("over", .time, "Measured over this time; 5m if not given."), above, below, outside, of, hold,
        ])
    ),
    (
      "ratio",
      KeyTable(
        "a ratio condition", required: ["ratio"],
        [
          DocumentKey("ratio", .list(of: .metric), "Two metrics of the same thing, or the second of its host: [a, b]."),
          above, below, outside, of, hold, samples, every,
        ])
    ),
    (
      "forecast",
      KeyTable(
        "a forecast", required: ["forecast", "reaches", "within"],
        [
          DocumentKey("forecast", .metric, "What goes on as before."),
          DocumentKey("reaches", .quantity, "This value…"), DocumentKey("within", .time, "…in this time."),
          DocumentKey("over", .time, "Judged by its change over this time; 1h if not given."), of, hold,
        ])
    ),
    (
      "absent",
      KeyTable(
        "an absent condition", required: ["absent"],
        [
          DocumentKey("absent", .metric, "A number that was there and no longer comes while its host reports."), of,
          DocumentKey("for", .time, "For this long; 2m if not given."),
        ])
    ),
    (
      "stale",
      KeyTable(
        "a stale condition", required: ["stale"],
        [
          DocumentKey(
            "stale", .word(["host", "run", "file", "gpu", "disk", "probe", "episode"]), "What gives no sign of life."),
          DocumentKey("for", .time, "For this long; 5m if not given."),
          DocumentKey("intervals", .number, "And for so many of its usual intervals (their 95th percentile)."),
          DocumentKey(
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
          DocumentKey(
            "live", .word(["run", "process"]),
            "A run that made steps, or a training process, when the host last reported."),
          DocumentKey("within", .time, "Its last sign is no older; 15m of a run, 1m of a process if not given."),
        ])
    ),
    (
      "straggler",
      KeyTable(
        "a straggler condition", required: ["straggler"],
        [
          DocumentKey(
            "straggler", .word(["run"]),
            "A run one of whose ranks is slower than the others, or behind them; at least three must be known."),
          DocumentKey(
            "above", .quantity, "Its steps take more than this share of the time of the others'; 130% if not given."),
          DocumentKey("behind", .time, "Or the others were where it is longer ago; 1m if not given."), hold,
        ])
    ),
    (
      "open",
      KeyTable(
        "an open condition", required: ["open"], [DocumentKey("open", .text, "Rule that is open on the same host.")])
    ),
    ("log", KeyTable("a log condition", required: ["log"], [DocumentKey("log", .map(log), "Which lines.")])),
    (
      "event", KeyTable("an event condition", required: ["event"], [DocumentKey("event", .map(event), "Which events.")])
    ),
    (
      "failure",
      KeyTable(
        "a failure condition", required: ["failure"],
        [DocumentKey("failure", .map(failureCondition), "Which failures.")])
    ),
    ("run", KeyTable("a run condition", required: ["run"], [DocumentKey("run", .map(run), "Which runs.")])),
    (
      "episode",
      KeyTable(
        "an episode condition", required: ["episode"], [DocumentKey("episode", .map(episode), "Which episodes.")])
    ),
    (
      "probe", KeyTable("a probe condition", required: ["probe"], [DocumentKey("probe", .map(probe), "Which answers.")])
    ),
    (
      "hosts",
      KeyTable(
        "a hosts condition", required: ["hosts"],
        [
          DocumentKey("hosts", .text, "Rule that is open on them; the scope must be fleet."),
          DocumentKey("above", .quantity, "More than so many, or than this share of all hosts, such as 50%."),
          DocumentKey("at_least", .quantity, "So many or more, or this share of all hosts or more."),
          DocumentKey("of", .word(["all", "live"]), "live: a share of the hosts with a live run or training process."),
        ])
    ),
    (
      "all",
      KeyTable(
        "an all condition", required: ["all"],
        [
          DocumentKey("all", .list(of: .condition), "Each must hold."), hold,
          DocumentKey("in_order", .flag, "true: what happened must have happened last in this order."),
        ])
    ),
    (
      "any",
      KeyTable(
        "an any condition", required: ["any"], [DocumentKey("any", .list(of: .condition), "One must hold."), hold])
    ),
    ("not", KeyTable("a not condition", required: ["not"], [DocumentKey("not", .condition, "Must not hold."), hold])),
  ]

  static let log = KeyTable(
    "log",
    [
      DocumentKey("text", .text, "The line holds this."),
      DocumentKey("matches", .text, "The line holds a match of this regular expression."),
      DocumentKey("level", .word(["debug", "info", "warn", "error"]), "At least this level."),
      DocumentKey("file", .text, "Pattern of the file's path, or of its name where it has no slash."),
      DocumentKey("redacted", .flag, "true: a secret was removed from the line."), count, within,
      DocumentKey("among", .text, "Lines with a match of this are the whole of which the others are a share."),
      DocumentKey("share", .quantity, "More than this share of them, such as 5%."),
      DocumentKey("times_usual", .number, "More often than so many times the rate over usual."),
      DocumentKey("usual", .time, "1h if not given."),
      DocumentKey("missing", .time, "The line came before, and has not come for so long."),
      DocumentKey("intervals", .number, "For missing: and for so many of its usual intervals."),
      DocumentKey(
        "unless_goes_on", .time, "Taken back where its file goes on with a line of level info so long after it."),
    ])

  static let event = KeyTable(
    "event",
    [
      DocumentKey("kind", .word(eventWords), "What happened."), DocumentKey("text", .text, "The message holds this."),
      DocumentKey("matches", .text, "The message holds a match of this regular expression."),
      DocumentKey("subject", .text, "Pattern of the device, process or file."),
      DocumentKey("code", .anything, "Xid codes: a list, or $name of one."),
      DocumentKey("except_code", .anything, "Xid codes that are not meant."), count, within,
      DocumentKey(
        "apart", .durationOr(word: "reboot", 1_000_000...400 * 86_400_000_000_000, example: "10m"),
        "What comes sooner after the last one is the same: a time, or reboot = one a boot counts."),
    ])

  static let run = KeyTable(
    "run", required: ["state"],
    [
      DocumentKey(
        "state", .word(RunMoment.allCases.map(\.rawValue)),
        "Entered this state. restarted: began after one of its kind had failed; fruitless: ended or began again without a step; progressed: made its first step."
      ), count, within,
    ])

  static let episode = KeyTable(
    "episode", required: ["state"],
    [
      DocumentKey(
        "state", .word(EpisodeMoment.allCases.map(\.rawValue)),
        "Ended so. hollow: completed with steps but no result; missing: its number was left out."), count, within,
    ])

  static let probe = KeyTable(
    "probe", required: ["name"],
    [
      DocumentKey("name", .text, "Pattern of the probe's name."),
      DocumentKey(
        "state", .word(["ok", "failed", "timed_out"]), "The answer; failed (which a late answer also is) if not given."),
      count, within,
    ])

  static let eventWords = [
    "other", "kernel", "oom_kill", "xid", "io_error", "hung_task", "process_exit", "agent", "loss",
  ]

  static let evidenceWords = ["top_processes", "kernel_messages", "gpu_state", "recent_steps"]
  static let evidence = KeyTable(
    "evidence", oneOf: [["log", "metric"]],
    [
      DocumentKey("log", .map(logEvidence), "The last lines of the files that fit."),
      DocumentKey("metric", .metric, "The last values."), DocumentKey("over", .time, "Of this time; 1h if not given."),
    ])
  static let logEvidence = KeyTable(
    "log",
    [
      DocumentKey("file", .text, "Pattern of the file."),
      DocumentKey("lines", .count, "How many; 20 if not given."),
    ])
}
