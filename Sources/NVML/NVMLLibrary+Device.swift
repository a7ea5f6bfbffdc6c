internal import CNVML
internal import FleetModel

extension NVMLLibrary {
  /// Asks one GPU for everything.
  /// - Parameter withThroughput: also the PCIe traffic, which takes the driver 20 ms for each direction.
  /// - Throws: `isLost` where the GPU has fallen off its bus.
  package func read(index: Int, withThroughput: Bool) throws(NVMLError) -> NVMLReading {
    guard let ask = unsafe functions.handle else { throw .lacks("nvmlDeviceGetHandleByIndex") }
    var handle = unsafe sbx_nvml_device(bitPattern: 0)
    try check("find GPU \(index)", unsafe ask(UInt32(clamping: index), &handle))
    // The handle belongs to the library and stays valid until it is shut down.
    guard let device = unsafe handle else { throw .lacks("a handle") }
    var reading = NVMLReading()
    reading.sample.index = UInt32(clamping: index)
    try unsafe readIdentity(device, &reading)
    try unsafe readLoad(device, &reading.sample)
    unsafe readPower(device, &reading.sample)
    unsafe readHealth(device, &reading.sample)
    unsafe readProcesses(device, &reading)
    if withThroughput { unsafe readThroughput(device, &reading.sample) }
    return reading
  }

  private func readIdentity(_ device: sbx_nvml_device, _ reading: inout NVMLReading) throws(NVMLError) {
    var text = [CChar](repeating: 0, count: 96)
    if let ask = unsafe functions.uuid {
      let code = unsafe ask(device, &text, UInt32(text.count))
      if code == Int32(SBX_NVML_GPU_IS_LOST) { try check("identify a GPU", code) }
      if code == 0 { reading.sample.uuid = Self.text(text) }
    }
    if let ask = unsafe functions.name, unsafe ask(device, &text, UInt32(text.count)) == 0 {
      reading.sample.model = Self.text(text)
    }
    var pci = sbx_nvml_pci()
    if let ask = unsafe functions.pci, unsafe ask(device, &pci) == 0 {
      reading.busID = unsafe withUnsafeBytes(of: &pci.bus_id) { field in
        // 32 bytes of the struct on this stack.
        unsafe String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
      }
    }
  }

  /// The first question that every GPU can answer: here a lost one is noticed.
  private func readLoad(_ device: sbx_nvml_device, _ sample: inout GPUSample) throws(NVMLError) {
    var load = sbx_nvml_utilization()
    if let ask = unsafe functions.utilization {
      let code = unsafe ask(device, &load)
      if code == Int32(SBX_NVML_GPU_IS_LOST) { try check("ask a GPU", code) }
      if code == 0 {
        sample.utilizationPercent = Float(load.gpu)
        sample.memoryUtilizationPercent = Float(load.memory)
      }
    }
    // Version 2 leaves out what the driver reserves for itself; its version is the size and 2.
    var memory = sbx_nvml_memory_v2()
    memory.version = UInt32(MemoryLayout<sbx_nvml_memory_v2>.size) | 2 << 24
    if let ask = unsafe functions.memory_v2, unsafe ask(device, &memory) == 0 {
      sample.memoryTotalBytes = memory.total
      sample.memoryUsedBytes = memory.used
      return
    }
    var old = sbx_nvml_memory()
    if let ask = unsafe functions.memory, unsafe ask(device, &old) == 0 {
      sample.memoryTotalBytes = old.total
      sample.memoryUsedBytes = old.used
    }
  }

  private func readPower(_ device: sbx_nvml_device, _ sample: inout GPUSample) {
    var value: UInt32 = 0
    if let ask = unsafe functions.power, unsafe ask(device, &value) == 0 { sample.powerWatts = Float(value) / 1000 }
    if let ask = unsafe functions.power_limit, unsafe ask(device, &value) == 0 {
      sample.powerLimitWatts = Float(value) / 1000
    }
    if let ask = unsafe functions.clock, unsafe ask(device, 1, &value) == 0 { sample.clockSmMhz = Float(value) }
    if let ask = unsafe functions.clock, unsafe ask(device, 2, &value) == 0 { sample.clockMemoryMhz = Float(value) }
    if let ask = unsafe functions.fan, unsafe ask(device, &value) == 0 { sample.fanPercent = Float(value) }
    if let ask = unsafe functions.temperature, unsafe ask(device, 0, &value) == 0 {
      sample.temperatureCelsius = Float(value)
    }
    var field = sbx_nvml_field()
    field.field = Self.memoryTemperatureField
    if let ask = unsafe functions.fields, unsafe ask(device, 1, &field) == 0, field.result == 0 {
      let celsius = unsafe field.value.ui
      // 0 where the memory has no sensor.
      if celsius > 0, celsius < 200 { sample.temperatureMemoryCelsius = Float(celsius) }
    }
  }

  /// NVML_FI_DEV_MEMORY_TEMP.
  private static var memoryTemperatureField: UInt32 { 82 }

  private func readHealth(_ device: sbx_nvml_device, _ sample: inout GPUSample) {
    var count: UInt64 = 0
    if let ask = unsafe functions.event_reasons, unsafe ask(device, &count) == 0 { sample.throttleReasons = count }
    if let ask = unsafe functions.ecc, unsafe ask(device, 0, 0, &count) == 0 { sample.eccCorrectedTotal = count }
    if let ask = unsafe functions.ecc, unsafe ask(device, 1, 0, &count) == 0 { sample.eccUncorrectedTotal = count }
    var corrected: UInt32 = 0
    var uncorrected: UInt32 = 0
    var pending: UInt32 = 0
    var failed: UInt32 = 0
    if let ask = unsafe functions.remapped,
      unsafe ask(device, &corrected, &uncorrected, &pending, &failed) == 0
    {
      sample.remappedRowsCorrected = corrected
      sample.remappedRowsUncorrected = uncorrected
      sample.remapPending = pending != 0
      sample.remapFailed = failed != 0
    }
  }

  /// More on one GPU than this are not listed; NVML then reports how many there are.
  private static var processesMax: Int { 128 }

  private func readProcesses(_ device: sbx_nvml_device, _ reading: inout NVMLReading) {
    guard let ask = unsafe functions.processes else { return }
    var list = [sbx_nvml_process](repeating: sbx_nvml_process(), count: Self.processesMax)
    var count = UInt32(list.count)
    let code = unsafe ask(device, &count, &list)
    guard code == 0 || code == Int32(SBX_NVML_INSUFFICIENT_SIZE) else { return }
    reading.sample.processCount = count
    guard code == 0 else { return }
    for process in list.prefix(Int(count)) {
      // All bits set: the driver does not know (WDDM, some containers).
      let bytes = process.used == UInt64.max ? 0 : process.used
      reading.processes.append(NVMLProcess(pid: process.pid, memoryBytes: bytes))
      reading.sample.processMemoryBytes &+= bytes
    }
  }

  private func readThroughput(_ device: sbx_nvml_device, _ sample: inout GPUSample) {
    var kilobytes: UInt32 = 0
    guard let ask = unsafe functions.pcie else { return }
    if unsafe ask(device, 0, &kilobytes) == 0 { sample.pcieTransmitBytesPerSecond = Float(kilobytes) * 1024 }
    if unsafe ask(device, 1, &kilobytes) == 0 { sample.pcieReceiveBytesPerSecond = Float(kilobytes) * 1024 }
  }
}
