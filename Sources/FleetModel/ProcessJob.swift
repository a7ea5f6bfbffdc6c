/// What a process belongs to: by the path of its control group, or by what its launcher gave it (`DistributedJob` of the agent).
///
/// Sources: Slurm's cgroup.conf(5) and cgroup_v2 page, Kubernetes' kubelet (cgroupfs and systemd drivers), Docker, Podman,
/// nerdctl, systemd.unit(5).
package struct ProcessJob: Sendable, Equatable {
  package enum Kind: String, Sendable, CaseIterable {
    /// id: the job's number; step: 0, batch, extern ….
    case slurm
    /// id: the pod's UID; step: the container's id.
    case kubernetes
    /// A Job of several pods; id: namespace and name, as `team/bert`.
    case kubernetesJob = "k8s"
    /// Processes that found each other at one place; id: its id, or its address.
    case rendezvous = "rdzv"
    /// id: the container's.
    case docker, podman, containerd
    /// A service or scope of the system.
    case unit
    /// A service or scope of a user's own systemd.
    case userUnit = "user-unit"
    /// A login; id: its number, as loginctl(1) shows it.
    case session

    /// Those that may have several hosts. Each of the others is on one.
    package static let ofHosts: [Kind] = [.slurm, .kubernetesJob, .rendezvous]
  }

  package var kind: Kind
  package var id: String
  /// Empty where there is none.
  package var step = ""

  package init(kind: Kind, id: String, step: String = "") {
    self.kind = kind
    self.id = id
    self.step = step
  }

  /// `slurm:123/0`, `docker:ID`, `unit:train.service`.
  package var text: String { kind.rawValue + ":" + id + (step.isEmpty ? "" : "/" + step) }

  /// Without the step or container, which change from one attempt to the next.
  package var whole: String { kind.rawValue + ":" + id }

  /// - Parameter cgroup: a path of /proc/PID/cgroup; anything may stand in it.
  /// - Returns: the innermost that is a job or a container, else the unit; nil where the path names neither.
  package init?(cgroup: String) {
    // Containerd's systemd driver under version 1 writes `SLICE:cri-containerd:ID` into one name.
    let names = cgroup.split(whereSeparator: { $0 == "/" || $0 == ":" })
    if let job = Self.slurm(names) ?? Self.kubernetes(names) ?? Self.container(names) ?? Self.unit(names) {
      self = job
    } else {
      return nil
    }
  }

  /// `/slurm/uid_1000/job_123/step_0/task_0`, `/system.slice/slurmstepd.scope/job_123/step_batch/user/task_0`.
  private static func slurm(_ names: [Substring]) -> ProcessJob? {
    guard let root = names.firstIndex(where: { $0.hasPrefix("slurm") || $0.hasSuffix("slurmstepd.scope") }),
      let job = names[root...].firstIndex(where: { number(after: "job_", $0) != nil }),
      let id = number(after: "job_", names[job])
    else { return nil }
    let step = names[job...].dropFirst().first.flatMap { $0.hasPrefix("step_") ? $0.dropFirst(5) : nil } ?? ""
    return ProcessJob(kind: .slurm, id: String(id), step: isWord(step) ? String(step) : "")
  }

  private static func number(after prefix: String, _ name: Substring) -> Substring? {
    guard name.hasPrefix(prefix) else { return nil }
    let digits = name.dropFirst(prefix.count)
    return !digits.isEmpty && digits.utf8.count <= 20 && digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
      ? digits : nil
  }

  private static func isWord(_ text: Substring) -> Bool {
    text.utf8.count <= 32 && text.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "_") }
  }

  /// `/kubepods/burstable/podUID/ID`, `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice/cri-containerd-ID.scope`.
  private static func kubernetes(_ names: [Substring]) -> ProcessJob? {
    guard let root = names.firstIndex(where: { $0.contains("kubepods") }),
      let pod = names[root...].lastIndex(where: { podID($0) != nil }), let id = podID(names[pod])
    else { return nil }
    let container = names[pod...].dropFirst().compactMap { containerID(in: $0)?.id }.first
    return ProcessJob(kind: .kubernetes, id: id, step: container ?? "")
  }

  /// A UID, or the 32 digits by which a pod of a file on the node is known; systemd's names have `_` for `-`.
  private static func podID(_ name: Substring) -> String? {
    let base = name.hasSuffix(".slice") ? name.dropLast(6) : name
    guard let last = base.split(separator: "-").last(where: { $0.hasPrefix("pod") }) else { return nil }
    // A UID of the cgroupfs driver has '-' itself: everything behind "pod".
    let id = base[last.startIndex...].dropFirst(3)
    let text = String(id.map { $0 == "_" ? "-" : $0 })
    guard [32, 36].contains(text.utf8.count), text.utf8.allSatisfy({ isHexadecimal($0) || $0 == UInt8(ascii: "-") })
    else { return nil }
    return text
  }

  private static func container(_ names: [Substring]) -> ProcessJob? {
    for index in names.indices.reversed() {
      guard let (prefix, id) = containerID(in: names[index]) else { continue }
      switch prefix.isEmpty && index > 0 ? String(names[index - 1]) : prefix {
      case "docker": return ProcessJob(kind: .docker, id: id)
      case "libpod", "libpod_parent": return ProcessJob(kind: .podman, id: id)
      case "cri-containerd", "nerdctl", "default", "containerd", "k8s.io":
        return ProcessJob(kind: .containerd, id: id)
      default: continue
      }
    }
    return nil
  }

  /// The 64 hexadecimal digits of a container, and what stands before them: `docker-ID.scope`.
  private static func containerID(in name: Substring) -> (prefix: String, id: String)? {
    let base = name.hasSuffix(".scope") ? name.dropLast(6) : name
    guard base.utf8.count >= 64 else { return nil }
    let id = base.suffix(64)
    let prefix = base.dropLast(64)
    guard id.utf8.count == 64, id.utf8.allSatisfy(isHexadecimal), prefix.isEmpty || prefix.last == "-" else {
      return nil
    }
    return (String(prefix.dropLast()), String(id))
  }

  private static func unit(_ names: [Substring]) -> ProcessJob? {
    guard let last = names.lastIndex(where: { $0.hasSuffix(".service") || $0.hasSuffix(".scope") }) else { return nil }
    let name = names[last]
    if name.hasPrefix("session-"), name.hasSuffix(".scope") {
      return ProcessJob(kind: .session, id: String(name.dropFirst(8).dropLast(6)))
    }
    let isUser = names[..<last].contains { $0.hasPrefix("user@") && $0.hasSuffix(".service") }
    return ProcessJob(kind: isUser ? .userUnit : .unit, id: String(name))
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66)
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a)
  }
}
