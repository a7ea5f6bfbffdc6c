internal import COpenSSL

/// Owns certificates read from PEM.
@safe struct Certificates: ~Copyable {
  private(set) var all: [OpaquePointer] = unsafe []

  /// - Throws: where a block is damaged. Text without any block gives none.
  init(pem: [UInt8]) throws(TLSError) {
    var read = unsafe [OpaquePointer]()
    unsafe withBIO(pem) { bio in
      while let certificate = unsafe PEM_read_bio_X509(bio, nil, nil, nil) { unsafe read.append(certificate) }
    }
    unsafe all = read
    // The end of the text is reported as "no start line".
    let code = ERR_peek_last_error()
    let isEnd = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE
    if code != 0 && !isEnd { throw ErrorQueue.take("a certificate cannot be read") }
    ErrorQueue.clear()
  }

  deinit { unsafe all.forEach { unsafe X509_free($0) } }
}

/// Owns a stack, not what lies in it.
@safe final class CertificateStack {
  private let raw: OpaquePointer
  init(_ raw: OpaquePointer) { unsafe self.raw = raw }
  deinit { unsafe sbx_certificates_free(raw) }
}

/// Runs `body` with a reader of `bytes`.
func withBIO<Result>(_ bytes: [UInt8], _ body: (OpaquePointer?) -> Result) -> Result {
  unsafe bytes.withUnsafeBytes { memory in
    // Reads in place: both live for the call.
    let bio = unsafe BIO_new_mem_buf(memory.baseAddress, Int32(clamping: memory.count))
    defer { unsafe BIO_free(bio) }
    return unsafe body(bio)
  }
}

/// SHA-256 of the public key's DER form.
func publicKeyPin(_ certificate: OpaquePointer) -> [UInt8]? {
  let key = unsafe X509_get_X509_PUBKEY(certificate)
  var encoded: UnsafeMutablePointer<UInt8>?
  // Allocated by the library, freed below.
  let count = unsafe i2d_X509_PUBKEY(key, &encoded)
  guard count > 0 else { return nil }
  defer { unsafe CRYPTO_free(encoded, "", 0) }
  var digest = [UInt8](repeating: 0, count: 32)
  var digestCount: UInt32 = 0
  let result = unsafe EVP_Digest(encoded, Int(count), &digest, &digestCount, EVP_sha256(), nil)
  return result == 1 ? digest : nil
}
