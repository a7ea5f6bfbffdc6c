internal import Answers

extension Presence {
  /// Of the fleet's state, with names in their order.
  init(_ state: FleetState, asOfNs: Int64) {
    self.init(Answer(columns: []), asOfNs: asOfNs)
    (asked, live) = (state.codes.count, state.counts[0])
    for (host, code) in zip(state.inventory.hosts, state.codes) {
      switch FleetState.presence(code) {
      case .live: continue
      case .late: late.append(host.name)
      case .silent: silent.append(host.name)
      case .never: never.append(host.name)
      }
    }
    late.sort()
    silent.sort()
    never.sort()
  }
}
