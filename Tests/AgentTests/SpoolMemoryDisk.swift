import FleetModel
import Files

@testable import Agent

/// A spool's directory in memory, with a limit and with failures at will.
final class MemoryDisk: SpoolDisk {
  var files: [String: [UInt8]] = [:]
  var capacity = Int.max
  /// Calls until one fails with EIO; nil = none does.
  var failAfter: Int?
  private(set) var syncs = 0

  var used: Int { files.values.reduce(0) { $0 + $1.count } }

  private func step(_ operation: String, _ name: String) throws(FileError) {
    guard let left = failAfter else { return }
    failAfter = left > 0 ? left - 1 : nil
    if left == 0 { throw FileError(operation, name, code: 5) }
  }

  func list() throws(FileError) -> [String] {
    try step("list", "")
    return Array(files.keys)
  }

  func size(of name: String) throws(FileError) -> UInt64 {
    guard let file = files[name] else { throw FileError("look at", name, code: 2) }
    return UInt64(file.count)
  }

  func read(_ name: String, at offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
    try step("read", name)
    guard let file = files[name] else { throw FileError("open", name, code: 2) }
    let start = min(Int(offset), file.count)
    return Array(file[start..<min(start + count, file.count)])
  }

  func append(_ bytes: [UInt8], to name: String) throws(FileError) {
    let room = capacity - used
    if bytes.count > room {
      files[name, default: []].append(contentsOf: bytes.prefix(room))
      throw FileError("write", name, code: 28)
    }
    do throws(FileError) { try step("write", name) } catch {
      files[name, default: []].append(contentsOf: bytes.prefix(bytes.count / 2))
      throw error
    }
    files[name, default: []].append(contentsOf: bytes)
  }

  func sync(_ name: String) throws(FileError) {
    syncs += 1
    try step("sync", name)
  }

  func syncDirectory() throws(FileError) { try step("sync", "") }

  func rename(_ name: String, to newName: String) throws(FileError) {
    try step("rename", name)
    files[newName] = files.removeValue(forKey: name)
  }

  func remove(_ name: String) throws(FileError) {
    try step("remove", name)
    files[name] = nil
  }

  func freeBytes() throws(FileError) -> UInt64 { UInt64(max(0, capacity - used)) }
}

/// What a collector would have after a spool was drained.
struct Drained: Equatable {
  var records: [UInt64: [UInt8]] = [:]
  var lost: [Range<UInt64>] = []
  var reasons: Set<LossReason> = []
  var last: UInt64 = 0

  /// Takes everything of one lane; `fault` names what must never happen.
  static func drain(_ spool: Spool, _ lane: Lane, after mark: UInt64 = 0) -> (Drained, fault: String?) {
    var drained = Drained()
    drained.last = mark
    while let item = spool.next(lane, budgetBytes: .max, nowNs: 0) {
      if item.firstSequence != drained.last + 1 { return (drained, "\(item.firstSequence) after \(drained.last)") }
      if item.lastSequence < item.firstSequence { return (drained, "empty item at \(item.firstSequence)") }
      drained.last = item.lastSequence
      switch item.content {
      case .encoded(let payload): drained.records[item.firstSequence] = payload
      case .gap(let losses):
        drained.lost += losses.map { $0.from..<$0.to }
        drained.reasons.formUnion(losses.map(\.reason))
      }
    }
    return (drained, nil)
  }

  func isLost(_ sequence: UInt64) -> Bool { lost.contains { $0.contains(sequence) } }
}
