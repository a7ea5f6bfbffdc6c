import FleetModel
import Testing

@Suite struct ProcessEndTests {
  private static let container = String(repeating: "0123456789abcdef", count: 4)
  private static let pod = "01234567-89ab-cdef-0123-456789abcdef"
  private static let podOfSystemd = "01234567_89ab_cdef_0123_456789abcdef"
  private static let fileOfNode = "0123456789abcdef0123456789abcdef"

  @Test(
    arguments: [
      // Slurm, cgroup v1 and v2, several daemons on one node, steps with names.
      ("/slurm/uid_1000/job_123/step_0/task_0", "slurm:123/0"), ("/slurm/uid_1000/job_123", "slurm:123"),
      ("/system.slice/slurmstepd.scope/job_77/step_batch/user/task_0", "slurm:77/batch"),
      ("/system.slice/node1_slurmstepd.scope/job_77/step_extern/user/task_special", "slurm:77/extern"),
      ("/slurm_node1/uid_0/job_5/step_interactive", "slurm:5/interactive"),
      // Kubernetes: both drivers, all three classes, three runtimes, pods of files, containerd's form under version 1.
      ("/kubepods/burstable/pod\(pod)/\(container)", "kubernetes:\(pod)/\(container)"),
      ("/kubepods/pod\(pod)/\(container)", "kubernetes:\(pod)/\(container)"),
      (
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod\(podOfSystemd).slice/cri-containerd-\(container).scope",
        "kubernetes:\(pod)/\(container)"
      ),
      ("/kubepods.slice/kubepods-pod\(podOfSystemd).slice/crio-\(container).scope", "kubernetes:\(pod)/\(container)"),
      (
        "/kubepods.slice/kubepods-burstable-pod\(fileOfNode).slice/docker-\(container).scope/x",
        "kubernetes:\(fileOfNode)/\(container)"
      ),
      (
        "/system.slice/containerd.service/kubepods-burstable-pod\(podOfSystemd).slice:cri-containerd:\(container)",
        "kubernetes:\(pod)/\(container)"
      ),
      ("/kubepods/burstable/pod\(pod)", "kubernetes:\(pod)"),
      // A cluster inside of a container.
      ("/docker/\(container)/kubelet/kubepods/pod\(pod)/\(container)", "kubernetes:\(pod)/\(container)"),
      // Containers.
      ("/docker/\(container)", "docker:\(container)"),
      ("/system.slice/docker-\(container).scope", "docker:\(container)"),
      ("/docker/\(container)/system.slice/train.service", "docker:\(container)"),
      ("/machine.slice/libpod-\(container).scope/container", "podman:\(container)"),
      ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-\(container).scope", "podman:\(container)"),
      ("/libpod_parent/libpod-\(container)", "podman:\(container)"),
      ("/machine.slice/libpod-conmon-\(container).scope", "unit:libpod-conmon-\(container).scope"),
      ("/system.slice/nerdctl-\(container).scope", "containerd:\(container)"),
      ("/default/\(container)", "containerd:\(container)"),
      // systemd.
      ("/system.slice/train.service", "unit:train.service"),
      ("/system.slice/train@3.service/payload", "unit:train@3.service"),
      ("/user.slice/user-1000.slice/user@1000.service/app.slice/jupyter.service", "user-unit:jupyter.service"),
      ("/user.slice/user-1000.slice/user@1000.service/app.slice/run-u5.scope", "user-unit:run-u5.scope"),
      ("/user.slice/user-1000.slice/session-4.scope", "session:4"),
      ("/user.slice/user-0.slice/session-c2.scope", "session:c2"),
    ] as [(String, String)])
  func aControlGroupSaysWhatAProcessBelongsTo(_ path: String, _ job: String) throws {
    #expect(ProcessJob(cgroup: path)?.text == job)
  }

  @Test(
    arguments: [
      "", "/", "/user.slice", "/my-own/group", "/job_12/step_0", "/slurm", "/slurm/uid_1000/job_",
      "/slurm/uid_1000/job_12x",
      "/slurm/job_123456789012345678901", "/kubepods/podx", "/kubepods.slice", "/docker/4f2c", "/docker/xyz",
      "//:::", "/docker/\(container.uppercased())", "/..",
    ])
  func whatIsNoJobIsNone(_ path: String) {
    #expect(ProcessJob(cgroup: path) == nil)
  }

  @Test(
    arguments: [
      (0, "ended with exit code 0"), (7 << 8, "ended with exit code 7"), (255 << 8, "ended with exit code 255"),
      (9, "was ended by SIGKILL"), (0x8b, "was ended by SIGSEGV, which wrote a core dump,"),
      (15, "was ended by SIGTERM"),
      (40, "was ended by signal 40"), (31, "was ended by SIGSYS"),
    ] as [(Int32, String)])
  func aWaitStatusIsReadAsWaitDoes(_ status: Int32, _ text: String) {
    #expect(ProcessExit(waitStatus: status).text == text)
  }

  @Test func onlyAKillCanBeForMemory() {
    var end = ProcessEnd()
    end.oomKills = 1
    end.exit = .signal(9, coreDumped: false)
    #expect(end.isOutOfMemory)
    end.exit = .signal(15, coreDumped: false)
    #expect(!end.isOutOfMemory)
    end.exit = .signal(9, coreDumped: false)
    end.oomKills = 0
    #expect(!end.isOutOfMemory)
    end.oomKills = nil
    #expect(!end.isOutOfMemory)
  }
}
