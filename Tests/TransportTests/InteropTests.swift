import EventLoop
import Files
import Foundation
import RPC
import Testing
import Transport

extension Connections {
  /// Other people's clients: grpcio from PyPI and nghttp from Debian.
  @Suite struct InteropTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path()

    private static var python: String {
      ProcessInfo.processInfo.environment["SIGNALBOX_PYTHON"] ?? root + ".build/venv/bin/python"
    }

    private func run(_ bed: TestBed, _ path: String, _ arguments: [String]) throws -> (
      exit: Child.Exit?, output: String
    ) {
      var exit: Child.Exit?
      var output: [UInt8] = []
      let child = try Child.spawn(
        path, arguments: arguments, environment: ["PATH=/usr/bin:/bin", "GRPC_VERBOSITY=NONE"], on: bed.loop
      ) { exit = $0 }
      for fd in [child.output.raw, child.errors.raw] {
        let isOutput = fd == child.output.raw
        var watch: Watch?
        watch = try bed.loop.watch(fd, .read) { _ in
          let got =
            isOutput
            ? try? child.output.read(into: &output, count: 10_000)
            : try? child.errors.read(into: &output, count: 10_000)
          if got == 0, let watch { bed.loop.unwatch(watch) }
        }
      }
      try bed.turn(seconds: 60) { exit != nil }
      try bed.turn(seconds: 0.05) { false }
      return (exit, String(decoding: output, as: UTF8.self))
    }

    private func bed() throws -> TestBed {
      let bed = try TestBed()
      bed.server.register("/test.Slow/Wait", access: .certificate) { _ in }
      return bed
    }

    @Test("grpcio checks health, streams both ways, cancels, meets a deadline, an unknown method and a wrong authority")
    func grpcio() throws {
      let bed = try bed()
      let health = HealthService(overall: .serving)
      health.register(on: bed.server)
      let script = Self.root + "Tests/TransportTests/Interop/interop.py"
      let result = try run(bed, Self.python, [Self.python, script, "\(bed.address.port)", TestFleet.shared.directory])
      #expect(result.exit == .status(0), "\(result.output)")
      let expected = [
        "health serving", "unary 8 OK", "unary 65536 OK", "unary 1048576 OK", "stream 2000 in order OK",
        "empty stream OK",
        "1 MiB messages OK", "answer before the end", "cancelled CANCELLED", "deadline DEADLINE_EXCEEDED",
        "unknown method UNIMPLEMENTED", "too large RESOURCE_EXHAUSTED", "compressed UNIMPLEMENTED",
        "wrong authority UNAVAILABLE",
        "without certificate health OK", "without certificate echo UNAUTHENTICATED", "still works OK",
      ]
      #expect(result.output.split(separator: "\n").map(String.init) == expected)
      try bed.turn { bed.server.openCalls == 0 }
      #expect(bed.server.openCalls == 0)
    }

    @Test("nghttp with request trailers gets one answer, and what is not gRPC gets an HTTP status")
    func nghttp() throws {
      let bed = try bed()
      let fleet = TestFleet.shared
      let body = fleet.path("body")
      try Data([0, 0, 0, 0, 2, 7, 7]).write(to: URL(filePath: body))
      let url = "https://localhost:\(bed.address.port)/test.Echo/Unary"
      let common = [
        "nghttp", "-v", "--no-color", "--cert=\(fleet.path("agent.pem"))", "--key=\(fleet.path("agent.key"))",
        "-H:method: POST",
      ]
      // nghttp's colours have an option of their own only in newer versions.
      let arguments = common.filter { $0 != "--no-color" }
      let trailers = try run(
        bed, "/usr/bin/nghttp",
        arguments + [
          "--data=\(body)", "--trailer", "x-sum: 1", "-Hcontent-type: application/grpc", "-Hte: trailers", url,
        ])
      #expect(trailers.exit == .status(0), "\(trailers.output)")
      #expect(trailers.output.components(separatedBy: "grpc-status: 0").count == 2, "\(trailers.output)")
      let wrong = try run(
        bed, "/usr/bin/nghttp", arguments + ["--data=\(body)", "-Hcontent-type: application/json", url])
      #expect(wrong.output.contains(":status: 415"), "\(wrong.output)")
      let get = try run(bed, "/usr/bin/nghttp", arguments.filter { !$0.hasPrefix("-H") } + [url])
      #expect(get.output.contains(":status: 405"), "\(get.output)")
    }
  }
}
