internal import Files

/// The authority as one text, for a backup and for a second collector.
extension CertificateAuthority {
  /// All files of `ca/` one after the other, PEM. Its holder can sign for the fleet: to be kept in files of mode 0600 alone.
  ///
  /// - Parameter includingRootKey: false leaves out the key that only a renewal of the issuing CA needs.
  package static func export(
    directory stateDirectory: String, includingRootKey: Bool
  ) throws(IdentityError) -> String {
    // What cannot be loaded is no backup.
    let authority = try load(directory: stateDirectory)
    let directory = directory(below: stateDirectory)
    var text = authority.root.pem + authority.issuing.pem
    text += try KeyFiles.privateKey(directory + "/issuing.key").pem()
    if includingRootKey, hasRootKey(directory: stateDirectory) {
      text += try KeyFiles.privateKey(directory + "/root.key").pem()
    }
    return text
  }

  /// Makes `ca/` from what `export` wrote; all files appear together or not at all.
  ///
  /// - Throws: `.alreadyExists`, `.malformed` where a part is missing, `.mismatchedPair`, `.untrusted`.
  package static func importing(_ pem: [UInt8], directory stateDirectory: String) throws(IdentityError) {
    let parts = try parts(pem)
    try write(
      directory(below: stateDirectory), root: parts.root, issuing: parts.issuing, issuingKey: parts.issuingKey,
      rootKey: parts.rootKey)
    _ = try load(directory: stateDirectory)
  }

  /// Takes over a renewed issuing certificate: the same root and the same key, a later end.
  package static func importingRenewal(_ pem: [UInt8], directory stateDirectory: String) throws(IdentityError) {
    let parts = try parts(pem)
    let own = try load(directory: stateDirectory)
    guard parts.root.keyPin == own.root.keyPin, parts.issuing.keyPin == own.issuing.keyPin else {
      throw IdentityError(
        .mismatchedPair, "the file holds another authority than \(directory(below: stateDirectory)), not its renewal")
    }
    guard parts.issuing.notAfterNs > own.issuing.notAfterNs else {
      throw IdentityError(
        .alreadyExists, "the authority in \(directory(below: stateDirectory)) is as new as the file's")
    }
    do throws(FileError) {
      try HostFiles.replace(
        directory(below: stateDirectory) + "/issuing.pem", with: [UInt8](parts.issuing.pem.utf8), mode: 0o644)
    } catch {
      throw IdentityError(error)
    }
  }

  private struct Parts {
    let root: Certificate
    let issuing: Certificate
    let issuingKey: PrivateKey
    let rootKey: PrivateKey?
  }

  private static func parts(_ pem: [UInt8]) throws(IdentityError) -> Parts {
    let certificates = try Certificate.decode(pem: pem)
    var keys: [[UInt8]: PrivateKey] = [:]
    for block in try PEM.decode(pem) where block.label.hasSuffix("PRIVATE KEY") {
      let key = try PrivateKey.decode(pem: [UInt8](PEM.encode(block.label, block.der).utf8))
      keys[try key.publicKey.pin] = key
    }
    guard let root = certificates.first(where: { $0.subject == $0.issuer }),
      let issuing = certificates.first(where: { $0.subject != $0.issuer }), let issuingKey = keys[issuing.keyPin]
    else {
      throw IdentityError(
        .malformed, "the file is no whole authority: it needs the root, the issuing CA and the issuing CA's key")
    }
    try CertificateChain.verify([issuing], trusted: [root], purpose: .authority, nowNs: issuing.notBeforeNs)
    return Parts(root: root, issuing: issuing, issuingKey: issuingKey, rootKey: keys[root.keyPin])
  }
}
