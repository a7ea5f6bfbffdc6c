/// What one host samples, and how often what costs more.
package struct SamplerSettings: Sendable, Equatable {
  /// A sample of the host is taken at each call; the others at every n-th, 0 = never.
  package var disksEvery = 10
  package var networksEvery = 10
  package var processesEvery = 5
  package var temperatureEvery = 10
  /// Mounts, disks, interfaces and sensors are looked for again.
  package var discoverEvery = 60
  package var readsKernelLog = true
  /// The last kernel record that this host has reported in this boot: `Sampler.kernelSequence`, kept over restarts.
  package var kernelLogAfter: UInt64?
  package var processes = ProcessPatterns()

  package init() {}
}

/// Which processes train.
package struct ProcessPatterns: Sendable, Equatable {
  /// Interpreters, by the start of proc(5)'s comm. Scripts below /usr/bin, /usr/sbin, /usr/lib and /usr/share are the system's own.
  package var interpreters = ["python", "pypy", "julia", "pt_main_thread"]
  /// Programs, by the start of comm, whatever they run.
  package var names = ["torchrun", "ray::", "raylet", "accelerate", "deepspeed", "horovodrun", "mpirun"]
  /// Processes with any of these in their command line.
  package var commands: [String] = []
  /// Processes with any of these in the path of their control group.
  package var cgroups: [String] = []
  /// At most so many are followed, the oldest first.
  package var processesMax = 64

  package init() {}
}
