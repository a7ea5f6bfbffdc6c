internal import Files
internal import Logging
internal import Store

extension SettingsBook {
  /// Makes the rules that run here known to the command line, and their runbooks to the console.
  func publishRules(_ store: Store) throws(StoreError) {
    let pages = rulePages
    try store.publishRules(pages.map(\.rule))
    try store.publishRulePages(pages)
  }

  /// Makes the silences of the configuration those of the database.
  func applyMaintenance(_ store: Store, _ logger: Logger) throws(StoreError) {
    guard let maintenance else { return }
    let report = try store.applyMaintenance(maintenance, nowNs: Clock.wallNs())
    for refused in report.refused {
      logger.error("maintenance refused", metadata: ["name": "\(refused.name)", "error": "\(refused.reason)"])
    }
    if report.added + report.changed + report.ended > 0 {
      logger.info(
        "maintenance",
        metadata: ["added": "\(report.added)", "changed": "\(report.changed)", "ended": "\(report.ended)"])
    }
  }
}
