internal import CSchema
internal import FleetModel

// `tree` lies in the arena of the decode that is under way, which outlives each call; values are copied out.

extension Event: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__Event>) throws(SchemaError) {
    self.init()
    timeNs = unsafe tree.pointee.time_ns
    kind = unsafe EventKind(number: tree.pointee.kind.rawValue) ?? .other
    level = unsafe Level(number: tree.pointee.level.rawValue) ?? .unknown
    subject = try unsafe Tree.text(tree.pointee.subject, "Event.subject")
    message = try unsafe Tree.text(tree.pointee.message, "Event.message", limit: FleetProtocol.detailBytes)
    if let end = unsafe tree.pointee.process_end { processEnd = try unsafe ProcessEnd(end) }
  }
}

extension ProcessEnd: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__ProcessEnd>) throws(SchemaError) {
    self.init()
    if unsafe tree.pointee.knowledge == SIGNALBOX__V1__EXIT_KNOWLEDGE__EXIT_KNOWLEDGE_EXACT {
      let signal = unsafe tree.pointee.exit_signal
      exit =
        signal == 0
        ? .code(unsafe tree.pointee.exit_code)
        : .signal(signal, coreDumped: unsafe tree.pointee.core_dumped != 0)
    }
    pid = unsafe tree.pointee.pid
    startedNs = unsafe tree.pointee.started_ns
    cgroup = try unsafe Tree.text(tree.pointee.cgroup, "ProcessEnd.cgroup")
    job = try unsafe Tree.text(tree.pointee.job, "ProcessEnd.job")
    output = try unsafe Tree.text(tree.pointee.output, "ProcessEnd.output")
    errors = try unsafe Tree.text(tree.pointee.errors, "ProcessEnd.errors")
    directory = try unsafe Tree.text(tree.pointee.directory, "ProcessEnd.directory")
    command = try unsafe Tree.text(tree.pointee.command, "ProcessEnd.command")
    oomKills = unsafe tree.pointee.oom_kills < 0 ? nil : tree.pointee.oom_kills
    parent = unsafe tree.pointee.parent_pid
    runs = try unsafe Tree.texts(
      tree.pointee.runs, count: tree.pointee.n_runs, "ProcessEnd.runs", limit: FleetProtocol.runsOfEnd)
  }
}

extension Loss: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__Loss>) throws(SchemaError) {
    self.init()
    timeNs = unsafe tree.pointee.time_ns
    subject = try unsafe Tree.text(tree.pointee.subject, "Loss.subject")
    from = unsafe tree.pointee.from
    to = unsafe tree.pointee.to
    reason = unsafe LossReason(number: tree.pointee.reason.rawValue) ?? .unknown
    isEstimate = unsafe tree.pointee.is_estimate != 0
  }
}

extension AgentHealth: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__AgentHealth>) throws(SchemaError) {
    self.init()
    spoolBytes = unsafe tree.pointee.spool_bytes
    spoolLimitBytes = unsafe tree.pointee.spool_limit_bytes
    spoolRecords = unsafe tree.pointee.spool_records
    backlogBytes = unsafe tree.pointee.backlog_bytes
    followedFiles = unsafe tree.pointee.followed_files
    droppedRecordsTotal = unsafe tree.pointee.dropped_records_total
    redactionsTotal = unsafe tree.pointee.redactions_total
    residentBytes = unsafe tree.pointee.resident_bytes
    cpuSecondsTotal = unsafe tree.pointee.cpu_seconds_total
    refusedPathsTotal = unsafe tree.pointee.refused_paths_total
    matchedFiles = unsafe tree.pointee.matched_files
    waitingFiles = unsafe tree.pointee.waiting_files
    unreadableFiles = unsafe tree.pointee.unreadable_files
    outsideFiles = unsafe tree.pointee.outside_files
    binaryFiles = unsafe tree.pointee.binary_files
    missingRoots = unsafe tree.pointee.missing_roots
    unwatchedDirectories = unsafe tree.pointee.unwatched_directories
    cutDirectories = unsafe tree.pointee.cut_directories
    utf16Files = unsafe tree.pointee.utf16_files
  }
}
