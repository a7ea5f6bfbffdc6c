import FleetModel
import Testing

@testable import Agent

/// Heads as trainers, launchers and services print them, all of the same moment: 2026-11-29 01:02:03 by a clock one hour ahead of UTC
/// where the line does not say otherwise.
@Suite struct LineHeadTests {
  /// 2026-11-29 01:02:03 UTC.
  private static let moment: Int64 = 1_795_914_123
  private static let zoneSeconds = 3600
  private static let nowNs = (moment + 60) * 1_000_000_000

  enum When {
    case local, utc, none
    case at(Int64)

    var seconds: Int64? {
      switch self {
      case .local: moment - Int64(zoneSeconds)
      case .utc: moment
      case .none: nil
      case .at(let seconds): seconds
      }
    }
  }

  private static let trainers: [(String, When, Level)] = [
    ("2026-11-29 01:02:03,000 - trainer - ERROR - x", .local, .error), ("ERROR:root:x", .none, .error),
    ("WARNING:tensorflow:From x", .none, .warn), ("11/29/2026 01:02:03 - ERROR - __main__ - boom", .local, .error),
    ("11/29/2026 01:02:03 - INFO - accelerate.utils - x", .local, .info),
    ("I1129 01:02:03.000000 1234 file.py:12] x", .local, .info),
    ("W1129 01:02:03.000000 139 xla_bridge.py:1] x", .local, .warn),
    ("F1129 01:02:03.000000 1 a.cc:1] x", .local, .error),
    ("I20261129 01:02:03.000000 1 a.cc:1] x", .local, .info),
    ("E0000 00:00:1795914123.000000   12345 cuda_dnn.cc:8310] Unable to register", .utc, .error),
    ("[E1129 01:02:03.000000000 ProcessGroupNCCL.cpp:616] [Rank 0] x", .local, .error),
    ("[rank0]:[W1129 01:02:03.000000000 ProcessGroupNCCL.cpp:1] x", .local, .warn),
    ("[rank0]: Traceback (most recent call last):", .none, .error),
    ("[rank1]: RuntimeError: CUDA error: x", .none, .error),
    ("2026-11-29 01:02:03.000000: W tensorflow/core/x.cc:12] Overriding", .local, .warn),
    ("2026-11-29 01:02:03.000000: I tensorflow/core/x.cc:12] x", .local, .info),
    ("[2026-11-29 01:02:03,000] [INFO] [runner.py:463:main] x", .local, .info),
    ("[2026-11-29 01:02:03,000] [ERROR] [launch.py:1:f] x", .local, .error),
    (" [2026-11-29 01:02:03.000] iteration 10/ 129 | lm loss: 1", .local, .unknown),
    ("(pid=123) 2026-11-29 01:02:03,000\tINFO worker.py:1 -- x", .local, .info),
    ("2026-11-29 01:02:03,000\tERROR worker.py:1 -- x", .local, .error),
    ("(RayTrainWorker pid=1, ip=10.0.0.2) 2026-11-29 01:02:03,000 WARNING x", .local, .warn),
    ("(raylet) [2026-11-29 01:02:03,000 E 123 123] file.cc:12: x", .local, .error),
    ("[2026-11-29 01:02:03,000 I 1 1] (gcs_server) x.cc:1: x", .local, .info),
    ("2026-11-29 01:02:03.000 | ERROR    | mod:func:1 - x", .local, .error),
    ("[11/29/26 01:02:03] ERROR    x                 file.py:12", .local, .error),
    ("           WARNING  x                 file.py:12", .none, .warn),
    ("[01:02:03] WARNING: /workspace/src/learner.cc:740: x", .local, .warn), ("[LightGBM] [Warning] x", .none, .warn),
    ("[I 2026-11-29 01:02:03,000] Trial 0 finished with value: 0.1", .local, .info),
    ("[W 2026-11-29 01:02:03,000] Trial 1 failed", .local, .warn), ("[E 01:02:03.000 NotebookApp] x", .local, .error),
    ("[E 261129 01:02:03 ioloop:1] x", .local, .error),
    ("[NeMo W 2026-11-29 01:02:03 nemo_logging:349] x", .local, .warn),
    ("INFO 11-29 01:02:03 [core.py:58] x", .local, .info),
    ("(EngineCore_0 pid=1) ERROR 11-29 01:02:03 [core.py:58] x", .local, .error),
    ("[11/29 01:02:03 d2.utils.events]: eta: 0:01:02", .local, .unknown),
    ("WARNING [11/29 01:02:03 d2.config]: x", .local, .warn), ("11/29 01:02:03 - mmengine - INFO - x", .local, .info),
    ("2026/11/29 01:02:03 WARNING mlflow.x: y", .local, .warn),
    ("[2026-11-29 01:02:03,000] [    INFO] - x", .local, .info),
    ("[2026-11-29 01:02:03,000][__main__][ERROR] - x", .local, .error),
    ("[11/29/2026-01:02:03] [E] [TRT] x", .local, .error),
    ("[TensorRT-LLM][ERROR] x", .none, .error), ("wandb: ERROR x", .none, .error),
    ("wandb: Run data is saved", .none, .unknown),
    ("gpu-01:123:456 [0] NCCL WARN x", .none, .warn),
    ("gpu-01:123:456 [0] misc/socket.cc:12 NCCL WARN x", .none, .warn),
    ("gpu-01:123:456 [0] NCCL INFO x", .none, .info), ("/usr/lib/python3/a.py:12: UserWarning: x", .none, .warn),
    (
      "                              /home/u/.conda/envs/cent7/2020.11-py38/low/lib/python3.11/site-packages/composer/trainer/a/very/long/way/down/trainer.py:243: RuntimeWarning: CUDA out of memory detected.",
      .none, .warn
    ), ("/srv/a/b.cu:12: error: no such thing", .none, .error),
    ("a.py:3: DeprecationWarning: x", .none, .warn), ("Traceback (most recent call last):", .none, .error),
    ("torch.cuda.OutOfMemoryError: CUDA out of memory.", .none, .error),
    ("slurmstepd: error: *** JOB 1 CANCELLED", .none, .error),
    ("srun: error: gpu-01: task 0: Killed", .none, .error), ("[2026-11-29T01:02:03.000] error: x", .local, .error),
    ("[INFO] [1795914123.000000000] [node]: x", .utc, .info),
    ("2026-11-29 01:02:03,000 - distributed.worker - ERROR - x", .local, .error),
  ]

  private static let services: [(String, When, Level)] = [
    (#"time="2026-11-29T01:02:03Z" level=error msg="a b""#, .utc, .error),
    ("level=warn ts=2026-11-29T01:02:03Z msg=x", .utc, .warn),
    ("ts=2026-11-29T01:02:03.000Z caller=main.go:1 level=error msg=x", .utc, .error),
    ("logger=x t=2026-11-29T01:02:03.000Z level=debug msg=x", .utc, .debug),
    ("t=2026-11-29T01:02:03+0000 lvl=eror msg=x", .utc, .error),
    ("app-1  | time=\"2026-11-29T01:02:03Z\" level=warning", .utc, .warn), ("ERRO[0012] x", .none, .error),
    ("FATA[0000] x", .none, .error),
    ("EROR[11-29|01:02:03] x", .local, .error), ("2026-11-29 01:02:03 \u{1b}[31mERROR\u{1b}[0m x", .local, .error),
    ("\u{1b}[2m2026-11-29T01:02:03.000000Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m mod: x", .utc, .error),
    ("\u{1b}[33m[W 2026-11-29 01:02:03,000]\u{1b}[0m x", .local, .warn),
    ("\u{feff}2026-11-29 01:02:03 ERROR x", .local, .error),
    ("2026-11-29T01:02:03.000Z\terror\tmain.go:1\tx", .utc, .error),
    ("2026-11-29T01:02:03Z ERR x error=y", .utc, .error),
    ("1:02AM ERR x", .none, .unknown), ("E1129 01:02:03.000000    1 file.go:1] x", .local, .error),
    ("<34>1 2026-11-29T01:02:03.000Z host app 1 ID - x", .utc, .error),
    ("<13>Nov 29 01:02:03 host app[1]: x", .local, .info),
    ("<11>Nov 29 01:02:03 host app[1]: x", .local, .error), ("Nov 29 01:02:03 host app[1]: ERROR x", .local, .error),
    ("2026/11/29 01:02:03 [error] 1#1: *1 connect() failed", .local, .error),
    (#"127.0.0.1 - - [29/Nov/2026:01:02:03 +0000] "GET /error HTTP/1.1" 500 1"#, .utc, .unknown),
    (#"10.0.0.1 - bob [29/Nov/2026:02:02:03 +0100] "GET /ERROR HTTP/1.1" 200 1"#, .utc, .unknown),
    ("[Sun Nov 29 01:02:03.000000 2026] [core:error] [pid 1:tid 2] x", .local, .error),
    ("[Sun Nov 29 01:02:03 2026] NVRM: Xid", .local, .unknown),
    ("2026-11-29 01:02:03.000 UTC [1] ERROR:  x", .utc, .error),
    ("2026-11-29 01:02:03.000 UTC [1] LOG:  x", .utc, .info),
    ("2026-11-29 01:02:03.000 CET [1] FATAL:  x", .local, .error),
    ("2026-11-29 10:02:03 +09 [1] PANIC:  x", .utc, .error),
    ("2026-11-29 01:02:03 GMT [1] STATEMENT:  x", .utc, .info),
    ("1234:M 29 Nov 2026 01:02:03.000 # WARNING x", .local, .warn),
    ("1234:M 29 Nov 2026 01:02:03.000 * Ready", .local, .unknown),
    (#"{"t":{"$date":"2026-11-29T01:02:03.000+00:00"},"s":"E","c":"NETWORK","msg":"x"}"#, .utc, .error),
    ("2026-11-29T01:02:03.000+0000 I  NETWORK  [conn1] x", .utc, .info),
    ("[2026-11-29 01:02:03,000] ERROR x (kafka.server)", .local, .error),
    ("01:02:03.000 [main] ERROR com.x.Foo - x", .local, .error),
    ("2026-11-29 01:02:03.000 ERROR 1 --- [main] c.e.A : x", .local, .error),
    ("26/11/29 01:02:03 ERROR Executor: x", .local, .error),
    ("2026-11-29 01:02:03,000 [myid:1] - WARN  [main:Q@1] - x", .local, .warn),
    ("ERROR [main] 2026-11-29 01:02:03,000 File.java:1 - x", .local, .error),
    ("[2026-11-29T01:02:03,000][WARN ][logstash] x", .local, .warn),
    ("Nov 29, 2026 1:02:03 AM com.x.Foo bar", .local, .unknown), ("SEVERE: x", .none, .error),
    ("[2026-11-29 01:02:03 +0000] [1] [ERROR] x", .utc, .error),
    ("ERROR:    Exception in ASGI application", .none, .error),
    (#"INFO:     127.0.0.1:5123 - "GET / HTTP/1.1" 200 OK"#, .none, .info),
    ("[2026-11-29 01:02:03,000: ERROR/MainProcess] x", .local, .error),
    ("[2026-11-29T01:02:03.000+0000] {file.py:1} ERROR - x", .utc, .error),
    ("[2026-11-29T01:02:03Z ERROR mod] x", .utc, .error),
    ("2026-11-29T01:02:03.000000Z  WARN target: x", .utc, .warn), ("fail: My.Category[0]", .none, .error),
    ("warn: My.Category[0]", .none, .warn),
    ("dbug: My.Category[0]", .none, .debug), ("[01:02:03 WRN] x", .local, .warn),
    ("2026-11-29 02:02:03.000 +01:00 [ERR] x", .utc, .error),
    ("2026.11.29 01:02:03.000000 [ 1 ] {} <Error> Application: x", .local, .error),
    ("2026-11-29 01:02:03 +0000 [warn]: x", .utc, .warn),
    ("2026-11-29 01:02:03.000000 W | etcdserver: x", .local, .warn),
    ("2026-11-29T01:02:03.000Z [ERROR] agent: x", .utc, .error),
    ("[2026-11-29 01:02:03.000][1][critical][main] x", .local, .error),
    ("[29-Nov-2026 01:02:03 UTC] PHP Fatal error:  x", .utc, .unknown),
    ("2026-11-29T01:02:03.000000Z 0 [ERROR] [MY-010119] [Server] x", .utc, .error),
    ("2026-11-29  1:02:03 0 [Warning] x", .local, .warn),
    ("11-29 01:02:03.000  1  2 E TAG: x", .local, .error), ("(EE) x", .none, .error),
    ("[    12.345] (WW) x", .none, .warn),
    ("[  123.456789] NVRM: Xid (PCI:0000:3b:00): 79", .none, .unknown), ("[ERROR] plugin/errors: 2 x", .none, .error),
    ("2026-11-29 01:02:03,000 fail2ban.actions        [1]: NOTICE  [sshd] Ban 1", .local, .info),
    ("trainer-1  | 2026-11-29 01:02:03 ERROR x", .local, .error), ("20261129-01:02:03 ERROR x", .local, .error),
    ("20261129T010203Z ERROR x", .utc, .error), ("Sun, 29 Nov 2026 01:02:03 GMT ERROR x", .utc, .error),
    ("29.11.2026 01:02:03 ERROR x", .local, .error), ("11/29/2026 1:02:03 AM ERROR x", .local, .error),
    ("11/29/2026, 1:02:03 AM ERROR x", .local, .error), ("Sun Nov 29 01:02:03 UTC 2026 ERROR x", .utc, .error),
    ("audit: type=1400 x", .none, .unknown), ("2026-11-29 01:02 ERROR x", .at(moment - 3603), .error),
    ("=ERROR REPORT==== 29-Nov-2026::01:02:03 ===", .none, .error), ("CRITICAL - x", .none, .error),
    ("panic: runtime error: x", .none, .error),
    ("fatal: not a git repository", .none, .error), ("main.c:12:3: warning: unused", .none, .warn),
    ("Error: x", .none, .error),
    ("error: externally-managed-environment", .none, .error),
  ]

  /// What runtimes and launchers put before the lines of programs, and bare numbers.
  private static let wrapped: [(String, When, Level)] = [
    ("2026-11-29T01:02:03.000000000Z stderr F ERROR x", .utc, .error),
    ("2026-11-29T02:02:03.000000000+01:00 stdout P WARNING:root:x", .utc, .warn),
    ("2026-11-29T01:02:03.000000000Z stderr F 2026-11-28 23:00:00,000 ERROR x", .utc, .error),
    (#"2026-11-29T01:02:03.000000000Z stdout F {"level":"error","msg":"x"}"#, .utc, .error),
    ("2026-11-29T01:02:03.000000000Z stderr F E1129 01:02:03.000000    1 file.go:1] x", .utc, .error),
    ("2026-11-29T01:02:03.000000000Z stderr F Traceback (most recent call last):", .utc, .error),
    ("2026-11-29T01:02:03.000000000Z stdout F an ordinary line with an ERROR in it", .utc, .unknown),
    ("2026-11-29T01:02:03.000000000Z stdout F (Worker pid=1) ERROR x", .utc, .error),
    ("2026-11-29T01:02:03.000000000Z stdout F (A pid=1) (B pid=1) (C pid=1) ERROR x", .utc, .unknown),
    ("(WorkerDict pid=123) ERROR x", .none, .error), ("(WorkerDict pid=123, ip=10.0.0.1) ERROR: x", .none, .error),
    ("(WorkerDict pid=123) ERR x", .none, .error), ("(pid=123) WARNING:root:x", .none, .warn),
    ("\u{1b}[36m(RayTrainWorker pid=1)\u{1b}[0m WARNING:root:x", .none, .warn),
    (#"(WorkerDict pid=123) {"level":"error","ts":1795914123.0}"#, .utc, .error),
    ("(WorkerDict pid=123) an ERROR in it", .none, .unknown),
    ("[1,0]<stderr>:ERROR x", .none, .error), ("[1,0]<stdout>:an ordinary line", .none, .unknown),
    ("[1,0]<stderr>:2026-11-29 01:02:03,000 - trainer - ERROR - x", .local, .error),
    ("[1,12]<stderr>:[rank0]: RuntimeError: x", .none, .error), ("[1,0]<stderr>:", .none, .unknown),
    ("1795914123000 ERROR x", .utc, .error), ("1795914123000000 WARN x", .utc, .warn),
    ("1795914123000000000 [INFO] x", .utc, .info), ("[1795914123000] ERROR x", .utc, .error),
    ("ERROR 1795914123000 x", .utc, .error), ("1795914123000 steps", .none, .unknown),
    ("1195914123000 ERROR x", .none, .unknown), ("9999999999999999999 ERROR x", .none, .unknown),
    ("[ERROR  2026-11-29 01:02:03] x", .local, .error), ("[INFO 2026-11-29 01:02:03,000 a.py:1] x", .local, .info),
    ("[WARN|2026-11-29 01:02:03] x", .local, .warn), ("[error: 2026-11-29T01:02:03Z] x", .utc, .error),
    ("[ERROR  no time] x", .none, .error),
    ("ERR x", .none, .error), ("WRN x", .none, .warn), ("DBG x", .none, .debug), ("ERRor x", .none, .unknown),
  ]

  private static let json: [(String, When, Level)] = [
    (#"{"level":"error","ts":1795914123.0,"msg":"x"}"#, .utc, .error),
    (#"{"time":"2026-11-29T01:02:03Z","level":"WARN","msg":"x"}"#, .utc, .warn),
    (#"{"@timestamp":"2026-11-29T01:02:03.000Z","log.level":"error"}"#, .utc, .error),
    (#"{"@timestamp":"2026-11-29T01:02:03.000Z","log":{"level":"error"}}"#, .utc, .error),
    (#"{"asctime":"2026-11-29 01:02:03,000","levelname":"ERROR","message":"x"}"#, .local, .error),
    (#"{"event":"x","level":"warning","timestamp":"2026-11-29 01:02:03"}"#, .local, .warn),
    (#"{"level":50,"time":1795914123000,"pid":1,"hostname":"h","msg":"x"}"#, .utc, .error),
    (#"{"level":30,"time":1795914123000,"pid":1,"hostname":"h","msg":"x"}"#, .utc, .info),
    (#"{"level":30,"created":1795914123.0}"#, .utc, .warn),
    (#"{"version":"1.1","host":"h","short_message":"x","timestamp":1795914123.0,"level":3}"#, .utc, .error),
    (#"{"severity":"ERROR","time":"2026-11-29T01:02:03Z"}"#, .utc, .error),
    (#"{"@t":"2026-11-29T01:02:03Z","@l":"Error"}"#, .utc, .error),
    (#"{"Timestamp":"2026-11-29T01:02:03Z","LogLevel":"Warning"}"#, .utc, .warn),
    (#"{"lvl":"eror","t":"2026-11-29T01:02:03Z"}"#, .utc, .error),
    (#"{"text":"x","record":{"level":{"icon":"x","name":"ERROR","no":40}}}"#, .none, .error),
    (#"{"log":"2026-11-29 01:02:03 ERROR x\n","stream":"stderr","time":"2026-11-29T01:02:03Z"}"#, .utc, .error),
    (#"{"msg": "ERROR: x"}"#, .none, .unknown), (#"{"loss": 0.1, "error": 0.2}"#, .none, .unknown),
    (#"{"PRIORITY":"3","MESSAGE":"x"}"#, .none, .error),
  ]

  /// A word of a level that is none, and numbers that are no time.
  private static let prose: [String] = [
    "an ordinary line with an ERROR in it", "0 errors", "error rate: 0.1", "error: 0.25", "Error: 0.05",
    "loss=nan error=0.3", "mse: 0.1, error: 0.3",
    "epoch 3 error 0.2", "no error", "Training finished with ERROR", "Epoch 12 finished", "errors: 0", "warnings: 3",
    "test error: 0.12%",
    "validation error: 1e-3", "ERROR_RATE=0.1", "max_error=3", "error_count: 7", "INF", "loss: INF", "debug=True",
    "I am here",
    "A warning was issued earlier", "info about the run", "success rate: 0.5", "[step 10] reward 3", "00:12:34 elapsed",
    "3/10 00:01:02 done",
    "12:30 meeting", "notice period", "logs/error.log", "see error.log for more", "/var/log/ERROR/x", "--fail-on-error",
    "no-ERROR", "panic attack",
    "1/10 [00:12<01:00, 1.2it/s]", "0%|          | 0/10 [00:00<?, ?it/s]", "10/10 [====] - 1s 12ms/step - loss: 0.1",
    "version 2026.11.29",
    "Error rate is 3", "F1: 0.9", "E: 0.3", "W = 3", "D loss: 0.1", "| rollout/ | |", "Iter 1: error=3, fatal=0",
  ]

  private func parse(_ line: String, zone: @escaping ZoneOffset = { _ in zoneSeconds }, nowNs: Int64 = nowNs)
    -> LineHead
  {
    var parser = LineHeadParser(zone: zone)
    let bytes = Array(line.utf8)
    let head = parser.parse(bytes.span, 0..<bytes.count, nowNs: nowNs)
    // A file keeps its pattern: the second line of a kind is read as the first was.
    #expect(parser.parse(bytes.span, 0..<bytes.count, nowNs: nowNs) == head, "\(line)")
    // Cut anywhere it is still a line, and never a trap.
    for end in bytes.indices { _ = parser.parse(bytes.span, 0..<end, nowNs: nowNs) }
    return head
  }

  @Test func `Heads of trainers, services and JSON are read`() {
    let all = Self.trainers + Self.services + Self.wrapped + Self.json
    #expect(all.count >= 120)
    for (line, when, level) in all {
      let head = parse(line)
      #expect(head.level == level, "\(line) has the level \(head.level)")
      #expect(
        head.timeUs == when.seconds.map { $0 * 1_000_000 },
        "\(line) is off by \((head.timeUs ?? 0) / 1_000_000 - Self.moment)")
    }
  }

  @Test func `Prose and metrics have no level, and durations are no time`() {
    for line in Self.prose { #expect(parse(line) == LineHead(), "\(line)") }
  }

  @Test func `A time does not make prose a level`() {
    for line in [
      "Training finished with ERROR", "0 errors, 3 warnings", "error rate: 0.1", "validation error: 0.3", "I am here",
      "loss: nan",
    ] {
      let head = parse("2026-11-29 01:02:03 " + line)
      #expect(head == LineHead(timeUs: (Self.moment - 3600) * 1_000_000, level: .unknown), "\(line)")
    }
  }

  // MARK: Zones

  /// Days since 1970 of the last Sunday of a month in 2026.
  private static func lastSunday(_ month: Int) -> Int64 {
    var day = Int64(Calendar.days(2026, month, 31))
    while (day + 4) % 7 != 0 { day -= 1 }
    return day
  }

  /// Central European time of 2026, as the tz database has it.
  private static func berlin(_ wallNs: Int64) -> Int {
    let seconds = wallNs / 1_000_000_000
    let summer = lastSunday(3) * 86_400 + 3600..<lastSunday(10) * 86_400 + 3600
    return summer.contains(seconds) ? 7200 : 3600
  }

  private static func text(_ local: Int64) -> String {
    let day = Int(local / 86_400)
    let year = Calendar.year(ofDay: day)
    var month = 1
    while month < 12, Calendar.days(year, month + 1, 1) <= day { month += 1 }
    let date = day - Calendar.days(year, month, 1) + 1
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let second = Int(local % 86_400)
    return "\(year)-\(two(month))-\(two(date)) \(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))"
  }

  @Test func `A zone is read at every hour of the year`() {
    let zones: [(String, Int)] = [
      ("Z", 0), (" UTC", 0), (" GMT", 0), (" +0000", 0), ("+09", 32_400), (" +09", 32_400), ("+0530", 19_800),
      ("+05:30", 19_800),
      ("-07:00", -25_200), (" -0330", -12_600), (" CET", 3600), (" CEST", 7200), (" EST", -18_000), (" PDT", -25_200),
      (" JST", 32_400),
      (" IST", 19_800), (" AEDT", 39_600), (" MSK", 10_800), ("+1345", 49_500), (" -12", -43_200), ("+14:00", 50_400),
    ]
    let start = Int64(Calendar.days(2026, 1, 1)) * 86_400
    for hour in 0..<8760 {
      let time = start + Int64(hour) * 3600 + 123
      let (name, offset) = zones[hour % zones.count]
      var parser = LineHeadParser(zone: Self.berlin)
      let line = Array((Self.text(time + Int64(offset)) + name + " [1] ERROR:  x").utf8)
      let head = parser.parse(line.span, 0..<line.count, nowNs: (time + 5) * 1_000_000_000)
      #expect(head == LineHead(timeUs: time * 1_000_000, level: .error), "\(String(decoding: line, as: UTF8.self))")
    }
  }

  @Test func `Local time is read at every quarter of an hour of the year, also when clocks are set`() {
    let start = Int64(Calendar.days(2026, 1, 1)) * 86_400
    var parser = LineHeadParser(zone: Self.berlin)
    for quarter in 0..<35_040 {
      let time = start + Int64(quarter) * 900 + 7
      let line = Array((Self.text(time + Int64(Self.berlin(time * 1_000_000_000))) + " ERROR x").utf8)
      let head = parser.parse(line.span, 0..<line.count, nowNs: (time + 5) * 1_000_000_000)
      #expect(head.timeUs == time * 1_000_000, "\(String(decoding: line, as: UTF8.self))")
    }
    // 02:30 of the night when clocks are set forward never was: half past the hour before the change.
    let gap = Self.lastSunday(3) * 86_400 + 3600
    let line = Array((Self.text(gap + 3600 + 1800) + " x").utf8)
    #expect(
      parser.parse(line.span, 0..<line.count, nowNs: (gap + 7200) * 1_000_000_000).timeUs == (gap + 1800) * 1_000_000)
  }

  @Test func `A date without a year is the last one, also at New Year and on February 29`() {
    let newYear = Int64(Calendar.days(2027, 1, 1)) * 86_400
    func check(_ line: String, _ expected: Int64, now: Int64, offset: Int = 0) {
      let head = parse(line, zone: { _ in offset }, nowNs: now * 1_000_000_000)
      #expect(head.timeUs == expected * 1_000_000, "\(line)")
    }
    for line in ["Dec 31 23:59:58 h a[1]: x", "E1231 23:59:58.000 1 a.go:1] x", "INFO 12-31 23:59:58 [a.py:1] x"] {
      check(line, newYear - 2, now: newYear + 5)
      check(line, newYear - 2, now: newYear - 1)
    }
    check("Jan  1 00:00:01 h a[1]: x", newYear + 1, now: newYear + 5)
    check("Jan  1 00:00:01 h a[1]: x", newYear + 1 - 50_400, now: newYear - 50_390, offset: 50_400)
    check("23:59:58 ERROR x", newYear - 2, now: newYear + 5)
    check("00:00:01 ERROR x", newYear + 1, now: newYear + 5)
    check("23:59:58 ERROR x", newYear - 2 - 43_200, now: newYear + 5 - 43_200, offset: 43_200)
    check("23:59:58 ERROR x", newYear - 2 + 43_200, now: newYear + 5 + 43_200, offset: -43_200)
    check("Feb 29 12:00:00 h a[1]: x", Int64(Calendar.days(2024, 2, 29)) * 86_400 + 43_200, now: newYear)
  }

  @Test func `Of two readings of a date the nearer one counts`() {
    let time = Int64(Calendar.days(2026, 11, 12)) * 86_400 + 3723
    let nowNs = (time + 60) * 1_000_000_000
    for line in [
      "26/11/12 01:02:03 ERROR x", "[11/12/26 01:02:03] ERROR x", "11/12/2026 01:02:03 ERROR x",
      "12.11.2026 01:02:03 ERROR x",
    ] {
      #expect(parse(line, zone: { _ in 0 }, nowNs: nowNs).timeUs == time * 1_000_000, "\(line)")
    }
  }
}
