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
///   - { name: llm, prometheus: { url: "http://127.0.0.1:8000/metrics", keep: ["vllm:*_total"] } }
///   - { name: own, command: [/usr/local/lib/signalbox/check, --fast] }
/// ```
extension ConfigurationReader {
  mutating func probes(_ profile: DocumentFields) -> [ProbeSetting] {
    var probes: [ProbeSetting] = []
    for item in list(profile, "probes") ?? [] {
      guard let probe = probe(item) else { continue }
      if probes.contains(where: { $0.resultName == probe.resultName }) {
        mistake(item, "the probe \(probe.resultName) stands twice in the same list; give each a name of its own")
      }
      probes.append(probe)
    }
    return probes
  }

  /// Counted for each set of labels that a profile names: those hosts get this profile and all that ask for less, with patterns that
  /// the same host may fit.
  mutating func checkProbeCount(_ profiles: [Configuration.Profile], _ node: DocumentNode) {
    for labels in Set([[:]] + profiles.map(\.match)) {
      let names = profiles.filter { profile in
        profile.match.allSatisfy { label, pattern in labels[label].map { StarPattern.mayMeet($0, pattern) } ?? false }
      }.flatMap { $0.probes.map(\.resultName) }
      let count = Set(names).count
      if count > ProbeSetting.probesPerHost {
        let host = labels.isEmpty ? "any host" : labels.map { "\($0.key) \($0.value)" }.sorted().joined(separator: ", ")
        mistake(node, "the profiles give \(host) \(count) probes; a host asks at most \(ProbeSetting.probesPerHost)")
      }
    }
  }

  /// nil where it is not known what it asks.
  private mutating func probe(_ node: DocumentNode) -> ProbeSetting? {
    let fields = fields(node, ProbeKeys.probe)
    guard let kind = ProbeKind.allCases.first(where: { fields[$0.word] != nil }), let value = fields[kind.word] else {
      return nil
    }
    var probe = ProbeSetting(kind, probeName(fields))
    probe.everyNs = duration(fields, "every") ?? Self.everyDefaultNs(kind)
    if let table = ProbeKeys.table(kind) {
      fill(&probe, self.fields(value, table))
    } else {
      command(value, &probe)
    }
    probe.timeoutNs = duration(fields, "timeout") ?? min(probe.timeoutNs, probe.everyNs)
    if kind == .prometheus, probe.everyNs > ProbeSetting.expositionEveryNsMax {
      mistake(
        fields["every"] ?? node,
        "metrics are read at least every 15m, because rates are of the time between two readings; write a shorter every"
      )
    }
    if probe.timeoutNs > probe.everyNs {
      mistake(
        fields["timeout"] ?? node,
        "the timeout of \(probe.resultName) is longer than the time between two questions; write a shorter one")
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

  private mutating func fill(_ probe: inout ProbeSetting, _ fields: DocumentFields) {
    switch probe.kind {
    case .http: http(fields, &probe)
    case .tcp, .redis: probe.target = address(fields, "address")
    case .postgres: postgres(fields, &probe)
    case .file, .backup, .queue: probe.target = path(fields, "path")
    case .json:
      probe.target = path(fields, "path")
      probe.settleNs = duration(fields, "settle") ?? ProbeSetting.settleDefaultNs
      if let path = fields["path"], !probe.target.hasSuffix(".json") {
        mistake(path, "json needs a path that ends in .json, such as /srv/models/**/*.json")
      }
    case .certificate: probe.target = fields["path"] == nil ? address(fields, "address") : path(fields, "path")
    case .container: container(fields, &probe)
    case .unit: unit(fields, &probe)
    case .prometheus: prometheus(fields, &probe)
    case .command, nil: break
    }
  }

  // MARK: Kinds

  private mutating func http(_ fields: DocumentFields, _ probe: inout ProbeSetting) {
    probe.target = probeURL(fields)
    probe.expectStatus = integer(fields, "expect").map { UInt32(clamping: $0) } ?? probe.expectStatus
    if fields["body"] != nil { probe.expectBody = bounded(fields, "body", ProbeSetting.expectBodyBytes) }
  }

  private mutating func postgres(_ fields: DocumentFields, _ probe: inout ProbeSetting) {
    if fields["address"] != nil { probe.target = address(fields, "address") }
    if fields["socket"] != nil { probe.socket = socket(fields) }
    guard let service = fields["service"] else { return }
    probe.service = bounded(fields, "service", ProbeSetting.serviceBytes)
    if !probe.service.isEmpty, !ProbeSetting.isService(probe.service) {
      mistake(service, "'\(probe.service)' is no service; letters, digits, '.', '_' and '-' may stand in it")
    }
  }

  private mutating func container(_ fields: DocumentFields, _ probe: inout ProbeSetting) {
    probe.socket = fields["socket"] == nil ? "/var/run/docker.sock" : socket(fields)
    probe.target = bounded(fields, "name", ProbeSetting.targetBytes)
    if let name = fields["name"], !probe.target.isEmpty, !ProbeSetting.isContainer(probe.target) {
      mistake(name, "'\(probe.target)' is no container; letters, digits, '.', '_' and '-' may stand in a name")
    }
  }

  private mutating func unit(_ fields: DocumentFields, _ probe: inout ProbeSetting) {
    probe.target = bounded(fields, "name", ProbeSetting.unitBytes)
    if let name = fields["name"], !probe.target.isEmpty, !ProbeSetting.isUnit(probe.target) {
      mistake(name, "'\(probe.target)' is no unit of systemd; write its full name, such as api.service")
    }
  }

  private mutating func prometheus(_ fields: DocumentFields, _ probe: inout ProbeSetting) {
    probe.target = probeURL(fields)
    guard let node = fields["keep"] else { return }
    for word in list(fields, "keep") ?? [] {
      let pattern = text(word, "an entry of keep")
      if SeriesPattern(pattern) == nil {
        mistake(
          word,
          "'\(pattern)' names no series; write NAME or NAME{label=\"value\"}, such as vllm:*{model_name=\"llama*\"}")
      }
      probe.arguments.append(pattern)
    }
    if probe.arguments.count > ProbeSetting.arguments
      || probe.arguments.reduce(0, { $0 + $1.utf8.count }) > ProbeSetting.argumentBytesTotal
    {
      mistake(
        node,
        "keep takes at most \(ProbeSetting.arguments) patterns of \(ProbeSetting.argumentBytesTotal) bytes in all")
    }
  }

  private mutating func command(_ node: DocumentNode, _ probe: inout ProbeSetting) {
    // An argument may be empty where it is written so.
    let words = list(node, "command").map { word in
      word.isQuoted ? word.scalar ?? "" : text(word, "an entry of command")
    }
    guard node.list != nil else { return }
    guard let program = words.first, ProbeSetting.isPath(program), !words.contains(where: { $0.utf8.contains(0) })
    else {
      return mistake(
        node, "command needs an absolute path and what the program gets, such as [/usr/local/bin/check, --fast]")
    }
    probe.target = program
    probe.arguments = Array(words.dropFirst())
    if probe.arguments.count > ProbeSetting.arguments
      || probe.arguments.reduce(0, { $0 + $1.utf8.count }) > ProbeSetting.argumentBytesTotal
      || program.utf8.count > ProbeSetting.targetBytes
    {
      mistake(
        node,
        "command takes at most \(ProbeSetting.arguments) arguments of \(ProbeSetting.argumentBytesTotal) bytes in all")
    }
  }

  // MARK: Values

  private mutating func probeName(_ fields: DocumentFields) -> String {
    guard let node = fields["name"], let name = text(fields, "name") else { return "" }
    if name.utf8.count > ProbeSetting.nameBytes || !ProbeSetting.isName(name) {
      mistake(
        node,
        "'\(name)' is no name of a probe; write 1 to \(ProbeSetting.nameBytes) letters, digits, '.', '_' and '-'")
    }
    return name
  }

  private mutating func address(_ fields: DocumentFields, _ key: String) -> String {
    let word = bounded(fields, key, ProbeSetting.targetBytes)
    if let node = fields[key], !word.isEmpty, !ProbeSetting.isAddress(word) {
      mistake(node, "'\(word)' is no address; write HOST:PORT, such as 127.0.0.1:6379")
    }
    return word
  }

  private mutating func path(_ fields: DocumentFields, _ key: String) -> String {
    let path = bounded(fields, key, ProbeSetting.targetBytes)
    guard let node = fields[key], !path.isEmpty else { return path }
    if !path.hasPrefix("/") {
      mistake(node, "'\(path)' must be an absolute path, such as /srv/models")
    } else if !ProbeSetting.isPath(path) {
      mistake(node, "\(key) must hold no '..' and no control characters; write where the path leads")
    }
    return path
  }

  private mutating func socket(_ fields: DocumentFields) -> String {
    let path = path(fields, "socket")
    if let node = fields["socket"], path.utf8.count > ProbeSetting.socketBytes {
      mistake(node, "the path of a socket has at most \(ProbeSetting.socketBytes) bytes")
    }
    return path
  }

  /// Without a user: a password in the configuration would go to every host of the profile.
  private mutating func probeURL(_ fields: DocumentFields) -> String {
    let url = bounded(fields, "url", ProbeSetting.targetBytes)
    guard let node = fields["url"], !url.isEmpty else { return url }
    let authority = url.split(separator: "/", omittingEmptySubsequences: false).dropFirst(2).first ?? ""
    if authority.contains("@") {
      mistake(node, "a url must not hold a user or a password: every host would get it")
    } else if !ProbeSetting.isURL(url) {
      mistake(node, "'\(url)' is no URL; write one such as http://127.0.0.1:8501/_stcore/health")
    }
    return url
  }

  private mutating func bounded(_ fields: DocumentFields, _ key: String, _ bytesMax: Int) -> String {
    guard let node = fields[key], let word = text(fields, key) else { return "" }
    if word.utf8.count > bytesMax || word.utf8.contains(0) { mistake(node, "\(key) has at most \(bytesMax) bytes") }
    return word
  }
}
