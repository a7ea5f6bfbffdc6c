internal import Agent
internal import Files

/// A spool's directory that can lose power: what was not synced is then gone, torn, zero or still there.
final class SimulatedDisk: SpoolDisk {
  private final class File {
    var data: [UInt8] = []
    var syncedBytes = 0

    func copy() -> File {
      let other = File()
      other.data = data
      other.syncedBytes = syncedBytes
      return other
    }
  }

  private var names: [String: File] = [:]
  /// The directory as its last sync left it.
  private var durableNames: [String: File] = [:]
  private var random: SeededRandom
  /// Bytes that fit.
  var capacity: UInt64 = .max
  /// Of each call that can fail.
  var failureRatio = 0.0
  private var used: UInt64 = 0

  init(random: SeededRandom) {
    self.random = random
  }

  func list() throws(FileError) -> [String] {
    // Order is the file system's business; here it is the same for the same seed.
    names.keys.sorted().reversed()
  }

  func size(of name: String) throws(FileError) -> UInt64 { UInt64(try file(name).data.count) }

  func read(_ name: String, at offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
    let data = try file(name).data
    let start = min(Int(offset), data.count)
    return Array(data[start..<min(start + count, data.count)])
  }

  func append(_ bytes: [UInt8], to name: String) throws(FileError) {
    let file: File
    if let known = names[name] {
      file = known
    } else {
      file = File()
      names[name] = file
    }
    let room = capacity - min(capacity, used)
    let fits = UInt64(bytes.count) <= room
    if fits, !fails() {
      file.data.append(contentsOf: bytes)
      used += UInt64(bytes.count)
      return
    }
    let part = bytes.prefix(random.within(0...min(bytes.count, Int(min(room, 1 << 30)))))
    file.data.append(contentsOf: part)
    used += UInt64(part.count)
    throw FileError("write", name, code: fits ? 5 : 28)
  }

  func sync(_ name: String) throws(FileError) {
    let file = try file(name)
    if fails() { throw FileError("sync", name, code: 5) }
    file.syncedBytes = file.data.count
  }

  func syncDirectory() throws(FileError) {
    if fails() { throw FileError("sync", "spool", code: 5) }
    durableNames = names
  }

  func rename(_ name: String, to newName: String) throws(FileError) {
    let file = try file(name)
    names[name] = nil
    names[newName] = file
  }

  func remove(_ name: String) throws(FileError) {
    used -= min(used, UInt64(try file(name).data.count))
    names[name] = nil
  }

  func freeBytes() throws(FileError) -> UInt64 { capacity - min(capacity, used) }

  private func file(_ name: String) throws(FileError) -> File {
    guard let file = names[name] else { throw FileError("open", name, code: 2) }
    return file
  }

  private func fails() -> Bool { failureRatio > 0 && random.chance(failureRatio) }

  // MARK: Faults

  /// What is left when the power comes back.
  func cutPower() {
    var left: [String: File] = [:]
    for name in Set(names.keys).union(durableNames.keys).sorted() {
      let isNow = names[name] != nil
      let wasDurable = durableNames[name] != nil
      // A name made or removed since the directory was synced may or may not have reached the disk.
      guard isNow == wasDurable || random.chance(0.5) else { continue }
      guard let file = names[name] ?? durableNames[name] else { continue }
      left[name] = torn(file)
    }
    names = left
    durableNames = left
    used = left.values.reduce(0) { $0 + UInt64($1.data.count) }
  }

  private func torn(_ file: File) -> File {
    let kept = File()
    let unsynced = file.data.count - file.syncedBytes
    let cut = file.syncedBytes + (unsynced > 0 ? random.within(0...unsynced) : 0)
    switch random.within(0...3) {
    case 0: kept.data = file.data
    case 1: kept.data = Array(file.data[..<cut])
    case 2: kept.data = Array(file.data[..<cut]) + [UInt8](repeating: 0, count: file.data.count - cut)
    default:
      // A block in the middle never reached the disk, a later one did.
      kept.data = file.data
      for index in cut..<min(file.data.count, cut + random.within(1...64)) { kept.data[index] = 0 }
    }
    kept.syncedBytes = kept.data.count
    return kept
  }

  /// The same files on another machine.
  func cloned(random: SeededRandom) -> SimulatedDisk {
    let other = SimulatedDisk(random: random)
    other.names = names.mapValues { $0.copy() }
    other.durableNames = other.names
    other.used = used
    return other
  }
}
