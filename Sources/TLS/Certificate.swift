internal import COpenSSL
package import FleetModel

/// One X.509 certificate as a value. Source: RFC 5280.
package struct Certificate: Sendable, Equatable {
  /// A certificate of this fleet has about 600 bytes; a public server's with many names a few thousand.
  package static let bytesMax = 16 << 10
  /// The scheme and path of an agent's URI name, before its uuid.
  package static let agentURIPrefix = "signalbox://agent/"

  package let der: [UInt8]
  /// SHA-256 of `der`, 32 bytes: the certificate's name in the allow-list.
  package let fingerprint: [UInt8]
  /// SHA-256 of SubjectPublicKeyInfo, 32 bytes: what a token pins.
  package let keyPin: [UInt8]
  /// Lower-case hex.
  package let serialHex: String
  /// One line, for messages only.
  package let subject: String
  package let issuer: String
  /// Wall clock, ns since 1970.
  package let notBeforeNs: Int64
  package let notAfterNs: Int64
  package let uriNames: [String]
  package let dnsNames: [String]

  /// - Parameter der: from anyone; one certificate that fills the bytes exactly.
  /// - Throws: `.tooLarge`, `.malformed`.
  package init(der: [UInt8]) throws(IdentityError) {
    let handle = try Self.parse(der)
    self.der = der
    fingerprint = Digest.sha256(der)
    guard let holder = unsafe X509_get_X509_PUBKEY(handle.raw) else {
      throw IdentityError(.malformed, "the certificate has no key")
    }
    // `holder`, the times, the serial number and the names belong to the certificate and are copied at once.
    keyPin = Digest.sha256(try unsafe DER.encode("read the certificate's key") { unsafe i2d_X509_PUBKEY(holder, $0) })
    serialHex = unsafe Fields.hex(X509_get0_serialNumber(handle.raw))
    subject = unsafe Fields.line(X509_get_subject_name(handle.raw))
    issuer = unsafe Fields.line(X509_get_issuer_name(handle.raw))
    notBeforeNs = try unsafe Fields.nanoseconds(X509_get0_notBefore(handle.raw))
    notAfterNs = try unsafe Fields.nanoseconds(X509_get0_notAfter(handle.raw))
    (uriNames, dnsNames) = unsafe Fields.alternativeNames(handle.raw)
  }

  /// The certificates of a PEM text in their order; other blocks are ignored.
  ///
  /// - Throws: `.truncated` for an incomplete or empty text, `.malformed`, `.tooLarge`.
  package static func decode(pem: [UInt8]) throws(IdentityError) -> [Certificate] {
    var found: [Certificate] = []
    for block in try PEM.decode(pem) where block.label == "CERTIFICATE" {
      found.append(try Certificate(der: block.der))
    }
    if found.isEmpty {
      throw IdentityError(pem.isEmpty ? .truncated : .malformed, "there is no certificate in the file")
    }
    return found
  }

  package var pem: String { PEM.encode("CERTIFICATE", der) }

  /// The host that an agent's certificate names; nil for any other certificate, and for one with a second URI.
  package var hostID: HostID? {
    guard uriNames.count == 1, let uri = uriNames.first, uri.hasPrefix(Self.agentURIPrefix) else { return nil }
    guard let id = HostID(text: String(uri.dropFirst(Self.agentURIPrefix.count))), id.description == uri.suffix(36)
    else {
      return nil
    }
    return id
  }

  static func parse(_ der: [UInt8]) throws(IdentityError) -> Handle {
    guard der.count <= bytesMax else {
      throw IdentityError(.tooLarge, "a certificate is larger than \(bytesMax) bytes")
    }
    return try unsafe DER.decode(der, "read a certificate", release: { unsafe X509_free($0) }) {
      unsafe d2i_X509(nil, $0, $1)
    }
  }
}

/// Reads the fields of a certificate into values. Every pointer belongs to the certificate and is valid for the call.
@unsafe private enum Fields {
  static func hex(_ serial: UnsafePointer<ASN1_INTEGER>?) -> String {
    guard let serial = unsafe serial else { return "" }
    return unsafe bytes(serial).map(Hex.text).joined()
  }

  /// An ASN1_STRING's content; the types ASN1_INTEGER, ASN1_IA5STRING… are the same structure.
  static func bytes(_ string: UnsafePointer<ASN1_STRING>) -> [UInt8] {
    guard let data = unsafe ASN1_STRING_get0_data(string) else { return [] }
    return unsafe [UInt8](UnsafeBufferPointer(start: data, count: Int(ASN1_STRING_length(string))))
  }

  static func line(_ name: OpaquePointer?) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    // Writes at most 256 bytes with the final zero; what is not printable becomes \x…
    unsafe _ = X509_NAME_oneline(name, &buffer, Int32(buffer.count))
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// ns since 1970, clamped to what 64 bits hold (year 2262).
  static func nanoseconds(_ time: UnsafePointer<ASN1_TIME>?) throws(IdentityError) -> Int64 {
    let epoch = unsafe ASN1_TIME_set(nil, 0)
    defer { unsafe ASN1_STRING_free(epoch) }
    var days: Int32 = 0
    var seconds: Int32 = 0
    guard let time = unsafe time, unsafe ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else {
      throw .openSSL("read the certificate's times", .malformed)
    }
    let (product, overflow) = (Int64(days) * 86_400 + Int64(seconds)).multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? (days < 0 ? .min : .max) : product
  }

  static func alternativeNames(_ certificate: OpaquePointer) -> (uris: [String], dns: [String]) {
    guard let raw = unsafe X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return ([], []) }
    let names = OpaquePointer(raw)
    defer { unsafe GENERAL_NAMES_free(names) }
    var uris: [String] = []
    var dns: [String] = []
    let count = unsafe sbx_general_names_count(names)
    for index in 0..<max(0, count) {
      var kind: Int32 = 0
      // The value belongs to `names`.
      guard let name = unsafe sbx_general_names_at(names, index),
        let value = unsafe GENERAL_NAME_get0_value(name, &kind),
        kind == GEN_URI || kind == GEN_DNS
      else { continue }
      // Bytes, not a C string: a NUL inside a name must not end it.
      let text = String(
        decoding: unsafe bytes(UnsafePointer(value.assumingMemoryBound(to: ASN1_STRING.self))), as: UTF8.self)
      if kind == GEN_URI { uris.append(text) } else { dns.append(text) }
    }
    return (uris, dns)
  }
}
