package import FleetModel
internal import Postgres

extension Store {
  /// Makes the stream that sent `hello` the host's only one: nothing of an older stream can be committed any more, on any
  /// collector.
  /// - Parameter receivedNs: when the collector read the hello, ns since 1970.
  ///
  /// Does not count as a report of the host: a host is live by what it commits, not by how often it connects.
  /// - Returns: the new epoch, and how far everything is committed; of many files, the first page.
  /// - Throws: `.unknownHost`, `.revokedHost`, `.database`.
  package func fence(host: HostID, hello: Hello, receivedNs: Int64) throws(StoreError) -> Fence {
    do throws(StoreError) {
      return try raiseFence(host: host, hello: hello, receivedNs: receivedNs)
    } catch .database(let error) where error.isLockTimeout {
      // A collector that is frozen inside a transaction holds its hosts' rows.
      guard try endStalledWriters() > 0 else { throw .database(error) }
      return try raiseFence(host: host, hello: hello, receivedNs: receivedNs)
    }
  }

  private func raiseFence(host: HostID, hello: Hello, receivedNs: Int64) throws(StoreError) -> Fence {
    try connection.transaction(mapping: StoreError.database) { () throws(StoreError) in
      let (number, name, labels) = try activeHost(host)
      let before = try lockEpoch(number)
      let receivedUs = receivedNs / 1000
      let isContested = before?.isContested(by: hello, at: receivedUs) ?? false
      if isContested { try auditContest(number, name, before, hello, receivedUs) }
      let epoch = try raiseEpoch(number, hello, receivedUs, isContested: isContested)
      try storeFacts(number, hello)
      try forgetSpools(number, but: hello.spoolID)
      let page = try openFiles(of: number, after: 0)
      var fence = Fence(
        hostNumber: number, hostName: name, epoch: epoch, lanes: try laneMarks(number, hello.spoolID),
        files: page.files,
        isSuspectedClone: before.map { $0.isAlive(at: receivedUs, asOtherThan: hello) } ?? false)
      fence.isContested = isContested
      fence.moreFilesAfter = page.moreAfter
      fence.labels.merge(labels) { own, _ in own }
      fence.ruleState = try ruleStates(of: number).first
      fence.open = try openIncidents(of: number)
      return fence
    }
  }

  /// Notes that a stream has ended; a stream that was fenced meanwhile is none of ours.
  package func endStream(hostNumber: Int32, epoch: UInt64, atNs: Int64) throws(StoreError) {
    try asking { () throws(PostgresError) in
      _ = try connection.query(
        "update signalbox.epochs set disconnected = $3 where host = $1 and epoch = $2",
        [.int4(hostNumber), .int8(Int64(clamping: epoch)), .time(us: atNs / 1000)])
    }
  }

  private func activeHost(
    _ host: HostID
  ) throws(StoreError) -> (number: Int32, name: String, labels: [String: String]) {
    let rows = try ask(
      "select number, name, state, \(Self.labelsText) from signalbox.hosts h where host_id = $1", [.id(host)])
    guard rows.count == 1, let number = rows.int(0, 0) else { throw .unknownHost }
    if rows.text(0, 2) == "revoked" { throw .revokedHost }
    return (Int32(clamping: number), rows.text(0, 1) ?? "", Self.labels(rows.text(0, 3)))
  }

  /// The host's stream before this one.
  private struct Stream {
    let boot: BootID?
    let machine: MachineIDHash?
    let lastSeenUs: Int64?
    let hasEnded: Bool
    let instance: InstanceID?
    let previousInstance: InstanceID?
    let connectedUs: Int64?
    let contestedUs: Int64?

    /// An agent's instance id is random at each start, so one that comes back after another was welcomed is a process that still
    /// lives beside the other: machines that share boot and machine ids are found by this alone.
    func isContested(by hello: Hello, at nowUs: Int64) -> Bool {
      guard hello.instanceID != InstanceID(high: 0, low: 0), instance != hello.instanceID,
        previousInstance == hello.instanceID
      else { return false }
      // The Hello of a process that was replaced meanwhile may have waited on its way.
      return nowUs - (connectedUs ?? 0) >= Limits.contestMinimumUs
    }

    func isAlive(at nowUs: Int64, asOtherThan hello: Hello) -> Bool {
      guard !hasEnded, let lastSeenUs, nowUs.subtractingClamped(lastSeenUs) < Limits.cloneWindowUs else { return false }
      return boot != hello.bootID || machine != hello.machineIDHash
    }
  }

  private func lockEpoch(_ number: Int32) throws(StoreError) -> Stream? {
    try asking { () throws(PostgresError) in
      _ = try connection.query(
        "insert into signalbox.epochs (host) values ($1) on conflict do nothing", [.int4(number)])
      let rows = try connection.query(
        """
        select boot, machine, greatest(last_seen, connected), disconnected is not null, instance, previous_instance,
          connected, contested
        from signalbox.epochs where host = $1 for update
        """, [.int4(number)])
      guard rows.count == 1 else { return nil }
      return Stream(
        boot: rows.id(0, 0), machine: rows.id(0, 1), lastSeenUs: rows.timeUs(0, 2), hasEnded: rows.bool(0, 3) == true,
        instance: rows.id(0, 4), previousInstance: rows.id(0, 5), connectedUs: rows.timeUs(0, 6),
        contestedUs: rows.timeUs(0, 7))
    }
  }

  /// Once in a while of a contest that goes on.
  private func auditContest(
    _ number: Int32, _ name: String, _ before: Stream?, _ hello: Hello, _ receivedUs: Int64
  ) throws(StoreError) {
    if let lastUs = before?.contestedUs, receivedUs - lastUs < Limits.contestAuditUs { return }
    try audit(
      actor: "collector", action: "identity.contested", subject: name,
      detail:
        "agent processes \(hello.instanceID) and \(before?.instance.map(\.description) ?? "?") share one certificate")
  }

  private func raiseEpoch(
    _ number: Int32, _ hello: Hello, _ receivedUs: Int64, isContested: Bool
  ) throws(StoreError) -> UInt64 {
    let known = hello.knownCollectors.prefix(Limits.knownCollectorsMax).filter {
      $0.utf8.count <= Limits.collectorAddressBytesMax
    }
    return try asking { () throws(PostgresError) in
      let rows = try connection.query(
        """
        update signalbox.epochs set epoch = epoch + 1, spool = $2, boot = $3, instance = $4, machine = $5, connected = $6,
          disconnected = null, skew_ms = $7,
          previous_instance = case when instance = $4 then previous_instance else instance end,
          contested = case when $8 then $6 else contested end, known_collectors = $9
        where host = $1 returning epoch
        """,
        [
          .int4(number), .id(hello.spoolID), .id(hello.bootID), .id(hello.instanceID), .id(hello.machineIDHash),
          .time(us: receivedUs), .int8(hello.wallNs == 0 ? 0 : (hello.wallNs / 1_000_000) &- receivedUs / 1000),
          .bool(isContested), known.isEmpty ? .null : .texts(Array(known)),
        ])
      return UInt64(clamping: rows.int(0, 0) ?? 0)
    }
  }

  private func storeFacts(_ number: Int32, _ hello: Hello) throws(StoreError) {
    let facts = hello.facts
    try asking { () throws(PostgresError) in
      _ = try connection.query(
        """
        update signalbox.hosts set agent_version = $2, reported_name = $3, os_name = $4, kernel_release = $5,
          architecture = $6, cpu_model = $7, cpu_count = $8, memory_total_bytes = $9, swap_total_bytes = $10,
          gpu_count = $11, gpu_model = $12, gpu_driver_version = $13, redaction_version = $14
        where number = $1
        """,
        [
          .int4(number), .text(hello.agentVersion), .text(facts.hostName), .text(facts.osName),
          .text(facts.kernelRelease), .text(facts.architecture), .text(facts.cpuModel),
          .int4(Int32(clamping: facts.cpuCount)), .int8(Int64(clamping: facts.memoryTotalBytes)),
          .int8(Int64(clamping: facts.swapTotalBytes)), .int4(Int32(clamping: facts.gpuCount)), .text(facts.gpuModel),
          .text(facts.gpuDriverVersion), .text(hello.redactionVersion),
        ])
    }
  }

  /// A host names its spool itself: one that names another each time would fill the table of their marks.
  private func forgetSpools(_ number: Int32, but spool: SpoolID) throws(StoreError) {
    try run(
      """
      delete from signalbox.agent_ledger where host = $1 and spool <> $2 and spool not in (
        select spool from signalbox.agent_ledger where host = $1 group by spool order by max(updated) desc
        limit \(Limits.spoolsPerHost))
      """, [.int4(number), .id(spool)])
  }

  private func laneMarks(_ number: Int32, _ spool: SpoolID) throws(StoreError) -> [LaneMark] {
    let rows = try asking { () throws(PostgresError) in
      try connection.query(
        "select lane, sequence from signalbox.agent_ledger where host = $1 and spool = $2 order by lane",
        [.int4(number), .id(spool)])
    }
    return (0..<rows.count).compactMap { row in
      guard let lane = Lane(rawValue: UInt8(clamping: rows.int(row, 0) ?? 0)) else { return nil }
      return LaneMark(lane: lane, sequence: UInt64(clamping: rows.int(row, 1) ?? 0))
    }
  }

  /// A page of a host's marks: of the files that are not finished, in the order of their numbers.
  ///
  /// After `fence` they stand still until the host has all of them and sends on.
  /// - Parameter after: where the page before ended; 0 for the first one.
  package func openFiles(of number: Int32, after: Int64) throws(StoreError) -> FileMarkPage {
    let rows = try asking { () throws(PostgresError) in
      try connection.query(
        """
        select key, path, device, inode, birth_ns, head_hash, head_length, generation, format, committed_offset, tail_hash,
          history_bytes, number
        from signalbox.followed_files where host = $1 and not finished and number > $2 order by number limit $3
        """, [.int4(number), .int8(after), .int8(Int64(Limits.marksPerPage))])
    }
    let files = (0..<rows.count).compactMap { row -> FileMark? in
      guard let key: FileKey = rows.id(row, 0) else { return nil }
      var file = FileIdentity(key: key, path: rows.text(row, 1) ?? "")
      // 64-bit words without sign are kept bit by bit in PostgreSQL's signed ones.
      func word(_ column: Int) -> UInt64 { UInt64(bitPattern: rows.int(row, column) ?? 0) }
      file.device = word(2)
      file.inode = word(3)
      file.birthNs = rows.int(row, 4) ?? 0
      file.headHash = word(5)
      file.headLength = UInt32(truncatingIfNeeded: word(6))
      file.generation = UInt32(truncatingIfNeeded: word(7))
      file.format = FileFormat(rawValue: UInt8(truncatingIfNeeded: word(8))) ?? .log
      file.historyBytes = word(11)
      return FileMark(file: file, offset: word(9), tailHash: word(10))
    }
    return FileMarkPage(files: files, moreAfter: rows.count < Limits.marksPerPage ? nil : rows.int(rows.count - 1, 12))
  }
}

extension Parameter {
  static func id<Subject>(_ id: Identifier<Subject>) -> Parameter { .uuid(high: id.high, low: id.low) }
}

extension Rows {
  func id<Subject>(_ row: Int, _ column: Int) -> Identifier<Subject>? {
    uuid(row, column).map { Identifier(high: $0.high, low: $0.low) }
  }
}
