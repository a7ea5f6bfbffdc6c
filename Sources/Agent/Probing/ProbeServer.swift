internal import FleetModel
internal import Files
internal import NVML

/// The probe process: reads questions from its input, answers on its output, and ends with its input.
///
/// Started by the agent as `signalbox-agent probe`. It may hang in any question; then the agent ends it and starts another.
package enum ProbeServer {
  /// Runs on the process's own input and output, as `signalbox-agent probe`.
  package static func run() {
    run(input: Descriptor(adopting: 0, path: "input"), output: Descriptor(adopting: 1, path: "output"))
  }

  /// As `signalbox-agent probe --checks …`: asks what profiles configure.
  package static func runChecks(_ permissions: CheckPermissions) { CheckServer.run(permissions) }

  /// Runs until the input ends.
  /// - Parameter input: blocking, as `output`; descriptors 0 and 1 of the process.
  static func run(input: borrowing Descriptor, output: borrowing Descriptor) {
    var asker = ProbeAsker()
    var deframer = ProbeDeframer()
    var bytes: [UInt8] = []
    while !deframer.isBroken {
      bytes.removeAll(keepingCapacity: true)
      guard let got = try? input.read(into: &bytes, count: 4096), got > 0 else { return }
      deframer.append(bytes.span)
      while let frame = deframer.next() {
        guard let (number, question) = ProbeWire.question(frame.span) else { return }
        let answer = ProbeWire.encode(asker.answer(question), number: number)
        guard (try? output.write(answer.span)) != nil else { return }
      }
    }
  }
}

/// Answers one question after the other; keeps NVIDIA's library open between them.
struct ProbeAsker {
  private var library: NVMLLibrary?
  private var libraryPath = ""
  private var gpuQuestions = 0

  /// PCIe traffic takes 40 ms a GPU: asked with every tenth question.
  private static let throughputEvery = 10

  mutating func answer(_ question: ProbeQuestion) -> ProbeAnswer {
    switch question {
    case .gpus(let path): gpus(path)
    case .fileSystem(let path): usage(path)
    case .fileAge(let path): age(path)
    }
  }

  private func usage(_ path: String) -> ProbeAnswer {
    do {
      let usage = try FileSystemUsage.of(path)
      return .usage(
        FileSystemAnswer(
          totalBytes: usage.totalBytes, availableBytes: usage.availableBytes, inodesTotal: usage.inodesTotal,
          inodesFree: usage.inodesFree, usedPercent: usage.usedPercent))
    } catch { return .failed(error.description) }
  }

  private func age(_ path: String) -> ProbeAnswer {
    do {
      let status = try FileStatus.of(path: path)
      return .age(Double(Clock.wallNs().subtractingClamped(status.modifiedNs)) / 1e9)
    } catch { return .failed(error.description) }
  }

  private mutating func gpus(_ path: String) -> ProbeAnswer {
    do {
      if library == nil || libraryPath != path {
        library = try NVMLLibrary(path: path)
        libraryPath = path
      }
      return .gpus(try read())
    } catch {
      // Opened anew next time: after a driver's update the old one has no driver to talk to.
      library = nil
      return .failed(error.description)
    }
  }

  private mutating func read() throws(NVMLError) -> GPUAnswer {
    var answer = GPUAnswer()
    guard let library else { return answer }
    answer.driverVersion = library.driverVersion()
    let withThroughput = gpuQuestions % Self.throughputEvery == 0
    gpuQuestions += 1
    var memory: [UInt32: UInt64] = [:]
    for index in 0..<(try library.deviceCount()) {
      do throws(NVMLError) {
        let reading = try library.read(index: index, withThroughput: withThroughput)
        answer.gpus.append(reading.sample)
        for process in reading.processes { memory[process.pid, default: 0] &+= process.memoryBytes }
      } catch {
        // One lost GPU must not hide the others.
        var lost = GPUSample()
        lost.index = UInt32(clamping: index)
        lost.state = .absent
        answer.gpus.append(lost)
      }
    }
    answer.memory = memory.map { GPUProcessMemory(pid: $0.key, bytes: $0.value) }
    return answer
  }
}
