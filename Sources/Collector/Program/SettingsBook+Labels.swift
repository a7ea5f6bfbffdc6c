internal import FleetModel
internal import Store

extension SettingsBook {
  /// Makes the labels of the configuration those of the hosts. Nothing where no file was read: another collector may have one.
  /// - Parameter host: nil for all.
  func applyLabels(_ store: Store, of host: HostID? = nil) throws(StoreError) {
    guard let labels = hostLabels else { return }
    try store.applyLabels(labels, to: host)
  }
}
