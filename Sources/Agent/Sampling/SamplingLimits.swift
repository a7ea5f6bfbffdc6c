/// What one host may cost, whatever its /proc holds.
enum SamplingLimits {
  /// One kernel file: /proc/stat of a machine with 512 CPUs and many interrupts has 150 KiB.
  static let fileBytesMax = 512 << 10
  /// A counter above this is read as this, so that sums of a few counters cannot overflow; 2^60 bytes are an exabyte.
  static let counterMax: UInt64 = 1 << 60
  /// NR_CPUS of the largest distributions' kernels.
  static let cpusMax = 8192
  static let blockDevicesMax = 512
  static let interfacesMax = 256
  static let mountsMax = 64
  static let sensorsMax = 32
  /// Processes of the whole host that are looked at.
  static let processIDsMax = 65_536
  /// Bytes of a name, path or message that leave the host.
  static let textBytesMax = 512
  /// Bytes of a path of an ended process; PATH_MAX is what the protocol's texts hold.
  static let pathBytesMax = 4096
  /// Ends that are remembered, so that none is reported twice.
  static let reportedEndsMax = 256
  /// Records of the kernel's log read in one sample.
  static let kernelRecordsPerSample = 256
  /// Shorter than this between two samples, a rate would be noise.
  static let rateSecondsMin = 0.05
}
