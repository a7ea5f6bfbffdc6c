internal import COpenSSL

/// Whether a presented chain leads to a trusted certificate.
package enum CertificateChain {
  /// Leaf, issuing CA, root, and room for a cross-signed one.
  package static let certificatesMax = 8

  package enum Purpose: Sendable, Equatable {
    /// A server that must have this DNS name or IP address among its names.
    case server(host: String)
    case client
    /// A CA's own certificate.
    case authority
  }

  /// Verifies signatures, basic constraints, purpose, names and times.
  ///
  /// - Parameter chain: as presented, the leaf first; the order of the rest does not matter.
  /// - Parameter trusted: where a chain may end; each is trusted for itself, also an issuing CA without its root.
  /// - Parameter nowNs: wall clock, ns since 1970: the time at which the chain must be valid.
  /// - Throws: `.untrusted`, `.notYetValid`, `.expired`, `.nameMismatch`, `.tooLarge`.
  package static func verify(
    _ chain: [Certificate], trusted: [Certificate], purpose: Purpose, nowNs: Int64
  ) throws(IdentityError) {
    guard let leaf = chain.first else { throw IdentityError(.untrusted, "the peer presented no certificate") }
    guard chain.count <= certificatesMax else {
      throw IdentityError(.tooLarge, "more than \(certificatesMax) certificates")
    }
    let leafHandle = try Certificate.parse(leaf.der)
    let untrusted = try stack(of: chain.dropFirst())
    let roots = try stack(of: trusted[...])
    let context = try unsafe Handle.own(X509_STORE_CTX_new(), "verify a certificate") { unsafe X509_STORE_CTX_free($0) }
    // No store: only `trusted` counts. All three handles outlive the context's use.
    guard unsafe X509_STORE_CTX_init(context.raw, nil, leafHandle.raw, untrusted.raw) == 1 else {
      throw .openSSL("verify a certificate")
    }
    unsafe X509_STORE_CTX_set0_trusted_stack(context.raw, roots.raw)
    try setParameters(context, purpose, nowNs)
    if unsafe X509_verify_cert(context.raw) == 1 { return }
    throw unsafe failure(X509_STORE_CTX_get_error(context.raw), chain, nowNs)
  }

  private static func stack(of certificates: ArraySlice<Certificate>) throws(IdentityError) -> Handle {
    let stack = try unsafe Handle.own(sbx_x509_stack_new(), "verify a certificate") { unsafe sbx_x509_stack_free($0) }
    for certificate in certificates {
      let handle = try Certificate.parse(certificate.der)
      // The stack gets a reference of its own.
      guard unsafe X509_up_ref(handle.raw) == 1, unsafe sbx_x509_stack_push(stack.raw, handle.raw) > 0 else {
        throw .openSSL("verify a certificate")
      }
    }
    return stack
  }

  private static func setParameters(
    _ context: borrowing Handle, _ purpose: Purpose, _ nowNs: Int64
  ) throws(IdentityError) {
    // The parameters belong to the context.
    guard let parameters = unsafe X509_STORE_CTX_get0_param(context.raw) else { throw .openSSL("verify a certificate") }
    unsafe X509_VERIFY_PARAM_set_time(parameters, Int(nowNs / 1_000_000_000))
    unsafe X509_VERIFY_PARAM_set_depth(parameters, 2)
    unsafe _ = X509_VERIFY_PARAM_set_flags(parameters, UInt(X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN))
    switch purpose {
    case .authority: break
    case .client:
      unsafe _ = X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_CLIENT)
    case .server(let host):
      unsafe _ = X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER)
      unsafe X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
      // An address is checked against the IP names, anything else against the DNS names. An empty name would switch the check off.
      guard !host.isEmpty,
        unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1
          || X509_VERIFY_PARAM_set1_host(parameters, host, 0) == 1
      else { throw .openSSL("verify the host name \(host)", .nameMismatch) }
      ERR_clear_error()
    }
  }

  private static func failure(_ code: Int32, _ chain: [Certificate], _ nowNs: Int64) -> IdentityError {
    // The reason is static text of the library.
    let reason = unsafe String(cString: X509_verify_cert_error_string(Int(code)))
    let message = "the certificate of \(chain[0].subject) is refused: \(reason)"
    ERR_clear_error()
    switch code {
    case X509_V_ERR_CERT_NOT_YET_VALID:
      let ahead = ((chain.map(\.notBeforeNs).max() ?? nowNs) - nowNs) / 1_000_000_000
      return IdentityError(.notYetValid, message + "; by this host's clock it starts in \(ahead) s: check the clock")
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return IdentityError(.expired, message + "; if it is not that old, check this host's clock")
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
      return IdentityError(.nameMismatch, message)
    default: return IdentityError(.untrusted, message)
    }
  }
}

/// How a host that has nothing but a join token recognises its collector.
package enum PinnedChain {
  /// Finds the pinned authority in the presented chain and verifies the chain up to it. To be called before any secret is sent.
  ///
  /// - Parameter derChain: as the server presented it in the handshake, the leaf first, each DER.
  /// - Parameter pins: SHA-256 of SubjectPublicKeyInfo, 32 bytes each: one or two.
  /// - Parameter hostName: DNS name or IP address that was dialled.
  /// - Parameter nowNs: wall clock, ns since 1970.
  /// - Returns: the authority that the pin names: from now on a trusted root.
  /// - Throws: `.pinMismatch`, and all of `CertificateChain.verify`.
  @discardableResult
  package static func verify(
    derChain: [[UInt8]], pins: [[UInt8]], hostName: String, nowNs: Int64
  ) throws(IdentityError) -> Certificate {
    guard derChain.count <= CertificateChain.certificatesMax else {
      throw IdentityError(
        .tooLarge, "the collector presented more than \(CertificateChain.certificatesMax) certificates")
    }
    var chain: [Certificate] = []
    for der in derChain { chain.append(try Certificate(der: der)) }
    // The leaf itself is no authority: a pin on it would make the name check its only protection.
    guard
      let authority = chain.dropFirst().first(where: { certificate in
        pins.contains { Digest.equal($0, certificate.keyPin) }
      })
    else {
      throw IdentityError(
        .pinMismatch,
        "the server at \(hostName) is not of the fleet that the token is for: its authority has another key")
    }
    try CertificateChain.verify(chain, trusted: [authority], purpose: .server(host: hostName), nowNs: nowNs)
    return authority
  }
}

/// How a collector recognises the certificate that an agent presents.
package enum AgentChain {
  /// Verifies that this fleet's authority signed the certificate for an agent, whether or not it is still valid.
  ///
  /// The chain is judged at the nearest moment of the certificate's own life, so that an expired certificate differs from a forged one
  /// and be let in to renew. Time, revocation and the allow-list are the caller's next question.
  ///
  /// - Parameter derChain: as presented, the leaf first, each DER.
  /// - Throws: `.untrusted` also for a certificate that names no host, and all of `CertificateChain.verify`.
  package static func verify(
    derChain: [[UInt8]], roots: [Certificate], nowNs: Int64
  ) throws(IdentityError) -> Certificate {
    guard derChain.count <= CertificateChain.certificatesMax else {
      throw IdentityError(.tooLarge, "the agent presented more than \(CertificateChain.certificatesMax) certificates")
    }
    var chain: [Certificate] = []
    for der in derChain { chain.append(try Certificate(der: der)) }
    guard let leaf = chain.first, leaf.hostID != nil else {
      throw IdentityError(.untrusted, "the peer's certificate names no host of a fleet")
    }
    // OpenSSL counts the last second as expired.
    let momentNs = max(min(nowNs, leaf.notAfterNs - 1_000_000_000), leaf.notBeforeNs)
    try CertificateChain.verify(chain, trusted: roots, purpose: .client, nowNs: momentNs)
    return leaf
  }
}
