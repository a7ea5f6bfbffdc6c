internal import CProtobufC

/// The memory of one decode: handed out by moving a pointer, given back at once, never more than its limit.
///
/// Why: 64 KiB of empty sub-messages become 10 MB of C structs; past the limit an allocation fails, protobuf-c then gives
/// up cleanly, and nothing has to be freed piece by piece.
@safe struct Arena: ~Copyable {
  /// At a fixed address, because protobuf-c keeps it as its allocator's data.
  @safe private struct State {
    /// Chunks are linked by a pointer in their first bytes.
    var chunk: UnsafeMutableRawPointer?
    var cursor: UnsafeMutableRawPointer?
    var left = 0
    var nextChunkBytes: Int
    var takenBytes = 0
    let limitBytes: Int
    var isExhausted = false
  }

  private let state: UnsafeMutablePointer<State>
  private static let headerBytes = 16

  /// - Parameter firstChunkBytes: taken at the first allocation; later chunks double.
  init(limitBytes: Int, firstChunkBytes: Int) {
    unsafe state = .allocate(capacity: 1)
    unsafe state.initialize(to: State(nextChunkBytes: min(firstChunkBytes, limitBytes), limitBytes: limitBytes))
  }

  deinit {
    var chunk = unsafe state.pointee.chunk
    while let current = unsafe chunk {
      unsafe chunk = current.load(as: UnsafeMutableRawPointer?.self)
      unsafe current.deallocate()
    }
    unsafe state.deallocate()
  }

  /// An allocation was refused.
  var isExhausted: Bool { unsafe state.pointee.isExhausted }
  /// Bytes taken from the system.
  var takenBytes: Int { unsafe state.pointee.takenBytes }

  /// What protobuf-c allocates by. It is valid as long as the arena.
  var allocator: ProtobufCAllocator {
    unsafe ProtobufCAllocator(
      alloc: { data, size in
        guard let data = unsafe data else { return nil }
        return unsafe Arena.allocate(data.assumingMemoryBound(to: State.self), size)
      },
      free: { _, _ in }, allocator_data: UnsafeMutableRawPointer(state))
  }

  private static func allocate(_ state: UnsafeMutablePointer<State>, _ size: Int) -> UnsafeMutableRawPointer? {
    // protobuf-c computes sizes from counts on the wire: a negative one is an overflow of its size_t.
    guard unsafe (0...state.pointee.limitBytes).contains(size) else { return unsafe refuse(state) }
    let rounded = (size + 15) & ~15
    if unsafe state.pointee.left < rounded && !grow(state, rounded) { return unsafe refuse(state) }
    let memory = unsafe state.pointee.cursor
    unsafe state.pointee.cursor = memory.map { unsafe $0 + rounded }
    unsafe state.pointee.left -= rounded
    return unsafe memory
  }

  private static func grow(_ state: UnsafeMutablePointer<State>, _ size: Int) -> Bool {
    let room = unsafe state.pointee.limitBytes - state.pointee.takenBytes
    guard size + headerBytes <= room else { return false }
    let bytes = unsafe min(max(state.pointee.nextChunkBytes, size + headerBytes), room)
    let chunk = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
    unsafe chunk.storeBytes(of: state.pointee.chunk, as: UnsafeMutableRawPointer?.self)
    unsafe state.pointee.chunk = unsafe chunk
    unsafe state.pointee.cursor = unsafe chunk + headerBytes
    unsafe state.pointee.left = bytes - headerBytes
    unsafe state.pointee.takenBytes += bytes
    unsafe state.pointee.nextChunkBytes = bytes * 2
    return true
  }

  private static func refuse(_ state: UnsafeMutablePointer<State>) -> UnsafeMutableRawPointer? {
    unsafe state.pointee.isExhausted = true
    return nil
  }
}
