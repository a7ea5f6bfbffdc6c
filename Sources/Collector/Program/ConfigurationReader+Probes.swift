internal import EventLoop
internal import FleetModel

/// The list `probes:` of a profile.
///
/// ```yaml
/// probes:
///   - { name: dashboard, http: { url: "http://127.0.0.1:8501/_stcore/health", expect: 200, body: ok }, every: 30s, timeout: 5s }
///   - { name: broker, tcp: { address: "127.0.0.1:9092" } }
///   - { name: cache, redis: { address: "127.0.0.1:6379" } }
///   - { name: main, postgres: { service: training } }    # or address: HOST:PORT, or socket: PATH
///   - { name: best, file: { path: "/srv/models/*.pth" } }
///   - { name: models, json: { path: "/srv/models/**/*.json", settle: 60s } }
///   - { name: site, certificate: { address: "127.0.0.1:443" } }
///   - { name: nightly, backup: { path: "/backup/full-*.dump" } }
///   - { name: tasks, queue: { path: /srv/queue.db } }
///   - { name: worker, container: { name: worker } }
///   - { name: api, unit: { name: api.service } }
///   - { name: own, command: [/usr/local/lib/signalbox/check, --fast] }
/// ```
extension ConfigurationReader {
  func probes(_ node: DocumentNode) throws(DocumentMistake) -> [ProbeSetting] {
    var probes: [ProbeSetting] = []
    for item in try list(node, "probes") {
      let probe = try probe(item)
      if probes.contains(where: { $0.resultName == probe.resultName }) {
        throw mistake(item, "the probe \(probe.resultName) stands twice in the same list; give each a name of its own")
      }
      probes.append(probe)
    }
    return probes
  }

  /// Counted for each set of labels that a profile names: those hosts get this profile and all that ask for less, with patterns that
  /// the same host may fit.
  func checkProbeCount(_ profiles: [Configuration.Profile], _ node: DocumentNode) throws(DocumentMistake) {
    for labels in Set([[:]] + profiles.map(\.match)) {
      let names = profiles.filter { profile in
        profile.match.allSatisfy { label, pattern in labels[label].map { StarPattern.mayMeet($0, pattern) } ?? false }
      }.flatMap { $0.probes.map(\.resultName) }
      let count = Set(names).count
      if count > ProbeSetting.probesPerHost {
        let host = labels.isEmpty ? "any host" : labels.map { "\($0.key) \($0.value)" }.sorted().joined(separator: ", ")
        throw mistake(
          node, "the profiles give \(host) \(count) probes; a host asks at most \(ProbeSetting.probesPerHost)")
      }
    }
  }

  private func probe(_ node: DocumentNode) throws(DocumentMistake) -> ProbeSetting {
    let kinds = ProbeKind.allCases.map(\.word)
    let fields = try entries(node, "a probe", ["name", "every", "timeout"] + kinds)
    let asked = fields.filter { kinds.contains($0.key) }
    guard let first = asked.first, let kind = ProbeKind.allCases.first(where: { $0.word == first.key }) else {
      throw mistake(node, "a probe needs what it asks; valid are \(kinds.joined(separator: ", "))")
    }
    if asked.count > 1 {
      throw mistake(node, "a probe asks one thing, not both \(first.key) and \(asked[1].key); write two probes")
    }
    guard let name = fields.first(where: { $0.key == "name" }) else {
      throw mistake(node, "a probe needs a name, such as name: \(first.key)-1")
    }
    var probe = ProbeSetting(kind, try probeName(name.value))
    probe.everyNs = Self.everyDefaultNs(kind)
    try fill(&probe, kind, first.value)
    for (key, value) in fields where key == "every" || key == "timeout" {
      if key == "every" {
        probe.everyNs = try span(value, "every", ProbeSetting.everyRangeNs, "1s to 1d, such as 30s")
      } else {
        probe.timeoutNs = try span(value, "timeout", ProbeSetting.timeoutRangeNs, "100ms to 5m, such as 5s")
      }
    }
    if !fields.contains(where: { $0.key == "timeout" }) { probe.timeoutNs = min(probe.timeoutNs, probe.everyNs) }
    if probe.timeoutNs > probe.everyNs {
      throw mistake(node, "the timeout of \(probe.resultName) is longer than the time between two questions")
    }
    return probe
  }

  /// What changes slowly, or costs reading, is asked less often.
  private static func everyDefaultNs(_ kind: ProbeKind) -> Int64 {
    switch kind {
    case .file, .json, .backup: 60_000_000_000
    case .certificate: 3_600_000_000_000
    default: ProbeSetting.everyDefaultNs
    }
  }

  private func fill(
    _ probe: inout ProbeSetting, _ kind: ProbeKind, _ node: DocumentNode
  ) throws(DocumentMistake) {
    switch kind {
    case .http: try http(node, &probe)
    case .tcp, .redis: probe.target = try required(node, kind, ["address"], address).value
    case .postgres: try postgres(node, &probe)
    case .file, .backup, .queue: probe.target = try required(node, kind, ["path"], path).value
    case .json: try json(node, &probe)
    case .certificate: try certificate(node, &probe)
    case .container: try container(node, &probe)
    case .unit: probe.target = try required(node, kind, ["name"], unitName).value
    case .command: try command(node, &probe)
    }
  }

  // MARK: Kinds

  private func http(_ node: DocumentNode, _ probe: inout ProbeSetting) throws(DocumentMistake) {
    for (key, value) in try entries(node, "http", ["url", "expect", "body"]) {
      switch key {
      case "url": probe.target = try probeURL(value)
      case "expect":
        let word = try text(value, "expect")
        guard let status = UInt32(word), (100...599).contains(status) else {
          throw mistake(value, "'\(word)' is no status of HTTP; write 100 to 599, such as 200")
        }
        probe.expectStatus = status
      default:
        probe.expectBody = try bounded(value, "body", ProbeSetting.expectBodyBytes)
      }
    }
    if probe.target.isEmpty { throw mistake(node, "http needs a url, such as url: http://127.0.0.1:8000/") }
  }

  private func postgres(_ node: DocumentNode, _ probe: inout ProbeSetting) throws(DocumentMistake) {
    let fields = try entries(node, "postgres", ["address", "socket", "service"])
    guard fields.count == 1, let (key, value) = fields.first else {
      throw mistake(
        node,
        "postgres needs one of address, such as 127.0.0.1:5432, socket, and service, a section of the host's pg_service.conf"
      )
    }
    if key == "address" { return probe.target = try address(value, key) }
    if key == "socket" { return probe.socket = try socket(value) }
    probe.service = try bounded(value, "service", ProbeSetting.serviceBytes)
    guard ProbeSetting.isService(probe.service) else {
      throw mistake(value, "'\(probe.service)' is no service; letters, digits, '.', '_' and '-' may stand in it")
    }
  }

  private func json(_ node: DocumentNode, _ probe: inout ProbeSetting) throws(DocumentMistake) {
    probe.settleNs = ProbeSetting.settleDefaultNs
    for (key, value) in try entries(node, "json", ["path", "settle"]) {
      if key == "path" {
        probe.target = try path(value, key)
      } else {
        probe.settleNs = try span(value, key, 0...ProbeSetting.settleNsMax, "at most 1d, such as 60s")
      }
    }
    guard probe.target.hasSuffix(".json") else {
      throw mistake(node, "json needs a path that ends in .json, such as /srv/models/**/*.json")
    }
  }

  private func certificate(_ node: DocumentNode, _ probe: inout ProbeSetting) throws(DocumentMistake) {
    let fields = try entries(node, "certificate", ["path", "address"])
    guard fields.count == 1, let (key, value) = fields.first else {
      throw mistake(node, "certificate needs either a path or an address, such as 127.0.0.1:443")
    }
    probe.target = key == "path" ? try path(value, key) : try address(value, key)
  }

  private func container(_ node: DocumentNode, _ probe: inout ProbeSetting) throws(DocumentMistake) {
    probe.socket = "/var/run/docker.sock"
    for (key, value) in try entries(node, "container", ["name", "socket"]) {
      if key == "socket" {
        probe.socket = try socket(value)
      } else {
        probe.target = try bounded(value, key, ProbeSetting.targetBytes)
        guard ProbeSetting.isContainer(probe.target) else {
          throw mistake(
            value, "'\(probe.target)' is no container; letters, digits, '.', '_' and '-' may stand in a name")
        }
      }
    }
    if probe.target.isEmpty { throw mistake(node, "container needs a name, such as name: worker") }
  }

  private func command(_ node: DocumentNode, _ probe: inout ProbeSetting) throws(DocumentMistake) {
    var words: [String] = []
    for item in try list(node, "command") { words.append(try text(item, "a word of command")) }
    guard let program = words.first, ProbeSetting.isPath(program), !words.contains(where: { $0.utf8.contains(0) })
    else {
      throw mistake(
        node, "command needs an absolute path and what the program gets, such as [/usr/local/bin/check, --fast]")
    }
    probe.target = program
    probe.arguments = Array(words.dropFirst())
    if probe.arguments.count > ProbeSetting.arguments
      || probe.arguments.reduce(0, { $0 + $1.utf8.count }) > ProbeSetting.argumentBytesTotal
      || program.utf8.count > ProbeSetting.targetBytes
    {
      throw mistake(
        node,
        "command takes at most \(ProbeSetting.arguments) arguments of \(ProbeSetting.argumentBytesTotal) bytes in all")
    }
  }

  // MARK: Values

  /// The one key that a kind needs.
  private func required(
    _ node: DocumentNode, _ kind: ProbeKind, _ keys: [String],
    _ read: (DocumentNode, String) throws(DocumentMistake) -> String
  ) throws(DocumentMistake) -> (key: String, value: String) {
    guard let (key, value) = try entries(node, kind.word, keys).first else {
      throw mistake(node, "\(kind.word) needs \(keys[0])")
    }
    return (key, try read(value, key))
  }

  private func probeName(_ node: DocumentNode) throws(DocumentMistake) -> String {
    let name = try text(node, "name")
    guard name.utf8.count <= ProbeSetting.nameBytes, ProbeSetting.isName(name) else {
      throw mistake(
        node,
        "'\(name)' is no name of a probe; write 1 to \(ProbeSetting.nameBytes) letters, digits, '.', '_' and '-'")
    }
    return name
  }

  private func unitName(_ node: DocumentNode, _ key: String) throws(DocumentMistake) -> String {
    let name = try bounded(node, key, ProbeSetting.unitBytes)
    guard ProbeSetting.isUnit(name) else {
      throw mistake(node, "'\(name)' is no unit of systemd; write its full name, such as api.service")
    }
    return name
  }

  private func address(_ node: DocumentNode, _ key: String) throws(DocumentMistake) -> String {
    let word = try bounded(node, key, ProbeSetting.targetBytes)
    guard ProbeSetting.isAddress(word) else {
      throw mistake(node, "'\(word)' is no address; write HOST:PORT, such as 127.0.0.1:6379")
    }
    return word
  }

  private func path(_ node: DocumentNode, _ key: String) throws(DocumentMistake) -> String {
    let path = try bounded(node, key, ProbeSetting.targetBytes)
    guard path.hasPrefix("/") else { throw mistake(node, "'\(path)' must be an absolute path, such as /srv/models") }
    guard ProbeSetting.isPath(path) else {
      throw mistake(node, "\(key) must hold no '..' and no control characters; write where the path leads")
    }
    return path
  }

  private func socket(_ node: DocumentNode) throws(DocumentMistake) -> String {
    let path = try path(node, "socket")
    guard path.utf8.count <= ProbeSetting.socketBytes else {
      throw mistake(node, "the path of a socket has at most \(ProbeSetting.socketBytes) bytes")
    }
    return path
  }

  /// Without a user: a password in the configuration would go to every host of the profile.
  private func probeURL(_ node: DocumentNode) throws(DocumentMistake) -> String {
    let url = try bounded(node, "url", ProbeSetting.targetBytes)
    let authority = url.split(separator: "/", omittingEmptySubsequences: false).dropFirst(2).first ?? ""
    if authority.contains("@") {
      throw mistake(node, "a url must not hold a user or a password: every host would get it")
    }
    guard ProbeSetting.isURL(url) else {
      throw mistake(node, "'\(url)' is no URL; write one such as http://127.0.0.1:8501/_stcore/health")
    }
    return url
  }

  private func bounded(_ node: DocumentNode, _ key: String, _ bytesMax: Int) throws(DocumentMistake) -> String {
    let word = try text(node, key)
    guard word.utf8.count <= bytesMax, !word.utf8.contains(0) else {
      throw mistake(node, "\(key) has at most \(bytesMax) bytes")
    }
    return word
  }

  private func span(
    _ node: DocumentNode, _ key: String, _ range: ClosedRange<Int64>, _ hint: String
  ) throws(DocumentMistake) -> Int64 {
    let word = try text(node, key)
    if range.contains(0), word == "0" || word == "0s" { return 0 }
    guard let ns = TimeSpan.parse(word), range.contains(ns), ns % 1_000_000 == 0 else {
      throw mistake(node, "'\(word)' is no \(key); write \(hint)")
    }
    return ns
  }
}
