internal import FleetModel

// Field numbers are those of proto/signalbox/v1/report.proto; the tests compare every message with what Python writes.

extension HostFacts: WireMessage {
  var sizeEstimate: Int {
    45 + hostName.utf8.count + osName.utf8.count + kernelRelease.utf8.count + cpuModel.utf8.count + gpuModel.utf8.count
      + gpuDriverVersion.utf8.count + architecture.utf8.count
  }

  func write(to writer: inout WireWriter) {
    writer.text(1, hostName)
    writer.text(2, osName)
    writer.text(3, kernelRelease)
    writer.text(4, cpuModel)
    writer.unsigned(5, UInt64(cpuCount))
    writer.unsigned(6, memoryTotalBytes)
    writer.unsigned(7, swapTotalBytes)
    writer.unsigned(8, UInt64(gpuCount))
    writer.text(9, gpuModel)
    writer.text(10, gpuDriverVersion)
    writer.text(11, architecture)
  }
}
