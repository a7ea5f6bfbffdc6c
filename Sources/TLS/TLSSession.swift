internal import COpenSSL
internal import Files
internal import Glibc

package enum TLSProgress: Sendable, Equatable {
  case bytes(Int)
  case wantRead
  case wantWrite
  /// The peer has ended its side.
  case closed
  /// Only dropping the session is allowed after this.
  case failed(TLSError)
}

/// One TLS connection on a non-blocking socket. The socket stays the caller's and must outlive it.
@safe package struct TLSSession: ~Copyable {
  private let raw: OpaquePointer
  // Callbacks of OpenSSL reach the context without holding it.
  private let context: TLSContext

  private init(adopting raw: OpaquePointer, _ context: TLSContext) {
    unsafe self.raw = raw
    self.context = context
  }

  deinit { unsafe SSL_free(raw) }

  /// - Parameter descriptor: of a connected socket, or one that is about to be.
  package static func make(_ context: TLSContext, descriptor: Int32) throws(TLSError) -> TLSSession {
    ErrorQueue.clear()
    guard let ssl = unsafe SSL_new(context.raw) else { throw ErrorQueue.take("session") }
    let session = unsafe TLSSession(adopting: ssl, context)
    guard unsafe SSL_set_fd(ssl, descriptor) == 1 else { throw ErrorQueue.take("session") }
    switch context.role {
    case .server: unsafe SSL_set_accept_state(ssl)
    case .client(let name):
      unsafe SSL_set_connect_state(ssl)
      if case .host(let host) = name { try session.expect(host) }
    }
    return session
  }

  private borrowing func expect(_ host: String) throws(TLSError) {
    if unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(raw), host) == 1 { return }
    ErrorQueue.clear()
    guard unsafe SSL_set1_host(raw, host) == 1, unsafe sbx_ssl_set_server_name(raw, host) == 1 else {
      throw ErrorQueue.take("the host name \(host) cannot be used")
    }
  }

  /// `.bytes(0)` once it is done. A client is done before the server has looked at its certificate.
  package mutating func handshake() -> TLSProgress {
    ErrorQueue.clear()
    let result = unsafe SSL_do_handshake(raw)
    let progress = classify(result)
    if case .bytes = progress { return isHTTP2 ? .bytes(0) : .failed(.refused(.noApplicationProtocol)) }
    return progress
  }

  /// Decrypts into `buffer`, from its start.
  package mutating func read(into buffer: inout MutableSpan<UInt8>) -> TLSProgress {
    ErrorQueue.clear()
    // The buffer's memory lives for the call.
    let result = unsafe buffer.withUnsafeMutableBufferPointer { memory in
      unsafe SSL_read(raw, memory.baseAddress, Int32(clamping: memory.count))
    }
    return classify(result)
  }

  /// Encrypts and writes what the socket takes. What it refuses may be offered again from another buffer.
  package mutating func write(_ bytes: borrowing Span<UInt8>) -> TLSProgress {
    ErrorQueue.clear()
    let result = unsafe bytes.withUnsafeBufferPointer { memory in
      unsafe SSL_write(raw, memory.baseAddress, Int32(clamping: memory.count))
    }
    return classify(result)
  }

  /// Bytes have been taken off the socket that `read` has not handed out: epoll does not see those.
  package var hasPending: Bool { unsafe SSL_has_pending(raw) == 1 }

  /// Sends close_notify; not after a failure.
  package mutating func shutdown() {
    ErrorQueue.clear()
    _ = unsafe SSL_shutdown(raw)
    ErrorQueue.clear()
  }

  /// The verified peer; `nil` where it has shown no certificate.
  package var peer: TLSPeer? {
    guard let certificate = unsafe SSL_get1_peer_certificate(raw) else { return nil }
    defer { unsafe X509_free(certificate) }
    return unsafe TLSPeer(certificate, nowSeconds: Clock.wallNs() / 1_000_000_000)
  }

  private var isHTTP2: Bool {
    var name: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    // The name belongs to the session.
    unsafe SSL_get0_alpn_selected(raw, &name, &count)
    guard count == 2, let name = unsafe name else { return false }
    return unsafe name[0] == 0x68 && name[1] == 0x32
  }

  private func classify(_ result: Int32) -> TLSProgress {
    if result > 0 { return .bytes(Int(result)) }
    let systemCode = errno
    switch unsafe SSL_get_error(raw, result) {
    case SSL_ERROR_WANT_READ: return .wantRead
    case SSL_ERROR_WANT_WRITE: return .wantWrite
    case SSL_ERROR_ZERO_RETURN: return .closed
    case SSL_ERROR_SYSCALL: return .failed(.connection(code: systemCode))
    default: return .failed(failure())
    }
  }

  private func failure() -> TLSError {
    if let alert = ErrorQueue.alert() {
      ErrorQueue.clear()
      return .refused(alert)
    }
    let code = unsafe SSL_get_verify_result(raw)
    if code != Int(X509_V_OK) {
      ErrorQueue.clear()
      // A static string of the library.
      return unsafe .certificate(code: code, text: String(cString: X509_verify_cert_error_string(code)))
    }
    return .protocolFailure(ErrorQueue.describe())
  }
}
