/// With which authority a collector starts: decided before anything is signed or announced.
///
/// The hosts of a fleet trust one authority. A collector that made another one would shut every host out, or, beside a second
/// collector, give out certificates that the other refuses.
package enum AuthorityChoice: Sendable, Equatable {
  /// The state directory's is the fleet's.
  case use
  /// There is no fleet yet.
  case create
  /// The operator wants the fleet to trust the state directory's from now on: every host must join again.
  case replace
  /// Likewise with a new one.
  case createAndReplace
  /// One sentence with what to do.
  case refuse(String)

  /// - Parameters:
  ///   - ownPin: key SHA-256 of the state directory's root, hex; nil where it has no authority.
  ///   - fleetPin: that of the fleet in the database; nil where there is none yet.
  ///   - activeHosts: hosts that may report.
  ///   - allowsNew: `--new-authority`.
  package static func make(
    ownPin: String?, fleetPin: String?, activeHosts: Int, allowsNew: Bool, stateDirectory: String
  ) -> AuthorityChoice {
    let advice =
      "bring the fleet's authority here with `signalbox ca import FILE --state-dir \(stateDirectory)`, made by "
      + "`signalbox ca export FILE` on a collector that has it or from a backup of its ca/; or begin anew with "
      + "--new-authority: then every host must join again"
    switch (ownPin, fleetPin) {
    case (nil, nil) where activeHosts == 0: return .create
    case (nil, _):
      if allowsNew { return .createAndReplace }
      return .refuse(
        "\(stateDirectory)/ca is missing, but this database has a fleet (\(hosts(activeHosts))) that trusts "
          + "\(fleetPin.map { "the authority with key SHA-256 \($0.prefix(16))…" } ?? "another authority"): \(advice)")
    case (_, nil): return .use
    case (let own?, let fleet?):
      if own == fleet { return .use }
      if allowsNew { return .replace }
      return .refuse(
        "\(stateDirectory)/ca (key SHA-256 \(own.prefix(16))…) is not the authority that this database's fleet "
          + "(\(hosts(activeHosts))) trusts (\(fleet.prefix(16))…): \(advice)")
    }
  }

  private static func hosts(_ count: Int) -> String { count == 1 ? "1 host" : "\(count) hosts" }
}
