internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import TLS

/// Who this collector is: the fleet's authority, its own certificate, and the addresses under which agents find it.
///
/// Confined to the program's thread. `check` renews on the clock what ends with time, so that no restart is ever needed for it.
final class CollectorIdentity {
  /// What a check has changed.
  struct Change {
    var server = false
    var authority = false
  }

  private(set) var authority: CertificateAuthority
  private(set) var server: ServerCertificate
  private let options: CollectorOptions
  private let announced: AnnouncedCollectors
  private let logger: Logger
  private var issuingFile: FileStatus?
  private var warnedNs: Int64 = 0

  private static let warnEveryNs: Int64 = 86_400_000_000_000

  init(
    authority: CertificateAuthority, options: CollectorOptions, announced: AnnouncedCollectors, logger: Logger
  ) throws(IdentityError) {
    self.authority = authority
    self.options = options
    self.announced = announced
    self.logger = logger
    server = try Self.certificate(authority, options, announced, Clock.wallNs())
    issuingFile = try? FileStatus.of(path: issuingPath)
  }

  private var issuingPath: String { CertificateAuthority.directory(below: options.stateDirectory) + "/issuing.pem" }

  private static func certificate(
    _ authority: CertificateAuthority, _ options: CollectorOptions, _ announced: AnnouncedCollectors, _ nowNs: Int64
  ) throws(IdentityError) -> ServerCertificate {
    try ServerCertificate(
      own: options.ownNames, fleet: announced.names, authority: authority, nowNs: nowNs,
      lifeSeconds: options.serverCertificateSeconds ?? CertificateAuthority.serverLifeSeconds)
  }

  /// What gateways show to agents. The key is in this process alone, never on disk.
  var shown: ServerIdentity {
    ServerIdentity(chainPEM: server.chainPEM, keyPEM: server.keyPEM, rootsPEM: authority.trustPEM)
  }

  /// How often to look. Certificates of seconds are for tests.
  var checkEveryNs: Int64 {
    min(60_000_000_000, max(100_000_000, (server.notAfterNs - server.issuedNs) / 20))
  }

  /// To be called every `checkEveryNs`: renews the certificate and the issuing CA when they are due, and takes over an authority that
  /// was renewed or imported on disk.
  func check(nowNs: Int64) -> Change {
    var change = Change()
    do throws(IdentityError) {
      let isRenewed = try renewAuthority(nowNs)
      if isRenewed || isAuthorityChangedOnDisk {
        change.authority = true
        try reloadAuthority()
      }
      if change.authority || server.isDue(nowNs: nowNs) || server.lacks(announced.names) {
        try renewServer(nowNs)
        change.server = true
      }
    } catch {
      warn(nowNs, "the collector's certificates cannot be renewed", "\(error)")
    }
    if let sentence = endSentence(nowNs) { warn(nowNs, sentence, "") }
    return change
  }

  /// Reads the authority again and makes a certificate of it: SIGHUP.
  func reload(nowNs: Int64) throws(IdentityError) {
    try reloadAuthority()
    try renewServer(nowNs)
  }

  private func renewServer(_ nowNs: Int64) throws(IdentityError) {
    server = try Self.certificate(authority, options, announced, nowNs)
    if !server.leftOut.isEmpty {
      logger.warning(
        "more names than a certificate holds; hosts that know the collector by these alone cannot connect",
        metadata: ["names": "\(server.leftOut.joined(separator: ","))"])
    }
    logger.info(
      "server certificate",
      metadata: [
        "names": "\(server.names.joined(separator: ","))", "expires": "\(Timestamp.text(server.notAfterNs, digits: 0))",
      ])
  }

  private func reloadAuthority() throws(IdentityError) {
    let loaded = try CertificateAuthority.load(directory: options.stateDirectory)
    guard loaded.pin == authority.pin else {
      throw IdentityError(
        .untrusted, "\(options.stateDirectory)/ca holds another authority than the fleet's; restart to decide about it")
    }
    authority = loaded
    issuingFile = try? FileStatus.of(path: issuingPath)
  }

  private var isAuthorityChangedOnDisk: Bool {
    guard let now = try? FileStatus.of(path: issuingPath), let before = issuingFile else { return false }
    return now.inode != before.inode || now.modifiedNs != before.modifiedNs
  }

  /// By itself where the root's key has been left in its place.
  private func renewAuthority(_ nowNs: Int64) throws(IdentityError) -> Bool {
    guard authority.isRenewalDue(nowNs: nowNs), CertificateAuthority.hasRootKey(directory: options.stateDirectory)
    else {
      return false
    }
    authority = try CertificateAuthority.renewIssuing(directory: options.stateDirectory, nowNs: nowNs)
    logger.info(
      "issuing authority renewed", metadata: ["expires": "\(Timestamp.text(authority.issuing.notAfterNs, digits: 0))"])
    return true
  }

  // MARK: The end of the authority

  /// ns until the issuing CA's end; below zero after it.
  func authorityLeftNs(_ nowNs: Int64) -> Int64 { authority.issuing.notAfterNs - nowNs }

  /// One sentence while the end is near or past; nil otherwise.
  func endSentence(_ nowNs: Int64) -> String? { authority.endSentence(nowNs: nowNs) }

  /// How to renew it.
  var endSteps: [String] {
    OwnRule.authoritySteps(stateDirectory: options.stateDirectory)
  }

  private func warn(_ nowNs: Int64, _ sentence: String, _ reason: String) {
    guard nowNs - warnedNs > Self.warnEveryNs || nowNs < warnedNs else { return }
    warnedNs = nowNs
    logger.warning("\(sentence)", metadata: reason.isEmpty ? [:] : ["error": "\(reason)"])
  }
}

extension CollectorOptions {
  /// Names and addresses that agents on this machine and elsewhere use for this collector.
  var ownNames: [String] {
    let hosts = advertise.compactMap { TLS.CollectorAddress($0)?.host } + [listen.host, "localhost", "127.0.0.1"]
    return (hosts + [Machine.hostName()]).filter { !Wildcard.isOne($0) }
  }

  /// HOST:PORT under which agents reach this collector. Without `--advertise` a wildcard stands for the machine's own name: no
  /// agent can connect to a wildcard.
  func advertised(port: UInt16) -> [String] {
    if !advertise.isEmpty { return advertise }
    let host = Wildcard.isOne(listen.host) ? Machine.hostName() : listen.host
    return [TLS.CollectorAddress(host: host, port: port).description]
  }
}
