internal import Answers
internal import FleetModel
internal import Store

extension FleetReader {
  /// A question about a host that there is none of has no answer: "nothing was lost" of a mistyped name would be a lie.
  ///
  /// - Parameter names: what `--host` was given; none asks about all.
  /// - Throws: `CommandFailure.nothingFound`, naming the hosts that there are. Scripts get an empty list beside the code.
  func requireHosts(_ names: [String?], _ output: OutputOptions) throws {
    let asked = names.compactMap { $0 }
    if asked.isEmpty { return }
    let unknown = try answer(FleetQueries.unknownHosts(asked), [])
    guard case .text(let name)? = unknown.rows.first?.first else { return }
    let known = try answer(FleetQueries.hostNames(), []).texts
    if output.format == .json { try output.print(Answer(columns: [])) }
    throw CommandFailure(.nothingFound, HostNames.unknown(name, among: known))
  }
}
