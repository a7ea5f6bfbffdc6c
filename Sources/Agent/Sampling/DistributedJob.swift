internal import Files
internal import FleetModel

/// The job of several hosts that a process is a part of, and which of its ranks it is, by what its launcher gave it.
///
/// Its environment shows it, where the agent may read that (proc_pid_environ(5): the same user, or CAP_SYS_PTRACE), else the options of the launcher
/// above it, which everyone may read. An id counts only where it can belong to one job alone: a common or short one counts together with the
/// address at which its processes meet, and an address of the loopback device is no address. The same id at another time is another
/// job; the store decides that.
/// - Source: Slurm's sbatch(1) and srun(1), Kubernetes' documents of Indexed Jobs, Kubeflow's training operator, torch/distributed/run.py,
///   Open MPI's `OMPI_COMM_WORLD_*`, OpenPMIx' `PMIX_NAMESPACE`.
struct DistributedJob: Equatable {
  private(set) var job: ProcessJob?
  /// nil: not known, as of a launcher, which is no rank itself.
  private(set) var rank: UInt32?

  init() {}

  /// - Parameters:
  ///   - command: its command line; words that end with NUL.
  ///   - group: what its control group says.
  init(of pid: UInt32, parent: UInt32, command: [UInt8], group: ProcessJob?, root: String) {
    let directory = "\(root)/proc/\(pid)"
    let bytes = (try? HostFiles.read(directory + "/environ", limitBytes: Self.environmentBytesMax)) ?? []
    let environment = LaunchEnvironment(bytes)
    let own = LauncherOptions(command)
    let launcher = own ?? Self.launcher(above: parent, root: root)
    // Not the file in the container that has it as well: a link there could lead to a file of the host that its owner may not read.
    let namespace = environment["POD_NAMESPACE"] ?? ""
    self.init(environment, launcher, isLauncher: own != nil, group: group, namespace: namespace)
  }

  init(
    _ environment: LaunchEnvironment, _ launcher: LauncherOptions?, isLauncher: Bool, group: ProcessJob?,
    namespace: String
  ) {
    if let group, group.kind == .slurm {
      job = group
    } else if let id = environment["SLURM_JOB_ID"], environment.number("SLURM_JOB_ID") != nil {
      job = ProcessJob(kind: .slurm, id: id)
    } else if let name = Self.kubernetesJob(environment) {
      job = ProcessJob(kind: .kubernetesJob, id: namespace.isEmpty ? name : namespace + "/" + name)
    } else if let id = Self.rendezvous(environment, launcher) {
      job = ProcessJob(kind: .rendezvous, id: id)
    }
    guard job != nil, !isLauncher else { return }
    let names = ["RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID", "JOB_COMPLETION_INDEX"]
    rank = names.lazy.compactMap { environment.number($0) }.first
  }

  /// A process hands over an environment of some KiB; ARG_MAX allows for 2 MiB.
  private static let environmentBytesMax = 256 << 10
  /// The launcher, a shell of its own for each rank, and what traces it.
  private static let ancestorsMax = 4

  private static func launcher(above parent: UInt32, root: String) -> LauncherOptions? {
    var pid = parent
    for _ in 0..<ancestorsMax where pid > 1 {
      let directory = "\(root)/proc/\(pid)"
      if let command = try? HostFiles.read(directory + "/cmdline", limitBytes: 4096),
        let options = LauncherOptions(command)
      {
        return options
      }
      guard let stat = try? HostFiles.read(directory + "/stat", limitBytes: 4096),
        let reading = ProcessReading.read(stat.span)
      else { return nil }
      pid = UInt32(clamping: reading.parent)
    }
    return nil
  }

  /// A pod's name is that of its Job with its index, or with its role and index where Kubeflow makes the pods.
  private static func kubernetesJob(_ environment: LaunchEnvironment) -> String? {
    guard environment["KUBERNETES_SERVICE_HOST"] != nil, let pod = environment["HOSTNAME"] else { return nil }
    var parts = pod.split(separator: "-", omittingEmptySubsequences: false)
    if let index = environment["JOB_COMPLETION_INDEX"] {
      // `bert-3`; `bert-3-x7k2p` is the pod's name, which some give their hosts.
      if let last = parts.last, last != index, last.utf8.count == 5 { parts.removeLast() }
      guard parts.count > 1, parts.last == Substring(index) else { return nil }
      return parts.dropLast().joined(separator: "-")
    }
    guard (environment.number("WORLD_SIZE") ?? 0) > 1 || environment["TF_CONFIG"] != nil, parts.count > 2,
      UInt32(parts.removeLast()) != nil, ["master", "worker", "chief", "ps", "evaluator"].contains(parts.removeLast())
    else { return nil }
    return parts.joined(separator: "-")
  }

  private static func rendezvous(_ environment: LaunchEnvironment, _ launcher: LauncherOptions?) -> String? {
    if let launcher, launcher.isOfOneHost(environment["PET_NNODES"]) { return nil }
    let ranks = environment.number("WORLD_SIZE")
    if let ranks, ranks <= environment.number("LOCAL_WORLD_SIZE") ?? 1 { return nil }
    let isDistributed = ranks != nil || launcher != nil
    if isDistributed {
      let id = environment["TORCHELASTIC_RUN_ID"] ?? launcher?["rdzv_id"] ?? environment["PET_RDZV_ID"] ?? ""
      if isDistinctive(id) { return id }
      let meeting = launcher?["rdzv_endpoint"] ?? environment["PET_RDZV_ENDPOINT"]
      let master = address(
        launcher?["master_addr"] ?? environment["PET_MASTER_ADDR"],
        launcher?["master_port"] ?? environment["PET_MASTER_PORT"])
      let given = address(environment["MASTER_ADDR"], environment["MASTER_PORT"])
      if let address = [meeting, master, given].compactMap({ $0 }).first(where: { !isLoopback($0) }) {
        return id.isEmpty || id == "none" ? address : address + "/" + id
      }
    }
    // Open MPI without a scheduler: the name that its daemons gave the job.
    guard let all = environment.number("OMPI_COMM_WORLD_SIZE"),
      all > environment.number("OMPI_COMM_WORLD_LOCAL_SIZE") ?? 1, let name = environment["PMIX_NAMESPACE"],
      isDistinctive(name)
    else { return nil }
    return name
  }

  private static func address(_ host: String?, _ port: String?) -> String? {
    guard let host, !host.isEmpty, let port, UInt16(port) != nil else { return nil }
    return host + ":" + port
  }

  private static func isLoopback(_ address: String) -> Bool {
    let host = address.lowercased()
    return ["localhost", "127.", "0.0.0.0", "::", "[::", ":"].contains { host.hasPrefix($0) }
  }

  /// Six digits are a number that a scheduler counts; fewer, and words that stand in every manual, are what people write by hand.
  static func isDistinctive(_ id: String) -> Bool {
    id.utf8.count >= 6 && !common.contains(id.lowercased()) && Set(id.utf8).count > 2
  }

  private static let common: Set<String> = [
    "default", "training", "trainer", "pytorch", "elastic", "torchrun", "distributed", "rendezvous", "rdzv_id",
    "rdzv-id",
    "my_job", "my-job", "job_id", "undefined", "example", "experiment", "run_id", "foobar", "123456", "1234567",
    "12345678", "standalone", "slurm_job_id", "$job_id", "$slurm_job_id", "multinode", "multi-node",
  ]
}

/// What a launcher put into the environment of a process, as far as it names a job or a rank.
struct LaunchEnvironment {
  private var values: [String: String] = [:]

  private static let names: Set<String> = [
    "SLURM_JOB_ID", "SLURM_PROCID", "KUBERNETES_SERVICE_HOST", "POD_NAMESPACE", "HOSTNAME", "JOB_COMPLETION_INDEX",
    "TORCHELASTIC_RUN_ID", "PET_RDZV_ID", "PET_RDZV_ENDPOINT", "PET_MASTER_ADDR", "PET_MASTER_PORT", "PET_NNODES",
    "MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
    "OMPI_COMM_WORLD_LOCAL_SIZE", "PMIX_NAMESPACE", "PMIX_RANK", "PMI_RANK",
  ]

  /// - Parameter bytes: /proc/PID/environ: `NAME=value`, each ended by NUL; anything may stand in it. Of all other names nothing is kept.
  init(_ bytes: [UInt8]) {
    for entry in bytes.split(separator: 0) {
      guard let equals = entry.firstIndex(of: UInt8(ascii: "=")), equals - entry.startIndex <= 32 else { continue }
      let name = String(decoding: entry[..<equals], as: UTF8.self)
      let value = entry[(equals + 1)...]
      if name == "TF_CONFIG" {
        // A document: only whether there is one counts.
        values[name] = "given"
      } else if Self.names.contains(name), let value = Self.identifier(value) {
        values[name] = value
      }
    }
  }

  subscript(name: String) -> String? { values[name] }

  func number(_ name: String) -> UInt32? { values[name].flatMap { UInt32($0) } }

  /// The bytes as a name of bounded length; nil where they hold what stands in no name. It is never cut: the beginnings of two ids may be the same.
  static func identifier(_ bytes: ArraySlice<UInt8>) -> String? {
    var bytes = bytes
    while bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    let isName = bytes.allSatisfy { byte in
      byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z") || byte &- 48 <= 9
        || "._-:/@+[]".utf8.contains(byte)
    }
    return isName && !bytes.isEmpty && bytes.count <= 128 ? String(decoding: bytes, as: UTF8.self) : nil
  }
}

/// The options of a command line of torchrun: `torchrun …`, `python -m torch.distributed.run …`.
struct LauncherOptions {
  private var values: [String: String] = [:]

  /// It starts ranks on this host alone.
  /// - Parameter hosts: what its environment says of their number, where the command line says nothing.
  func isOfOneHost(_ hosts: String?) -> Bool {
    values["standalone"] != nil || ["1", "1:1"].contains(values["nnodes"] ?? hosts ?? "1")
  }

  /// Options without a value.
  private static let flags: Set<String> = ["standalone", "no_python", "run_path", "module", "m"]

  /// - Parameter command: /proc/PID/cmdline: words that end with NUL.
  /// - Returns: nil where it is no launcher.
  init?(_ command: [UInt8]) {
    let words = command.split(separator: 0)
    let place = words.prefix(6).firstIndex { word in
      let name = word.suffix(while: { $0 != UInt8(ascii: "/") })
      return ["torchrun", "torch.distributed.run", "torch.distributed.launch"].contains { name.elementsEqual($0.utf8) }
    }
    guard let place else { return nil }
    var at = place + 1
    while at < words.count, words[at].first == UInt8(ascii: "-") {
      let word = words[at].drop { $0 == UInt8(ascii: "-") }
      at += 1
      let equals = word.firstIndex(of: UInt8(ascii: "="))
      let name = String(decoding: word[..<(equals ?? word.endIndex)].prefix(32), as: UTF8.self)
        .split(separator: "-", omittingEmptySubsequences: false).joined(separator: "_")
      if let equals {
        values[name] = LaunchEnvironment.identifier(word[(equals + 1)...])
      } else if Self.flags.contains(name) {
        values[name] = ""
      } else if at < words.count {
        values[name] = LaunchEnvironment.identifier(words[at])
        at += 1
      }
    }
  }

  subscript(name: String) -> String? { values[name] }
}

extension ArraySlice<UInt8> {
  fileprivate func suffix(while isIncluded: (UInt8) -> Bool) -> ArraySlice<UInt8> {
    self[(lastIndex { !isIncluded($0) }.map { $0 + 1 } ?? startIndex)...]
  }
}
