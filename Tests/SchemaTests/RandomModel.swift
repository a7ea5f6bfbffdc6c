import FleetModel
import Schema
import TestSupport

/// Model values from a seed: integers of every length, texts of several scripts, numbers that are finite.
struct RandomModel: RandomNumberGenerator {
  private var random: SplitMix

  init(seed: UInt64) { random = SplitMix(seed: seed) }

  mutating func next() -> UInt64 { random.next() }

  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

  /// Any bit length is as likely as any other, so that varints of every length occur.
  mutating func integer<Value: FixedWidthInteger>() -> Value {
    let bits = Int(next() % UInt64(Value.bitWidth + 1))
    return bits == 0 ? 0 : Value(truncatingIfNeeded: next()) & (bits == Value.bitWidth ? ~0 : (1 << bits) &- 1)
  }

  mutating func number<Value: BinaryFloatingPoint>() -> Value {
    let numbers: [Value] = [
      0, 1, -1, 0.5, -0.0, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
    ]
    return below(3) == 0 ? element(numbers) : Value(Int64(truncatingIfNeeded: next())) / 1024
  }

  mutating func element<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

  mutating func text() -> String {
    let texts = ["", "a", "/var/log/training_log.csv", "тренировка", "訓練", "🚂 train", "naïve\u{7f}\t"]
    return (0..<below(4)).map { _ in element(texts) }.joined(separator: "/")
  }

  mutating func list<Value>(_ atMost: Int, _ make: (inout Self) -> Value) -> [Value] {
    (0..<below(atMost + 1)).map { _ in make(&self) }
  }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

  mutating func identifier<Subject>() -> Identifier<Subject> { Identifier(high: next(), low: next()) }
}

// Messages that hold others.
extension RandomModel {
  mutating func records() -> Records {
    var records = Records()
    records.hosts = list(3) { $0.hostSample() }
    records.gpus = list(3) { $0.gpuSample() }
    records.disks = list(3) { $0.diskSample() }
    records.networks = list(3) { $0.networkSample() }
    records.processes = list(3) { $0.processSample() }
    records.probes = list(3) { $0.probeResult() }
    records.events = list(3) { $0.event() }
    records.losses = list(3) { $0.loss() }
    records.runs = list(3) { $0.runUpdate() }
    records.episodes = list(3) { $0.episodeSummary() }
    records.steps = list(3) { $0.trainingStep() }
    return records
  }

  mutating func spooled() -> SpooledRecords {
    let first: UInt64 = integer() >> 1
    return SpooledRecords(
      lane: element(Lane.allCases), firstSequence: first, lastSequence: first + UInt64(below(3)), records: records())
  }

  mutating func fileIdentity() -> FileIdentity {
    var file = FileIdentity(key: identifier(), path: text())
    file.device = integer()
    file.inode = integer()
    file.birthNs = integer()
    file.headHash = next()
    file.headLength = UInt32(below(1025))
    file.generation = integer()
    file.format = element(FileFormat.allCases)
    file.historyBytes = integer()
    return file
  }

  mutating func logLines(_ count: Int) -> LogLines {
    var lines = LogLines()
    for _ in 0..<count {
      let line = Array(text().utf8)
      lines.text += line
      lines.lengths.append(UInt32(line.count))
      lines.advances.append(integer())
      lines.timesUs.append(integer())
      lines.levels.append(element(Level.allCases).rawValue)
      lines.flags.append(integer())
    }
    lines.firstOffset = count == 0 ? 0 : integer()
    return lines
  }

  mutating func fileDelta() -> FileDelta {
    let from: UInt64 = integer() >> 1
    var delta = FileDelta(file: fileIdentity(), from: from, to: from + UInt64(below(1 << 20)))
    delta.tailHash = next()
    delta.isFinished = .random(using: &self)
    delta.lines = logLines(below(40))
    delta.steps = list(4) { $0.trainingStep() }
    delta.episodes = list(2) { $0.episodeSummary() }
    delta.runs = list(2) { $0.runUpdate() }
    delta.losses = list(2) { $0.loss() }
    return delta
  }

  mutating func batch() -> Batch {
    var batch = Batch()
    batch.number = integer()
    batch.wallNs = integer()
    batch.monotonicNs = integer()
    batch.spooled = list(2) { $0.spooled() }
    batch.files = list(2) { $0.fileDelta() }
    batch.health = .random(using: &self) ? agentHealth() : nil
    return batch
  }

  mutating func hello() -> Hello {
    var hello = Hello()
    hello.protocolVersion = integer()
    hello.agentVersion = text()
    hello.bootID = identifier()
    hello.spoolID = identifier()
    hello.instanceID = identifier()
    hello.machineIDHash = identifier()
    hello.facts = hostFacts()
    hello.wallNs = integer()
    hello.monotonicNs = integer()
    hello.redactionVersion = text()
    hello.knownCollectors = list(9) { $0.text() }
    hello.takesMarks = .random(using: &self)
    return hello
  }

  mutating func settings() -> Settings {
    var settings = Settings()
    settings.sampleIntervalMs = integer()
    settings.follow = list(4) { $0.text() }
    settings.exclude = list(4) { $0.text() }
    settings.revision = integer()
    settings.probes = list(4) { $0.probeSetting() }
    settings.metrics = list(4) { MetricPattern(match: $0.text(), file: $0.text()) }
    return settings
  }

  mutating func probeSetting() -> ProbeSetting {
    var probe = ProbeSetting(below(8) == 0 ? nil : element(ProbeKind.allCases), "probe-\(below(100))", target: text())
    probe.everyNs = Int64(1 + below(86_400)) * 1_000_000_000
    probe.timeoutNs = Int64(1 + below(3000)) * 100_000_000
    probe.settleNs = Int64(below(100)) * 1_000_000
    probe.socket = below(2) == 0 ? "" : "/var/run/docker.sock"
    probe.service = below(2) == 0 ? "" : "training"
    probe.arguments = list(4) { _ in "word" }
    probe.expectStatus = integer()
    probe.expectBody = below(2) == 0 ? "" : "ok"
    return probe
  }

  mutating func welcome() -> Welcome {
    var welcome = Welcome()
    welcome.epoch = integer()
    welcome.serverNs = integer()
    welcome.lanes = list(2) { LaneMark(lane: $0.element(Lane.allCases), sequence: $0.integer()) }
    welcome.files = fileMarks()
    welcome.marksFollow = .random(using: &self)
    welcome.settings = settings()
    welcome.hostID = identifier()
    welcome.collectors = list(9) { $0.text() }
    return welcome
  }

  mutating func fileMarks() -> [FileMark] {
    list(4) { FileMark(file: $0.fileIdentity(), offset: $0.integer(), tailHash: $0.next()) }
  }

  mutating func agentFrame() -> AgentFrame { below(4) == 0 ? .hello(hello()) : .batch(batch()) }

  mutating func collectorFrame() -> CollectorFrame {
    element([
      .welcome(welcome()), .ack(number: integer()), .settings(settings()),
      .marks(fileMarks(), more: .random(using: &self)),
    ])
  }

  mutating func joinRequest() -> JoinRequest {
    var request = JoinRequest()
    request.tokenID = text()
    request.secret = text()
    request.signingRequest = bytes(below(400))
    request.hostName = text()
    request.machineIDHash = identifier()
    if below(2) == 0 { request.previousHost = identifier() }
    return request
  }

  mutating func certificateReply() -> CertificateReply {
    var reply = CertificateReply()
    reply.hostID = identifier()
    reply.hostName = text()
    reply.certificateChain = bytes(below(3000))
    reply.certificateAuthority = bytes(below(3000))
    reply.serverNs = integer()
    return reply
  }
}
