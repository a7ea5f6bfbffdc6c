internal import CLinux

/// A POSIX thread that runs one closure. Blocking work and each event loop have their own.
package final class LoopThread: Sendable {
  private let id: UInt64

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// - Parameter name: at most 15 bytes, shown by ps and top.
  package init(_ name: String, _ run: @escaping @Sendable () -> Void) throws(LoopError) {
    var id: UInt64 = 0
    // Retained once here, released once by the thread that takes it.
    let body = unsafe Unmanaged.passRetained(Body(run))
    let result = unsafe sbx_thread_start(
      { argument in
        unsafe Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, body.toOpaque(), name, &id)
    if result != 0 {
      unsafe body.release()
      throw .last("start thread \(name)")
    }
    self.id = id
  }

  /// Waits until the closure has returned. Call exactly once.
  package func join() { _ = sbx_thread_join(id) }
}

package enum ProcessMemory {
  /// malloc_trim(3): gives freed memory back. Worth it when many connections have closed.
  package static func trim() { sbx_trim_memory() }
  /// madvise(2), MADV_DONTNEED, on the read-only segments of the program and its libraries: what only the start or a rare event needed is
  /// no longer held by this process. Cost: a minor fault for each 64 KiB that are used again.
  package static func releaseCode() { sbx_release_code() }
}
