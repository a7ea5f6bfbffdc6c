internal import FleetModel

/// A frame: one message in one field.
struct Framed<Message: WireMessage>: WireMessage {
  let field: UInt32
  let message: Message

  var sizeEstimate: Int { 6 + message.sizeEstimate }

  func write(to writer: inout WireWriter) { writer.message(field, message) }
}

struct Ack: WireMessage {
  let number: UInt64

  var sizeEstimate: Int { 6 }

  func write(to writer: inout WireWriter) { writer.unsigned(1, number) }
}

/// A batch with records that are already encoded.
struct EmbeddingBatch: WireMessage {
  let batch: Batch
  let spooled: [EncodedRecords]

  var sizeEstimate: Int {
    40 + total(batch.spooled) + total(spooled) + total(batch.files) + (batch.health?.sizeEstimate ?? 0)
  }

  func write(to writer: inout WireWriter) {
    writer.unsigned(1, batch.number)
    writer.signed(2, batch.wallNs)
    writer.signed(3, batch.monotonicNs)
    writer.messages(4, batch.spooled)
    writer.messages(4, spooled)
    writer.messages(5, batch.files)
    if let health = batch.health { writer.message(6, health) }
  }
}

private func total(_ messages: [some WireMessage]) -> Int { messages.reduce(0) { $0 + 4 + $1.sizeEstimate } }

extension SpooledRecords: WireMessage {
  var sizeEstimate: Int { 16 + records.sizeEstimate }

  func write(to writer: inout WireWriter) {
    writer.unsigned(1, UInt64(lane.rawValue))
    writer.unsigned(2, firstSequence)
    writer.unsigned(3, lastSequence)
    writer.message(4, records)
  }
}

extension EncodedRecords: WireMessage {
  var sizeEstimate: Int { 16 + bytes.count }

  func write(to writer: inout WireWriter) {
    writer.unsigned(1, UInt64(lane.rawValue))
    writer.unsigned(2, firstSequence)
    writer.unsigned(3, lastSequence)
    writer.bytes(4, bytes.span)
  }
}

extension Records: WireMessage {
  var sizeEstimate: Int {
    total(hosts) + total(gpus) + total(disks) + total(networks) + total(processes) + total(probes) + total(events)
      + total(losses) + total(runs) + total(episodes) + total(steps)
  }

  func write(to writer: inout WireWriter) {
    writer.messages(1, hosts)
    writer.messages(2, gpus)
    writer.messages(3, disks)
    writer.messages(4, networks)
    writer.messages(5, processes)
    writer.messages(6, probes)
    writer.messages(7, events)
    writer.messages(8, losses)
    writer.messages(9, runs)
    writer.messages(10, episodes)
    writer.messages(11, steps)
  }
}

extension Hello: WireMessage {
  var sizeEstimate: Int {
    114 + agentVersion.utf8.count + redactionVersion.utf8.count + facts.sizeEstimate
      + knownCollectors.reduce(0) { $0 + 3 + $1.utf8.count }
  }

  func write(to writer: inout WireWriter) {
    writer.unsigned(1, UInt64(protocolVersion))
    writer.text(2, agentVersion)
    writer.identifier(3, bootID)
    writer.identifier(4, spoolID)
    writer.identifier(5, instanceID)
    writer.identifier(6, machineIDHash)
    writer.message(7, facts)
    writer.signed(8, wallNs)
    writer.signed(9, monotonicNs)
    writer.text(10, redactionVersion)
    writer.flag(11, takesMarks)
    for address in knownCollectors { writer.text(13, address, evenIfEmpty: true) }
  }
}

extension Welcome: WireMessage {
  var sizeEstimate: Int {
    50 + total(lanes) + total(files) + settings.sizeEstimate + collectors.reduce(0) { $0 + 3 + $1.utf8.count }
  }

  func write(to writer: inout WireWriter) {
    writer.unsigned(1, epoch)
    writer.signed(2, serverNs)
    writer.messages(3, lanes)
    writer.messages(4, files)
    writer.message(5, settings)
    writer.identifier(6, hostID)
    writer.flag(7, marksFollow)
    for address in collectors { writer.text(10, address, evenIfEmpty: true) }
  }
}

struct Marks: WireMessage {
  let files: [FileMark]
  let more: Bool

  var sizeEstimate: Int { 4 + total(files) }

  func write(to writer: inout WireWriter) {
    writer.messages(1, files)
    writer.flag(2, more)
  }
}

extension LaneMark: WireMessage {
  var sizeEstimate: Int { 10 }

  func write(to writer: inout WireWriter) {
    writer.unsigned(1, UInt64(lane.rawValue))
    writer.unsigned(2, sequence)
  }
}

extension FileMark: WireMessage {
  var sizeEstimate: Int { 20 + file.sizeEstimate }

  func write(to writer: inout WireWriter) {
    writer.message(1, file)
    writer.unsigned(2, offset)
    writer.unsigned(3, tailHash)
  }
}

extension Settings: WireMessage {
  var sizeEstimate: Int {
    12 + (follow + exclude).reduce(0) { $0 + 3 + $1.utf8.count } + probes.reduce(0) { $0 + 4 + $1.sizeEstimate }
      + metrics.reduce(0) { $0 + 4 + $1.sizeEstimate }
  }

  func write(to writer: inout WireWriter) {
    writer.unsigned(1, UInt64(sampleIntervalMs))
    for pattern in follow { writer.text(2, pattern, evenIfEmpty: true) }
    writer.unsigned(3, UInt64(revision))
    writer.messages(4, probes)
    for pattern in exclude { writer.text(5, pattern, evenIfEmpty: true) }
    writer.messages(6, metrics)
  }
}

extension MetricPattern: WireMessage {
  var sizeEstimate: Int { 8 + match.utf8.count + file.utf8.count }

  func write(to writer: inout WireWriter) {
    writer.text(1, match)
    writer.text(2, file)
  }
}

extension ProbeSetting: WireMessage {
  var sizeEstimate: Int {
    40 + name.utf8.count + target.utf8.count + socket.utf8.count + service.utf8.count + expectBody.utf8.count
      + arguments.reduce(0) { $0 + 3 + $1.utf8.count }
  }

  func write(to writer: inout WireWriter) {
    writer.unsigned(1, UInt64(kind?.rawValue ?? 0))
    writer.text(2, name)
    writer.unsigned(3, UInt64(everyNs / 1_000_000))
    writer.unsigned(4, UInt64(timeoutNs / 1_000_000))
    writer.text(5, target)
    writer.text(6, socket)
    writer.text(7, service)
    for argument in arguments { writer.text(8, argument, evenIfEmpty: true) }
    writer.unsigned(9, UInt64(expectStatus))
    writer.text(10, expectBody)
    writer.unsigned(11, UInt64(settleNs / 1_000_000))
  }
}

extension WireWriter {
  mutating func identifier(_ field: UInt32, _ value: Identifier<some Any>) { bytes(field, value.bytes.span) }
}
