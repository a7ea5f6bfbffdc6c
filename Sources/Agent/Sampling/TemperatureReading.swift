internal import Files

/// The processor's temperature: /sys/class/hwmon (Documentation/hwmon/sysfs-interface.rst) and /sys/class/thermal.
///
/// Why only the processor's: asking a disk for its temperature is a command to the disk, which may wake it or wait for it.
struct TemperatureReading {
  private let root: String
  private var sensors: [KernelFile] = []

  init(root: String) { self.root = root }

  /// Looks for the sensors; they change only when drivers are loaded.
  mutating func discover(_ buffer: ReadBuffer) {
    sensors = []
    let chips = root + "/sys/class/hwmon"
    for chip in names(chips) {
      let path = chips + "/" + chip
      guard let name = Self.line(path + "/name", buffer), Self.processorChips.contains(name) else { continue }
      addInputs(of: path, buffer)
    }
    let zones = root + "/sys/class/thermal"
    for zone in names(zones) where zone.hasPrefix("thermal_zone") {
      guard let type = Self.line(zones + "/" + zone + "/type", buffer), Self.isProcessorZone(type) else { continue }
      add(zones + "/" + zone + "/temp")
    }
  }

  /// The hottest sensor in °C; NaN where there is none.
  func read(_ buffer: ReadBuffer) -> Float {
    var highest = Float.nan
    for sensor in sensors where sensor.read(into: buffer) {
      guard let milli = buffer.parse({ SmallReadings.number($0) }) else { continue }
      let celsius = Float(milli / 1000)
      // Outside of this the sensor is not connected or not initialised.
      guard celsius > -40, celsius < 150, celsius != 0 else { continue }
      if !(highest >= celsius) { highest = celsius }
    }
    return highest
  }

  private static let processorChips: Set<String> = [
    "coretemp", "k10temp", "k8temp", "zenpower", "cpu_thermal", "cputemp", "soc_thermal", "fam15h_power", "ibmpowernv",
  ]

  private static func isProcessorZone(_ type: String) -> Bool {
    let lower = type.lowercased()
    return lower.contains("cpu") || lower.contains("x86_pkg") || lower.contains("soc") || lower == "acpitz"
  }

  /// A package's own sensor already is its hottest core: reading each core would interrupt each core.
  private mutating func addInputs(of chip: String, _ buffer: ReadBuffer) {
    let inputs = names(chip).filter { $0.hasPrefix("temp") && $0.hasSuffix("_input") }
    let packages = inputs.filter { input in
      guard let label = Self.line(chip + "/" + input.dropLast(6) + "_label", buffer) else { return false }
      return label.hasPrefix("Package") || label.hasPrefix("Tctl") || label.hasPrefix("Tdie")
    }
    for input in packages.isEmpty ? inputs : packages { add(chip + "/" + input) }
  }

  private mutating func add(_ path: String) {
    if sensors.count < SamplingLimits.sensorsMax { sensors.append(KernelFile(path)) }
  }

  private func names(_ directory: String) -> [String] {
    ((try? HostFiles.list(directory)) ?? []).sorted()
  }

  private static func line(_ path: String, _ buffer: ReadBuffer) -> String? {
    guard let bytes = try? HostFiles.read(path, limitBytes: 256) else { return nil }
    return ProcText.line(bytes)
  }
}
