import EventLoop
import Files
import RPC
import TLS
import Transport

/// `signalbox-bench transport`: what a streamed report and an idle connection cost the server, over real mutual TLS on loopback.
///
/// Server and clients have a thread each; a thread's CPU time is its own clock. Certificates come from a directory with
/// ca.pem, server.pem, server.key, agent.pem and agent.key.
enum TransportBench {
  private static let reportBytes = 2048
  private static let window = 16

  static func run(_ arguments: [String]) {
    guard let directory = arguments.first else {
      print("usage: signalbox-bench transport CERTIFICATES")
      return
    }
    do {
      for connections in [1, 8, 64] { try load(directory, connections: connections, reports: 200_000) }
      try idle(directory, connections: 1000)
    } catch {
      print("failed: \(error)")
    }
  }

  /// The server on its thread; the closure gets its address and asks for its thread's CPU time.
  private static func withServer(_ directory: String, _ body: (SocketAddress, () -> Int64) throws -> Void) throws {
    let addresses = try Mailbox<SocketAddress>(limit: 1)
    let handles = try Mailbox<LoopHandle>(limit: 1)
    let cpu = try Mailbox<Int64>(limit: 1000)
    let questions = try Mailbox<Int>(limit: 1000)
    let thread = try LoopThread("server") {
      do {
        let loop = try EventLoop()
        var limits = RPCServerLimits()
        limits.connectionsPerCertificate = 0
        limits.waitingPerAddress = 10_000
        let tls = try TLSContext.server(try credentials(directory, "server"), trust: try file(directory, "ca.pem"))
        let server = RPCServer(loop: loop, tls: tls, limits: limits)
        server.register("/bench/Report", access: .certificate) { call in
          call.onMessage = { [unowned call] bytes in
            // The acknowledgement is the report's number.
            call.send(bytes.extracting(0..<8))
            call.consumed(bytes.count)
          }
          call.onEnd = { [unowned call] in call.finish(.ok) }
        }
        addresses.post(try server.listen(SocketAddress(host: "127.0.0.1", port: 0)))
        handles.post(loop.handle)
        try loop.receive(from: questions) { for _ in $0 { cpu.post(Clock.threadCPUNs()) } }
        try loop.run()
        server.close()
      } catch {
        print("server: \(error)")
      }
    }
    guard let address = addresses.wait(maximumMs: 10_000).first, let handle = handles.wait(maximumMs: 10_000).first
    else {
      return print("the server did not start")
    }
    try body(address) { questions.post(1) ? cpu.wait(maximumMs: 10_000).first ?? 0 : 0 }
    handle.stop()
    thread.join()
  }

  private static func load(_ directory: String, connections: Int, reports: Int) throws {
    try withServer(directory) { address, ask in
      let loop = try EventLoop()
      let clients = try connect(loop, address, directory, connections)
      var left = reports
      var acknowledged = 0
      let report = [UInt8](repeating: 7, count: reportBytes)
      let serverStart = ask()
      let ownStart = Clock.threadCPUNs()
      let start = Clock.monotonicNs()
      for client in clients {
        let call = client.call("/bench/Report")
        call.onMessage = { _ in
          acknowledged += 1
          if left > 0 {
            left -= 1
            call.send(report)
          }
          if acknowledged == reports { loop.stop() }
        }
        for _ in 0..<window where left > 0 {
          left -= 1
          call.send(report)
        }
      }
      try loop.run()
      let seconds = Double(Clock.monotonicNs() - start) / 1e9
      let per = 100_000 / Double(reports) / 1e9
      let server = Double(ask() - serverStart) * per
      let own = Double(Clock.threadCPUNs() - ownStart) * per
      print(
        "streamed \(reportBytes) B reports, \(connections) connections: server \(server) CPU-s per 100k, client \(own), "
          + "\(Int(Double(reports) / seconds)) reports/s")
      for client in clients { client.close() }
    }
  }

  private static func idle(_ directory: String, connections: Int) throws {
    try withServer(directory) { address, ask in
      let loop = try EventLoop()
      // What the first connections allocate once is not counted.
      let warm = try hold(loop, address, directory, 10)
      let before = try residentKiB()
      let cpuBefore = ask()
      // The clients have a process of their own, whose memory is not counted.
      let many = try hold(loop, address, directory, connections)
      // The server's sweep gives the handshakes' memory back.
      loop.after(1_500_000_000) { loop.stop() }
      try loop.run()
      let after = try residentKiB()
      let handshake = Double(ask() - cpuBefore) / Double(connections) / 1e6
      print(
        "\(connections) idle connections with an open call: \(Double(after - before) / Double(connections)) KiB each; "
          + "handshake and first report \(handshake) server CPU-ms")
      for child in [warm, many] {
        child.closeInput()
        try loop.run()
      }
    }
  }

  /// Starts a process that opens connections and holds them until its input is closed; returns when all are open.
  private static func hold(
    _ loop: EventLoop, _ address: SocketAddress, _ directory: String, _ count: Int
  ) throws -> Child {
    let child = try Child.spawn(
      "/proc/self/exe",
      arguments: ["signalbox-bench", "transport-clients", address.description, directory, "\(count)"],
      on: loop
    ) { _ in loop.stop() }
    let watch = try loop.watch(child.output.raw, .read) { _ in loop.stop() }
    try loop.run()
    loop.unwatch(watch)
    return child
  }

  /// The process that `hold` starts.
  static func holdConnections(_ arguments: [String]) {
    guard arguments.count == 3, let address = SocketAddress.parse(arguments[0]), let count = Int(arguments[2]) else {
      return
    }
    do {
      let loop = try EventLoop()
      let clients = try connect(loop, address, arguments[1], count)
      var opened = 0
      for client in clients {
        let call = client.call("/bench/Report")
        call.onMessage = { _ in
          opened += 1
          if opened == count { loop.stop() }
        }
        call.send([UInt8](repeating: 1, count: 8))
      }
      try loop.run()
      let output = Descriptor(adopting: 1, path: "stdout")
      try output.write(Array("open\n".utf8).span)
      try loop.watch(0, .read) { _ in loop.stop() }
      try loop.run()
    } catch {
      print("clients: \(error)")
    }
  }

  private static func connect(
    _ loop: EventLoop, _ address: SocketAddress, _ directory: String, _ count: Int
  ) throws -> [RPCClient] {
    let tls = try TLSContext.client(
      try credentials(directory, "agent"), trust: .authorities(pem: try file(directory, "ca.pem")), server: .any)
    var clients: [RPCClient] = []
    var ready = 0
    var next: () -> Void = {}
    next = {
      if clients.count == count { return }
      let client = RPCClient(loop: loop, target: address, tls: tls)
      clients.append(client)
      client.onReady = {
        ready += 1
        next()
        if ready == count { loop.stop() }
      }
      client.onClosed = { reason in if reason != .local { print("closed: \(reason)") } }
      client.connect()
    }
    for _ in 0..<min(4, count) { next() }
    try loop.run()
    next = {}
    return clients
  }

  private static func residentKiB() throws -> Int {
    let text = String(decoding: try HostFiles.read("/proc/self/status"), as: UTF8.self)
    let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
    return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).compactMap { Int($0) }.first ?? 0
  }

  private static func file(_ directory: String, _ name: String) throws -> [UInt8] {
    try HostFiles.read(directory + "/" + name)
  }

  private static func credentials(_ directory: String, _ name: String) throws -> TLSCredentials {
    TLSCredentials(chainPEM: try file(directory, name + ".pem"), keyPEM: try file(directory, name + ".key"))
  }
}
