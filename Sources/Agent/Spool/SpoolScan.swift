internal import FleetModel

/// What a start found of one lane.
struct FoundLane {
  let lane: Lane
  var segments: [Segment] = []
  /// Last sequence known to have been used; 0 where there is none.
  var last: UInt64 = 0
  /// Numbers up to here may have been sent by earlier starts; what the collector has beyond is another agent's.
  var knownThrough: UInt64 = 0
  /// What may be missing behind `last`.
  var loss: LossRange?
  /// A segment older than all of `segments` could not be read.
  var hasDamagedHead = false
}

/// Finds out what a spool directory holds. Damage never stops it: it reads every segment's header and the newest
/// segment of each lane; the others are checked as they are sent.
struct SpoolScan {
  private(set) var spool: SpoolID?
  private(set) var lanes: [FoundLane] = Lane.allCases.map { FoundLane(lane: $0) }
  /// Segments whose header cannot be read, or of another spool.
  private(set) var unusable: [SegmentName] = []
  /// The largest sequence in a segment's name, readable or not.
  private(set) var highestName: UInt64 = 0
  private let disk: any SpoolDisk
  private let limits: SpoolLimits

  init(_ disk: any SpoolDisk, boot: BootID, limits: SpoolLimits) {
    self.disk = disk
    self.limits = limits
    let names = Self.list(disk).compactMap { SegmentName($0) }
    var found: [(name: SegmentName, segment: Segment)] = []
    for name in names {
      highestName = max(highestName, name.first)
      if let segment = readHeader(name) { found.append((name, segment)) } else { unusable.append(name) }
    }
    spool = Self.mostFrequent(found.map { $0.segment.header.spool })
    unusable += found.filter { $0.segment.header.spool != spool }.map(\.name)
    found.removeAll { $0.segment.header.spool != spool }
    found.sort { ($0.segment.first, $0.name.attempt) < ($1.segment.first, $1.name.attempt) }
    for lane in Lane.allCases {
      take(lane, found.map(\.segment).filter { $0.header.lane == lane }, boot: boot)
    }
  }

  /// A directory that cannot be listed would look like a new spool: it is asked more than once.
  private static func list(_ disk: any SpoolDisk) -> [String] {
    for _ in 0..<3 {
      if let names = try? disk.list() { return names }
    }
    return []
  }

  private static func mostFrequent(_ ids: [SpoolID]) -> SpoolID? {
    var counts: [SpoolID: Int] = [:]
    for id in ids { counts[id, default: 0] += 1 }
    return counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key
  }

  private func readHeader(_ name: SegmentName) -> Segment? {
    guard let size = try? disk.size(of: name.text),
      let bytes = try? disk.read(name.text, at: 0, count: SegmentHeader.byteCount),
      let header = SegmentHeader(bytes), header.lane == name.lane, header.first == name.first
    else { return nil }
    return Segment(name: name.text, header: header, last: header.first - 1, bytes: size, syncedBytes: size)
  }

  private mutating func take(_ lane: Lane, _ segments: [Segment], boot: BootID) {
    var found = FoundLane(lane: lane)
    found.segments = segments
    for index in segments.indices.dropLast() {
      // The next header holds how far this one goes; that it does is checked when it is sent.
      found.segments[index].last = max(segments[index].first - 1, segments[index + 1].header.previousLast)
    }
    if let newest = segments.last { scanNewest(newest, boot: boot, into: &found) }
    noteUnusable(lane, into: &found)
    found.knownThrough = max(found.knownThrough, (found.loss?.to ?? 1) - 1)
    lanes[Int(lane.rawValue)] = found
  }

  /// Reads the newest segment to its end: the last sequence in it, and what may have followed.
  private func scanNewest(_ segment: Segment, boot: BootID, into found: inout FoundLane) {
    var last = segment.first - 1
    var reserved = segment.header.reserved
    var isClosed = false
    var reader = SegmentReader(name: segment.name, header: segment.header)
    while case .record(let kind, let sequence, _) = reader.next(disk, endOffset: segment.bytes, limits: limits) {
      isClosed = kind == .closed
      if kind == .reservation { reserved = max(reserved, sequence) }
      if kind == .data {
        guard sequence == last + 1 else { break }
        last = sequence
      }
    }
    let end = reader.offset
    found.segments[found.segments.count - 1].last = last
    found.segments[found.segments.count - 1].bytes = end
    found.last = max(last, segment.header.previousLast)
    found.knownThrough = max(found.last, reserved)
    if isClosed && end == segment.bytes { return }
    // Within one boot the kernel still has every byte that was written, and only whole records were sent.
    var through = segment.header.boot == boot ? last : max(last, reserved)
    if end < segment.bytes {
      let isSameBoot = segment.header.boot == boot
      let newest = found.segments[found.segments.count - 1]
      through = max(through, highestBehind(end, of: newest, fileBytes: segment.bytes, isSameBoot: isSameBoot))
    }
    if through <= last { return }
    found.loss = LossRange(from: last + 1, to: through + 1, reason: .spoolDamaged, isEstimate: true)
  }

  /// Looks for whole records behind the first bad byte, only to know how far the numbers went.
  ///
  /// A record that breaks off at the file's end was being written when this boot's process before was killed: it was never
  /// sent, and is no more of a loss than the samples that were not taken while none ran.
  private func highestBehind(_ end: UInt64, of segment: Segment, fileBytes: UInt64, isSameBoot: Bool) -> UInt64 {
    var highest = segment.last + 1
    let count = Int(min(fileBytes - end, limits.segmentBytes + UInt64(limits.recordBytesMax)))
    guard let rest = try? disk.read(segment.name, at: end, count: count) else { return highest }
    let seed = segment.header.recordSeed
    if isSameBoot, isTorn(rest, seed: seed) { highest = segment.last }
    var position = 0
    while position + SegmentRecord.headerBytes <= rest.count {
      if case .record(let found) = SegmentRecord.parse(
        rest, at: position, seed: seed, payloadMax: limits.recordBytesMax)
      {
        highest = max(highest, found.sequence)
        position = found.payload.upperBound
      } else {
        position += 1
      }
    }
    return highest
  }

  /// Whether `bytes` are the beginning of a record, and not a whole one whose length is wrong.
  private func isTorn(_ bytes: [UInt8], seed: Checksum) -> Bool {
    guard case .needs = SegmentRecord.parse(bytes, at: 0, seed: seed, payloadMax: limits.recordBytesMax) else {
      return false
    }
    guard bytes.count >= SegmentRecord.headerBytes else { return true }
    let whole = SegmentRecord.withLength(bytes.count - SegmentRecord.headerBytes, bytes)
    if case .record = SegmentRecord.parse(whole, at: 0, seed: seed, payloadMax: limits.recordBytesMax) { return false }
    return true
  }

  /// A segment without a readable header: its name holds its position, its size how much it can have held.
  private func noteUnusable(_ lane: Lane, into found: inout FoundLane) {
    for name in unusable where name.lane == lane {
      if let oldest = found.segments.first, name.first < oldest.first {
        found.hasDamagedHead = true
      } else if name.first > found.last {
        let bytes = (try? disk.size(of: name.text)) ?? limits.segmentBytes
        // Its header goes to the disk before any record: the process was killed while it began this one.
        if bytes < UInt64(SegmentHeader.byteCount) { continue }
        let through = name.first + bytes / UInt64(SegmentRecord.headerBytes)
        let from = found.loss?.from ?? found.last + 1
        found.loss = LossRange(
          from: from, to: max(through + 1, found.loss?.to ?? 0), reason: .spoolDamaged, isEstimate: true)
      }
    }
  }
}

/// `live-<first sequence, 16 hex digits>-<attempt, 2 hex digits>.segment`
struct SegmentName: Equatable {
  static let suffix = ".segment"
  static let setAsideSuffix = ".damaged"
  let lane: Lane
  let first: UInt64
  /// 0; more where a file of that name could not be removed.
  let attempt: UInt8
  let text: String

  init(lane: Lane, first: UInt64, attempt: UInt8) {
    self.lane = lane
    self.first = first
    self.attempt = attempt
    let digits = String(first, radix: 16)
    let padded = String(repeating: "0", count: 16 - digits.count) + digits
    text = "\(lane == .live ? "live" : "backfill")-\(padded)-\(Hex.text(attempt))\(Self.suffix)"
  }

  init?(_ text: String) {
    guard text.hasSuffix(Self.suffix) else { return nil }
    let parts = text.dropLast(Self.suffix.utf8.count).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[1].utf8.count == 16, parts[2].utf8.count == 2,
      let first = UInt64(parts[1], radix: 16), let attempt = UInt8(parts[2], radix: 16), first > 0, first < 1 << 62
    else { return nil }
    switch parts[0] {
    case "live": lane = .live
    case "backfill": lane = .backfill
    default: return nil
    }
    self.first = first
    self.attempt = attempt
    self.text = text
  }
}
