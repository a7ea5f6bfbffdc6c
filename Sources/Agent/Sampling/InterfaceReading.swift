internal import FleetModel

/// Counters of one network interface since boot.
struct InterfaceCounters: Equatable {
  var receivedBytes: UInt64 = 0
  var receivedPackets: UInt64 = 0
  var receiveErrors: UInt64 = 0
  var receiveDrops: UInt64 = 0
  var sentBytes: UInt64 = 0
  var sentPackets: UInt64 = 0
  var sendErrors: UInt64 = 0
  var sendDrops: UInt64 = 0
}

/// /proc/net/dev; proc_pid_net(5): per interface sixteen counters behind a colon.
struct InterfaceReading {
  struct Interface {
    let name: String
    fileprivate let nameBytes: [UInt8]
    /// A card of its own: counts in the host's sums and has samples of its own.
    var isPhysical = false
    var isUp = false
    var speedMbit = Float.nan
    var now: InterfaceCounters?
    var before: InterfaceCounters?
    /// At the last `NetworkSample` of it.
    var reported: InterfaceCounters?
  }

  var interfaces: [Interface] = []
  private(set) var leftOut = 0
  private(set) var hasNewInterfaces = false

  mutating func read(_ text: Span<UInt8>) {
    for index in interfaces.indices {
      interfaces[index].before = interfaces[index].now
      interfaces[index].now = nil
    }
    leftOut = 0
    var cursor = ProcCursor()
    var expected = 0
    repeat { readLine(text, &cursor, &expected) } while cursor.nextLine(text)
  }

  private mutating func readLine(_ text: Span<UInt8>, _ cursor: inout ProcCursor, _ expected: inout Int) {
    cursor.skipBlanks(text)
    let start = cursor.at
    let line = cursor.restOfLine(text)
    // Old kernels write no blank behind the colon; an alias has a colon in its name, so the last one before a number counts.
    guard let colon = line.last(where: { text[$0] == UInt8(ascii: ":") }), colon > start else { return }
    cursor = ProcCursor(at: colon + 1)
    guard let counters = counters(text, &cursor) else { return }
    guard let index = index(of: start..<colon, text, from: expected) else { return }
    interfaces[index].now = counters
    expected = index + 1
  }

  private func counters(_ text: Span<UInt8>, _ cursor: inout ProcCursor) -> InterfaceCounters? {
    var counters = InterfaceCounters()
    guard let receivedBytes = cursor.number(text), let receivedPackets = cursor.number(text),
      let receiveErrors = cursor.number(text), let receiveDrops = cursor.number(text)
    else { return nil }
    cursor.skipFields(4, text)
    guard let sentBytes = cursor.number(text), let sentPackets = cursor.number(text),
      let sendErrors = cursor.number(text), let sendDrops = cursor.number(text)
    else { return nil }
    counters.receivedBytes = receivedBytes
    counters.receivedPackets = receivedPackets
    counters.receiveErrors = receiveErrors
    counters.receiveDrops = receiveDrops
    counters.sentBytes = sentBytes
    counters.sentPackets = sentPackets
    counters.sendErrors = sendErrors
    counters.sendDrops = sendDrops
    return counters
  }

  private mutating func index(of name: Range<Int>, _ text: Span<UInt8>, from expected: Int) -> Int? {
    if expected < interfaces.count, ProcText.equals(interfaces[expected].nameBytes, text, name) { return expected }
    for index in interfaces.indices where ProcText.equals(interfaces[index].nameBytes, text, name) { return index }
    // Containers come and go with an interface each: those that went make room.
    if interfaces.count >= SamplingLimits.interfacesMax { interfaces.removeAll { $0.now == nil && $0.before == nil } }
    guard interfaces.count < SamplingLimits.interfacesMax else {
      leftOut += 1
      return nil
    }
    var bytes: [UInt8] = []
    for index in name.prefix(SamplingLimits.textBytesMax) { bytes.append(text[index]) }
    interfaces.append(Interface(name: String(decoding: bytes, as: UTF8.self), nameBytes: bytes))
    hasNewInterfaces = true
    return interfaces.count - 1
  }

  /// The next network samples cover what happens from now on.
  mutating func markReported() {
    for index in interfaces.indices { interfaces[index].reported = interfaces[index].now }
  }

  /// Decides which interfaces are cards; where none is (a container), those that are not plainly virtual.
  mutating func classify(_ isPhysical: (String) -> Bool) {
    for index in interfaces.indices { interfaces[index].isPhysical = isPhysical(interfaces[index].name) }
    if !interfaces.contains(where: { $0.isPhysical }) {
      for index in interfaces.indices {
        let name = interfaces[index].name
        interfaces[index].isPhysical = !Self.virtualPrefixes.contains { name.hasPrefix($0) }
      }
    }
    hasNewInterfaces = false
  }

  private static let virtualPrefixes = [
    "lo", "docker", "br-", "veth", "virbr", "ifb", "dummy", "tun", "tap", "cni", "flannel", "cali", "bond", "team",
    "sit",
    "wg", "gre", "erspan", "ip6", "vxlan", "kube",
  ]

  func fill(_ sample: inout HostSample, seconds: Double) {
    var received: Float = 0
    var sent: Float = 0
    var known = 0
    for interface in interfaces where interface.isPhysical {
      guard let now = interface.now, let before = interface.before else { continue }
      let rates = (
        counterRate(now.receivedBytes, before.receivedBytes, seconds: seconds),
        counterRate(now.sentBytes, before.sentBytes, seconds: seconds)
      )
      guard !rates.0.isNaN, !rates.1.isNaN else { continue }
      received += rates.0
      sent += rates.1
      known += 1
    }
    guard known > 0 else { return }
    sample.networkReceiveBytesPerSecond = received
    sample.networkTransmitBytesPerSecond = sent
  }
}

extension NetworkSample {
  mutating func fill(_ now: InterfaceCounters, since before: InterfaceCounters?, seconds: Double) {
    receiveErrorsTotal = now.receiveErrors
    transmitErrorsTotal = now.sendErrors
    receiveDropsTotal = now.receiveDrops
    transmitDropsTotal = now.sendDrops
    guard let before else { return }
    receiveBytesPerSecond = counterRate(now.receivedBytes, before.receivedBytes, seconds: seconds)
    transmitBytesPerSecond = counterRate(now.sentBytes, before.sentBytes, seconds: seconds)
    receivePacketsPerSecond = counterRate(now.receivedPackets, before.receivedPackets, seconds: seconds)
    transmitPacketsPerSecond = counterRate(now.sentPackets, before.sentPackets, seconds: seconds)
  }
}
