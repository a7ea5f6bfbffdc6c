internal import COpenSSL
package import FleetModel
internal import Files

/// The fleet's certificate authority: a root that may be kept offline, and the issuing CA with which the collector signs.
///
/// Files: `ca/root.pem`, `ca/root.key`, `ca/issuing.pem`, `ca/issuing.key` below the state directory; keys have mode 0600.
package struct CertificateAuthority: Sendable {
  package static let rootYears: Int64 = 10
  package static let issuingYears: Int64 = 2
  /// What a host's or the collector's certificate gets at most; both are renewed on the way.
  package static let serverLifeSeconds: Int64 = 90 * 86_400
  package static let agentLifeSeconds: Int64 = 30 * 86_400
  /// How far a certificate starts in the past, for hosts whose clock is a little behind.
  package static let backdatedSeconds: Int64 = 300
  private static let yearSeconds: Int64 = 365 * 86_400

  package let root: Certificate
  package let issuing: Certificate
  private let issuingKey: PrivateKey

  /// SHA-256 of the root's SubjectPublicKeyInfo: what join tokens carry.
  package var pin: [UInt8] { root.keyPin }
  /// The roots that agents and collectors trust, PEM.
  package var trustPEM: String { root.pem }

  package static func directory(below stateDirectory: String) -> String { stateDirectory + "/ca" }

  // MARK: Making and loading

  /// Makes a new authority; the four files appear together or not at all.
  ///
  /// - Parameter nowNs: wall clock, ns since 1970.
  /// - Throws: `.alreadyExists` where there is one: it is never replaced, every host trusts it.
  package static func create(directory stateDirectory: String, nowNs: Int64) throws(IdentityError)
    -> CertificateAuthority
  {
    let directory = directory(below: stateDirectory)
    try requireNone(directory)
    let now = nowNs / 1_000_000_000
    let rootKey = try PrivateKey.generate()
    let root = try authority(
      "Signalbox root CA", rootKey.publicKey, pathLength: 1, from: now, years: rootYears
    ).signed(by: rootKey, issuer: nil)
    let issuingKey = try PrivateKey.generate()
    let issuing = try Self.issuing(issuingKey.publicKey, from: now).signed(by: rootKey, issuer: root)
    try write(directory, root: root, issuing: issuing, issuingKey: issuingKey, rootKey: rootKey)
    return CertificateAuthority(root: root, issuing: issuing, issuingKey: issuingKey)
  }

  private static func requireNone(_ directory: String) throws(IdentityError) {
    if exists(directory + "/root.pem") || exists(directory + "/issuing.pem") {
      throw IdentityError(.alreadyExists, "there is an authority in \(directory) already")
    }
  }

  /// Makes the directory with its files: they appear together or not at all.
  ///
  /// - Parameter rootKey: nil where it stays elsewhere.
  static func write(
    _ directory: String, root: Certificate, issuing: Certificate, issuingKey: PrivateKey, rootKey: PrivateKey?
  ) throws(IdentityError) {
    try requireNone(directory)
    do {
      let unfinished = directory + ".new"
      try HostFiles.makeDirectory(unfinished, mode: 0o700)
      // What an interrupted attempt left must not be mixed in.
      try HostFiles.remove(unfinished + "/root.key")
      if let rootKey { try HostFiles.replace(unfinished + "/root.key", with: [UInt8](rootKey.pem().utf8)) }
      try HostFiles.replace(unfinished + "/root.pem", with: [UInt8](root.pem.utf8), mode: 0o644)
      try HostFiles.replace(unfinished + "/issuing.key", with: [UInt8](issuingKey.pem().utf8))
      try HostFiles.replace(unfinished + "/issuing.pem", with: [UInt8](issuing.pem.utf8), mode: 0o644)
      try HostFiles.rename(unfinished, to: directory)
      try HostFiles.syncDirectory(HostFiles.directory(of: directory))
    } catch let error as FileError {
      throw IdentityError(error)
    } catch let error as IdentityError {
      throw error
    } catch {
      throw IdentityError(.file, "\(error)")
    }
  }

  /// Reads what signing needs: not the root's key, which may be elsewhere.
  ///
  /// - Throws: `.notFound`, `.permissions`, `.truncated`, `.malformed`, `.mismatchedPair`, `.untrusted`.
  package static func load(directory stateDirectory: String) throws(IdentityError) -> CertificateAuthority {
    let directory = directory(below: stateDirectory)
    let root = try KeyFiles.certificates(directory + "/root.pem")[0]
    let issuing = try KeyFiles.certificates(directory + "/issuing.pem")[0]
    let key = try KeyFiles.privateKey(directory + "/issuing.key")
    guard try key.publicKey.pin == issuing.keyPin else {
      throw IdentityError(.mismatchedPair, "\(directory)/issuing.key is not the key of issuing.pem")
    }
    try CertificateChain.verify([issuing], trusted: [root], purpose: .authority, nowNs: issuing.notBeforeNs)
    return CertificateAuthority(root: root, issuing: issuing, issuingKey: key)
  }

  /// Gives the issuing CA another two years with the same key, so that what it signed stays valid. Needs `ca/root.key` to be back.
  package static func renewIssuing(
    directory stateDirectory: String, nowNs: Int64
  ) throws(IdentityError) -> CertificateAuthority {
    let old = try load(directory: stateDirectory)
    let directory = directory(below: stateDirectory)
    let rootKey = try KeyFiles.privateKey(directory + "/root.key")
    guard try rootKey.publicKey.pin == old.root.keyPin else {
      throw IdentityError(.mismatchedPair, "\(directory)/root.key is not the key of root.pem")
    }
    let renewed = try issuing(old.issuingKey.publicKey, from: nowNs / 1_000_000_000).signed(
      by: rootKey, issuer: old.root)
    do throws(FileError) {
      try HostFiles.replace(directory + "/issuing.pem", with: [UInt8](renewed.pem.utf8), mode: 0o644)
    } catch {
      throw IdentityError(error)
    }
    return CertificateAuthority(root: old.root, issuing: renewed, issuingKey: old.issuingKey)
  }

  /// A third of the issuing CA's life is left: hosts that are away for long still find it valid.
  package func isRenewalDue(nowNs: Int64) -> Bool {
    nowNs >= issuing.notAfterNs - (issuing.notAfterNs - issuing.notBeforeNs) / 3
  }

  /// From here on the end is an incident and in every answer: a root's key that is kept offline takes time to fetch.
  package static let endsSoonNs: Int64 = 60 * 86_400_000_000_000

  /// One sentence while the issuing CA's end is near or past; nil otherwise.
  package func endSentence(nowNs: Int64) -> String? {
    let leftNs = issuing.notAfterNs.subtractingClamped(nowNs)
    guard leftNs < Self.endsSoonNs else { return nil }
    return leftNs > 0
      ? "the fleet's issuing authority ends in \(leftNs / 86_400_000_000_000) days: no host can join or renew after that"
      : "the fleet's issuing authority has ended: no host can join or renew"
  }

  /// Whether the root's key is there, and not offline.
  package static func hasRootKey(directory stateDirectory: String) -> Bool {
    exists(directory(below: stateDirectory) + "/root.key")
  }

  private static func exists(_ path: String) -> Bool { (try? FileStatus.of(path: path)) != nil }

  private static func issuing(_ key: PublicKey, from now: Int64) -> CertificateBuilder {
    authority("Signalbox issuing CA", key, pathLength: 0, from: now, years: issuingYears)
  }

  private static func authority(
    _ name: String, _ key: PublicKey, pathLength: Int, from now: Int64, years: Int64
  ) -> CertificateBuilder {
    CertificateBuilder(
      commonName: name, publicKey: key, notBefore: now - backdatedSeconds, notAfter: now + years * yearSeconds,
      extensions: [
        .init(id: NID_basic_constraints, value: "critical,CA:TRUE,pathlen:\(pathLength)"),
        .init(id: NID_key_usage, value: "critical,keyCertSign,cRLSign"),
        .init(id: NID_subject_key_identifier, value: "hash"),
        // In its own certificate a root has no identifier to point to yet; RFC 5280 lets it leave this out.
        pathLength == 0 ? .init(id: NID_authority_key_identifier, value: "keyid:always") : nil,
      ].compactMap { $0 })
  }

  // MARK: Signing

  /// A certificate with its chain, and its key where this side made it.
  package struct Issued: Sendable {
    package let certificate: Certificate
    /// PEM: the certificate, then the issuing CA's, and for a server the root, in which a joining host finds the token's pin.
    package let chainPEM: String
  }

  /// A key and certificate for the collector's listening port.
  ///
  /// - Parameter names: DNS names. - Parameter addresses: IP addresses. Together at least one, at most 32.
  /// - Parameter lifeSeconds: cut at the issuing CA's end.
  package func serverCertificate(
    names: [String], addresses: [String], nowNs: Int64, lifeSeconds: Int64 = serverLifeSeconds
  ) throws(IdentityError) -> (key: PrivateKey, issued: Issued) {
    guard (1...32).contains(names.count + addresses.count) else {
      throw IdentityError(.malformed, "a server's certificate needs one to 32 names")
    }
    // What is put into the extension's text must not contain its separators.
    for name in names + addresses where !Self.isServerName(name) {
      throw IdentityError(.malformed, "\"\(name)\" is no host name or address")
    }
    let key = try PrivateKey.generate()
    let alternatives = names.map { "DNS:\($0)" } + addresses.map { "IP:\($0)" }
    let certificate = try leaf(
      "signalbox-collector", key.publicKey, alternatives.joined(separator: ","), "serverAuth", nowNs, lifeSeconds)
    return (key, Issued(certificate: certificate, chainPEM: certificate.pem + issuing.pem + root.pem))
  }

  /// A certificate for an agent. The key alone comes from the host; name, purpose and life are the collector's.
  ///
  /// - Parameter lifeSeconds: from `nowNs` on, cut at the issuing CA's end.
  package func agentCertificate(
    publicKey: PublicKey, hostID: HostID, nowNs: Int64, lifeSeconds: Int64 = agentLifeSeconds
  ) throws(IdentityError) -> Issued {
    let certificate = try leaf(
      hostID.description, publicKey, "URI:\(Certificate.agentURIPrefix)\(hostID)", "clientAuth", nowNs, lifeSeconds)
    return Issued(certificate: certificate, chainPEM: certificate.pem + issuing.pem)
  }

  private func leaf(
    _ name: String, _ key: PublicKey, _ alternatives: String, _ purpose: String, _ nowNs: Int64, _ lifeSeconds: Int64
  ) throws(IdentityError) -> Certificate {
    let now = nowNs / 1_000_000_000
    guard nowNs < issuing.notAfterNs else {
      throw IdentityError(.expired, "the issuing CA has expired: renew it with the root's key")
    }
    return try CertificateBuilder(
      commonName: name, publicKey: key,
      // At most a tenth of its life: one of seconds would begin with its renewal due.
      notBefore: max(now - min(Self.backdatedSeconds, lifeSeconds / 10), issuing.notBeforeNs / 1_000_000_000),
      notAfter: min(now + lifeSeconds, issuing.notAfterNs / 1_000_000_000),
      extensions: [
        .init(id: NID_basic_constraints, value: "critical,CA:FALSE"),
        .init(id: NID_key_usage, value: "critical,digitalSignature"),
        .init(id: NID_ext_key_usage, value: purpose),
        .init(id: NID_subject_alt_name, value: alternatives),
        .init(id: NID_subject_key_identifier, value: "hash"),
        .init(id: NID_authority_key_identifier, value: "keyid:always"),
      ]
    ).signed(by: issuingKey, issuer: issuing)
  }

  /// A DNS name or an IP address, by its characters.
  package static func isServerName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 253
      && name.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x3a, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: false
        }
      }
  }
}
