import Foundation
import Schema
import Testing

/// `FleetProtocol` against the files that peers in other languages are made from.
@Suite struct ProtocolTests {
  /// "/package.Service/Call" of every call that a file of `proto/` declares.
  private static func paths(of proto: String) throws -> Set<String> {
    let text = try String(contentsOfFile: "\(Scratch.root)/proto/\(proto)", encoding: .utf8)
    let package = try #require(text.firstMatch(of: /(?m)^package ([\w.]+);/)).output.1
    var paths: Set<String> = []
    for service in text.matches(of: /(?ms)^service (\w+) \{(.*?)^\}/) {
      for call in service.output.2.matches(of: /rpc (\w+)\(/) {
        paths.insert("/\(package).\(service.output.1)/\(call.output.1)")
      }
    }
    return paths
  }

  @Test func everyCallOfTheProtosIsNamedAndNoOther() throws {
    let declared = try Self.paths(of: "signalbox/v1/report.proto").union(Self.paths(of: "signalbox/v1/enrolment.proto"))
    #expect(declared.count == 3)
    #expect(Set(FleetProtocol.Call.allCases.map(\.path)) == declared)
    let services = Set(FleetProtocol.Call.allCases.map(\.service))
    #expect(services == Set(FleetProtocol.Service.allCases))
  }

  @Test func theVersionInTheProtoIsTheOneThatIsSent() throws {
    let text = try String(contentsOfFile: "\(Scratch.root)/proto/signalbox/v1/report.proto", encoding: .utf8)
    let line = try #require(text.firstMatch(of: /uint32 protocol_version = 1; +\/\/ (\d+)\n/))
    #expect(UInt32(line.output.1) == FleetProtocol.version)
  }
}
