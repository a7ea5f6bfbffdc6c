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
  var empty: String { "delete from signalbox.\(name) where time >= $1 and time < $2" }

  /// Computes them again from the samples.
  var fill: String {
    let bucketing = "date_bin('\(bucket)', time, timestamptz '2000-01-03 00:00:00+00')"
    return "insert into signalbox.\(name) \(select(bucketing: bucketing, range: "where time >= $1 and time < $2"))"
  }

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
