extension Store {
  /// Publishes the ids of the rules of a collector. The command line checks patterns of rules against them, because it
  /// may run on a host without rule files.
  ///
  /// Collectors of one database are expected to run the same rules; otherwise those of the one that started or reloaded
  /// last are stored.
  /// - Parameter ids: of all rules, without line breaks.
  package func publishRules(_ ids: [String]) throws(StoreError) {
    let text = ids.sorted().joined(separator: "\n")
    if try setting(Self.rulesSetting) != text { try setSetting(Self.rulesSetting, to: text) }
  }

  static let rulesSetting = "rules"
}
