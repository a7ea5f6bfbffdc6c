internal import FleetModel

/// What of an exposition is asked for, as series; all else is only counted.
///
/// Its writer is not trusted: whatever it says costs at most `ExpositionLimits`, and lines that are no exposition are counted.
struct Exposition: Sendable {
  private(set) var series: [ExpositionSeries] = []
  /// Lines with a value.
  private(set) var samples = 0
  private(set) var unreadable = 0
  /// Series that were asked for and lie beyond the limits.
  private(set) var leftOut = 0
  /// The first line that could not be read, its number from 1.
  private(set) var firstUnreadable = 0

  /// - Parameter wants: asked once for each metric: its name, and the name as the line has it.
  static func read(_ bytes: [UInt8], wants: (String) -> Bool) -> Exposition {
    var reader = ExpositionReader(bytes)
    reader.run(wants)
    return reader.exposition
  }

  fileprivate mutating func noteUnreadable(_ line: Int) {
    unreadable += 1
    if firstUnreadable == 0 { firstUnreadable = line }
  }

  fileprivate mutating func noteSample() { samples += 1 }
  fileprivate mutating func noteLeftOut() { leftOut += 1 }
  fileprivate mutating func add(_ new: ExpositionSeries) { series.append(new) }
  fileprivate mutating func change(_ place: Int, _ change: (inout ExpositionSeries) -> Void) { change(&series[place]) }

  /// As names are compared: client libraries write a colon as '_' where they answer in OpenMetrics.
  static func comparable(_ name: String) -> String {
    name.utf8.contains(UInt8(ascii: ":")) ? String(name.map { $0 == ":" ? "_" : $0 }) : name
  }
}

/// Puts lines together to series.
private struct ExpositionReader {
  /// What the lines with one name are.
  private struct Metric {
    enum Role { case value, bucket, sum, count, quantile, ignored }
    var name: String
    var kind: MetricKind
    var role: Role
  }

  var exposition = Exposition()
  private var lines: ExpositionLines
  /// By comparable name.
  private var kinds: [String: MetricKind] = [:]
  /// By name and labels; -1 for those that were left out.
  private var places: [String: Int] = [:]
  private var buckets = 0
  /// Lines with one name mostly follow each other.
  private var lastName: ArraySlice<UInt8> = []
  private var last: Metric?

  init(_ bytes: [UInt8]) { lines = ExpositionLines(bytes) }

  mutating func run(_ wants: (String) -> Bool) {
    var number = 0
    while let line = lines.next() {
      number += 1
      switch line {
      case .blank: break
      case .end: return
      case .unreadable: exposition.noteUnreadable(number)
      case .type(let name, let word): note(name, word, number)
      case .sample(let name, let value):
        exposition.noteSample()
        guard let metric = metric(name, wants) else { break }
        take(metric, value)
      }
    }
  }

  private mutating func note(_ name: Range<Int>, _ word: Range<Int>, _ number: Int) {
    guard let kind = MetricKind(word: lines.text(word)[...]) else { return exposition.noteUnreadable(number) }
    if kinds.count < ExpositionLimits.familiesMax { kinds[Exposition.comparable(lines.text(name))] = kind }
    lastName = []
  }

  /// - Returns: nil for what is not wanted.
  private mutating func metric(_ range: Range<Int>, _ wants: (String) -> Bool) -> Metric? {
    if !lastName.isEmpty, lastName.elementsEqual(lines.bytes[range]) { return last }
    lastName = lines.bytes[range]
    last = nil
    if range.count > ExpositionLimits.nameBytesMax { return nil }
    let metric = resolve(lines.text(range))
    if metric.role != .ignored, wants(metric.name) { last = metric }
    return last
  }

  private mutating func resolve(_ name: String) -> Metric {
    let known = Exposition.comparable(name)
    if name.hasSuffix("_created") { return Metric(name: name, kind: .gauge, role: .ignored) }
    if let kind = kinds[known] {
      switch kind {
      case .gauge, .counter: return Metric(name: name, kind: kind, role: .value)
      case .summary: return Metric(name: name, kind: kind, role: .quantile)
      case .histogram, .other: return Metric(name: name, kind: kind, role: .ignored)
      }
    }
    let endings: [(String, Metric.Role)] = [("_bucket", .bucket), ("_sum", .sum), ("_count", .count)]
    for (ending, role) in endings where name.hasSuffix(ending) {
      let base = String(name.dropLast(ending.utf8.count))
      let kind = kinds[String(known.dropLast(ending.utf8.count))]
      if kind == .histogram || kind == .summary { return Metric(name: base, kind: kind ?? .histogram, role: role) }
      if kind == .other { return Metric(name: base, kind: .other, role: .ignored) }
      guard role == .bucket, kinds.count < ExpositionLimits.familiesMax else { continue }
      // Without its type: the lines that follow are of the same histogram.
      kinds[String(known.dropLast(ending.utf8.count))] = .histogram
      return Metric(name: base, kind: .histogram, role: .bucket)
    }
    // By its name a counter, also where OpenMetrics gives the type without the ending, or none is given.
    return Metric(name: name, kind: name.hasSuffix("_total") ? .counter : .gauge, role: .value)
  }

  private mutating func take(_ metric: Metric, _ value: Double) {
    var labels: [(name: String, value: String)] = []
    var bound: Double?
    for label in lines.labels {
      let name = lines.text(label.name)
      if (name == "le" && metric.role == .bucket) || (name == "quantile" && metric.role == .quantile) {
        bound = DecimalNumber.parse(lines.bytes.span, label.value)
      } else if !label.value.isEmpty, labels.count <= ExpositionLimits.labelsMax {
        // An empty value is the same as no label.
        labels.append((name, lines.text(label)))
      }
    }
    labels.sort { $0.name < $1.name }
    guard let place = place(of: ExpositionSeries(metric.name, labels, metric.kind)) else { return }
    switch metric.role {
    case .value: exposition.change(place) { $0.value = value }
    case .sum: exposition.change(place) { $0.sum = value }
    case .count: exposition.change(place) { $0.count = value }
    case .bucket: if let bound { add(.init(bound: bound, count: value), place) }
    case .quantile:
      guard let bound, exposition.series[place].quantiles.count < ExpositionLimits.bucketsMax else { return }
      exposition.change(place) { $0.quantiles.append(.init(bound: bound, count: value)) }
    case .ignored: break
    }
  }

  private mutating func add(_ bucket: ExpositionSeries.Bucket, _ place: Int) {
    guard exposition.series[place].buckets.count < ExpositionLimits.bucketsMax,
      buckets < ExpositionLimits.bucketsTotalMax
    else {
      if !exposition.series[place].isCut { exposition.noteLeftOut() }
      return exposition.change(place) { $0.isCut = true }
    }
    buckets += 1
    exposition.change(place) { $0.buckets.append(bucket) }
  }

  private mutating func place(of new: ExpositionSeries) -> Int? {
    let labels = new.labelText
    let key = new.name + labels
    if let place = places[key] { return place < 0 ? nil : place }
    guard exposition.series.count < ExpositionLimits.seriesMax, labels.utf8.count <= ExpositionLimits.labelBytesMax,
      new.labels.count <= ExpositionLimits.labelsMax
    else {
      // Remembered up to a bound, so that a histogram is counted once and not for each of its lines.
      if places.count < 4 * ExpositionLimits.seriesMax { places[key] = -1 }
      exposition.noteLeftOut()
      return nil
    }
    places[key] = exposition.series.count
    exposition.add(new)
    return exposition.series.count - 1
  }
}
