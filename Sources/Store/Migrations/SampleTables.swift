/// Tables that grow with time: hypertables, or native range partitions. `time` is the host's clock unless it is far out
/// (`clock_suspect`); `received` is the collector's.
enum SampleTables {
  static let all: [TimeTable] = [
    TimeTable(
      "host_samples", columns: hostColumns, index: "(host, time desc)", chunk: "1 day", keep: "30 days",
      compressAfter: "2 days", segmentBy: "host"),
    TimeTable(
      "gpu_samples", columns: gpuColumns, index: "(host, time desc)", chunk: "1 day", keep: "30 days",
      compressAfter: "2 days", segmentBy: "host, index"),
    TimeTable(
      "disk_samples", columns: diskColumns, index: "(host, time desc)", chunk: "1 day", keep: "30 days",
      compressAfter: "2 days", segmentBy: "host, mount_point"),
    TimeTable(
      "network_samples", columns: networkColumns, index: "(host, time desc)", chunk: "1 day", keep: "30 days",
      compressAfter: "2 days", segmentBy: "host, interface"),
    TimeTable(
      "process_samples", columns: processColumns, index: "(host, time desc)", chunk: "1 day", keep: "30 days",
      compressAfter: "2 days", segmentBy: "host"),
    TimeTable(
      "probe_results", columns: probeColumns, index: "(host, time desc)", chunk: "7 days", keep: "90 days",
      compressAfter: "8 days", segmentBy: "host"),
    TimeTable(
      "events", columns: eventColumns, index: "(host, time desc)", chunk: "7 days", keep: "90 days",
      compressAfter: "8 days", segmentBy: "host"),
    TimeTable(
      "training_steps", columns: stepColumns, index: "(run, episode, step)", chunk: "7 days", keep: nil,
      compressAfter: "8 days", segmentBy: "run"),
  ]

  private static let hostColumns = """
    cpu_user_percent real, cpu_nice_percent real, cpu_system_percent real, cpu_iowait_percent real,
    cpu_irq_percent real, cpu_steal_percent real, cpu_busy_percent real, cpu_core_max_percent real,
    load1 real, load5 real, load15 real, processes_running integer, processes_blocked integer,
    memory_total_bytes bigint, memory_available_bytes bigint, memory_cached_bytes bigint, memory_dirty_bytes bigint,
    memory_shared_bytes bigint, swap_total_bytes bigint, swap_used_bytes bigint, swap_in_bytes_per_second real,
    swap_out_bytes_per_second real, pressure_cpu_some_percent real, pressure_memory_some_percent real,
    pressure_memory_full_percent real, pressure_io_some_percent real, pressure_io_full_percent real,
    network_receive_bytes_per_second real, network_transmit_bytes_per_second real, disk_read_bytes_per_second real,
    disk_write_bytes_per_second real, disk_used_percent_max real, temperature_max_celsius real,
    oom_kills_total bigint, uptime_seconds real, file_descriptors_used bigint, context_switches_per_second bigint
    """

  private static let gpuColumns = """
    index integer not null, uuid text, utilization_percent real, memory_utilization_percent real,
    memory_total_bytes bigint, memory_used_bytes bigint, power_watts real, power_limit_watts real,
    temperature_celsius real, temperature_memory_celsius real, clock_sm_mhz real, clock_memory_mhz real,
    fan_percent real, throttle_reasons bigint, ecc_corrected_total bigint, ecc_uncorrected_total bigint,
    remapped_rows_corrected integer, remapped_rows_uncorrected integer, remap_pending boolean, remap_failed boolean,
    process_count integer, process_memory_bytes bigint, pcie_receive_bytes_per_second real,
    pcie_transmit_bytes_per_second real, state smallint not null, stuck_seconds real, model text
    """

  private static let diskColumns = """
    mount_point text not null, device text, file_system text, total_bytes bigint, available_bytes bigint,
    used_percent real, inodes_total bigint, inodes_free bigint, read_bytes_per_second real,
    write_bytes_per_second real, reads_per_second real, writes_per_second real, busy_percent real, wait_ms real,
    is_read_only boolean, stuck_seconds real
    """

  private static let networkColumns = """
    interface text not null, receive_bytes_per_second real, transmit_bytes_per_second real,
    receive_packets_per_second real, transmit_packets_per_second real, receive_errors_total bigint,
    transmit_errors_total bigint, receive_drops_total bigint, transmit_drops_total bigint, is_up boolean,
    speed_mbit real
    """

  private static let processColumns = """
    pid integer not null, name text, cgroup text, started timestamptz, cpu_percent real, resident_bytes bigint,
    threads integer, file_descriptors integer, read_bytes_per_second real, write_bytes_per_second real, state text,
    has_exited boolean, gpu_memory_bytes bigint, user_name text
    """

  private static let probeColumns = """
    name text not null, state smallint not null, duration_ms real, detail text, value double precision
    """

  private static let eventColumns = """
    kind smallint not null, level smallint not null, subject text, message text
    """

  private static let stepColumns = """
    run integer not null, episode bigint not null, step bigint not null, reward double precision,
    action double precision, balance double precision, shares_held double precision, price double precision,
    portfolio_value double precision, position double precision, metrics jsonb
    """
}
