extension Store {
  /// Makes the rules of a collector known to whoever names one: the command line may run where no rule file is.
  ///
  /// Collectors of one database are expected to run the same rules; of those that do not, the one that started or reloaded last counts.
  /// - Parameter ids: of all rules, without line breaks.
  package func publishRules(_ ids: [String]) throws(StoreError) {
    let text = ids.sorted().joined(separator: "\n")
    if try setting(Self.rulesSetting) != text { try setSetting(Self.rulesSetting, to: text) }
  }

  static let rulesSetting = "rules"
}
