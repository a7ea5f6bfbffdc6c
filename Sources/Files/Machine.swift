internal import Glibc

/// Constants of this machine and what this process costs it.
package enum Machine {
  /// Logical processors that are online, at least 1.
  package static var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  /// Bytes of a memory page: 4096 on x86-64, up to 65536 on arm64.
  package static func pageSizeBytes() -> UInt64 { UInt64(max(4096, sysconf(Int32(_SC_PAGESIZE)))) }

  /// uname(2)'s machine: x86_64, aarch64….
  package static func architecture() -> String {
    var names = utsname()
    // uname ends every field with NUL inside its 65 bytes.
    guard unsafe uname(&names) == 0 else { return "" }
    return unsafe withUnsafeBytes(of: &names.machine) { field in
      unsafe String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// What the machine calls itself: sethostname(2), as proc(5) shows it; "localhost" where it has no name.
  package static func hostName() -> String {
    let bytes = (try? HostFiles.read("/proc/sys/kernel/hostname")) ?? []
    let name = String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)
    return name.isEmpty || name == "(none)" ? "localhost" : name
  }

  /// CPU time of this process, user and system, ns.
  package static func cpuNs() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// Memory of this process that is in RAM, bytes; proc(5), /proc/self/statm. 0 where it cannot be read.
  package static func residentBytes() -> UInt64 {
    let fields = ((try? HostFiles.read("/proc/self/statm")) ?? []).split(separator: UInt8(ascii: " "))
    guard fields.count > 1, let pages = UInt64(String(decoding: fields[1], as: UTF8.self)) else { return 0 }
    return pages * pageSizeBytes()
  }

  /// A variable of the environment.
  package static func environment(_ name: String) -> String? {
    // getenv's text lives until the environment changes, which nothing here does; it is copied at once.
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }
}
