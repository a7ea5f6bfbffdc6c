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
    let known = try answer(FleetQueries.hostNames(), []).rows.compactMap { row in
      if case .text(let name)? = row.first { name } else { nil }
    }
    if output.format == .json { try output.print(Answer(columns: [])) }
    throw CommandFailure(.nothingFound, Self.sentence(name, among: known))
  }

  /// "no host named 'gpu-1'; hosts: gpu-01, gpu-02 and 3 more".
  static func sentence(_ name: String, among known: [String]) -> String {
    let start = "no host named '\(name)'"
    if known.isEmpty { return start + "; no host has joined yet" }
    if let near = Nearest.name(to: name, among: known) { return start + "; did you mean '\(near)'?" }
    let more = known.count > 5 ? " and \(known.count - 5) more; signalbox hosts list shows them" : ""
    return start + "; hosts: " + known.prefix(5).joined(separator: ", ") + more
  }
}
