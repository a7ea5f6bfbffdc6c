import Files
import FleetModel
import Foundation
import Testing

@testable import Agent

/// Which job of several hosts a process is a part of, by what its launcher gave it.
@Suite(.timeLimit(.minutes(5))) struct DistributedJobTests {
  struct Case: CustomTestStringConvertible {
    let environment: [String]
    var launcher = ""
    var isLauncher = false
    var cgroup = ""
    var namespace = ""
    let job: String?
    var rank: UInt32?
    var testDescription: String { environment.joined(separator: " ") + " " + launcher }
  }

  private static let pod = "KUBERNETES_SERVICE_HOST=10.0.0.1"
  private static let cases: [Case] = [
    // Slurm, with or without its control groups.
    Case(environment: ["SLURM_JOB_ID=77", "SLURM_PROCID=3"], job: "slurm:77", rank: 3),
    Case(
      environment: [
        "SLURM_JOB_ID=77", "SLURM_PROCID=1", "RANK=9", "TORCHELASTIC_RUN_ID=bert-large-7", "WORLD_SIZE=16",
      ],
      cgroup: "/slurm/uid_0/job_78/step_0/task_0", job: "slurm:78", rank: 9),
    Case(environment: ["SLURM_JOB_ID=many"], job: nil),
    // Kubernetes.
    Case(
      environment: [pod, "HOSTNAME=bert-3", "JOB_COMPLETION_INDEX=3"], namespace: "team", job: "k8s:team/bert", rank: 3),
    Case(
      environment: [pod, "HOSTNAME=bert-v2-0-x7k2p", "JOB_COMPLETION_INDEX=0", "RANK=5"], job: "k8s:bert-v2", rank: 5),
    Case(environment: [pod, "HOSTNAME=bert-4", "JOB_COMPLETION_INDEX=3"], namespace: "team", job: nil),
    Case(environment: [pod, "HOSTNAME=bert-4"], namespace: "team", job: nil),
    Case(
      environment: [pod, "HOSTNAME=llm-worker-1", "WORLD_SIZE=4", "RANK=2"], namespace: "team", job: "k8s:team/llm",
      rank: 2),
    Case(environment: [pod, "HOSTNAME=web-worker-1"], namespace: "team", job: nil),
    // A rendezvous with an id of its own.
    Case(
      environment: ["TORCHELASTIC_RUN_ID=bert-large-7", "WORLD_SIZE=16", "LOCAL_WORLD_SIZE=8", "RANK=9"],
      job: "rdzv:bert-large-7", rank: 9),
    Case(
      environment: ["TORCHELASTIC_RUN_ID=bert-large-7", "WORLD_SIZE=8", "LOCAL_WORLD_SIZE=8", "RANK=1"], job: nil),
    Case(
      environment: [], launcher: "/usr/bin/python3 /usr/bin/torchrun --nnodes 2 --rdzv-id=bert-large-7 train.py",
      isLauncher: true, job: "rdzv:bert-large-7"),
    Case(
      environment: [], launcher: "python -m torch.distributed.run --nnodes=1:4 --rdzv_id bert-large-7 train.py",
      job: "rdzv:bert-large-7"),
    Case(
      environment: [], launcher: "torchrun --nnodes=1 --rdzv_id bert-large-7 train.py", job: nil),
    Case(
      environment: ["PET_NNODES=2", "PET_RDZV_ID=bert-large-7"], launcher: "torchrun train.py",
      job: "rdzv:bert-large-7"),
    Case(environment: [], launcher: "torchrun --standalone --nnodes 2 train.py --rdzv-id bert-large-7", job: nil),
    Case(environment: [], launcher: "torchrun --nnodes 2 -m train --rdzv-id bert-large-7", job: nil),
    // One that anyone may use: only with the address.
    Case(
      environment: [
        "TORCHELASTIC_RUN_ID=none", "WORLD_SIZE=16", "LOCAL_WORLD_SIZE=8", "MASTER_ADDR=node-1", "MASTER_PORT=29500",
      ], job: "rdzv:node-1:29500"),
    Case(
      environment: ["TORCHELASTIC_RUN_ID=100", "WORLD_SIZE=16", "LOCAL_WORLD_SIZE=8", "MASTER_ADDR=node-1"],
      launcher: "torchrun --nnodes 2 --rdzv-id 100 --rdzv-endpoint node-1:29400 train.py",
      job: "rdzv:node-1:29400/100"),
    Case(
      environment: [], launcher: "torchrun --nnodes 2 --master-addr 10.0.0.7 --master_port 29511 train.py",
      isLauncher: true, job: "rdzv:10.0.0.7:29511"),
    Case(environment: ["TORCHELASTIC_RUN_ID=default", "WORLD_SIZE=16", "LOCAL_WORLD_SIZE=8"], job: nil),
    Case(environment: ["TORCHELASTIC_RUN_ID=000000", "WORLD_SIZE=16", "LOCAL_WORLD_SIZE=8"], job: nil),
    Case(environment: ["WORLD_SIZE=8", "MASTER_ADDR=localhost", "MASTER_PORT=29500", "RANK=0"], job: nil),
    Case(environment: ["MASTER_ADDR=node-1", "MASTER_PORT=29500"], job: nil),
    Case(environment: ["WORLD_SIZE=8", "MASTER_ADDR=node-1", "MASTER_PORT=99999"], job: nil),
    // Open MPI.
    Case(
      environment: [
        "OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_LOCAL_SIZE=2", "OMPI_COMM_WORLD_RANK=2",
        "PMIX_NAMESPACE=prterun-node-1-4711@1",
      ], job: "rdzv:prterun-node-1-4711@1", rank: 2),
    Case(
      environment: [
        "OMPI_COMM_WORLD_SIZE=2", "OMPI_COMM_WORLD_LOCAL_SIZE=2", "PMIX_NAMESPACE=prterun-node-1-4711@1",
      ], job: nil),
    // What is no name.
    Case(
      environment: ["TORCHELASTIC_RUN_ID=\(String(repeating: "a1b2", count: 40))", "WORLD_SIZE=2", "RANK=1"], job: nil),
    Case(environment: ["TORCHELASTIC_RUN_ID=bert large\u{1b}[2J", "WORLD_SIZE=2", "RANK=-1"], job: nil),
  ]

  @Test(arguments: cases) func jobs(_ one: Case) {
    let words = one.launcher.split(separator: " ").map { Array($0.utf8) + [0] }.joined()
    let job = DistributedJob(
      LaunchEnvironment(one.environment.flatMap { Array($0.utf8) + [0] }), LauncherOptions(Array(words)),
      isLauncher: one.isLauncher, group: ProcessJob(cgroup: one.cgroup), namespace: one.namespace)
    #expect(job.job?.whole == one.job)
    #expect(job.rank == one.rank)
  }

  /// A launcher that writes the log of all, and two workers, as torchrun starts them.
  @Test func realProcessesReportJobAndRanksOfTheirRun() throws {
    let directory = "/tmp/signalbox-job-\(UUID().uuidString.prefix(8))"
    try HostFiles.makeDirectory(directory, mode: 0o755)
    defer { try? HostFiles.removeTree(directory) }
    // `torchrun` is a script by this name, whose options stand in its command line.
    let name = "sbx\(UUID().uuidString.prefix(8))"
    let worker = "import sys; sys.stdin.read()"
    let launcher = """
      import os, subprocess, sys
      def start(rank):
        own = dict(os.environ, RANK=str(rank), LOCAL_WORLD_SIZE="2", WORLD_SIZE="4", TORCHELASTIC_RUN_ID="100", MASTER_ADDR="node-1", MASTER_PORT="41234")
        return subprocess.Popen(["\(name)", "-c", "\(worker)"], executable=sys.executable, env=own)
      workers = [start(rank) for rank in (2, 3)]
      for one in workers: one.wait()
      """
    try HostFiles.replace(directory + "/torchrun", with: Array(launcher.utf8), mode: 0o755)
    let python = Foundation.Process()
    python.executableURL = URL(filePath: "/bin/sh")
    python.arguments = [
      "-c", "exec python3 \(directory)/torchrun --nnodes 2 --rdzv_endpoint=node-1:29400 --rdzv-id 100 train.py",
    ]
    python.currentDirectoryURL = URL(filePath: directory)
    let input = Pipe()
    python.standardInput = input
    #expect(FileManager.default.createFile(atPath: directory + "/train.log", contents: nil))
    python.standardOutput = try FileHandle(forWritingTo: URL(filePath: directory + "/train.log"))
    try python.run()
    defer {
      try? input.fileHandleForWriting.close()
      python.waitUntilExit()
    }
    var settings = SamplerSettings()
    settings.processesEvery = 1
    settings.readsKernelLog = false
    settings.processes.interpreters = []
    settings.processes.names = []
    settings.processes.commands = [directory, name]
    var writer: RunWriter?
    let deadline = ContinuousClock.now + .seconds(60)
    while writer?.ranks.count != 2, ContinuousClock.now < deadline {
      // Anew each time: a process is read in its first two rounds, which here may both lie between its fork and its exec.
      var sampler = Sampler(settings: settings)
      _ = sampler.sample(wallNs: Clock.wallNs(), monotonicNs: Clock.bootNs())
      writer = sampler.writer(of: directory + "/train.log")
    }
    #expect(writer?.job == "rdzv:node-1:29400/100")
    #expect(writer?.ranks == [2, 3])

    // Reported once, each rank of it; again only where another rank is seen.
    var (writers, run) = (RunWriters(), RunUpdate())
    run.run = "r-1"
    let updates = writers.updates([(run, writer)], Redactor())
    #expect(updates.map(\.rank) == [2, 3] && Set(updates.map(\.job)) == ["rdzv:node-1:29400/100"])
    #expect(writers.updates([(run, writer)], Redactor()).isEmpty)
  }
}
