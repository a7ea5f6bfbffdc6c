internal import CSchema
internal import FleetModel

// `tree` lies in the arena of the decode that is under way, which outlives each call; values are copied out.

extension HostFacts: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__HostFacts>) throws(SchemaError) {
    self.init()
    hostName = try unsafe Tree.text(tree.pointee.host_name, "HostFacts.host_name")
    osName = try unsafe Tree.text(tree.pointee.os_name, "HostFacts.os_name")
    kernelRelease = try unsafe Tree.text(tree.pointee.kernel_release, "HostFacts.kernel_release")
    cpuModel = try unsafe Tree.text(tree.pointee.cpu_model, "HostFacts.cpu_model")
    cpuCount = unsafe tree.pointee.cpu_count
    memoryTotalBytes = unsafe tree.pointee.memory_total_bytes
    swapTotalBytes = unsafe tree.pointee.swap_total_bytes
    gpuCount = unsafe tree.pointee.gpu_count
    gpuModel = try unsafe Tree.text(tree.pointee.gpu_model, "HostFacts.gpu_model")
    gpuDriverVersion = try unsafe Tree.text(tree.pointee.gpu_driver_version, "HostFacts.gpu_driver_version")
    architecture = try unsafe Tree.text(tree.pointee.architecture, "HostFacts.architecture")
  }
}
