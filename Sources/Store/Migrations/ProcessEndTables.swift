/// How processes ended, beside the events that report it.
enum ProcessEndTables {
  /// In the order in which `SampleRows` writes them; NULL in all other events.
  private static let columns: [(name: String, type: String, text: String)] = [
    ("exit_known", "boolean", "of the end of a process: whether it is known how it ended; null in other events"),
    ("exit_code", "integer", "the code with which it ended by itself; null where a signal ended it"),
    ("exit_signal", "integer", "the number of the signal that ended it, such as 9 for SIGKILL"),
    ("core_dumped", "boolean", "whether the signal left a core dump"),
    ("pid", "bigint", "number of the process, as in process_samples"),
    ("started", "timestamptz", "when it started, as in process_samples: with pid, what tells it from others"),
    ("cgroup", "text", "its control group"),
    (
      "job", "text",
      "what its control group belongs to: slurm:JOB/STEP, kubernetes:POD/CONTAINER, docker:ID, unit:NAME …"
    ),
    ("output", "text", "the file that its standard output went to, where the agent could see it"),
    ("errors", "text", "the file that its standard error went to, where that is another one"),
    ("directory", "text", "its working directory, where the agent could see it"),
    ("command", "text", "its program and script, without the other arguments"),
    (
      "oom_kills", "integer",
      "processes of its control group that the kernel killed for memory in the 30 s before; null where not known"
    ),
  ]

  static let columnNames = columns.map(\.name).joined(separator: ", ")
  static let columnCount = columns.count

  static let sql =
    "alter table signalbox.events " + columns.map { "add column \($0.name) \($0.type)" }.joined(separator: ", ") + ";\n"
    + PublicViews.eventsView(with: columns.map(\.name))
    + columns.map { "comment on column public.events.\($0.name) is '\($0.text)';\n" }.joined()
}
