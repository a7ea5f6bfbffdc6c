internal import Glibc

/// The host's clocks, in ns. Cores never read them: time reaches a core as a parameter.
package enum Clock {
  /// CLOCK_REALTIME, ns since 1970.
  package static func wallNs() -> Int64 { now(CLOCK_REALTIME) }
  /// CLOCK_MONOTONIC: for timers.
  package static func monotonicNs() -> Int64 { now(CLOCK_MONOTONIC) }
  /// CLOCK_BOOTTIME: goes on in suspend, comparable within one boot.
  package static func bootNs() -> Int64 { now(CLOCK_BOOTTIME) }

  /// CLOCK_THREAD_CPUTIME_ID: what the calling thread has used.
  package static func threadCPUNs() -> Int64 { now(CLOCK_THREAD_CPUTIME_ID) }

  private static func now(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

extension Clock {
  /// Seconds that this host's local time is ahead of UTC at `wallNs` (ns since 1970); localtime_r(3).
  package static func zoneOffsetSeconds(atWallNs wallNs: Int64) -> Int {
    var seconds = time_t(wallNs / 1_000_000_000)
    var parts = unsafe tm()
    // Both live for the call.
    return unsafe localtime_r(&seconds, &parts) == nil ? 0 : unsafe parts.tm_gmtoff
  }
}
