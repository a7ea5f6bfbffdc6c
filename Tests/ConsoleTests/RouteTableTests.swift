import FleetModel
import Foundation
import HTTPTypes
import Testing

@testable import Console

/// The table of routes, from which everything else follows.
@Suite struct RouteTableTests {
  @Test func eachAddressIsThereOnceAndNamesItsParameters() {
    let keys = RouteTable.all.map { "\($0.method) \($0.path)" }
    #expect(Set(keys).count == keys.count)
    let identifiers = RouteTable.all.map(\.operationID)
    #expect(Set(identifiers).count == identifiers.count, "\(identifiers)")
    for route in RouteTable.all {
      let named = route.path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
        String($0.dropFirst().dropLast())
      }
      #expect(named == route.parameters.filter { $0.place == .path }.map(\.name), "\(route.path)")
    }
  }

  /// What changes something is never done by a visit, and needs more than reading.
  @Test func onlyPostsChange() {
    for route in RouteTable.all {
      if case .change = route.shape {
        #expect(route.method != .get && route.role ?? .viewer >= .responder, "\(route.path)")
      }
      // A question that is too long for an address.
      if case .rows = route.shape { continue }
      if route.method != .get, route.path.hasPrefix("/api/") {
        #expect(route.role ?? .viewer >= .responder, "\(route.path)")
      }
    }
    let open = RouteTable.all.filter { $0.role == nil }.map(\.path)
    #expect(
      Set(open)
        == Set(
          [
            "/healthz", "/api/v1/openapi.json", StyleSheet.path, "/icon.svg", "/login", "/login/{link}",
            "/i/{token}", "/llms.txt", "/client/signalbox.py", "/api/v1/oncall.ics",
            "/hooks/pagerduty", "/hooks/slack", "/oidc/start", "/oidc/callback",
          ] + Script.all.map(\.path) + ChartLibrary.File.all.map(\.path)),
      "what anybody may ask for: \(open)")
  }

  /// A change of the interface is seen in the document's difference. `SIGNALBOX_WRITE_OPENAPI=1` writes it anew.
  @Test func theCommittedDocumentIsThatOfTheTable() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("docs/openapi.json")
    let object = try JSONSerialization.jsonObject(with: Data(OpenAPI.document(RouteTable.all).written.utf8))
    let text = try JSONSerialization.data(
      withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    if ProcessInfo.processInfo.environment["SIGNALBOX_WRITE_OPENAPI"] == "1" {
      try (text + Data("\n".utf8)).write(to: file)
    }
    let committed = try Data(contentsOf: file)
    #expect(committed == text + Data("\n".utf8), "docs/openapi.json is not that of the table of routes")
  }
}
