internal import CProtobufC
internal import CSchema
internal import FleetModel

// `tree` lies in the arena of the decode that is under way, which outlives each call; values are copied out.

extension Batch: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__Batch>) throws(SchemaError) {
    self.init()
    number = unsafe tree.pointee.number
    wallNs = unsafe tree.pointee.wall_ns
    monotonicNs = unsafe tree.pointee.monotonic_ns
    spooled = try unsafe Tree.messages(
      tree.pointee.spooled, count: tree.pointee.n_spooled, "Batch.spooled", limit: FleetProtocol.spooledPerBatch)
    files = try unsafe Tree.messages(
      tree.pointee.files, count: tree.pointee.n_files, "Batch.files", limit: FleetProtocol.filesPerBatch)
    if let health = unsafe tree.pointee.health { self.health = try unsafe AgentHealth(health) }
  }
}

extension SpooledRecords: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__Spooled>) throws(SchemaError) {
    let records = if let records = unsafe tree.pointee.records { try unsafe Records(records) } else { Records() }
    self.init(
      lane: try unsafe Lane(tree.pointee.lane), firstSequence: unsafe tree.pointee.first_sequence,
      lastSequence: unsafe tree.pointee.last_sequence, records: records)
    guard firstSequence <= lastSequence else { throw .inconsistent(field: "Spooled.last_sequence") }
  }
}

extension Records: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__Records>) throws(SchemaError) {
    self.init()
    hosts = try unsafe Tree.messages(tree.pointee.hosts, count: tree.pointee.n_hosts, "Records.hosts")
    gpus = try unsafe Tree.messages(tree.pointee.gpus, count: tree.pointee.n_gpus, "Records.gpus")
    disks = try unsafe Tree.messages(tree.pointee.disks, count: tree.pointee.n_disks, "Records.disks")
    networks = try unsafe Tree.messages(tree.pointee.networks, count: tree.pointee.n_networks, "Records.networks")
    processes = try unsafe Tree.messages(tree.pointee.processes, count: tree.pointee.n_processes, "Records.processes")
    probes = try unsafe Tree.messages(tree.pointee.probes, count: tree.pointee.n_probes, "Records.probes")
    events = try unsafe Tree.messages(tree.pointee.events, count: tree.pointee.n_events, "Records.events")
    losses = try unsafe Tree.messages(tree.pointee.losses, count: tree.pointee.n_losses, "Records.losses")
    runs = try unsafe Tree.messages(tree.pointee.runs, count: tree.pointee.n_runs, "Records.runs")
    episodes = try unsafe Tree.messages(tree.pointee.episodes, count: tree.pointee.n_episodes, "Records.episodes")
    steps = try unsafe Tree.messages(tree.pointee.steps, count: tree.pointee.n_steps, "Records.steps")
  }
}

extension FileDelta: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__FileDelta>) throws(SchemaError) {
    guard let file = unsafe tree.pointee.file else { throw .missing(field: "FileDelta.file") }
    self.init(
      file: try unsafe FileIdentity(file), from: unsafe tree.pointee.from_bytes, to: unsafe tree.pointee.to_bytes)
    guard from <= to else { throw .inconsistent(field: "FileDelta.to_bytes") }
    tailHash = unsafe tree.pointee.tail_hash
    isFinished = unsafe tree.pointee.is_finished != 0
    if let lines = unsafe tree.pointee.lines { self.lines = try unsafe LogLines(lines) }
    steps = try unsafe Tree.messages(tree.pointee.steps, count: tree.pointee.n_steps, "FileDelta.steps")
    episodes = try unsafe Tree.messages(tree.pointee.episodes, count: tree.pointee.n_episodes, "FileDelta.episodes")
    runs = try unsafe Tree.messages(tree.pointee.runs, count: tree.pointee.n_runs, "FileDelta.runs")
    losses = try unsafe Tree.messages(tree.pointee.losses, count: tree.pointee.n_losses, "FileDelta.losses")
    readNs = unsafe tree.pointee.read_ns
  }
}

extension FileIdentity: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__FileIdentity>) throws(SchemaError) {
    self.init(
      key: try unsafe Tree.identifier(tree.pointee.key, "FileIdentity.key"),
      path: try unsafe Tree.text(tree.pointee.path, "FileIdentity.path"))
    device = unsafe tree.pointee.device
    inode = unsafe tree.pointee.inode
    birthNs = unsafe tree.pointee.birth_ns
    headHash = unsafe tree.pointee.head_hash
    // As many bytes are read of the file: more than an agent ever hashes would only take memory.
    headLength = min(unsafe tree.pointee.head_length, FleetProtocol.fileHeadBytes)
    generation = unsafe tree.pointee.generation
    format = unsafe FileFormat(number: tree.pointee.format.rawValue) ?? .log
    historyBytes = unsafe tree.pointee.history_bytes
  }
}

extension LogLines: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__LogLines>) throws(SchemaError) {
    self.init()
    let count = unsafe tree.pointee.n_length_bytes
    guard count <= FleetProtocol.linesPerDelta else {
      throw .tooMany(field: "LogLines.length_bytes", count: count, limit: FleetProtocol.linesPerDelta)
    }
    guard unsafe tree.pointee.n_advance_bytes == count, unsafe tree.pointee.n_time_delta_us == count,
      unsafe tree.pointee.levels.len == count, unsafe tree.pointee.flags.len == count
    else { throw .inconsistent(field: "LogLines") }
    firstOffset = unsafe tree.pointee.first_offset_bytes
    text = try unsafe Tree.bytes(tree.pointee.text, "LogLines.text", limit: FleetProtocol.frameBytes)
    lengths = unsafe Tree.array(tree.pointee.length_bytes, count: count)
    try LogLines.check(lengths: lengths.span, text: text.span)
    advances = unsafe Tree.array(tree.pointee.advance_bytes, count: count)
    timesUs = unsafe LogLines.times(UnsafeBufferPointer(start: tree.pointee.time_delta_us, count: count))
    levels = unsafe Tree.array(tree.pointee.levels.data, count: count)
    for index in levels.indices where levels[index] > Level.error.rawValue { levels[index] = Level.unknown.rawValue }
    flags = unsafe Tree.array(tree.pointee.flags.data, count: count)
  }

  /// The lines fill the text, and each one is valid UTF-8 by itself.
  private static func check(lengths: Span<UInt32>, text: Span<UInt8>) throws(SchemaError) {
    guard Text.isValid(text) else { throw .badText(field: "LogLines.text") }
    var end: UInt64 = 0
    for index in lengths.indices {
      end += UInt64(lengths[index])
      guard end <= text.count else { throw .inconsistent(field: "LogLines.length_bytes") }
      // A line that starts with a continuation byte cuts a character in two.
      if end < text.count, text[Int(end)] & 0xc0 == 0x80 { throw .badText(field: "LogLines.text") }
    }
    guard end == text.count else { throw .inconsistent(field: "LogLines.length_bytes") }
  }

  /// Each difference added to the time before it; a sum that overflows wraps, for the peer chooses the differences.
  private static func times(_ differences: UnsafeBufferPointer<Int64>) -> [Int64] {
    unsafe [Int64](unsafeUninitializedCapacity: differences.count) { times, count in
      var time: Int64 = 0
      for index in 0..<differences.count {
        time &+= unsafe differences[index]
        unsafe times.initializeElement(at: count, to: time)
        count += 1
      }
    }
  }
}
