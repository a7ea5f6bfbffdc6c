internal import FleetModel
internal import Postgres

/// The newest of a host's samples in one group: what `fleet status` shows.
///
/// It goes into the host's row of `epochs`, which the commit writes anyway: 10 000 hosts are then read by one scan, without
/// an index probe for each host and one for each GPU host (`signalbox-bench fleet`).
struct LatestSample {
  /// GPUs of one tick come with slightly different times; older ones have gone away.
  private static let gpuTickUs: Int64 = 5_000_000

  private(set) var host: (timeUs: Int64, sample: HostSample)?
  private var gpusTimeUs: Int64 = .min
  private var gpus: [UInt32: (timeUs: Int64, sample: GPUSample)] = [:]

  mutating func add(_ sample: HostSample, _ timeUs: Int64) {
    if timeUs >= host?.timeUs ?? .min { host = (timeUs, sample) }
  }

  mutating func add(_ sample: GPUSample, _ timeUs: Int64) {
    gpusTimeUs = max(gpusTimeUs, timeUs)
    if timeUs >= gpus[sample.index]?.timeUs ?? .min { gpus[sample.index] = (timeUs, sample) }
  }

  /// Percent of memory that programs hold; nil where the total is unknown.
  var memoryUsedPercent: Float? {
    guard let sample = host?.sample, sample.memoryTotalBytes > 0 else { return nil }
    return Float(100 * (1 - Double(sample.memoryAvailableBytes) / Double(sample.memoryTotalBytes)))
  }

  /// The GPUs of the newest tick, by index; nil where the group has none.
  var newestGPUs: (timeUs: Int64, samples: [GPUSample])? {
    if gpus.isEmpty { return nil }
    let newest = gpus.values.filter { $0.timeUs > gpusTimeUs - Self.gpuTickUs }
    return (gpusTimeUs, newest.map(\.sample).sorted { $0.index < $1.index })
  }
}

extension GPUSample {
  /// As `signalbox.gpu_reading` holds it.
  fileprivate var stateName: String {
    switch state {
    case .present: "present"
    case .absent: "absent"
    case .stuck: "stuck"
    }
  }
}

/// GPUs of several hosts as arrays, from which the statement makes one `signalbox.gpu_reading[]` a host.
private struct GPUReadings {
  private var hosts: [Int32] = []
  private var samples: [GPUSample] = []

  mutating func append(_ host: Int32, _ gpus: [GPUSample]) {
    hosts += repeatElement(host, count: gpus.count)
    samples += gpus
  }

  /// In the order of the type's fields, behind the host's number.
  var parameters: [Parameter] {
    [
      .int4s(hosts), .int4s(samples.map { Int32(clamping: $0.index) }), .texts(samples.map(\.model)),
      .texts(samples.map(\.stateName)), reals(\.utilizationPercent),
      .int8s(samples.map { Int64(clamping: $0.memoryUsedBytes) }),
      .int8s(samples.map { Int64(clamping: $0.memoryTotalBytes) }), reals(\.temperatureCelsius), reals(\.powerWatts),
    ]
  }

  private func reals(_ value: (GPUSample) -> Float) -> Parameter { .float8s(samples.map { value($0).ifFinite }) }
}

extension Float {
  /// What is not available is null in the database.
  fileprivate var ifFinite: Double? { isFinite ? Double(self) : nil }
}

extension Store {
  /// Notes when hosts last reported, and their newest samples; an older sample that comes late changes nothing.
  func storeSeen(_ seen: ArraySlice<StagedBatch>) throws(PostgresError) {
    let latest = seen.map { rows.latest[$0.hostNumber] }
    let gpus = latest.map { $0?.newestGPUs }
    var readings = GPUReadings()
    for (staged, newest) in zip(seen, gpus) { readings.append(staged.hostNumber, newest?.samples ?? []) }
    func reals(_ value: (LatestSample) -> Float?) -> Parameter {
      .float8s(latest.map { $0.flatMap(value)?.ifFinite })
    }
    _ = try connection.queryPrepared(
      Self.seenStatement,
      [
        .int4s(seen.map(\.hostNumber)), .times(us: seen.map { $0.receivedNs / 1000 }),
        .int8s(seen.map { $0.batch.wallNs == 0 ? 0 : ($0.batch.wallNs / 1_000_000) &- $0.receivedNs / 1_000_000 }),
        .times(us: latest.map { $0?.host?.timeUs }), reals { $0.host?.sample.cpuBusyPercent },
        reals(\.memoryUsedPercent), reals { $0.host?.sample.diskUsedPercentMax }, reals { $0.host?.sample.load1 },
        .times(us: gpus.map { $0?.timeUs }),
      ] + readings.parameters)
  }

  private static let seenStatement = """
    update signalbox.epochs e set last_seen = greatest(e.last_seen, u.seen), skew_ms = u.skew,
      latest_time = greatest(e.latest_time, u.time),
      latest_cpu_busy_percent = case when u.is_newer then u.cpu else e.latest_cpu_busy_percent end,
      latest_memory_used_percent = case when u.is_newer then u.memory else e.latest_memory_used_percent end,
      latest_disk_used_percent_max = case when u.is_newer then u.disk else e.latest_disk_used_percent_max end,
      latest_load1 = case when u.is_newer then u.load else e.latest_load1 end,
      latest_gpus_time = greatest(e.latest_gpus_time, u.gpus_time),
      latest_gpu_readings = case when u.is_newer_gpus then u.readings else e.latest_gpu_readings end
    from (
      select v.*, g.readings, coalesce(v.time >= coalesce(o.latest_time, '-infinity'), false) as is_newer,
        coalesce(v.gpus_time >= coalesce(o.latest_gpus_time, '-infinity'), false) as is_newer_gpus
      from unnest($1::int4[], $2::timestamptz[], $3::int8[], $4::timestamptz[], $5::float8[], $6::float8[], $7::float8[],
        $8::float8[], $9::timestamptz[])
        as v (host, seen, skew, time, cpu, memory, disk, load, gpus_time)
      join signalbox.epochs o on o.host = v.host
      left join (
        select r.host, array_agg(
          row(r.index, r.model, r.state, r.utilization, r.used, r.total, r.temperature, r.power)::signalbox.gpu_reading
          order by r.index) as readings
        from unnest($10::int4[], $11::int4[], $12::text[], $13::text[], $14::float8[], $15::int8[], $16::int8[],
          $17::float8[], $18::float8[])
          as r (host, index, model, state, utilization, used, total, temperature, power)
        group by r.host
      ) g on g.host = v.host
    ) u
    where e.host = u.host
    """
}
