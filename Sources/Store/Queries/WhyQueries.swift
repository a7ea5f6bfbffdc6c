internal import Incidents

/// Why a run failed: the incident that its failure was put down to, and how far it had come.
package enum WhyQueries {
  /// How long after a run's last sign its failure may have been found.
  private static let afterward = "interval '1 hour'"
  /// Lines of so long before the end are searched for the last checkpoint.
  private static let checkpoints = "interval '1 day'"
  /// What programs write once a checkpoint is on disk.
  private static let savedCheckpoint =
    "'(saved|saving|wrote|written|dumped|stored)[^\\n]{0,60}(checkpoint|ckpt|state_dict|model)|(checkpoint|ckpt)[^\\n]{0,60}(saved|written|stored)'"

  /// The class of the newest failure of a run that is named in what failed.
  static func failureClass(of run: String) -> String {
    """
    (select f.failure_class from signalbox.incidents f
      where f.host = \(run).host and f.failure_class is not null and f.diagnosis->>'run' = \(run).run
        and f.opened between \(run).started and coalesce(\(run).ended, \(run).updated) + \(afterward)
      order by f.state = \(IncidentState.muted.sql), f.opened desc limit 1)
    """
  }

  /// One row; none where there is no such run, or no failure of it is known. Columns: class, title, kind, confidence, line, file, host, rank, exit,
  /// evidence, cascade, causes, steps, retry, last_step, last_checkpoint, incident, opened, severity, state. `exit`, `evidence`, `causes` and
  /// `steps` are JSON.
  ///
  /// Of several failures of the run's host in its time that of the run, else that whose line lies in its directory, else the newest.
  package static func why(run: Int64) -> ReadQuery {
    ReadQuery(
      """
      select i.failure_class as class, i.diagnosis->>'title' as title, i.diagnosis->>'kind' as kind,
        (i.diagnosis->>'confidence')::float8 as confidence, i.diagnosis->>'line' as line, i.diagnosis->>'file' as file,
        h.name as host, (i.diagnosis->>'rank')::int4 as rank, (i.diagnosis->'exit')::json as exit,
        (i.diagnosis->'evidence')::json as evidence, (i.diagnosis->>'cascade')::int4 as cascade,
        to_json(i.causes) as causes, to_json(i.steps) as steps, i.diagnosis->>'retry' as retry,
        (select max(e.last_step) from signalbox.episodes e where e.run = r.number) as last_step,
        (select l.message from public.log_lines l
          where l.host = h.name and l.time between i.opened - \(checkpoints) and i.opened + interval '1 minute'
            and l.message ~* \(savedCheckpoint)
            and (d.directory = '' or starts_with(l.file, d.directory) or l.file = i.diagnosis->>'file')
          order by l.time desc limit 1) as last_checkpoint,
        i.number as incident, i.opened, 'P' || i.severity as severity, i.state
      from signalbox.runs r join signalbox.hosts h on h.number = r.host
        cross join lateral (
          select case when r.source like '/%' then regexp_replace(r.source, '[^/]*$', '') else '' end as directory) d
        cross join lateral (
          select * from signalbox.incidents f
          where f.host = r.host and f.failure_class is not null and f.opened between r.started and r.updated + \(afterward)
          order by coalesce(f.diagnosis->>'run', '') = r.run desc, d.directory <> '' and starts_with(coalesce(f.diagnosis->>'file', ''), d.directory) desc,
            f.state = \(IncidentState.muted.sql), f.opened desc, f.number desc
          limit 1) i
      where r.number = $1::bigint
      """, [String(run)])
  }
}
