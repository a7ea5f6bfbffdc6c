internal import FleetModel

extension FileDelta: WireMessage {
  var sizeEstimate: Int {
    50 + file.sizeEstimate + lines.sizeEstimate + steps.count * 128 + episodes.count * 200 + runs.count * 128
      + losses.count * 64
  }

  func write(to writer: inout WireWriter) {
    writer.message(1, file)
    writer.unsigned(2, from)
    writer.unsigned(3, to)
    writer.unsigned(4, tailHash)
    writer.flag(5, isFinished)
    if !lines.isEmpty { writer.message(6, lines) }
    writer.messages(7, steps)
    writer.messages(8, episodes)
    writer.messages(9, runs)
    writer.messages(10, losses)
    writer.signed(11, readNs)
  }
}

extension FileIdentity: WireMessage {
  var sizeEstimate: Int { 67 + path.utf8.count }

  func write(to writer: inout WireWriter) {
    writer.identifier(1, key)
    writer.text(2, path)
    writer.unsigned(3, device)
    writer.unsigned(4, inode)
    writer.signed(5, birthNs)
    writer.unsigned(6, headHash)
    writer.unsigned(7, UInt64(headLength))
    writer.unsigned(8, UInt64(generation))
    writer.unsigned(9, UInt64(format.rawValue))
    writer.unsigned(10, historyBytes)
  }
}

extension LogLines: WireMessage {
  var sizeEstimate: Int { 32 + text.count + 8 * count }

  /// The arrays must have one element a line, and `lengths` must add up to `text`: who fills them has to see to it.
  func write(to writer: inout WireWriter) {
    precondition(
      advances.count == count && timesUs.count == count && levels.count == count && flags.count == count,
      "log lines with arrays of unequal length")
    writer.bytes(1, text.span)
    writer.packed(2, lengths.span)
    writer.packed(3, advances.span)
    writer.packedDifferences(4, timesUs.span)
    writer.bytes(5, levels.span)
    writer.bytes(6, flags.span)
    writer.unsigned(7, firstOffset)
  }
}
