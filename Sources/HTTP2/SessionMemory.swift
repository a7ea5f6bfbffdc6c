internal import CNGHTTP2
internal import Glibc

/// Memory for one libnghttp2 session.
///
/// Each session takes a buffer of 16 KiB for the frame that it writes, and most frames are acks of a few bytes. From
/// malloc that buffer is often memory that others have touched, and stays resident; a mapping of its own is resident only as far
/// as frames were long (nghttp2's `nghttp2_mem`).
/// Isolation: that of its session.
@safe final class SessionMemory {
  private static let largeBytes = 16 << 10
  @safe private struct Mapping {
    let base: UnsafeMutableRawPointer
    let bytes: Int
  }

  /// At most a handful.
  private var mappings: [Mapping] = []

  deinit {
    for index in mappings.indices { _ = unsafe munmap(mappings[index].base, mappings[index].bytes) }
  }

  /// What libnghttp2 copies; valid while this object lives.
  func callbacks() -> nghttp2_mem {
    unsafe nghttp2_mem(
      mem_user_data: Unmanaged.passUnretained(self).toOpaque(),
      malloc: { bytes, user in unsafe SessionMemory.of(user).allocate(bytes) },
      free: { pointer, user in unsafe SessionMemory.of(user).release(pointer) },
      calloc: { count, bytes, user in unsafe SessionMemory.of(user).allocateZeroed(count, bytes) },
      realloc: { pointer, bytes, user in unsafe SessionMemory.of(user).resize(pointer, bytes) })
  }

  private static func of(_ user: UnsafeMutableRawPointer?) -> SessionMemory {
    // Its session holds it until libnghttp2's object is gone.
    unsafe Unmanaged<SessionMemory>.fromOpaque(user!).takeUnretainedValue()
  }

  private func allocate(_ bytes: Int) -> UnsafeMutableRawPointer? {
    if bytes < Self.largeBytes { return unsafe malloc(bytes) }
    let base = unsafe mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let base = unsafe base, unsafe base != MAP_FAILED else { return nil }
    unsafe mappings.append(Mapping(base: base, bytes: bytes))
    return unsafe base
  }

  private func allocateZeroed(_ count: Int, _ bytes: Int) -> UnsafeMutableRawPointer? {
    let (total, overflows) = count.multipliedReportingOverflow(by: bytes)
    if overflows { return nil }
    // A mapping is zero by itself.
    return total < Self.largeBytes ? unsafe calloc(count, bytes) : unsafe allocate(total)
  }

  private func release(_ pointer: UnsafeMutableRawPointer?) {
    guard let pointer = unsafe pointer else { return }
    guard let index = unsafe mapping(at: pointer) else { return unsafe free(pointer) }
    let mapping = mappings.remove(at: index)
    _ = unsafe munmap(mapping.base, mapping.bytes)
  }

  private func resize(_ pointer: UnsafeMutableRawPointer?, _ bytes: Int) -> UnsafeMutableRawPointer? {
    guard let pointer = unsafe pointer else { return unsafe allocate(bytes) }
    guard let index = unsafe mapping(at: pointer) else { return unsafe realloc(pointer, bytes) }
    let held = mappings[index].bytes
    guard let moved = unsafe allocate(bytes) else { return nil }
    unsafe moved.copyMemory(from: pointer, byteCount: min(held, bytes))
    unsafe release(pointer)
    return unsafe moved
  }

  private func mapping(at pointer: UnsafeMutableRawPointer) -> Int? {
    mappings.firstIndex { unsafe $0.base == pointer }
  }
}
