internal import FleetModel
internal import RuleFiles

/// `quotas:`: what one host may make the fleet keep.
extension ConfigurationReader {
  /// A million a second; ten times that of the largest foreseen host.
  private static let perDayMax: Int64 = 86_400_000_000
  private static let burstMax: Int64 = 1_000_000_000_000
  /// Of 2^31 numbers of runs or files, one host uses up no more than half in three years.
  private static let numberedPerDayMax: Int64 = 1_000_000
  private static let numberedBurstMax: Int64 = 50_000_000

  func quotas(_ node: DocumentNode) throws(DocumentMistake) -> [HostQuota.Kind: RateLimit] {
    var quotas: [HostQuota.Kind: RateLimit] = [:]
    for (key, value) in try entries(node, "quotas", HostQuota.Kind.allCases.map(\.text)) {
      guard let kind = HostQuota.Kind(text: key) else { continue }
      quotas[kind] = try quota(value, of: kind)
    }
    return quotas
  }

  /// What is not given stays as it is shipped.
  private func quota(_ node: DocumentNode, of kind: HostQuota.Kind) throws(DocumentMistake) -> RateLimit {
    var (perDay, burst) = (86_400_000_000_000 / kind.limit.intervalNs, kind.limit.burst)
    for (key, value) in try entries(node, "quotas.\(kind.text)", ["per_day", "burst"]) {
      let isRate = key == "per_day"
      let limit =
        isRate
        ? (kind.isNumbered ? Self.numberedPerDayMax : Self.perDayMax)
        : (kind.isNumbered ? Self.numberedBurstMax : Self.burstMax)
      let count = try count(value, "quotas.\(kind.text).\(key)", limit)
      if isRate { perDay = count } else { burst = count }
    }
    return RateLimit(perDay: perDay, burst: burst)
  }

  private func count(_ node: DocumentNode, _ what: String, _ limit: Int64) throws(DocumentMistake) -> Int64 {
    let word = try text(node, what)
    guard let count = Int64(word), (1...limit).contains(count) else {
      throw mistake(node, "'\(word)' is no \(what); write a whole number from 1 to \(limit)")
    }
    return count
  }
}
