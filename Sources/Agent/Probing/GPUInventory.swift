internal import FleetModel

/// The GPUs that this host has had since the agent started: one that is no longer reported is absent, not forgotten.
struct GPUInventory {
  private var known: [GPUSample] = []

  var count: Int { known.count }
  var model: String { known.first?.model ?? "" }

  /// One sample for each GPU that is or was there.
  mutating func samples(_ answer: [GPUSample], timeNs: Int64) -> [GPUSample] {
    var samples: [GPUSample] = []
    for gpu in answer {
      var sample = gpu.state == .absent ? lost(gpu) : gpu
      if sample.state == .present {
        sample.stuckSeconds = 0
        remember(sample)
      }
      sample.timeNs = timeNs
      samples.append(sample)
    }
    for gone in known where !samples.contains(where: { isSame($0, gone) }) {
      samples.append(without(gone, .absent, timeNs))
    }
    return samples
  }

  /// The same GPUs, none of which answers.
  func stuck(seconds: Float, timeNs: Int64) -> [GPUSample] {
    known.map {
      var sample = without($0, .stuck, timeNs)
      sample.stuckSeconds = seconds
      return sample
    }
  }

  /// The library reports that none is there.
  func absent(timeNs: Int64) -> [GPUSample] { known.map { without($0, .absent, timeNs) } }

  /// Only the identity is left: no value is better than a wrong one.
  private func without(_ gpu: GPUSample, _ state: GPUState, _ timeNs: Int64) -> GPUSample {
    var sample = GPUSample()
    sample.timeNs = timeNs
    sample.index = gpu.index
    sample.uuid = gpu.uuid
    sample.model = gpu.model
    sample.state = state
    return sample
  }

  /// A lost GPU reports its index and nothing else.
  private func lost(_ gpu: GPUSample) -> GPUSample {
    without(known.first { $0.index == gpu.index } ?? gpu, .absent, 0)
  }

  private mutating func remember(_ gpu: GPUSample) {
    if let index = known.firstIndex(where: { isSame($0, gpu) }) {
      known[index] = gpu
    } else if known.count < Self.gpusMax {
      known.append(gpu)
    }
  }

  /// With what was exchanged in one machine's life.
  private static let gpusMax = 128

  private func isSame(_ one: GPUSample, _ other: GPUSample) -> Bool {
    one.uuid.isEmpty || other.uuid.isEmpty ? one.index == other.index : one.uuid == other.uuid
  }
}
