internal import Files
internal import FleetModel
package import Schema
package import TLS

/// The host's identity on disk: `identity/<n>/` holds one generation whole, `identity/current` names the one that counts.
///
/// Key and certificate can thus never be mixed: a new pair is complete and synced before the one rename that makes it count, and a kill at any
/// step before leaves the old pair as it was. The new key is written before it is sent for signing, so that a join or renewal whose
/// answer was lost is repeated with the same key and needs no second token.
package struct IdentityDirectory: Sendable {
  /// Called with the name of each step before it is done; a test throws here, as a kill would stop here.
  package typealias Step = @Sendable (String) throws(IdentityError) -> Void

  package let path: String
  private let step: Step

  /// - Parameter stateDirectory: the agent's; made when missing.
  package init(stateDirectory: String, step: @escaping Step = { _ throws(IdentityError) in }) {
    path = stateDirectory + "/identity"
    self.step = step
  }

  private var currentPath: String { path + "/current" }
  private func directory(_ generation: Int) -> String { "\(path)/\(generation)" }

  // MARK: Reading

  /// Which writing of the identity lies on disk; every join and every renewal makes another one.
  package struct Version: Sendable, Equatable {
    let device: UInt64
    let inode: UInt64
    let modifiedNs: Int64
  }

  /// One stat(2), so that a running agent can look for a join of another process every few seconds. nil where this host has not
  /// joined, or where that cannot be determined.
  package var version: Version? {
    guard let status = try? FileStatus.of(path: currentPath) else { return nil }
    return Version(device: status.device, inode: status.inode, modifiedNs: status.modifiedNs)
  }

  /// - Returns: nil where this host has not joined yet, also when a join was interrupted.
  /// - Throws: `.malformed`, `.truncated`, `.permissions`, `.mismatchedPair`, `.notFound` for a damaged identity: it is not replaced silently.
  package func load() throws(IdentityError) -> AgentIdentity? {
    // Before the files are read: one that is replaced meanwhile is then another version.
    let version = version
    guard let generation = try currentGeneration() else { return nil }
    let directory = directory(generation)
    let key = try KeyFiles.privateKey(directory + "/key.pem")
    let chain = try KeyFiles.certificates(directory + "/certificate.pem")
    let roots = try KeyFiles.certificates(directory + "/authority.pem")
    guard try key.publicKey.pin == chain[0].keyPin else {
      throw IdentityError(.mismatchedPair, "\(directory)/key.pem is not the key of certificate.pem")
    }
    guard let hostID = chain[0].hostID else {
      throw IdentityError(.malformed, "\(directory)/certificate.pem names no host")
    }
    let host = try HostFile(parsing: KeyFiles.read(directory + "/host"), path: directory + "/host")
    return AgentIdentity(
      hostID: hostID, hostName: host.name, collectors: host.collectors, tokenID: host.tokenID, key: key,
      certificate: chain[0],
      intermediates: Array(chain.dropFirst()), roots: roots, generation: generation, version: version,
      keyPath: directory + "/key.pem", certificatePath: directory + "/certificate.pem",
      rootsPath: directory + "/authority.pem")
  }

  private func currentGeneration() throws(IdentityError) -> Int? {
    let bytes: [UInt8]
    do throws(IdentityError) {
      bytes = try KeyFiles.read(currentPath)
    } catch {
      if error.code == .notFound { return nil }
      throw error
    }
    let text = String(decoding: bytes.filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    guard let generation = Int(text), generation > 0 else {
      throw IdentityError(.malformed, "\(currentPath) does not name a generation of the identity")
    }
    return generation
  }

  // MARK: Writing

  /// The key to have signed next: the one that an interrupted join or renewal left, or a new one, on disk before it is returned.
  package func prepareKey() throws(IdentityError) -> PrivateKey {
    let directory = directory(try (currentGeneration() ?? 0) + 1)
    let keyPath = directory + "/key.pem"
    // A cut or foreign file is no key that anyone has signed: it is replaced.
    if let left = try? KeyFiles.privateKey(keyPath) { return left }
    let key = try PrivateKey.generate()
    try step("make directory")
    try on { () throws(FileError) in try HostFiles.makeDirectory(directory, mode: 0o700) }
    try write(keyPath, [UInt8](try key.pem().utf8), mode: 0o600)
    try on { () throws(FileError) in try HostFiles.syncDirectory(path) }
    return key
  }

  /// Makes the prepared key and the certificate that the collector sent for it this host's identity.
  ///
  /// - Parameter pins: the token's at a join; at a renewal the pins of the roots trusted so far.
  /// - Throws: what is wrong with the answer; the identity is then unchanged.
  @discardableResult
  package func accept(
    _ reply: CertificateReply, pins: [[UInt8]], collectors: [CollectorAddress], token: String? = nil
  ) throws(IdentityError) -> AgentIdentity {
    let generation = try (currentGeneration() ?? 0) + 1
    let directory = directory(generation)
    let key = try KeyFiles.privateKey(directory + "/key.pem")
    let (chain, roots) = try reply.check(key: key.publicKey, pins: pins)
    var host = HostFile(name: reply.hostName, collectors: collectors)
    host.tokenID = token
    try write(directory + "/certificate.pem", [UInt8](chain.map(\.pem).joined().utf8), mode: 0o644)
    try write(directory + "/authority.pem", [UInt8](roots.map(\.pem).joined().utf8), mode: 0o644)
    try write(directory + "/host", [UInt8](host.text.utf8), mode: 0o644)
    try write(currentPath, [UInt8]("\(generation)\n".utf8), mode: 0o644)
    guard let identity = try load() else { throw IdentityError(.notFound, "the new identity cannot be read back") }
    return identity
  }

  /// Makes these the addresses at which this host looks for a collector; all else stays as it is.
  package func replaceCollectors(_ collectors: [CollectorAddress]) throws(IdentityError) -> AgentIdentity {
    guard let generation = try currentGeneration() else {
      throw IdentityError(.notFound, "this host has not joined a fleet")
    }
    let path = directory(generation) + "/host"
    var host = try HostFile(parsing: KeyFiles.read(path), path: path)
    host.collectors = collectors
    try write(path, [UInt8](host.text.utf8), mode: 0o644)
    guard let identity = try load() else { throw IdentityError(.notFound, "the identity cannot be read back") }
    return identity
  }

  /// Removes the generations before the current one: to be called once the new certificate has been used.
  package func retirePrevious() throws(IdentityError) {
    guard let current = try currentGeneration() else { return }
    let names = try on { () throws(FileError) in try HostFiles.list(path) }
    for generation in names.compactMap(Int.init) where generation < current {
      let directory = directory(generation)
      let files = try on { () throws(FileError) in try HostFiles.list(directory) }
      for name in files {
        try step("remove \(name)")
        try on { () throws(FileError) in try HostFiles.remove("\(directory)/\(name)") }
      }
      try on { () throws(FileError) in try HostFiles.removeDirectory(directory) }
    }
  }

  private func write(_ path: String, _ bytes: [UInt8], mode: UInt32) throws(IdentityError) {
    try step("write \(HostFiles.name(of: path))")
    // A leftover of a kill may have other permissions, which opening it again would keep.
    try on { () throws(FileError) in try HostFiles.remove(path + ".new") }
    try on { () throws(FileError) in try HostFiles.replace(path, with: bytes, mode: mode) }
    try step("written \(HostFiles.name(of: path))")
  }

  @discardableResult
  private func on<T>(_ work: () throws(FileError) -> T) throws(IdentityError) -> T {
    do throws(FileError) {
      return try work()
    } catch {
      throw IdentityError(error)
    }
  }
}

/// The file `host`: lines `name=…`, `collector=host:port` and `token=…`, the public id of the join token.
struct HostFile: Equatable {
  var name: String
  var collectors: [CollectorAddress]
  var tokenID: String?

  init(name: String, collectors: [CollectorAddress]) {
    self.name = name
    self.collectors = collectors
  }

  init(parsing bytes: [UInt8], path: String) throws(IdentityError) {
    var name: String?
    collectors = []
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let text = String(decoding: line, as: UTF8.self)
      if text.hasPrefix("name=") { name = String(text.dropFirst(5)) }
      if text.hasPrefix("token="), JoinToken.isID(String(text.dropFirst(6))) { tokenID = String(text.dropFirst(6)) }
      if text.hasPrefix("collector=") {
        guard let address = CollectorAddress(String(text.dropFirst(10))) else {
          throw IdentityError(.malformed, "\(path): \"\(text)\" is no address")
        }
        collectors.append(address)
      }
    }
    guard let name, !name.isEmpty, !collectors.isEmpty else {
      throw IdentityError(.truncated, "\(path) is incomplete: it needs the host's name and a collector's address")
    }
    self.name = name
  }

  var text: String {
    "name=\(name)\n" + collectors.map { "collector=\($0)\n" }.joined() + (tokenID.map { "token=\($0)\n" } ?? "")
  }
}
