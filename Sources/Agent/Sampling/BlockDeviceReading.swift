internal import FleetModel

/// Counters of one block device since boot.
struct BlockCounters: Equatable {
  var reads: UInt64 = 0
  var readSectors: UInt64 = 0
  var readMs: UInt64 = 0
  var writes: UInt64 = 0
  var writtenSectors: UInt64 = 0
  var writeMs: UInt64 = 0
  /// Time with at least one request under way.
  var busyMs: UInt64 = 0
}

/// /proc/diskstats; Documentation/admin-guide/iostats.rst. Fields behind the first eleven (discards, flushes) differ by kernel
/// and are not needed.
struct BlockDeviceReading {
  struct Device {
    let major: UInt32
    let minor: UInt32
    let name: String
    /// A disk of its own, not a partition and not made of other devices: counts in the host's sums.
    var isWhole = false
    /// nil where the device is gone.
    var now: BlockCounters?
    var before: BlockCounters?
    /// At the last `DiskSample` of it.
    var reported: BlockCounters?
  }

  private(set) var devices: [Device] = []
  /// More devices than `SamplingLimits.blockDevicesMax`.
  private(set) var leftOut = 0
  /// Devices came that have not been classified.
  private(set) var hasNewDevices = false

  /// A sector of diskstats has 512 bytes on every device.
  static let sectorBytes = 512.0

  /// Reads the file's text; a damaged line leaves its device without a reading.
  mutating func read(_ text: Span<UInt8>) {
    for index in devices.indices {
      devices[index].before = devices[index].now
      devices[index].now = nil
    }
    leftOut = 0
    var cursor = ProcCursor()
    // The kernel lists the devices in the same order each time: the next line is nearly always the next device.
    var expected = 0
    repeat { readLine(text, &cursor, &expected) } while cursor.nextLine(text)
  }

  private mutating func readLine(_ text: Span<UInt8>, _ cursor: inout ProcCursor, _ expected: inout Int) {
    guard let major = cursor.number(text), let minor = cursor.number(text) else { return }
    let name = cursor.field(text)
    guard !name.isEmpty, let counters = counters(text, &cursor) else { return }
    let key = (UInt32(clamping: major), UInt32(clamping: minor))
    guard let index = index(of: key, text, name, from: expected) else { return }
    devices[index].now = counters
    expected = index + 1
  }

  private func counters(_ text: Span<UInt8>, _ cursor: inout ProcCursor) -> BlockCounters? {
    var counters = BlockCounters()
    guard let reads = cursor.number(text), cursor.number(text) != nil, let readSectors = cursor.number(text),
      let readMs = cursor.number(text), let writes = cursor.number(text), cursor.number(text) != nil,
      let writtenSectors = cursor.number(text), let writeMs = cursor.number(text), cursor.number(text) != nil,
      let busyMs = cursor.number(text)
    else { return nil }
    counters.reads = reads
    counters.readSectors = readSectors
    counters.readMs = readMs
    counters.writes = writes
    counters.writtenSectors = writtenSectors
    counters.writeMs = writeMs
    counters.busyMs = busyMs
    return counters
  }

  private mutating func index(
    of key: (UInt32, UInt32), _ text: Span<UInt8>, _ name: Range<Int>, from expected: Int
  ) -> Int? {
    if expected < devices.count, devices[expected].major == key.0, devices[expected].minor == key.1 { return expected }
    if let found = devices.firstIndex(where: { $0.major == key.0 && $0.minor == key.1 }) { return found }
    // A device that went makes room for one that came.
    if devices.count >= SamplingLimits.blockDevicesMax { devices.removeAll { $0.now == nil && $0.before == nil } }
    guard devices.count < SamplingLimits.blockDevicesMax else {
      leftOut += 1
      return nil
    }
    devices.append(Device(major: key.0, minor: key.1, name: ProcText.string(text, name)))
    hasNewDevices = true
    return devices.count - 1
  }

  /// The next disk samples cover what happens from now on.
  mutating func markReported() {
    for index in devices.indices { devices[index].reported = devices[index].now }
  }

  /// Decides which devices count in the host's sums.
  mutating func classify(_ isWhole: (String) -> Bool) {
    for index in devices.indices { devices[index].isWhole = isWhole(devices[index].name) }
    hasNewDevices = false
  }

  /// Writes the sums over whole disks into `sample`.
  func fill(_ sample: inout HostSample, seconds: Double) {
    var read: Float = 0
    var written: Float = 0
    var known = 0
    for device in devices where device.isWhole {
      guard let now = device.now, let before = device.before else { continue }
      let rates = (
        counterRate(now.readSectors, before.readSectors, seconds: seconds),
        counterRate(now.writtenSectors, before.writtenSectors, seconds: seconds)
      )
      guard !rates.0.isNaN, !rates.1.isNaN else { continue }
      read += rates.0
      written += rates.1
      known += 1
    }
    guard known > 0 else { return }
    sample.diskReadBytesPerSecond = read * Float(Self.sectorBytes)
    sample.diskWriteBytesPerSecond = written * Float(Self.sectorBytes)
  }
}

extension DiskSample {
  /// Writes what happened on the device from `before` to `now`.
  mutating func fill(_ now: BlockCounters, since before: BlockCounters, seconds: Double) {
    let sector = Float(BlockDeviceReading.sectorBytes)
    readBytesPerSecond = counterRate(now.readSectors, before.readSectors, seconds: seconds) * sector
    writeBytesPerSecond = counterRate(now.writtenSectors, before.writtenSectors, seconds: seconds) * sector
    readsPerSecond = counterRate(now.reads, before.reads, seconds: seconds)
    writesPerSecond = counterRate(now.writes, before.writes, seconds: seconds)
    // ms busy a second, of 1000.
    busyPercent = min(100, counterRate(now.busyMs, before.busyMs, seconds: seconds) / 10)
    guard now.reads >= before.reads, now.writes >= before.writes, now.readMs >= before.readMs,
      now.writeMs >= before.writeMs
    else { return }
    let requests = now.reads - before.reads + now.writes - before.writes
    guard requests > 0 else { return }
    waitMs = Float(Double(now.readMs - before.readMs + now.writeMs - before.writeMs) / Double(requests))
  }
}
