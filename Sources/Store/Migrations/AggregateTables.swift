/// 1-minute and 1-hour figures of hosts and GPUs: continuous aggregates where the community edition has them, else
/// tables that housekeeping fills by the same SELECT.
struct AggregateTable {
  let name: String
  let source: String
  let bucket: String
  /// Beside the bucket's time.
  let keys: String
  let figures: String

  static let all: [AggregateTable] = [
    AggregateTable(name: "host_1m", source: "host_samples", bucket: "1 minute", keys: "host", figures: hostFigures),
    AggregateTable(name: "host_1h", source: "host_samples", bucket: "1 hour", keys: "host", figures: hostFigures),
    AggregateTable(name: "gpu_1m", source: "gpu_samples", bucket: "1 minute", keys: "host, index", figures: gpuFigures),
    AggregateTable(name: "gpu_1h", source: "gpu_samples", bucket: "1 hour", keys: "host, index", figures: gpuFigures),
  ]

  func migration(_ capability: Capability) -> String {
    if capability == .community {
      return """
        create materialized view signalbox.\(name)
          with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.create_group_indexes = false) as
          \(select(bucketing: "time_bucket('\(bucket)', time)", range: nil)) with no data;
        create index \(name)_key on signalbox.\(name) (\(keys), time desc);

        """
    }
    return """
      create table signalbox.\(name) as
        \(select(bucketing: "date_bin('\(bucket)', time, timestamptz '2000-01-03 00:00:00+00')", range: nil)) with no data;
      alter table signalbox.\(name) add primary key (\(keys), time);
      create index \(name)_time on signalbox.\(name) (time);

      """
  }

  /// Forgets the buckets of `[$1, $2)`, which must be whole ones.
  /// - Parameter hosts: only those of the hosts `$3`.
  func empty(ofHosts hosts: Bool = false) -> String {
    "delete from signalbox.\(name) where time >= $1 and time < $2\(hosts ? " and host = any ($3)" : "")"
  }

  /// Computes them again from the samples.
  func fill(ofHosts hosts: Bool = false) -> String {
    let bucketing = "date_bin('\(bucket)', time, timestamptz '2000-01-03 00:00:00+00')"
    let range = "where time >= $1 and time < $2\(hosts ? " and host = any ($3)" : "")"
    return "insert into signalbox.\(name) \(select(bucketing: bucketing, range: range))"
  }

  /// What one partition covers; an hour's bucket stands for 60 minutes' ones.
  private var chunk: String { bucket == "1 minute" ? "7 days" : "91 days" }

  /// Makes a table that grows with time of the one that the first migration made: what there is becomes its first
  /// partition, without being copied, so that retention drops partitions instead of deleting rows.
  func partition(_ capability: Capability) -> String {
    switch capability {
    case .community: ""
    case .apache:
      """
      select create_hypertable('signalbox.\(name)', 'time', chunk_time_interval => interval '\(chunk)',
        create_default_indexes => false, migrate_data => true);

      """
    case .plain:
      """
      insert into signalbox.time_tables (name, chunk, keep) values ('\(name)', '\(chunk)', null);
      alter table signalbox.\(name) rename to \(name)_first;
      alter index signalbox.\(name)_pkey rename to \(name)_first_pkey;
      alter index signalbox.\(name)_time rename to \(name)_first_time;
      create table signalbox.\(name) (like signalbox.\(name)_first, primary key (\(keys), time)) partition by range (time);
      create index \(name)_time on signalbox.\(name) (time);
      do $$
      declare last timestamptz;
      begin
        select max(time) into last from signalbox.\(name)_first;
        if last is not null then
          execute format('alter table signalbox.\(name) attach partition signalbox.\(name)_first for values from (minvalue) to (%L)',
            date_bin('\(chunk)', last, timestamptz '2000-01-03 00:00:00+00') + interval '\(chunk)');
        end if;
        execute 'create or replace view public.\(viewName) as select h.name as host, ' || (
            select string_agg(case attname when 'host' then 's.host as host_number' else 's.' || quote_ident(attname) end, ', ' order by attnum)
            from pg_attribute where attrelid = 'signalbox.\(name)'::regclass and attnum > 0)
          || ' from signalbox.\(name) s left join signalbox.hosts h on h.number = s.host';
        if last is null then drop table signalbox.\(name)_first; end if;
      end $$;

      """
    }
  }

  /// `host_1m` is shown as `host_samples_1m`.
  private var viewName: String { name.replacing("_", with: "_samples_", maxReplacements: 1) }

  private func select(bucketing: String, range: String?) -> String {
    """
    select \(bucketing) as time, \(keys), count(*) as samples,
      \(figures)
      from signalbox.\(source) \(range ?? "") group by \(bucketing), \(keys)
    """
  }

  private static let hostFigures = """
    avg(cpu_busy_percent)::real as cpu_busy_percent, max(cpu_busy_percent) as cpu_busy_percent_max,
      avg(cpu_iowait_percent)::real as cpu_iowait_percent, avg(load1)::real as load1, max(load1) as load1_max,
      avg(100.0 * (memory_total_bytes - memory_available_bytes) / nullif(memory_total_bytes, 0))::real
        as memory_used_percent,
      max(100.0 * (memory_total_bytes - memory_available_bytes) / nullif(memory_total_bytes, 0))::real
        as memory_used_percent_max,
      max(swap_used_bytes) as swap_used_bytes_max, max(disk_used_percent_max) as disk_used_percent_max,
      avg(network_receive_bytes_per_second)::real as network_receive_bytes_per_second,
      avg(network_transmit_bytes_per_second)::real as network_transmit_bytes_per_second,
      avg(disk_read_bytes_per_second)::real as disk_read_bytes_per_second,
      avg(disk_write_bytes_per_second)::real as disk_write_bytes_per_second,
      max(pressure_cpu_some_percent) as pressure_cpu_some_percent_max,
      max(pressure_memory_full_percent) as pressure_memory_full_percent_max,
      max(pressure_io_full_percent) as pressure_io_full_percent_max,
      max(temperature_max_celsius) as temperature_max_celsius, max(oom_kills_total) as oom_kills_total
    """

  private static let gpuFigures = """
    avg(utilization_percent)::real as utilization_percent, max(utilization_percent) as utilization_percent_max,
      avg(memory_used_bytes)::bigint as memory_used_bytes, max(memory_used_bytes) as memory_used_bytes_max,
      avg(power_watts)::real as power_watts, max(power_watts) as power_watts_max,
      max(temperature_celsius) as temperature_celsius_max, max(ecc_uncorrected_total) as ecc_uncorrected_total,
      max(state) as state_worst
    """
}
