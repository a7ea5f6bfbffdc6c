extension ViewDocumentation {
  private static let hostMinutes =
    "host time host_number samples cpu_busy_percent cpu_busy_percent_max cpu_iowait_percent load1 load1_max "
    + "memory_used_percent memory_used_percent_max swap_used_bytes_max disk_used_percent_max "
    + "network_receive_bytes_per_second network_transmit_bytes_per_second disk_read_bytes_per_second "
    + "disk_write_bytes_per_second pressure_cpu_some_percent_max pressure_memory_full_percent_max "
    + "pressure_io_full_percent_max temperature_max_celsius oom_kills_total"
  private static let gpuMinutes =
    "host time host_number index samples utilization_percent utilization_percent_max memory_used_bytes "
    + "memory_used_bytes_max power_watts power_watts_max temperature_celsius_max ecc_uncorrected_total state_worst"

  private static func aggregate(_ name: String, _ what: String, _ width: String, _ columns: String) -> View {
    View(
      name: name, definition: "Averages of \(what) over each \(width), with the highest values.", columns: columns,
      own: ["time": "begin of the \(width) (UTC)"])
  }

  static let hosts: [View] = [
    View(
      name: "hosts", definition: "Every host that has joined: what machine it is, and how its agent does.",
      columns: "host host_id state created revoked connected disconnected last_seen epoch skew_ms labels agent_version "
        + "reported_name os_name kernel_release architecture cpu_model cpu_count memory_total_bytes swap_total_bytes "
        + "gpu_count gpu_model gpu_driver_version redaction_version spool_bytes spool_limit_bytes spool_records "
        + "backlog_bytes followed_files dropped_records_total redactions_total agent_resident_bytes "
        + "agent_cpu_seconds_total refused_paths_total",
      own: [
        "host_id": "its identity, which its certificate carries", "state": "active or revoked",
        "created": "when it joined", "revoked": "when it was shut out; null where it was not",
        "connected": "when its present or last connection began",
        "disconnected": "when that ended; null while it stands",
        "last_seen": "when the collector last got something from it", "epoch": "starts of its agent that were stored",
        "skew_ms": "its clock ahead of the collector's, ms", "labels": "labels that people gave it, as a JSON object",
        "agent_version": "version of its agent", "reported_name": "the name that the machine itself has",
        "os_name": "operating system", "kernel_release": "kernel", "architecture": "processor architecture",
        "cpu_model": "processor", "cpu_count": "logical processors", "gpu_count": "GPUs",
        "gpu_model": "model of the GPUs",
        "gpu_driver_version": "driver of the GPUs", "redaction_version": "version of the rules that remove secrets",
        "spool_bytes": "samples that its agent keeps until they are stored, bytes",
        "spool_limit_bytes": "the most it keeps, bytes", "spool_records": "records that it keeps",
        "backlog_bytes": "bytes of files that are not sent yet", "followed_files": "files that it follows",
        "dropped_records_total": "records that found no room, a counter",
        "redactions_total": "secrets removed before sending, a counter",
        "agent_resident_bytes": "memory of the agent, bytes", "agent_cpu_seconds_total": "CPU time of the agent, s",
        "refused_paths_total": "paths that it was to follow and may not, a counter",
      ]),
    View(
      name: "host_following", definition: "What each host's agent follows, and what it does not.",
      columns:
        "host matched_files followed_files waiting_files unreadable_files outside_files binary_files missing_roots "
        + "unwatched_directories cut_directories utf16_files",
      own: [
        "matched_files": "files that match its patterns", "followed_files": "of these, followed",
        "waiting_files": "wait because as many as may be are followed", "unreadable_files": "it may not read them",
        "outside_files": "lie outside of the directories that it may read", "binary_files": "are no text",
        "missing_roots": "directories that are not there",
        "unwatched_directories": "directories whose changes the kernel does not report",
        "cut_directories": "directories with more files than it looks at",
        "utf16_files": "in an encoding that is not read",
      ]),
    View(
      name: "host_quotas", definition: "Rows that were refused because a host sent more than its quota.",
      columns: "host kind rows_refused first last",
      own: [
        "kind": "of which quota", "rows_refused": "so many rows", "first": "the first of them",
        "last": "the last of them",
      ]),
    View(
      name: "events",
      definition: "What the kernel and the agent reported: OOM kills, GPU errors, disk errors, ends of processes.",
      columns: "time received host kind level subject message",
      own: [
        "kind": "other, kernel, oom_kill, xid, io_error, hung_task, process_exit or agent",
        "subject": "what it is about, such as a process or a device", "message": "its text",
      ]),
    View(
      name: "probe_results", definition: "Results of the checks that each agent runs.",
      columns: "time received host name state duration_ms detail value",
      own: [
        "name": "the probe's name", "state": "ok, failed, timed_out or unknown", "duration_ms": "how long it took, ms",
        "detail": "what it found", "value": "its figure, where it gives one",
      ]),
    View(
      name: "clock_suspect", definition: "Rows whose times were so far off that they are stored under their arrival.",
      columns: "received host table_name rows first_claimed_us last_claimed_us",
      own: [
        "table_name": "of which table", "rows": "so many rows",
        "first_claimed_us": "the earliest time they claimed, µs since 1970",
        "last_claimed_us": "the latest time they claimed, µs since 1970",
      ]),
    View(
      name: "dead_letters", definition: "Rows that the database refused, kept so that nothing is lost without a trace.",
      columns: "received host table_name sqlstate reason row_bytes",
      own: [
        "table_name": "of which table", "sqlstate": "the database's code", "reason": "its sentence",
        "row_bytes": "the row as it was sent",
      ]),
  ]

  static let samples: [View] = [
    View(
      name: "host_samples", definition: "What each host measured, a row an interval.",
      columns: "time received host cpu_user_percent cpu_nice_percent cpu_system_percent cpu_iowait_percent "
        + "cpu_irq_percent cpu_steal_percent cpu_busy_percent cpu_core_max_percent load1 load5 load15 processes_running "
        + "processes_blocked memory_total_bytes memory_available_bytes memory_cached_bytes memory_dirty_bytes "
        + "memory_shared_bytes swap_total_bytes swap_used_bytes swap_in_bytes_per_second swap_out_bytes_per_second "
        + "pressure_cpu_some_percent pressure_memory_some_percent pressure_memory_full_percent pressure_io_some_percent "
        + "pressure_io_full_percent network_receive_bytes_per_second network_transmit_bytes_per_second "
        + "disk_read_bytes_per_second disk_write_bytes_per_second disk_used_percent_max temperature_max_celsius "
        + "oom_kills_total uptime_seconds file_descriptors_used context_switches_per_second"),
    aggregate("host_samples_1m", "host_samples", "minute", hostMinutes),
    aggregate("host_samples_1h", "host_samples", "hour", hostMinutes),
    View(
      name: "gpu_samples", definition: "What each GPU measured, a row an interval.",
      columns: "time received host index uuid utilization_percent memory_utilization_percent memory_total_bytes "
        + "memory_used_bytes power_watts power_limit_watts temperature_celsius temperature_memory_celsius clock_sm_mhz "
        + "clock_memory_mhz fan_percent throttle_reasons ecc_corrected_total ecc_uncorrected_total "
        + "remapped_rows_corrected remapped_rows_uncorrected remap_pending remap_failed process_count "
        + "process_memory_bytes pcie_receive_bytes_per_second pcie_transmit_bytes_per_second state stuck_seconds model",
      own: ["memory_total_bytes": "GPU memory, bytes", "state": "present, absent or stuck"]),
    aggregate("gpu_samples_1m", "gpu_samples", "minute", gpuMinutes),
    aggregate("gpu_samples_1h", "gpu_samples", "hour", gpuMinutes),
    View(
      name: "disk_samples", definition: "What each file system and its disk measured.",
      columns:
        "time received host mount_point device file_system total_bytes available_bytes used_percent inodes_total "
        + "inodes_free read_bytes_per_second write_bytes_per_second reads_per_second writes_per_second busy_percent "
        + "wait_ms is_read_only stuck_seconds"),
    View(
      name: "network_samples", definition: "What each network interface measured.",
      columns: "time received host interface receive_bytes_per_second transmit_bytes_per_second "
        + "receive_packets_per_second transmit_packets_per_second receive_errors_total transmit_errors_total "
        + "receive_drops_total transmit_drops_total is_up speed_mbit"),
    View(
      name: "process_samples", definition: "Training processes and the largest others.",
      columns: "time received host pid name cgroup started cpu_percent resident_bytes threads file_descriptors "
        + "read_bytes_per_second write_bytes_per_second state has_exited gpu_memory_bytes user_name",
      own: [
        "pid": "its process ID", "name": "its name", "cgroup": "its control group", "started": "when it started",
        "cpu_percent": "CPU time, % of one core", "resident_bytes": "memory, bytes", "threads": "threads",
        "file_descriptors": "open files",
        "state": "R running, S sleeping, D waiting for a disk, Z ended and not collected, T stopped",
        "has_exited": "it ended after this sample", "gpu_memory_bytes": "GPU memory, bytes", "user_name": "whose it is",
      ]),
  ]

  static let logs: [View] = [
    View(
      name: "log_lines", definition: "Lines of the followed files; a traceback is one line.",
      columns: "time received host file file_offset level message flags",
      own: [
        "file_offset": "where it begins in its file, bytes", "message": "its text, without secrets",
        "flags": "bits: its time was not in the line, it was cut, and more (docs/operations.md)",
      ]),
    View(
      name: "log_counts", definition: "How many lines of each file and level there were in each minute.",
      columns: "time host file level lines bytes",
      own: ["time": "begin of the minute (UTC)", "lines": "lines", "bytes": "their bytes"]),
    View(
      name: "loss_ledger", definition: "Ranges of files and spools that never arrived, and why.",
      columns: "time received host file from_offset to_offset reason is_estimate",
      own: [
        "file": "the file's path, or which spool", "from_offset": "where the gap begins", "to_offset": "where it ends",
        "is_estimate": "the range is not known exactly",
      ]),
  ]

  static let training: [View] = [
    View(
      name: "runs", definition: "Training runs, as their logs or status files tell.",
      columns: "host run state framework source started updated ended detail",
      own: [
        "state": "running, completed, failed or unknown", "framework": "which trainer's format it is",
        "source": "the file that it was read from", "started": "its first time", "updated": "its last time",
        "ended": "when it ended; null while it runs", "detail": "what it reports of itself",
      ]),
    View(
      name: "episodes", definition: "Episodes of runs and their figures.",
      columns:
        "host run episode status started updated first_step last_step value_first value_last value_peak value_trough "
        + "steps total_reward reward_minimum reward_maximum pnl trades_closed trades_won win_rate_ratio max_drawdown_ratio "
        + "sharpe_ratio sortino_ratio calmar_ratio",
      own: [
        "status": "running, completed, or force_closed: ended by the next one without its own end",
        "started": "its first time", "updated": "its last time", "first_step": "its first step",
        "last_step": "its last step",
        "value_first": "portfolio value at its first step", "value_last": "portfolio value at its last step",
        "value_peak": "the highest portfolio value", "value_trough": "the lowest portfolio value",
        "reward_minimum": "the lowest reward of a step", "reward_maximum": "the highest reward of a step",
        "trades_closed": "positions that were closed", "trades_won": "of these, with a gain",
      ]),
    View(
      name: "training_steps", definition: "Steps of episodes.",
      columns:
        "time received host run episode step reward action balance shares_held price portfolio_value position metrics",
      own: [
        "step": "its number within the episode", "reward": "its reward",
        "action": "the action taken, as the trainer numbers it",
        "balance": "cash", "shares_held": "units held", "price": "price of one unit",
        "portfolio_value": "cash and units together",
        "position": "the position, as the trainer writes it",
        "metrics": "everything else that the trainer wrote, as a JSON object",
      ]),
    View(
      name: "metric_definitions", definition: "What each column means that has a definition.",
      columns: "view metric definition",
      own: ["view": "the view", "metric": "the column", "definition": "what it means"]),
  ]

  static let incidents: [View] = [
    View(
      name: "incidents", definition: "What rules found wrong.",
      columns:
        "incident rule title severity state host entity opened detected acked acked_by resolved resolved_by summary "
        + "muted_by flaps part_of is_observed first_paged event_to_page_ms dedup_key",
      own: [
        "title": "in a few words", "severity": "P0 to P4, P0 the most urgent",
        "state": "open, acked, muted or resolved",
        "entity": "what on the host it is about", "opened": "when it began", "detected": "when the rule found it",
        "acked": "when somebody took it", "acked_by": "who took it", "resolved": "when it ended",
        "resolved_by": "what or who ended it", "summary": "what was found, with values", "muted_by": "what mutes it",
        "flaps": "how often it came back", "part_of": "the incident that it belongs to",
        "is_observed": "by a rule that only observes",
        "first_paged": "when the first page was delivered", "event_to_page_ms": "from the event to that page, ms",
        "dedup_key": "the key that receivers know it by",
      ]),
    View(
      name: "incident_timeline", definition: "What happened to each incident, in order.",
      columns: "incident time kind actor detail",
      own: ["time": "when (UTC)", "kind": "what happened", "actor": "who did it", "detail": "with what"]),
    View(
      name: "deliveries", definition: "Messages about incidents to receivers.",
      columns:
        "delivery incident change_number receiver event state due attempts next_try last_answer message_id bundle "
        + "created settled",
      own: [
        "delivery": "its number", "change_number": "of which change of the incident", "receiver": "to whom",
        "event": "what it says", "state": "waiting, sent, refused and others", "due": "when it is to go",
        "attempts": "how often it was tried", "next_try": "when it is tried again",
        "last_answer": "the receiver's last answer",
        "message_id": "the receiver's number of the message", "bundle": "messages that went as one",
        "settled": "when it was done with",
      ]),
    View(
      name: "silences", definition: "What is muted, and until when.",
      columns: "silence rule host entity severity author reason created starts ends ended_by cron zone length",
      own: [
        "silence": "its number", "host": "the host's name; a * stands for any text",
        "entity": "what on the host; a * stands for any text", "severity": "only of this severity",
        "author": "who made it",
        "starts": "from when", "ends": "until when", "ended_by": "who ended it early",
        "cron": "when it begins each time, as a cron expression", "zone": "the time zone of that",
        "length": "how long it lasts each time",
      ]),
  ]
}
