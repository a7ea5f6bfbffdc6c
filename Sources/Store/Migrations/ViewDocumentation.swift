/// What the public views and their columns mean, as comments of the database: people ask for them by `signalbox query --views`, in the
/// console, and by any other tool that shows comments.
enum ViewDocumentation {
  struct View {
    let name: String
    let definition: String
    /// In their order. Those of episodes are defined by `EpisodeMetrics` where they are figures.
    let columns: String
    /// Where a column's meaning is not that of `common`.
    var own: [String: String] = [:]
  }

  static let sql = views.map { view in
    "comment on view public.\(view.name) is \(literal(view.definition));\n"
      + columns(of: view).map { column, text in
        "comment on column public.\(view.name).\(column) is \(literal(text));\n"
      }.joined()
  }.joined()

  static func columns(of view: View) -> [(name: String, text: String)] {
    view.columns.split(separator: " ").compactMap { column in
      let name = String(column)
      return (view.own[name] ?? common[name]).map { (name, $0) }
    }
  }

  static func literal(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
  }

  private static let common: [String: String] = [
    "time": "when it was, by the host's clock (UTC)",
    "received": "when the collector stored it", "host": "the host's name", "run": "the run's name",
    "episode": "the episode's number within its run", "file": "the file's path on its host",
    "incident": "the incident's number", "rule": "the rule's name; a * in a silence stands for any text",
    "level": "ERROR, WARN, INFO or DEBUG; null where the line has none", "samples": "samples in this time",
    "index": "the GPU's index on its host", "host_number": "the host's number in the tables",
    "created": "when it was made", "reason": "why", "kind": "what kind", "state": "its state",
    // Host
    "cpu_user_percent": "CPU time in programs, % of all cores",
    "cpu_nice_percent": "CPU time in niced programs, % of all cores",
    "cpu_system_percent": "CPU time in the kernel, % of all cores",
    "cpu_iowait_percent": "CPU time idle while a disk was waited for, % of all cores",
    "cpu_irq_percent": "CPU time in interrupts, % of all cores",
    "cpu_steal_percent": "CPU time that the hypervisor took, % of all cores",
    "cpu_busy_percent": "CPU time that was not idle, % of all cores", "cpu_busy_percent_max": "the busiest sample, %",
    "cpu_core_max_percent": "the busiest core, %", "load1": "load average of 1 minute, processes",
    "load1_max": "the highest load average of 1 minute", "load5": "load average of 5 minutes, processes",
    "load15": "load average of 15 minutes, processes", "processes_running": "processes that ran or could",
    "processes_blocked": "processes that waited for a disk", "memory_total_bytes": "memory, bytes",
    "memory_available_bytes": "memory that programs could still get, bytes",
    "memory_cached_bytes": "page cache, bytes", "memory_dirty_bytes": "written and not yet on a disk, bytes",
    "memory_shared_bytes": "shared memory, bytes", "memory_used_percent": "memory that is not available, %",
    "memory_used_percent_max": "the fullest sample, %", "swap_total_bytes": "swap, bytes",
    "swap_used_bytes": "swap in use, bytes", "swap_used_bytes_max": "most swap in use, bytes",
    "swap_in_bytes_per_second": "read from swap, bytes/s", "swap_out_bytes_per_second": "written to swap, bytes/s",
    "pressure_cpu_some_percent": "time in which some task waited for a CPU (PSI), %",
    "pressure_cpu_some_percent_max": "the highest PSI of CPU, %",
    "pressure_memory_some_percent": "time in which some task waited for memory (PSI), %",
    "pressure_memory_full_percent": "time in which all tasks waited for memory (PSI), %",
    "pressure_memory_full_percent_max": "the highest full PSI of memory, %",
    "pressure_io_some_percent": "time in which some task waited for a disk (PSI), %",
    "pressure_io_full_percent": "time in which all tasks waited for a disk (PSI), %",
    "pressure_io_full_percent_max": "the highest full PSI of disks, %",
    "network_receive_bytes_per_second": "received by all interfaces, bytes/s",
    "network_transmit_bytes_per_second": "sent by all interfaces, bytes/s",
    "disk_read_bytes_per_second": "read from all disks, bytes/s",
    "disk_write_bytes_per_second": "written to all disks, bytes/s",
    "disk_used_percent_max": "the fullest file system, %", "temperature_max_celsius": "the hottest sensor, °C",
    "oom_kills_total": "processes killed for memory since the host started, a counter",
    "uptime_seconds": "since the host started, s", "file_descriptors_used": "open files of the whole host",
    "context_switches_per_second": "context switches, 1/s",
    // GPU
    "uuid": "the GPU's UUID", "utilization_percent": "time in which a kernel ran, %",
    "utilization_percent_max": "the busiest sample, %",
    "memory_utilization_percent": "time in which memory was read or written, %",
    "memory_used_bytes": "GPU memory in use, bytes", "memory_used_bytes_max": "most GPU memory in use, bytes",
    "power_watts": "power drawn, W", "power_watts_max": "most power drawn, W", "power_limit_watts": "power limit, W",
    "temperature_celsius": "temperature of the chip, °C", "temperature_celsius_max": "the hottest sample, °C",
    "temperature_memory_celsius": "temperature of the memory, °C", "clock_sm_mhz": "clock of the processors, MHz",
    "clock_memory_mhz": "clock of the memory, MHz", "fan_percent": "fan speed, % of its most",
    "throttle_reasons": "bits of NVML's clocks throttle reasons",
    "ecc_corrected_total": "corrected memory errors, a counter",
    "ecc_uncorrected_total": "memory errors that were not corrected, a counter",
    "remapped_rows_corrected": "memory rows replaced after corrected errors",
    "remapped_rows_uncorrected": "memory rows replaced after uncorrected errors",
    "remap_pending": "a row waits to be replaced at the next reset", "remap_failed": "no spare row is left",
    "process_count": "processes on this GPU", "process_memory_bytes": "GPU memory of these processes, bytes",
    "pcie_receive_bytes_per_second": "received over PCIe, bytes/s",
    "pcie_transmit_bytes_per_second": "sent over PCIe, bytes/s",
    "stuck_seconds": "for how long it has not answered, s; null where it does", "model": "the model's name",
    "state_worst": "0 present, 1 absent, 2 stuck: the worst of this time",
    // Disks and networks
    "mount_point": "where it is mounted", "device": "the device's name", "file_system": "type of the file system",
    "total_bytes": "its size, bytes", "available_bytes": "free for programs, bytes", "used_percent": "in use, %",
    "inodes_total": "inodes", "inodes_free": "inodes that are free", "read_bytes_per_second": "read, bytes/s",
    "write_bytes_per_second": "written, bytes/s", "reads_per_second": "reads, 1/s", "writes_per_second": "writes, 1/s",
    "busy_percent": "time with a request under way, %", "wait_ms": "average time of a request, ms",
    "is_read_only": "mounted read-only", "interface": "the interface's name",
    "receive_bytes_per_second": "received, bytes/s", "transmit_bytes_per_second": "sent, bytes/s",
    "receive_packets_per_second": "packets received, 1/s", "transmit_packets_per_second": "packets sent, 1/s",
    "receive_errors_total": "receive errors, a counter", "transmit_errors_total": "transmit errors, a counter",
    "receive_drops_total": "received and dropped, a counter",
    "transmit_drops_total": "dropped before sending, a counter",
    "is_up": "the interface has a link", "speed_mbit": "its speed, Mbit/s",
  ]

  static let views: [View] = hosts + samples + logs + training + incidents
}
