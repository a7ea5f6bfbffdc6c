internal import FleetModel

extension MetricCatalogue {
  /// One sample of a network interface.
  static let interface: [RuleMetric] = interfaceMetrics()

  /// Runs once. Not optimised: a hundred closures in one function keep the optimiser busy for many minutes.
  @_optimize(none)
  private static func interfaceMetrics() -> [RuleMetric] {
    var list = MetricList()
    list.add(
      "interface.receive_bytes_per_second", .bytesPerSecond, "Of the interface.",
      MetricReader.interface({ Double($0.receiveBytesPerSecond) }),
      write: MetricWriter.interface({ $0.receiveBytesPerSecond = Float($1) }))
    list.add(
      "interface.transmit_bytes_per_second", .bytesPerSecond, "Of the interface.",
      MetricReader.interface({ Double($0.transmitBytesPerSecond) }),
      write: MetricWriter.interface({ $0.transmitBytesPerSecond = Float($1) }))
    list.add(
      "interface.receive_packets_per_second", .number, "Of the interface.",
      MetricReader.interface({ Double($0.receivePacketsPerSecond) }),
      write: MetricWriter.interface({ $0.receivePacketsPerSecond = Float($1) }))
    list.add(
      "interface.transmit_packets_per_second", .number, "Of the interface.",
      MetricReader.interface({ Double($0.transmitPacketsPerSecond) }),
      write: MetricWriter.interface({ $0.transmitPacketsPerSecond = Float($1) }))
    list.add(
      "interface.receive_errors_total", .number, "Since boot.",
      MetricReader.interface({ Double($0.receiveErrorsTotal) }),
      write: MetricWriter.interface({ $0.receiveErrorsTotal = UInt64(number: $1) }))
    list.add(
      "interface.transmit_errors_total", .number, "Since boot.",
      MetricReader.interface({ Double($0.transmitErrorsTotal) }),
      write: MetricWriter.interface({ $0.transmitErrorsTotal = UInt64(number: $1) }))
    list.add(
      "interface.receive_drops_total", .number, "Since boot.", MetricReader.interface({ Double($0.receiveDropsTotal) }),
      write: MetricWriter.interface({ $0.receiveDropsTotal = UInt64(number: $1) }))
    list.add(
      "interface.transmit_drops_total", .number, "Since boot.",
      MetricReader.interface({ Double($0.transmitDropsTotal) }),
      write: MetricWriter.interface({ $0.transmitDropsTotal = UInt64(number: $1) }))
    list.add(
      "interface.up", .flag, "1 while it has a link.", MetricReader.interface({ $0.isUp ? 1 : 0 }),
      write: MetricWriter.interface({ $0.isUp = $1 != 0 }))
    list.add(
      "interface.speed_mbit", .number, "Link speed in Mbit/s.", MetricReader.interface({ Double($0.speedMbit) }),
      write: MetricWriter.interface({ $0.speedMbit = Float($1) }))
    return list.all
  }
}
