import Agent
import FleetModel
import Testing

/// Which run a file belongs to, by its path alone.
@Suite struct RunPlaceTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let path: String
    let format: FileFormat
    let place: String
    var rank: Int32?
    var environment: Int64 = 0
    var job: String?

    var testDescription: String { path }

    init(
      _ path: String, _ format: FileFormat, _ place: String, rank: Int32? = nil, environment: Int64 = 0,
      job: String? = nil
    ) {
      self.path = path
      self.format = format
      self.place = place
      self.rank = rank
      self.environment = environment
      self.job = job
    }
  }

  static let cases: [Case] = [
    // One training of Stable-Baselines3: monitors of its environments, tables, event files.
    Case("/srv/runs/ppo/0.monitor.csv", .monitorCSV, "/srv/runs/ppo"),
    Case("/srv/runs/ppo/7.monitor.csv", .monitorCSV, "/srv/runs/ppo", environment: 7),
    Case("/srv/runs/ppo/monitor.csv", .monitorCSV, "/srv/runs/ppo"),
    Case("/srv/runs/ppo/progress.csv", .progressCSV, "/srv/runs/ppo"),
    Case("/srv/runs/ppo/progress.json", .resultJSON, "/srv/runs/ppo"),
    Case("/srv/runs/ppo/tb/events.out.tfevents.1.h.2.3", .eventFile, "/srv/runs/ppo"),
    Case("/srv/runs/ppo/eval.monitor.csv", .monitorCSV, "/srv/runs/ppo/eval"),
    Case("/srv/runs/PPO_1/events.out.tfevents.1.h.2.3", .eventFile, "/srv/runs/PPO_1"),
    Case("/srv/runs/42/events.out.tfevents.1.h.2.3", .eventFile, "/srv/runs/42"),
    // Keras' two writers, Lightning, transformers.
    Case("/srv/fit/train/events.out.tfevents.1.h.2.3.v2", .eventFile, "/srv/fit"),
    Case("/srv/fit/validation/events.out.tfevents.1.h.2.3.v2", .eventFile, "/srv/fit"),
    Case("/srv/lightning_logs/version_3/metrics.csv", .progressCSV, "/srv/lightning_logs/version_3"),
    Case("/srv/out/checkpoint-500/metrics.csv", .progressCSV, "/srv/out"),
    // Logs: of the directory where their name says nothing.
    Case("/srv/out/train.log", .log, "/srv/out"),
    Case("/srv/out/train.log.1", .log, "/srv/out"),
    Case("/srv/out/rank_0.log", .log, "/srv/out", rank: 0),
    Case("/srv/out/train_rank_3.log", .log, "/srv/out", rank: 3),
    Case("/srv/out/logs/worker-12.out", .log, "/srv/out", rank: 12),
    Case("/var/log/jobs/resnet50.log", .log, "/var/log/jobs/resnet50"),
    Case("/home/a/slurm-4711.out", .log, "/home/a/slurm-4711", job: "4711"),
    Case("/home/a/slurm-4711_3.out", .log, "/home/a/slurm-4711_3", job: "4711"),
    Case("/tmp/el/job7_x1/attempt_0/2/stdout.log", .log, "/tmp/el/job7_x1", rank: 2),
    Case("/tmp/el/job7_x1/attempt_1/2/stdout.log", .log, "/tmp/el/job7_x1", rank: 2),
    // Whatever stands in a path.
    Case("train.log", .log, "/"), Case("/", .log, "/"), Case("", .log, "/"), Case("/logs", .log, "/"),
    Case("/a/99999999999999999999.monitor.csv", .monitorCSV, "/a/99999999999999999999"),
    Case("/a/rank_99999999999.log", .log, "/a/rank_99999999999"),
  ]

  @Test(arguments: cases) func placesOfFiles(_ one: Case) {
    let place = RunPlace(one.path, one.format)
    #expect(place.path == one.place)
    #expect(place.rank == one.rank)
    #expect(place.environment == one.environment)
    #expect(place.slurmJob == one.job)
  }

  /// Only of what Hugging Face's Trainer wrote is it known that the directory above is one training's.
  @Test func outputDirectories() {
    let path = "/srv/out/runs/Nov30_23-04-57_gpu-01.example/events.out.tfevents.1.h.2.3"
    #expect(RunPlace(path, .eventFile, isOfTrainer: true).path == "/srv/out")
    #expect(RunPlace(path, .eventFile).path == "/srv/out/runs/Nov30_23-04-57_gpu-01.example")
    #expect(RunPlace("/srv/out/runs/mine/events.out", .eventFile, isOfTrainer: true).path == "/srv/out/runs/mine")
    #expect(
      RunPlace("/runs/Nov30_23-04-57_h/events.out", .eventFile, isOfTrainer: true).path == "/runs/Nov30_23-04-57_h")
    #expect(
      RunPlace("/srv/out/checkpoint-500/trainer_state.json", .trainerState).run
        == RunPlace(path, .eventFile, isOfTrainer: true).run)
  }

  /// The name is what a person would say; the key keeps apart what has the same name.
  @Test func namesAndKeys() {
    let place = RunPlace("/srv/a/runs/ppo/monitor.csv", .monitorCSV)
    let other = RunPlace("/srv/b/runs/ppo/monitor.csv", .monitorCSV)
    #expect(place.name == "runs/ppo" && other.name == "runs/ppo")
    #expect(place.run.hasPrefix("runs/ppo-") && place.run != other.run)
    #expect(place.run == RunPlace("/srv/a/runs/ppo/tb/events.out.tfevents.1.h.2.3", .eventFile).run)
  }
}
