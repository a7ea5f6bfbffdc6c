internal import FleetModel

// Field numbers are those of proto/signalbox/v1/report.proto; the tests compare every message with what Python writes.

extension Event: WireMessage {
  var sizeEstimate: Int { 20 + subject.utf8.count + message.utf8.count + (processEnd?.sizeEstimate ?? 0) }

  func write(to writer: inout WireWriter) {
    writer.signed(1, timeNs)
    writer.unsigned(2, UInt64(kind.rawValue))
    writer.unsigned(3, UInt64(level.rawValue))
    writer.text(4, subject)
    writer.text(5, message, limit: FleetProtocol.detailBytes)
    if let processEnd { writer.message(6, processEnd) }
  }
}

extension ProcessEnd: WireMessage {
  var sizeEstimate: Int {
    60 + cgroup.utf8.count + job.utf8.count + output.utf8.count + errors.utf8.count + directory.utf8.count
      + command.utf8.count + runs.reduce(0) { $0 + $1.utf8.count + 4 }
  }

  func write(to writer: inout WireWriter) {
    switch exit {
    case nil: break
    case .code(let code):
      writer.unsigned(1, 1)
      writer.signed(2, Int64(code))
    case .signal(let number, let coreDumped):
      writer.unsigned(1, 1)
      writer.unsigned(3, UInt64(number))
      writer.flag(4, coreDumped)
    }
    writer.unsigned(5, UInt64(pid))
    writer.signed(6, startedNs)
    writer.text(7, cgroup)
    writer.text(8, job)
    writer.text(9, output)
    writer.text(10, errors)
    writer.text(11, directory)
    writer.text(12, command)
    writer.signed(13, Int64(oomKills ?? -1))
    writer.unsigned(14, UInt64(parent))
    for run in runs.prefix(FleetProtocol.runsOfEnd) { writer.text(15, run, evenIfEmpty: true) }
  }
}

extension Loss: WireMessage {
  var sizeEstimate: Int { 31 + subject.utf8.count }

  func write(to writer: inout WireWriter) {
    writer.signed(1, timeNs)
    writer.text(2, subject)
    writer.unsigned(3, from)
    writer.unsigned(4, to)
    writer.unsigned(5, UInt64(reason.rawValue))
    writer.flag(6, isEstimate)
  }
}

extension AgentHealth: WireMessage {
  var sizeEstimate: Int { 126 }

  func write(to writer: inout WireWriter) {
    writer.unsigned(1, spoolBytes)
    writer.unsigned(2, spoolLimitBytes)
    writer.unsigned(3, spoolRecords)
    writer.unsigned(4, backlogBytes)
    writer.unsigned(5, UInt64(followedFiles))
    writer.unsigned(6, droppedRecordsTotal)
    writer.unsigned(7, redactionsTotal)
    writer.unsigned(8, residentBytes)
    writer.double(9, cpuSecondsTotal)
    writer.unsigned(10, refusedPathsTotal)
    writer.unsigned(11, matchedFiles)
    writer.unsigned(12, waitingFiles)
    writer.unsigned(13, unreadableFiles)
    writer.unsigned(14, outsideFiles)
    writer.unsigned(15, binaryFiles)
    writer.unsigned(16, missingRoots)
    writer.unsigned(17, unwatchedDirectories)
    writer.unsigned(18, cutDirectories)
    writer.unsigned(19, utf16Files)
  }
}
