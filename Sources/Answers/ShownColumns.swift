/// Titles, units and ranks of the columns that people see, by question. Scripts get every column of it.
package enum ShownColumns {
  package static let fleet: [Answer.Column] = [
    .init("host", "HOST", rank: 0, least: 14), .init("state", "STATE", rank: 1),
    .init("last_seen", "SEEN", .age, rank: 2),
    .init("cpu_busy_percent", "CPU", .percent, rank: 3), .init("memory_used_percent", "MEMORY", .percent, rank: 4),
    .init("disk_used_percent_max", "DISK", .percent, rank: 5), .init("load1", "LOAD", rank: 8),
    .init("gpu_summary", "GPU", rank: 7, forPeopleOnly: true), .init("runs_live", "RUNS", rank: 6),
    .init("backlog_bytes", "BACKLOG", .bytes, rank: 9),
  ]

  package static let incidents: [Answer.Column] = [
    .init("id", "ID", rank: 0), .init("severity", "SEV", rank: 1), .init("state", "STATE", rank: 4),
    .init("rule", "RULE", rank: 6, least: 12),
    .init("host", "HOST", rank: 3, least: 12), .init("opened", "OPENED", .age, rank: 5),
    .init("summary", "SUMMARY", rank: 2, least: 16), .init("entity", "ENTITY", rank: 7, least: 16),
    .init("acked_by", "ACKED BY", rank: 8), .init("muted_by", "MUTED BY", rank: 9),
  ]

  package static let runs: [Answer.Column] = [
    .init("id", "ID", rank: 0),
    .init("host", "HOST", rank: 3, least: 12), .init("name", "RUN", rank: 0, least: 24),
    .init("attempt", "ATTEMPT", rank: 11), .init("state", "STATE", rank: 1), .init("failure", "FAILURE", rank: 4),
    .init("framework", "FRAMEWORK", rank: 10),
    .init("episodes", "EPISODES", rank: 4), .init("episodes_completed", "COMPLETED", rank: 7),
    .init("steps", "STEPS", rank: 6),
    .init("reward_mean", "REWARD", .ratio, rank: 5), .init("sharpe_mean", "SHARPE", .ratio, rank: 8),
    .init("started", "STARTED", .age, rank: 9),
    .init("updated", "UPDATED", .age, rank: 2),
  ]

  package static let episodes: [Answer.Column] = [
    .init("host", "HOST", rank: 4, least: 12), .init("run", "RUN", rank: 0, least: 20),
    .init("episode", "EPISODE", rank: 1), .init("status", "STATUS", rank: 2),
    .init("steps", "STEPS", rank: 5), .init("total_reward", "REWARD", .ratio, rank: 3),
    .init("pnl", "PNL", .money, rank: 7),
    .init("win_rate_ratio", "WIN RATE", .ratio, rank: 9), .init("max_drawdown_ratio", "DRAWDOWN", .ratio, rank: 10),
    .init("sharpe_ratio", "SHARPE", .ratio, rank: 8), .init("sortino_ratio", "SORTINO", .ratio, rank: 11),
    .init("calmar_ratio", "CALMAR", .ratio, rank: 12), .init("attempt", "ATTEMPT", rank: 13),
    .init("updated", "UPDATED", .age, rank: 6),
  ]

  package static let credentials: [Answer.Column] = [
    .init("name", "NAME", rank: 0, least: 12), .init("kind", "KIND", rank: 2), .init("role", "ROLE", rank: 1),
    .init("state", "STATE", rank: 3), .init("expires", "EXPIRES", rank: 4), .init("last_used", "USED", .age, rank: 5),
    .init("created_by", "BY", rank: 6), .init("id", "ID", rank: 7),
  ]

  package static let rules: [Answer.Column] = [
    .init("rule", "RULE", rank: 0, least: 12), .init("severity", "SEV", rank: 1), .init("title", "TITLE", rank: 2),
    .init("open", "OPEN", rank: 3),
  ]

  package static let receiverEvents: [Answer.Column] = [
    .init("receiver", "RECEIVER", rank: 0), .init("action", "EVENT", rank: 1), .init("outcome", "OUTCOME", rank: 2),
    .init("count", "COUNT", rank: 3), .init("last", "LAST", .age, rank: 4),
  ]

  package static let logs: [Answer.Column] = [
    .init("time", "TIME"), .init("received"), .init("host", "HOST"), .init("file", "FILE"), .init("offset"),
    .init("level", "LEVEL"), .init("message", "MESSAGE"),
  ]

  package static let silences: [Answer.Column] = [
    .init("id", "ID", rank: 0), .init("state", "STATE", rank: 1), .init("rule", "RULE", rank: 3),
    .init("host", "HOST", rank: 2),
    .init("entity", "ENTITY", rank: 7), .init("severity", "SEV", rank: 6), .init("starts", "FROM", rank: 9),
    .init("ends", "UNTIL", rank: 4),
    .init("repeats", "COMES BACK", rank: 8, least: 16), .init("author", "BY", rank: 10),
    .init("reason", "REASON", rank: 5, least: 12),
  ]

  package static let onCall: [Answer.Column] = [
    .init("schedule", "SCHEDULE", rank: 0), .init("receiver", "ON CALL", rank: 1),
    .init("since", "SINCE", rank: 3), .init("until", "UNTIL", rank: 2),
  ]

  package static let audit: [Answer.Column] = [
    .init("id"), .init("time", "TIME", rank: 0), .init("actor", "WHO", rank: 1, least: 12),
    .init("action", "WHAT", rank: 2), .init("subject", "OF", rank: 3, least: 14),
    .init("detail", "DETAIL", rank: 4, least: 18),
  ]
}
