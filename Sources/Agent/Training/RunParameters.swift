internal import FleetModel

/// What a file says about how its run was started: names and values, for people and for the comparison of runs.
struct RunParameters {
  /// JSON values by name, in the order of the file.
  private(set) var members: [(name: String, value: String)] = []
  /// Beyond the limits.
  private(set) var leftOut = 0
  private var bytes = 0
  private let redactor: Redactor?

  /// - Parameter redactor: every name with its value goes through it.
  init(_ redactor: Redactor?) { self.redactor = redactor }

  var isEmpty: Bool { members.isEmpty }

  mutating func removeAll() {
    members.removeAll()
    (leftOut, bytes) = (0, 0)
  }

  mutating func add(_ name: some Collection<UInt8>, text: some Collection<UInt8>) {
    let name = MetricName.text(name)
    let value = SafeText.make(text, bytesMax: TrainingLimits.parameterBytesMax)
    add(name, json: JSONText.quoted(visible(name, value)))
  }

  mutating func add(_ name: some Collection<UInt8>, number: Double) {
    add(MetricName.text(name), json: JSONRewriter.number(number))
  }

  mutating func add(_ name: some Collection<UInt8>, isTrue: Bool) {
    add(MetricName.text(name), json: isTrue ? "true" : "false")
  }

  /// The members of a JSON object, without those that hold others.
  /// - Returns: false where it is none.
  mutating func add(_ bytes: Span<UInt8>, object range: Range<Int>) -> Bool {
    var scanner = JSONScanner(range)
    guard scanner.next(bytes) == .objectStart else { return false }
    while case .key(let key)? = scanner.next(bytes) {
      let name = JSONScanner.text(bytes, key, bytesMax: TrainingLimits.metricNameBytesMax)
      switch scanner.next(bytes) {
      case .number(let text)?: if let value = DecimalNumber.parse(bytes, text) { add(name, number: value) }
      case .bool(let value)?: add(name, isTrue: value)
      case .string(let text)?:
        add(name, text: JSONScanner.text(bytes, text, bytesMax: TrainingLimits.parameterBytesMax))
      case let token: scanner.skip(bytes, token)
      }
    }
    return scanner.next(bytes) == nil && scanner.isComplete
  }

  private mutating func add(_ name: String, json value: String) {
    let size = name.utf8.count + value.utf8.count + 6
    guard !name.isEmpty, bytes + size <= TrainingLimits.parametersBytesMax else {
      leftOut += 1
      return
    }
    if let index = members.firstIndex(where: { $0.name == name }) {
      members[index].value = value
    } else {
      members.append((name, value))
      bytes += size
    }
  }

  /// A value is known to be secret by what stands before it.
  private func visible(_ name: String, _ value: String) -> String {
    guard let redactor else { return value }
    let whole = redactor.redact(name + "=" + value)
    guard whole.hasPrefix(name + "=") else { return "[redacted]" }
    return String(whole.dropFirst(name.count + 1))
  }

  /// What a run's detail holds of it: `{"detail": {…}}`, as of runs that report to the socket.
  var detail: String {
    var texts = members.map { JSONText.quoted($0.name) + ": " + $0.value }
    if leftOut > 0 { texts.append("\"signalbox/parameters_left_out\": \(leftOut)") }
    return "{\"detail\": {" + texts.joined(separator: ", ") + "}}"
  }
}
