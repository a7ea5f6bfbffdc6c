internal import Files

/// /proc/PID/stat; proc_pid_stat(5).
struct ProcessReading: Equatable {
  var name = ""
  var state = ""
  /// Of user and system, in hundredths of a second: USER_HZ is 100 on every architecture of Linux that this runs on.
  var cpuTicks: UInt64 = 0
  var threads: UInt64 = 0
  /// Hundredths of a second after the start of the kernel.
  var startTicks: UInt64 = 0
  var residentPages: UInt64 = 0
  var parent: UInt64 = 0
  /// wait(2) status of a zombie; 0 where the reader may not know it.
  var waitStatus: Int32 = 0

  /// It is a zombie, or gone a moment later. A first thread that has ended is one too, while the others go on.
  var hasEnded: Bool { (state == "Z" || state == "X") && threads <= 1 }

  static let ticksPerSecond = 100.0

  static func read(_ text: Span<UInt8>) -> ProcessReading? {
    // The name may hold blanks and parentheses itself: it ends at the last one.
    guard let open = ProcText.find([UInt8(ascii: "(")], text, in: 0..<text.count), let close = last(text, after: open)
    else { return nil }
    var reading = ProcessReading()
    reading.name = ProcText.string(text, (open + 1)..<close)
    var cursor = ProcCursor(at: close + 1)
    let state = cursor.field(text)
    guard state.count == 1 else { return nil }
    reading.state = ProcText.string(text, state)
    guard let parent = cursor.number(text) else { return nil }
    cursor.skipFields(9, text)
    guard let user = cursor.number(text), let system = cursor.number(text) else { return nil }
    cursor.skipFields(4, text)
    guard let threads = cursor.number(text), cursor.number(text) != nil, let start = cursor.number(text),
      cursor.number(text) != nil, let resident = cursor.number(text)
    else { return nil }
    reading.cpuTicks = user + system
    reading.threads = threads
    reading.startTicks = start
    reading.residentPages = resident
    reading.parent = parent
    if reading.hasEnded {
      cursor.skipFields(27, text)
      reading.waitStatus = Int32(clamping: cursor.number(text) ?? 0)
    }
    return reading
  }

  private static func last(_ text: Span<UInt8>, after open: Int) -> Int? {
    var index = text.count - 1
    while index > open {
      if text[index] == UInt8(ascii: ")") { return index }
      index -= 1
    }
    return nil
  }
}

/// /proc/PID/io; proc_pid_io(5): bytes that went to and came from block devices. Only the process's own user may read it.
struct ProcessIO: Equatable {
  var readBytes: UInt64 = 0
  var writtenBytes: UInt64 = 0

  private static let readWord = Array("read_bytes:".utf8)
  private static let writeWord = Array("write_bytes:".utf8)

  static func read(_ text: Span<UInt8>) -> ProcessIO? {
    var cursor = ProcCursor()
    var read: UInt64?
    var written: UInt64?
    repeat {
      if cursor.skip(readWord, text) {
        read = cursor.number(text)
      } else if cursor.skip(writeWord, text) {
        written = cursor.number(text)
      }
    } while cursor.nextLine(text)
    guard let read, let written else { return nil }
    return ProcessIO(readBytes: read, writtenBytes: written)
  }
}

/// /proc/PID/cgroup; cgroups(7): the path in the unified hierarchy, or under version 1 the one that limits memory.
enum ControlGroup {
  private static let memory = Array("memory".utf8)

  static func read(_ text: Span<UInt8>) -> String {
    var unified = ""
    var limited = ""
    var cursor = ProcCursor()
    repeat {
      let line = cursor.restOfLine(text)
      guard let first = ProcText.find(colon, text, in: line),
        let second = ProcText.find(colon, text, in: (first + 1)..<line.upperBound)
      else { continue }
      let path = ProcText.string(text, (second + 1)..<line.upperBound)
      if second == first + 1 {
        unified = path
      } else if ProcText.find(memory, text, in: (first + 1)..<second) != nil {
        limited = path
      }
    } while cursor.nextLine(text)
    return unified.isEmpty || unified == "/" ? (limited.isEmpty ? unified : limited) : unified
  }

  private static let colon = [UInt8(ascii: ":")]
}

/// /etc/passwd; passwd(5): names of users, read once.
struct UserNames {
  private var names: [UInt32: String] = [:]

  init(root: String) {
    guard let bytes = try? HostFiles.read(root + "/etc/passwd") else { return }
    for line in bytes.split(separator: 0x0A) {
      let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      guard fields.count > 2, let id = UInt32(String(decoding: fields[2], as: UTF8.self)) else { continue }
      names[id] = String(decoding: fields[0].prefix(SamplingLimits.textBytesMax), as: UTF8.self)
    }
  }

  /// The number where no user has it, as in a container.
  func name(_ id: UInt32) -> String { names[id] ?? "\(id)" }
}
