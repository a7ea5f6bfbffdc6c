internal import FleetModel

/// Jobs of several hosts: which they are, and what keeps two hosts from listing one twice.
enum RunJobTables {
  /// Whether a job may have several hosts, as the index on them has it.
  static func isOfHosts(_ job: String) -> String {
    "\(job) ~ '^(\(ProcessJob.Kind.ofHosts.map(\.rawValue).joined(separator: "|"))):'"
  }

  static func isOfHosts(job: String) -> Bool {
    ProcessJob.Kind.ofHosts.contains { job.hasPrefix($0.rawValue + ":") }
  }

  private static let locks = 64

  /// The locks of the jobs that a query names as `job`. Rows instead of advisory locks, for the reason in `AccessTables`; some jobs share
  /// one, so that their number does not grow.
  static let lockName = "'job ' || abs(hashtext(job) % \(locks))"

  static let sql = """
    drop index signalbox.runs_of_jobs;
    create index runs_of_jobs on signalbox.runs (job, run) where job ~ '^(slurm|k8s|rdzv):';
    insert into signalbox.locks (name) select 'job ' || n from generate_series(0, 63) n;
    \(["runs", "run_attempts"].map(comment).joined())
    """

  private static func comment(_ view: String) -> String {
    "comment on column public.\(view).job is "
      + ViewDocumentation.literal(
        "what its process belongs to: slurm:JOB, k8s:NAMESPACE/JOB or rdzv:ID of one or several hosts, kubernetes:POD, unit:NAME …; empty where not known"
      ) + ";\n"
  }
}
