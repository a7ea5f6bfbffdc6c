internal import Logging
internal import Store

extension CollectorMetrics {
  /// Counts what the database has refused, and logs it once for each kind.
  func count(_ setAside: [SetAside], _ logger: Logger) {
    for entry in setAside {
      rowsDeadLettered.add(UInt64(clamping: entry.rows))
      if entry.rows == 0 { othersDeadLettered.add(UInt64(clamping: entry.count)) }
      logger.error(
        "the database refuses what is now in dead_letters; everything else is stored",
        metadata: [
          "host_number": "\(entry.hostNumber)", "table": "\(entry.table)", "count": "\(entry.count)",
          "sqlstate": "\(entry.sqlState)", "reason": "\(entry.reason)",
        ])
    }
  }
}
