internal import Files
internal import FleetModel
internal import Store

/// Enrolment's questions as the store's statements.
struct StoreEnrolment: EnrolmentStore {
  typealias Failure = StoreError

  let store: Store
  /// What was put on the allow-list through this value.
  private(set) var admitted: CertificateRecord?

  init(store: Store) { self.store = store }

  mutating func redeem(_ redemption: TokenRedemption) throws(StoreError) -> TokenOutcome {
    do throws(StoreError) {
      let newHost = HostID(bytes: HostFiles.randomBytes(16)) ?? HostID(high: 0, low: 0)
      var asked = Redemption(
        tokenID: redemption.tokenID, secretHash: redemption.secretHash, keyPin: redemption.keyPin, newHost: newHost,
        nowNs: redemption.nowNs)
      asked.claimedName = redemption.claimedName
      asked.machine = redemption.machineIDHash
      asked.previousHost = redemption.previousHost
      let enrolled = try store.redeem(asked)
      return .redeemed(enrolled.host, hostName: enrolled.hostName)
    } catch StoreError.joinToken(let problem) {
      switch problem {
      case .unknown: return .unknown
      case .expired: return .expired
      case .alreadyRedeemed: return .used
      case .nameInUse, .nameNotInvited: return .refused(problem.description)
      }
    }
  }

  mutating func admit(_ record: CertificateRecord) throws(StoreError) -> Bool {
    do throws(StoreError) {
      try store.addCertificate(
        host: record.hostID, fingerprint: record.fingerprint, issuedNs: record.issuedNs, expiresNs: record.expiresNs,
        reason: record.reason.rawValue, serial: record.serialHex)
      admitted = record
      return true
    } catch StoreError.revokedHost {
      return false
    } catch StoreError.unknownHost {
      return false
    }
  }

  mutating func standing(ofCertificate fingerprint: [UInt8]) throws(StoreError) -> CertificateStanding? {
    try store.allowedCertificate(fingerprint).map { certificate in
      CertificateStanding(
        hostID: certificate.host, hostName: certificate.hostName, isRevoked: certificate.state == .revoked,
        isRetired: certificate.state == .retired, wasUsed: certificate.isFirstUsed)
    }
  }

  mutating func certificateUsed(_ fingerprint: [UInt8], nowNs: Int64) throws(StoreError) {
    try store.certificateUsed(fingerprint: fingerprint, nowNs: nowNs)
  }
}

extension AllowList {
  /// Takes over what the database holds.
  func replace(_ certificates: [AllowedCertificate]) {
    let entries = certificates.map { certificate in
      let state: Entry.State =
        switch certificate.state {
        case .active: .active
        case .retired: .retired
        case .revoked: .revoked
        }
      let entry = Entry(
        host: certificate.host, state: state, isUsed: certificate.isFirstUsed, revision: certificate.revision)
      return (certificate.fingerprint, entry)
    }
    replace(Dictionary(entries) { first, _ in first })
  }
}
