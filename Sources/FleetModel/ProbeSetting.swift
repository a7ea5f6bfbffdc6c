/// What a configured probe asks. The raw values are those of the protocol.
package enum ProbeKind: UInt8, Sendable, CaseIterable {
  case http = 1
  case tcp = 2
  case redis = 3
  case postgres = 4
  case file = 5
  case json = 6
  case certificate = 7
  case backup = 8
  case queue = 9
  case container = 10
  case unit = 11
  case command = 12
  case prometheus = 13

  /// The word in `signalbox.yaml` and in the names of results.
  package var word: String { "\(self)" }
}

/// One check that a host repeats, as a profile sets it. Times are whole milliseconds on the wire.
package struct ProbeSetting: Sendable, Equatable {
  /// nil for a kind of a newer collector: it is not asked.
  package var kind: ProbeKind?
  package var name: String
  package var everyNs: Int64 = Self.everyDefaultNs
  package var timeoutNs: Int64 = Self.timeoutDefaultNs
  /// http, prometheus: URL. tcp, redis, postgres: HOST:PORT. file, json, backup: absolute path with wildcards. queue: absolute path.
  /// certificate: absolute path or HOST:PORT. container, unit: its name. command: absolute path of the program.
  package var target: String
  /// container: Docker's Unix socket; postgres: the server's, instead of a target.
  package var socket = ""
  /// postgres: section of the host's own service file, instead of a target.
  package var service = ""
  /// command: what the program gets. prometheus: patterns of the series that are kept (`SeriesPattern`).
  package var arguments: [String] = []
  /// http: the status that is fine; 0 = 200.
  package var expectStatus: UInt32 = 0
  /// http: what the answer's body must hold; empty = anything.
  package var expectBody = ""
  /// json: files that changed within this time are not looked at yet.
  package var settleNs: Int64 = 0

  /// Three in a minute, as the catalogue counts them.
  package static let everyDefaultNs: Int64 = 20_000_000_000
  package static let timeoutDefaultNs: Int64 = 5_000_000_000
  package static let settleDefaultNs: Int64 = 60_000_000_000
  package static let everyRangeNs: ClosedRange<Int64> = 1_000_000_000...86_400_000_000_000
  package static let timeoutRangeNs: ClosedRange<Int64> = 100_000_000...300_000_000_000
  /// Of an exposition: a rate over a longer time hides what happened in it.
  package static let expositionEveryNsMax: Int64 = 900_000_000_000
  package static let settleNsMax: Int64 = 86_400_000_000_000

  package init(_ kind: ProbeKind?, _ name: String, target: String = "") {
    self.kind = kind
    self.name = name
    self.target = target
  }

  /// The name of its main result; further figures are `KIND.figure/NAME`.
  package var resultName: String { "\(kind?.word ?? "unknown")/\(name)" }

  package func resultName(of figure: String) -> String { "\(kind?.word ?? "unknown").\(figure)/\(name)" }
}

extension ProbeSetting {
  /// Of one host: all its profiles together.
  package static let probesPerHost = 64
  package static let nameBytes = 128
  package static let targetBytes = 1024
  /// sun_path of unix(7) without its NUL.
  package static let socketBytes = 107
  package static let serviceBytes = 128
  package static let arguments = 16
  package static let argumentBytesTotal = 2048
  package static let expectBodyBytes = 256
}
