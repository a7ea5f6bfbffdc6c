internal import Files
internal import FleetModel

extension Sampler {
  mutating func discoverMounts() {
    guard files.mountinfo.read(into: buffer) else {
      mounts = []
      return
    }
    mounts = buffer.parse { MountTable.read($0) }.mounts
  }

  mutating func classifyDevices() {
    let disks = root + "/sys/block/"
    blocks.classify { name in
      // Made of other devices or of memory: its bytes would count twice or are none of a disk's.
      if Self.madeOfOthers.contains(where: { name.hasPrefix($0) }) { return false }
      return (try? FileStatus.of(path: disks + name)) != nil
    }
    let cards = root + "/sys/class/net/"
    interfaces.classify { name in (try? FileStatus.of(path: cards + name + "/device")) != nil }
    for index in interfaces.interfaces.indices {
      let path = cards + interfaces.interfaces[index].name
      interfaces.interfaces[index].isUp = isUp(path)
      interfaces.interfaces[index].speedMbit = speed(path)
    }
  }

  private static var madeOfOthers: [String] { ["loop", "ram", "zram", "dm-", "md", "sr", "fd", "bcache", "drbd"] }

  /// sysfs-class-net: up, down, unknown (drivers that do not report it, while they work)….
  private func isUp(_ path: String) -> Bool {
    guard let bytes = try? HostFiles.read(path + "/operstate", limitBytes: 64) else { return true }
    let state = ProcText.line(bytes)
    return state == "up" || state == "unknown"
  }

  /// Mbit/s; -1 or an error where the driver does not know it.
  private func speed(_ path: String) -> Float {
    guard let bytes = try? HostFiles.read(path + "/speed", limitBytes: 64),
      let value = SmallReadings.number(bytes.span), value > 0, value < 10_000_000
    else { return .nan }
    return Float(value)
  }

  /// One sample for each local file system; asks statvfs(3), which answers from memory there.
  mutating func diskSamples(_ wallNs: Int64, _ monotonicNs: Int64) -> [DiskSample] {
    let seconds = elapsed(since: blocksReportedNs, monotonicNs)
    var samples: [DiskSample] = []
    fullestPercent = .nan
    for mount in mounts where mount.kind != .network {
      var sample = DiskSample(mount)
      sample.timeNs = wallNs
      if let usage = try? FileSystemUsage.of(root + mount.mountPoint) { sample.fill(usage) }
      if let device = blocks.device(of: mount), let now = device.now, let before = device.reported {
        sample.fill(now, since: before, seconds: seconds)
      }
      if mount.kind == .local, !mount.isReadOnly, !(fullestPercent >= sample.usedPercent), !sample.usedPercent.isNaN {
        fullestPercent = sample.usedPercent
      }
      samples.append(sample)
    }
    blocks.markReported()
    blocksReportedNs = monotonicNs
    return samples
  }

  mutating func networkSamples(_ wallNs: Int64, _ monotonicNs: Int64) -> [NetworkSample] {
    let seconds = elapsed(since: interfacesReportedNs, monotonicNs)
    var samples: [NetworkSample] = []
    for index in interfaces.interfaces.indices where interfaces.interfaces[index].isPhysical {
      let interface = interfaces.interfaces[index]
      guard let now = interface.now else { continue }
      var sample = NetworkSample()
      sample.timeNs = wallNs
      sample.interface = interface.name
      sample.isUp = isUp(root + "/sys/class/net/" + interface.name)
      sample.speedMbit = interface.speedMbit
      sample.fill(now, since: interface.reported, seconds: seconds)
      samples.append(sample)
    }
    interfaces.markReported()
    interfacesReportedNs = monotonicNs
    return samples
  }
}

extension DiskSample {
  init(_ mount: Mount) {
    self.init()
    mountPoint = mount.mountPoint
    device = mount.source
    fileSystem = mount.fileSystem
    isReadOnly = mount.isReadOnly
  }

  mutating func fill(_ usage: FileSystemUsage) {
    totalBytes = usage.totalBytes
    availableBytes = usage.availableBytes
    usedPercent = usage.usedPercent
    inodesTotal = usage.inodesTotal
    inodesFree = usage.inodesFree
  }
}

extension BlockDeviceReading {
  /// By number; by name where the file system has a number of its own (btrfs, zfs).
  func device(of mount: Mount) -> Device? {
    if let device = devices.first(where: { $0.major == mount.major && $0.minor == mount.minor }) { return device }
    guard mount.source.hasPrefix("/dev/") else { return nil }
    let name = HostFiles.name(of: mount.source)
    return devices.first { $0.name == name }
  }
}
