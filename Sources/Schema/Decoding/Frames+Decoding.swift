internal import CSchema
internal import FleetModel

// `tree` lies in the arena of the decode that is under way, which outlives each call; values are copied out.

extension AgentFrame: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__AgentFrame>) throws(SchemaError) {
    switch unsafe tree.pointee.frame_case {
    case SIGNALBOX__V1__AGENT_FRAME__FRAME_HELLO:
      guard let hello = unsafe tree.pointee.hello else { throw .missing(field: "AgentFrame.hello") }
      self = .hello(try unsafe Hello(hello))
    case SIGNALBOX__V1__AGENT_FRAME__FRAME_BATCH:
      guard let batch = unsafe tree.pointee.batch else { throw .missing(field: "AgentFrame.batch") }
      self = .batch(try unsafe Batch(batch))
    default: throw .unknownFrame
    }
  }
}

extension CollectorFrame: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__CollectorFrame>) throws(SchemaError) {
    switch unsafe tree.pointee.frame_case {
    case SIGNALBOX__V1__COLLECTOR_FRAME__FRAME_WELCOME:
      guard let welcome = unsafe tree.pointee.welcome else { throw .missing(field: "CollectorFrame.welcome") }
      self = .welcome(try unsafe Welcome(welcome))
    case SIGNALBOX__V1__COLLECTOR_FRAME__FRAME_ACK:
      guard let ack = unsafe tree.pointee.ack else { throw .missing(field: "CollectorFrame.ack") }
      self = .ack(number: unsafe ack.pointee.number)
    case SIGNALBOX__V1__COLLECTOR_FRAME__FRAME_SETTINGS:
      guard let settings = unsafe tree.pointee.settings else { throw .missing(field: "CollectorFrame.settings") }
      self = .settings(try unsafe Settings(settings))
    case SIGNALBOX__V1__COLLECTOR_FRAME__FRAME_MARKS:
      guard let marks = unsafe tree.pointee.marks else { throw .missing(field: "CollectorFrame.marks") }
      let files: [FileMark] = try unsafe Tree.messages(
        marks.pointee.files, count: marks.pointee.n_files, "Marks.files", limit: FleetProtocol.marksPerFrame)
      self = .marks(files, more: unsafe marks.pointee.more != 0)
    default: throw .unknownFrame
    }
  }
}

extension Hello: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__Hello>) throws(SchemaError) {
    self.init()
    protocolVersion = unsafe tree.pointee.protocol_version
    agentVersion = try unsafe Tree.text(tree.pointee.agent_version, "Hello.agent_version")
    bootID = try unsafe Tree.identifier(tree.pointee.boot_id, "Hello.boot_id")
    spoolID = try unsafe Tree.identifier(tree.pointee.spool_id, "Hello.spool_id")
    instanceID = try unsafe Tree.identifier(tree.pointee.instance_id, "Hello.instance_id")
    machineIDHash = try unsafe Tree.identifier(tree.pointee.machine_id_hash, "Hello.machine_id_hash")
    if let facts = unsafe tree.pointee.facts { self.facts = try unsafe HostFacts(facts) }
    wallNs = unsafe tree.pointee.wall_ns
    monotonicNs = unsafe tree.pointee.monotonic_ns
    redactionVersion = try unsafe Tree.text(tree.pointee.redaction_version, "Hello.redaction_version")
    knownCollectors = try unsafe Tree.texts(
      tree.pointee.known_collectors, count: tree.pointee.n_known_collectors, "Hello.known_collectors",
      limit: FleetProtocol.collectors)
    takesMarks = unsafe tree.pointee.takes_marks != 0
  }
}

extension Welcome: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__Welcome>) throws(SchemaError) {
    self.init()
    epoch = unsafe tree.pointee.epoch
    serverNs = unsafe tree.pointee.server_ns
    lanes = try unsafe Tree.messages(tree.pointee.lanes, count: tree.pointee.n_lanes, "Welcome.lanes", limit: 16)
    files = try unsafe Tree.messages(
      tree.pointee.files, count: tree.pointee.n_files, "Welcome.files", limit: FleetProtocol.marksPerFrame)
    marksFollow = unsafe tree.pointee.marks_follow != 0
    if let settings = unsafe tree.pointee.settings { self.settings = try unsafe Settings(settings) }
    hostID = try unsafe Tree.identifier(tree.pointee.host_id, "Welcome.host_id")
    collectors = try unsafe Tree.texts(
      tree.pointee.collectors, count: tree.pointee.n_collectors, "Welcome.collectors", limit: FleetProtocol.collectors)
  }
}

extension LaneMark: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__LaneMark>) throws(SchemaError) {
    self.init(lane: try unsafe Lane(tree.pointee.lane), sequence: unsafe tree.pointee.sequence)
  }
}

extension Lane {
  /// A lane that is not known cannot stand for another: its sequence would move the other's mark.
  init(_ lane: Signalbox__V1__Lane) throws(SchemaError) {
    guard let known = Lane(number: lane.rawValue) else { throw .inconsistent(field: "lane") }
    self = known
  }
}

extension FileMark: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__FileMark>) throws(SchemaError) {
    guard let file = unsafe tree.pointee.file else { throw .missing(field: "FileMark.file") }
    self.init(
      file: try unsafe FileIdentity(file), offset: unsafe tree.pointee.offset_bytes,
      tailHash: unsafe tree.pointee.tail_hash)
  }
}

extension Settings: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__Settings>) throws(SchemaError) {
    self.init()
    sampleIntervalMs = unsafe tree.pointee.sample_interval_ms
    revision = unsafe tree.pointee.revision
    probes = try unsafe Tree.messages(
      tree.pointee.probes, count: tree.pointee.n_probes, "Settings.probes", limit: FleetProtocol.probes)
    follow = try unsafe Tree.texts(
      tree.pointee.follow, count: tree.pointee.n_follow, "Settings.follow", limit: FleetProtocol.followPatterns)
    exclude = try unsafe Tree.texts(
      tree.pointee.exclude, count: tree.pointee.n_exclude, "Settings.exclude", limit: FleetProtocol.followPatterns)
    metrics = try unsafe Tree.messages(
      tree.pointee.metrics, count: tree.pointee.n_metrics, "Settings.metrics", limit: FleetProtocol.metricPatterns)
  }
}

extension MetricPattern: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__MetricPattern>) throws(SchemaError) {
    self.init(
      match: try unsafe Tree.text(tree.pointee.match, "MetricPattern.match", limit: Self.matchBytesMax),
      file: try unsafe Tree.text(tree.pointee.file, "MetricPattern.file", limit: Self.fileBytesMax))
  }
}
