internal import COpenSSL
internal import Glibc

/// TLS as a probe speaks it: with any server, without verifying it, because only what the server shows is of interest and no secret
/// is ever sent. Blocks with its descriptor.
///
/// Source: man SSL_connect(3), SSL_get1_peer_certificate(3). Versions are those of OpenSSL's own configuration.
@safe package struct TLSProbe: ~Copyable {
  private let raw: OpaquePointer

  private init(adopting raw: OpaquePointer) { unsafe self.raw = raw }

  /// - Parameters:
  ///   - descriptor: a connected socket that blocks; it stays the caller's.
  ///   - host: the server's name; a numeric address is not sent.
  /// - Throws: where there is no handshake.
  package static func connect(descriptor: Int32, host: String) throws(TLSError) -> TLSProbe {
    ErrorQueue.clear()
    guard let context = unsafe SSL_CTX_new(TLS_client_method()) else { throw ErrorQueue.take("context") }
    // The session keeps the context.
    defer { unsafe SSL_CTX_free(context) }
    unsafe SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
    guard let ssl = unsafe SSL_new(context) else { throw ErrorQueue.take("session") }
    let probe = unsafe TLSProbe(adopting: ssl)
    guard unsafe SSL_set_fd(ssl, descriptor) == 1 else { throw ErrorQueue.take("session") }
    let isName = host.contains { $0.isLetter } && !host.contains(":")
    if isName, unsafe sbx_ssl_set_server_name(ssl, host) != 1 { throw ErrorQueue.take("the host name \(host)") }
    let result = unsafe SSL_connect(ssl)
    if result == 1 { return probe }
    let code = errno
    guard unsafe SSL_get_error(ssl, result) == SSL_ERROR_SYSCALL else { throw ErrorQueue.take("handshake") }
    throw .connection(code: code)
  }

  deinit { unsafe SSL_free(raw) }

  /// The server's own certificate.
  package var certificate: Certificate? {
    guard let shown = unsafe SSL_get1_peer_certificate(raw) else { return nil }
    defer { unsafe X509_free(shown) }
    guard let der = try? unsafe DER.encode("read a certificate", with: { unsafe i2d_X509(shown, $0) }) else {
      return nil
    }
    return try? Certificate(der: der)
  }

  /// - Returns: false where the connection has ended.
  package mutating func write(_ bytes: Span<UInt8>) -> Bool {
    ErrorQueue.clear()
    // The span's memory lives for the call; a blocking SSL_write writes all.
    return unsafe bytes.withUnsafeBufferPointer { unsafe SSL_write(raw, $0.baseAddress, Int32(clamping: $0.count)) } > 0
  }

  /// - Returns: how much came, 0 at the end, whatever its reason.
  package mutating func read(into buffer: inout [UInt8]) -> Int {
    ErrorQueue.clear()
    // The buffer's memory lives for the call.
    let got = unsafe buffer.withUnsafeMutableBufferPointer {
      unsafe SSL_read(raw, $0.baseAddress, Int32(clamping: $0.count))
    }
    return max(0, Int(got))
  }
}
