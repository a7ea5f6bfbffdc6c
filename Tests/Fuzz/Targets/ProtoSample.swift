/// A whole message as bytes: every field holds what is usual, but for the numbers that the caller chooses.
package struct ProtoSample {
  private let schema: ProtoSchema
  /// ns since 1970; every time lies there.
  private let nowNs: UInt64
  /// 1 running, 2 completed: of the run that all training records are about.
  private let runState: UInt64
  /// - Returns: the bits of the number to be sent instead of the usual one; nil leaves that.
  private let choose: (_ path: [String], _ type: String) -> UInt64?

  package init(
    _ schema: ProtoSchema = .report, nowNs: Int64, runState: UInt64 = 1,
    choose: @escaping (_ path: [String], _ type: String) -> UInt64?
  ) {
    self.schema = schema
    self.nowNs = UInt64(clamping: nowNs)
    self.runState = runState
    self.choose = choose
  }

  /// Source: protobuf.dev, "Encoding".
  package func bytes(of message: String, below path: [String] = []) -> [UInt8] {
    var bytes: [UInt8] = []
    for field in schema.messages[message] ?? [] {
      let here = path + [field.name]
      if schema.messages[field.type] != nil {
        let one = self.bytes(of: field.type, below: here)
        // GPUs are held against each other.
        for _ in 0..<(field.name == "gpus" ? 2 : 1) { append(field.number, one, to: &bytes) }
      } else if schema.isNumber(field) {
        appendNumber(field, here, to: &bytes)
      } else {
        append(field.number, Self.text(message, field.name), to: &bytes)
      }
    }
    return bytes
  }

  private func appendNumber(_ field: ProtoSchema.Field, _ path: [String], to bytes: inout [UInt8]) {
    let bits = choose(path, field.type) ?? usual(field)
    var number: [UInt8] = []
    var wireType: UInt64 = 0
    switch field.type {
    case "double", "fixed64", "sfixed64":
      wireType = 1
      for shift in 0..<8 as Range<UInt64> { number.append(UInt8(truncatingIfNeeded: bits >> (8 * shift))) }
    case "float", "fixed32", "sfixed32":
      wireType = 5
      for shift in 0..<4 as Range<UInt64> { number.append(UInt8(truncatingIfNeeded: bits >> (8 * shift))) }
    case "sint32", "sint64":
      let value = Int64(bitPattern: bits)
      Self.varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)), to: &number)
    default: Self.varint(bits, to: &number)
    }
    if field.isRepeated { return append(field.number, number, to: &bytes) }
    Self.varint(field.number << 3 | wireType, to: &bytes)
    bytes += number
  }

  private func append(_ number: UInt64, _ content: [UInt8], to bytes: inout [UInt8]) {
    Self.varint(number << 3 | 2, to: &bytes)
    Self.varint(UInt64(content.count), to: &bytes)
    bytes += content
  }

  private static func varint(_ number: UInt64, to bytes: inout [UInt8]) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private func usual(_ field: ProtoSchema.Field) -> UInt64 {
    switch field.name {
    case "time_delta_us": return nowNs / 1000
    case "length_bytes": return UInt64(Self.line.utf8.count)
    case "to_bytes", "advance_bytes": return UInt64(Self.line.utf8.count + 1)
    case "episode", "from_bytes", "first_offset_bytes", "lane", "history_bytes", "from": return 0
    case "state" where field.type == "RunState": return runState
    case "kind" where field.type == "EventKind": return 3
    case _ where field.type == "double": return (1.0).bitPattern
    case _ where field.type == "float": return UInt64(Float(1).bitPattern)
    case _ where field.name.hasSuffix("_ns"): return nowNs
    default: return 1
    }
  }

  /// A rule of the pack fires on it, so that a finding is made of every batch.
  private static let line = "RuntimeError: CUDA error: out of memory"

  private static func text(_ message: String, _ field: String) -> [UInt8] {
    switch field {
    case "levels": return [4]
    case "flags": return [0]
    case "text" where message == "LogLines": return Array(line.utf8)
    case "key", "boot_id", "spool_id", "instance_id", "machine_id_hash", "host_id":
      return [UInt8](repeating: 7, count: 16)
    case "path", "source": return Array("/srv/train/run-1/train.log".utf8)
    case "run": return Array("ppo/run-1".utf8)
    case "detail" where message == "RunUpdate": return Array("{\"episodes\": 3}".utf8)
    case "message": return Array("Xid 79 on 0000:01:00: GPU has fallen off the bus".utf8)
    case "mount_point": return Array("/data".utf8)
    case "state": return Array("R".utf8)
    default: return Array(field.utf8)
    }
  }
}
