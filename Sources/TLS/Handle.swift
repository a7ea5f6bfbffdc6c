internal import COpenSSL

/// Owns one OpenSSL object and frees it with the function that belongs to its type.
@safe struct Handle: ~Copyable {
  /// Valid for this value's life; callers must not keep it longer, or hand it to a call that takes it over.
  let raw: OpaquePointer
  private let release: (OpaquePointer) -> Void

  /// - Parameter raw: what the creating call returned; nil is its failure.
  static func own(
    _ raw: OpaquePointer?, _ operation: String, _ code: IdentityError.Code = .openSSL,
    _ release: @escaping (OpaquePointer) -> Void
  ) throws(IdentityError) -> Handle {
    guard let raw = unsafe raw else { throw .openSSL(operation, code) }
    return unsafe Handle(raw: raw, release: release)
  }

  private init(raw: OpaquePointer, release: @escaping (OpaquePointer) -> Void) {
    unsafe self.raw = raw
    unsafe self.release = release
  }

  deinit { unsafe release(raw) }
}

/// DER in and out of OpenSSL.
enum DER {
  typealias Decoder = (UnsafeMutablePointer<UnsafePointer<UInt8>?>, Int) -> OpaquePointer?
  typealias Encoder = (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>) -> Int32

  /// Decodes one object that must fill `bytes` exactly.
  /// - Throws: `.malformed`.
  static func decode(
    _ bytes: [UInt8], _ operation: String, release: @escaping (OpaquePointer) -> Void, with decoder: Decoder
  ) throws(IdentityError) -> Handle {
    ERR_clear_error()
    var isWhole = false
    let object = unsafe bytes.withUnsafeBufferPointer { memory in
      // The decoder moves `cursor` inside `memory` and copies what it keeps.
      var cursor = memory.baseAddress
      let object = unsafe decoder(&cursor, memory.count)
      isWhole = unsafe cursor == memory.baseAddress.map { unsafe $0 + memory.count }
      return unsafe object
    }
    let handle = unsafe try Handle.own(object, operation, .malformed, release)
    guard isWhole else { throw IdentityError(.malformed, "cannot \(operation): more bytes behind it") }
    return handle
  }

  /// The bytes that an i2d function writes into memory of its own, which is freed here.
  static func encode(_ operation: String, with encoder: Encoder) throws(IdentityError) -> [UInt8] {
    var memory: UnsafeMutablePointer<UInt8>?
    let count = unsafe encoder(&memory)
    guard count > 0, let memory = unsafe memory else { throw .openSSL(operation) }
    defer { unsafe sbx_openssl_free(memory) }
    // `memory` holds `count` bytes.
    return unsafe [UInt8](UnsafeBufferPointer(start: memory, count: Int(count)))
  }
}
