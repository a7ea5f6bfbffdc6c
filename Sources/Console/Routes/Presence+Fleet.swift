internal import Answers

extension Presence {
  /// Of the fleet's state, with names in their order.
  /// - Parameter names: of the hosts that were asked for; nil: all.
  init(_ state: FleetState, asOfNs: Int64, of names: [String]? = nil) {
    self.init(Answer(columns: []), asOfNs: asOfNs)
    var left = names.map(Set.init)
    for (host, code) in zip(state.inventory.hosts, state.codes) where left == nil || left?.remove(host.name) != nil {
      asked += 1
      switch FleetState.presence(code) {
      case .live: live += 1
      case .late: late.append(host.name)
      case .silent: silent.append(host.name)
      case .never: never.append(host.name)
      }
    }
    late.sort()
    silent.sort()
    never.sort()
    unknown = left?.sorted() ?? []
  }
}
