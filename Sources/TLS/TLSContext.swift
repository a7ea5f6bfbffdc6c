internal import COpenSSL
internal import Files
internal import Glibc

/// A certificate chain (own certificate first) and its key, both PEM.
package struct TLSCredentials: Sendable {
  package var chainPEM: [UInt8]
  package var keyPEM: [UInt8]

  package init(chainPEM: [UInt8], keyPEM: [UInt8]) {
    self.chainPEM = chainPEM
    self.keyPEM = keyPEM
  }
}

/// Whom a side trusts. The system's authorities are never asked.
package enum TLSTrust: Sendable {
  /// Certificates of the authorities, PEM.
  case authorities(pem: [UInt8])
  /// SHA-256 of an authority's public key (SubjectPublicKeyInfo, DER): the server must send that authority in its chain.
  case pins([[UInt8]])
}

/// What the server's certificate must name.
package enum TLSServerName: Sendable {
  /// A DNS name or an IP address.
  case host(String)
  case uri(String)
  /// Any certificate for servers that the trusted authority has signed.
  case any
}

/// Settings of all connections that are made from it: TLS 1.3, ALPN h2, no tickets, no resumption.
///
/// To reload certificates, make a new one; connections keep the one they were made with.
/// Isolation: one thread. Source: man SSL_CTX_set_cert_verify_callback(3).
@safe package final class TLSContext {
  package typealias Admission = (TLSPeer) -> TLSAdmission

  package enum Role { case server, client(TLSServerName) }

  package let role: Role
  let raw: OpaquePointer
  private let admission: Admission?
  private var pins: [[UInt8]] = []

  /// - Parameters:
  ///   - admission: asked during the handshake for each certificate that the authority signed and that is valid already,
  ///     expired ones included. Without it, all but expired ones are accepted.
  package static func server(
    _ credentials: TLSCredentials, trust: [UInt8], admission: Admission? = nil
  ) throws(TLSError) -> TLSContext {
    let context = try TLSContext(.server, admission)
    try context.use(credentials)
    try context.believe(.authorities(pem: trust))
    // A peer without a certificate is let in: it may join and ask for health, no more.
    unsafe SSL_CTX_set_verify(context.raw, SSL_VERIFY_PEER, nil)
    unsafe SSL_CTX_set_alpn_select_cb(context.raw, selectHTTP2, nil)
    return context
  }

  /// - Parameter credentials: `nil` for a host that has none yet.
  package static func client(
    _ credentials: TLSCredentials?, trust: TLSTrust, server: TLSServerName
  ) throws(TLSError) -> TLSContext {
    let context = try TLSContext(.client(server), nil)
    if let credentials { try context.use(credentials) }
    try context.believe(trust)
    unsafe SSL_CTX_set_verify(context.raw, SSL_VERIFY_PEER, nil)
    // Returns 0 on success, unlike the rest of OpenSSL.
    if unsafe SSL_CTX_set_alpn_protos(context.raw, [2, 0x68, 0x32], 3) != 0 { throw ErrorQueue.take("ALPN") }
    return context
  }

  private init(_ role: Role, _ admission: Admission?) throws(TLSError) {
    ErrorQueue.clear()
    let method = if case .server = role { unsafe TLS_server_method() } else { unsafe TLS_client_method() }
    guard let made = unsafe SSL_CTX_new(method) else { throw ErrorQueue.take("context") }
    unsafe raw = made
    self.role = role
    self.admission = admission
    guard unsafe sbx_ctx_tls13_only(raw) == 1, unsafe sbx_ctx_groups(raw, "X25519:P-256") == 1 else {
      throw ErrorQueue.take("TLS 1.3")
    }
    // The session's buffers are given back while it is idle; partial writes may be repeated from another buffer.
    let mode = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
    _ = unsafe sbx_ctx_set_mode(raw, Int(mode))
    unsafe sbx_ctx_read_ahead(raw, 1)
    _ = unsafe sbx_ctx_cache_off(raw)
    unsafe SSL_CTX_set_num_tickets(raw, 0)
    unsafe SSL_CTX_set_verify_depth(raw, 2)
    // HTTP/2 frames show where a stream was cut; a missing close_notify is then an ordinary end.
    _ = unsafe SSL_CTX_set_options(raw, 1 << 7 /* SSL_OP_IGNORE_UNEXPECTED_EOF */)
    // This object outlives every session made from it, because each holds it.
    unsafe SSL_CTX_set_cert_verify_callback(raw, verifyCertificate, Unmanaged.passUnretained(self).toOpaque())
  }

  deinit { unsafe SSL_CTX_free(raw) }

  private func use(_ credentials: TLSCredentials) throws(TLSError) {
    ErrorQueue.clear()
    let chain = try Certificates(pem: credentials.chainPEM)
    guard let own = unsafe chain.all.first, unsafe SSL_CTX_use_certificate(raw, own) == 1 else {
      throw ErrorQueue.take("the certificate cannot be used")
    }
    guard unsafe chain.all.dropFirst().allSatisfy({ unsafe sbx_ctx_add_chain(raw, $0) == 1 }) else {
      throw ErrorQueue.take("the certificate chain cannot be used")
    }
    let key = unsafe withBIO(credentials.keyPEM) { unsafe PEM_read_bio_PrivateKey($0, nil, nil, nil) }
    guard let key = unsafe key else { throw ErrorQueue.take("the key cannot be read") }
    defer { unsafe EVP_PKEY_free(key) }
    guard unsafe SSL_CTX_use_PrivateKey(raw, key) == 1, unsafe SSL_CTX_check_private_key(raw) == 1 else {
      throw ErrorQueue.take("the key does not belong to the certificate")
    }
  }

  private func believe(_ trust: TLSTrust) throws(TLSError) {
    switch trust {
    case .pins(let pins): self.pins = pins
    case .authorities(let pem):
      let authorities = try Certificates(pem: pem)
      if unsafe authorities.all.isEmpty { throw .configuration("no certificate authority is given") }
      let store = unsafe SSL_CTX_get_cert_store(raw)
      guard unsafe authorities.all.allSatisfy({ unsafe X509_STORE_add_cert(store, $0) == 1 }) else {
        throw ErrorQueue.take("the certificate authority cannot be used")
      }
    }
  }

  // MARK: Verification, in the handshake

  /// - Returns: 1 or 0; the reason of a refusal is left in `store`, from which OpenSSL makes the alert.
  fileprivate func verify(_ store: OpaquePointer) -> Int32 {
    if case .server = role { return unsafe verifyClient(store) }
    if !pins.isEmpty, unsafe !trustPinned(store) {
      unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)
      return 0
    }
    guard unsafe X509_verify_cert(store) == 1 else { return 0 }
    if case .client(.uri(let uri)) = role {
      let peer = unsafe TLSPeer(X509_STORE_CTX_get0_cert(store), nowSeconds: 0)
      if peer?.uris.contains(uri) != true {
        unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH)
        return 0
      }
    }
    return 1
  }

  private func verifyClient(_ store: OpaquePointer) -> Int32 {
    // Time is checked here: what to do with an expired leaf is the fleet's decision.
    unsafe X509_STORE_CTX_set_flags(store, UInt(X509_V_FLAG_NO_CHECK_TIME))
    guard unsafe X509_verify_cert(store) == 1 else { return 0 }
    let now = Clock.wallNs() / 1_000_000_000
    var code = X509_V_OK
    let chain = unsafe X509_STORE_CTX_get0_chain(store)
    for index in 0..<(unsafe sbx_certificates_count(chain)) where code == X509_V_OK {
      guard let peer = unsafe TLSPeer(sbx_certificates_at(chain, index), nowSeconds: now) else {
        code = X509_V_ERR_UNSPECIFIED
        break
      }
      if peer.notBefore > now {
        code = X509_V_ERR_CERT_NOT_YET_VALID
      } else if index > 0 {
        code = peer.isExpired ? X509_V_ERR_CERT_HAS_EXPIRED : X509_V_OK
      } else {
        code = (admission?(peer) ?? (peer.isExpired ? .expired : .accepted)).verifyCode
      }
    }
    unsafe X509_STORE_CTX_set_error(store, code)
    return code == X509_V_OK ? 1 : 0
  }

  /// Trusts those certificates of the server's own chain whose key is pinned, and no others.
  private func trustPinned(_ store: OpaquePointer) -> Bool {
    let sent = unsafe X509_STORE_CTX_get0_untrusted(store)
    guard let trusted = unsafe sbx_certificates_new() else { return false }
    for index in 0..<(unsafe sbx_certificates_count(sent)) {
      guard let certificate = unsafe sbx_certificates_at(sent, index) else { continue }
      if let pin = unsafe publicKeyPin(certificate), pins.contains(pin) {
        _ = unsafe sbx_certificates_add(trusted, certificate)
      }
    }
    pinned = unsafe CertificateStack(trusted)
    unsafe X509_STORE_CTX_set0_trusted_stack(store, trusted)
    unsafe X509_STORE_CTX_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
    return unsafe sbx_certificates_count(trusted) > 0
  }

  /// The stack lent to the verification that is under way; OpenSSL does not take it over.
  private var pinned: CertificateStack?
}

private let verifyCertificate: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { store, context in
  // Both are valid for the call: see TLSContext.init.
  guard let store = unsafe store, let context = unsafe context else { return 0 }
  return unsafe Unmanaged<TLSContext>.fromOpaque(context).takeUnretainedValue().verify(store)
}

/// Without "h2" in the client's list the handshake fails: SSL_TLSEXT_ERR_NOACK would let it go on.
private let selectHTTP2:
  @convention(c) (
    OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?,
    UnsafePointer<UInt8>?, UInt32, UnsafeMutableRawPointer?
  ) -> Int32 = { _, out, outLength, list, count, _ in
    guard let list = unsafe list, let out = unsafe out, let outLength = unsafe outLength else {
      return SSL_TLSEXT_ERR_ALERT_FATAL
    }
    var index = 0
    // A list of length-prefixed names, `count` bytes in all; `out` may point into it.
    while index < Int(count) {
      let length = unsafe Int(list[index])
      let isWhole = index + length < Int(count)
      if length == 2, isWhole, unsafe list[index + 1] == 0x68, unsafe list[index + 2] == 0x32 {
        unsafe out.pointee = list + (index + 1)
        unsafe outLength.pointee = 2
        return SSL_TLSEXT_ERR_OK
      }
      index += length + 1
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
  }
