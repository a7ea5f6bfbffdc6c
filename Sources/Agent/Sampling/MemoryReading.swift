internal import FleetModel

/// /proc/meminfo; proc_meminfo(5), all in bytes.
struct MemoryReading: Equatable {
  var total: UInt64 = 0
  var free: UInt64 = 0
  /// nil before Linux 3.14.
  var available: UInt64?
  var buffers: UInt64 = 0
  var cached: UInt64 = 0
  var dirty: UInt64 = 0
  var shared: UInt64 = 0
  var swapTotal: UInt64 = 0
  var swapFree: UInt64 = 0

  private enum Word {
    static let total = Array("MemTotal:".utf8)
    static let free = Array("MemFree:".utf8)
    static let available = Array("MemAvailable:".utf8)
    static let buffers = Array("Buffers:".utf8)
    static let cached = Array("Cached:".utf8)
    static let dirty = Array("Dirty:".utf8)
    static let shared = Array("Shmem:".utf8)
    static let swapTotal = Array("SwapTotal:".utf8)
    static let swapFree = Array("SwapFree:".utf8)
  }

  static func read(_ text: Span<UInt8>) -> MemoryReading {
    var reading = MemoryReading()
    var cursor = ProcCursor()
    repeat { reading.readLine(text, &cursor) } while cursor.nextLine(text)
    return reading
  }

  private mutating func readLine(_ text: Span<UInt8>, _ cursor: inout ProcCursor) {
    guard cursor.at < text.count else { return }
    switch text[cursor.at] {
    case UInt8(ascii: "M"):
      if cursor.skip(Word.available, text) {
        available = kibibytes(text, &cursor)
      } else if cursor.skip(Word.total, text) {
        total = kibibytes(text, &cursor) ?? 0
      } else if cursor.skip(Word.free, text) {
        free = kibibytes(text, &cursor) ?? 0
      }
    case UInt8(ascii: "B"):
      if cursor.skip(Word.buffers, text) { buffers = kibibytes(text, &cursor) ?? 0 }
    case UInt8(ascii: "C"):
      if cursor.skip(Word.cached, text) { cached = kibibytes(text, &cursor) ?? 0 }
    case UInt8(ascii: "D"):
      if cursor.skip(Word.dirty, text) { dirty = kibibytes(text, &cursor) ?? 0 }
    case UInt8(ascii: "S"): readSwapOrShared(text, &cursor)
    default: break
    }
  }

  private mutating func readSwapOrShared(_ text: Span<UInt8>, _ cursor: inout ProcCursor) {
    if cursor.skip(Word.swapTotal, text) {
      swapTotal = kibibytes(text, &cursor) ?? 0
    } else if cursor.skip(Word.swapFree, text) {
      swapFree = kibibytes(text, &cursor) ?? 0
    } else if cursor.skip(Word.shared, text) {
      shared = kibibytes(text, &cursor) ?? 0
    }
  }

  private func kibibytes(_ text: Span<UInt8>, _ cursor: inout ProcCursor) -> UInt64? {
    cursor.number(text).map { min($0, SamplingLimits.counterMax >> 10) << 10 }
  }

  func fill(_ sample: inout HostSample) {
    sample.memoryTotalBytes = total
    // Where the kernel does not report it, what it could give back at once.
    sample.memoryAvailableBytes = min(total, available ?? free + buffers + cached)
    sample.memoryCachedBytes = cached
    sample.memoryDirtyBytes = dirty
    sample.memorySharedBytes = shared
    sample.swapTotalBytes = swapTotal
    sample.swapUsedBytes = swapTotal > swapFree ? swapTotal - swapFree : 0
  }
}

/// What is needed of /proc/vmstat.
struct PagingReading: Equatable {
  /// Pages since boot; nil on kernels without swap.
  var swapIn: UInt64?
  var swapOut: UInt64?
  /// nil before Linux 4.13.
  var oomKills: UInt64?

  private static let swapInWord = Array("pswpin ".utf8)
  private static let swapOutWord = Array("pswpout ".utf8)
  private static let oomWord = Array("oom_kill ".utf8)

  static func read(_ text: Span<UInt8>) -> PagingReading {
    var reading = PagingReading()
    var cursor = ProcCursor()
    repeat {
      if cursor.skip(swapInWord, text) {
        reading.swapIn = cursor.number(text)
      } else if cursor.skip(swapOutWord, text) {
        reading.swapOut = cursor.number(text)
      } else if cursor.skip(oomWord, text) {
        reading.oomKills = cursor.number(text)
      }
    } while cursor.nextLine(text)
    return reading
  }

  func fill(_ sample: inout HostSample, since before: PagingReading, seconds: Double, pageSizeBytes: UInt64) {
    sample.oomKillsTotal = oomKills ?? 0
    if let now = swapIn, let then = before.swapIn {
      sample.swapInBytesPerSecond = counterRate(now, then, seconds: seconds) * Float(pageSizeBytes)
    }
    if let now = swapOut, let then = before.swapOut {
      sample.swapOutBytesPerSecond = counterRate(now, then, seconds: seconds) * Float(pageSizeBytes)
    }
  }
}
