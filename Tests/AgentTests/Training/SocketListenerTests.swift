import Agent
import EventLoop
import Files
import FleetModel
import Foundation
import Testing

@Suite(.timeLimit(.minutes(10))) struct SocketListenerTests {
  /// A listener on a socket of its own, its loop, and what programs reported to it.
  private final class Fixture {
    let directory = FileManager.default.temporaryDirectory.appending(path: "training-socket-\(UUID().uuidString)")
    let loop: EventLoop
    var listener: SocketListener?
    var records: [Records] = []
    var path: String { directory.appending(path: "s").path }

    init(limits: SocketLimits = SocketLimits()) throws {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      loop = try EventLoop()
      listener = try SocketListener(path: path, loop: loop, limits: limits, redact: { $0 }) { [unowned self] in
        records.append($0)
      }
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// Turns the loop until `done`, at most some seconds.
    func turn(until done: () -> Bool) throws {
      for _ in 0..<500 where !done() { try loop.turn(maximumWaitNs: 10_000_000) }
      #expect(done())
    }
  }

  private static let line = "{\"event\": \"run_started\", \"run\": \"r\"}\n"

  @Test("what a program writes arrives with its process id, and only owner and group may write")
  func arrival() throws {
    let fixture = try Fixture()
    #expect(try FileStatus.of(path: fixture.path).mode & 0o777 == 0o660)
    let client = try Socket.connectUnix(fixture.path)
    _ = try client.writeSome(Array(Self.line.utf8).span)
    try fixture.turn { fixture.records.count == 1 }
    _ = try client.writeSome(Array(Self.line.utf8).span)
    let run = try #require(fixture.records.first?.runs.first)
    #expect(run.detail.contains("\"pid\": \(ProcessInfo.processInfo.processIdentifier), "))
    // What was written before the end is read at the end.
    fixture.listener?.close()
    #expect(fixture.records.count == 2)
    #expect(throws: FileError.self) { try FileStatus.of(path: fixture.path) }
  }

  @Test("a complaint comes back to the program that wrote the line")
  func complaint() throws {
    let fixture = try Fixture()
    let client = try Socket.connectUnix(fixture.path)
    _ = try client.writeSome(Array("nonsense\n".utf8).span)
    var reply: [UInt8] = []
    try fixture.turn {
      _ = try? client.read(into: &reply, count: 1000)
      return !reply.isEmpty
    }
    #expect(String(decoding: reply, as: UTF8.self).contains("must be one JSON object"))
  }

  @Test("a line without its newline counts when the program closes")
  func closing() throws {
    let fixture = try Fixture()
    do {
      let client = try Socket.connectUnix(fixture.path)
      _ = try client.writeSome(Array(Self.line.dropLast().utf8).span)
    }
    try fixture.turn { fixture.records.count == 1 && fixture.listener?.connectionCount == 0 }
  }

  @Test("one connection too many is refused, and the others go on")
  func tooMany() throws {
    var limits = SocketLimits()
    limits.connectionsMax = 2
    let fixture = try Fixture(limits: limits)
    let first = try Socket.connectUnix(fixture.path)
    let second = try Socket.connectUnix(fixture.path)
    let third = try Socket.connectUnix(fixture.path)
    try fixture.turn { fixture.listener?.refusedTotal == 1 }
    var reply: [UInt8] = []
    _ = try third.read(into: &reply, count: 100)
    #expect(String(decoding: reply, as: UTF8.self) == "{\"error\": \"too many connections\"}\n")
    for client in [0, 1] {
      _ = try (client == 0 ? first.writeSome(Array(Self.line.utf8).span) : second.writeSome(Array(Self.line.utf8).span))
    }
    try fixture.turn { fixture.records.reduce(0) { $0 + $1.runs.count } == 2 }
  }

  @Test("the socket of a dead agent is replaced; that of a living one, or another file, is not")
  func stale() throws {
    let fixture = try Fixture()
    func listen(_ path: String) throws {
      _ = try SocketListener(path: path, loop: fixture.loop, redact: { $0 }) { _ in }
    }
    #expect(throws: LoopError.self) { try listen(fixture.path) }
    let left = fixture.path + "2"
    do { _ = try Socket.listenUnix(left) }
    #expect(throws: Never.self) { try listen(left) }
    let file = fixture.path + "3"
    try HostFiles.replace(file, with: [1])
    #expect(throws: LoopError.self) { try listen(file) }
    #expect(try HostFiles.read(file) == [1])
  }

  @Test(
    "the Python example in the demo is understood", .enabled(if: FileManager.default.fileExists(atPath: "/usr/bin/env"))
  )
  func pythonExample() throws {
    let fixture = try Fixture()
    let demo = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appending(path: "deploy/demo/tell.py")
    let python = Process()
    python.executableURL = URL(filePath: "/usr/bin/env")
    python.arguments = ["python3", demo.path, fixture.path]
    try python.run()
    var reported: Records {
      fixture.records.reduce(into: Records()) {
        $0.runs += $1.runs; $0.episodes += $1.episodes; $0.steps += $1.steps
      }
    }
    try fixture.turn { reported.runs.count == 2 && !python.isRunning }
    #expect(reported.runs.map(\.state) == [.running, .completed])
    #expect(reported.episodes.map(\.metrics.totalReward) == [12.5, 25, 37.5])
    #expect(reported.steps.map(\.metrics.count) == [2, 2, 2])
  }
}
