internal import FleetModel

extension RuleEngine {
  /// Something has happened: counts it, and judges the rule once it has happened often enough.
  ///
  /// Up to `RuleLimits.windowParts` occurrences in a window are counted exactly, more of them to a part of the window.
  /// - Parameter atNs: when it happened; `timeNs` is the host's clock now.
  func occurred(
    _ rule: CompiledRule, _ place: Int, _ host: inout HostState, _ thing: Int, atNs: Int64, _ timeNs: Int64,
    _ evidence: @autoclosure () -> Evidence
  ) {
    if host.isExcluded(rule.place) { return }
    let node = rule.nodes[place]
    let atNs = min(max(0, atNs), RuleLimits.timeNsMax)
    let timeNs = min(max(0, timeNs), RuleLimits.timeNsMax)
    let entity = node.kind == .host ? 0 : thing
    host.isUrgent = true
    let key = SlotTable.key(rule.place, place, entity, Self.untilSub)
    if node.missingNs > 0 {
      if node.amount > 0, let last = host.slots[key], arrivedNs > last.a {
        observe(Double(arrivedNs - last.a), 0.95, &host, rule.place, place, entity)
      }
      host.slots.set(key, arrivedNs, arrivedNs)
    } else {
      guard isEnough(rule, place, node, &host, entity, atNs) else { return }
      host.slots.set(key, arrivedNs + node.windowNs, arrivedNs)
    }
    host.wakeNs = 0
    occasion = evidence()
    judge(rule, &host, because: entity, timeNs)
    occasion = nil
  }

  /// Whether it has happened often enough with this one.
  private func isEnough(
    _ rule: CompiledRule, _ place: Int, _ node: CompiledNode, _ host: inout HostState, _ entity: Int, _ atNs: Int64
  ) -> Bool {
    if node.amount <= 1, node.limit <= 0 { return true }
    let found = count(rule, place, node, &host, entity, atNs, from: 0, windowNs: node.windowNs)
    if node.isAmong {
      let whole = sum(rule, place, host, entity, atNs, from: Self.secondCountSub, windowNs: node.windowNs)
      return found >= node.amount && found / max(whole, found) > node.limit
    }
    if node.perNs > 0 {
      let usual = count(rule, place, node, &host, entity, atNs, from: Self.secondCountSub, windowNs: node.perNs)
      // Both as a rate: so many in the window, so many in the longer time.
      return found >= node.amount && found * Double(node.perNs) > node.limit * usual * Double(node.windowNs)
    }
    return found >= node.amount
  }

  /// How often in the window that ends now, with this one.
  func count(
    _ rule: CompiledRule, _ place: Int, _ node: CompiledNode, _ host: inout HostState, _ entity: Int, _ atNs: Int64,
    from base: Int, windowNs: Int64
  ) -> Double {
    let key = SlotTable.key(rule.place, place, entity, base)
    let range = host.slots.numbers(rule.place, place, entity, from: base, below: base + Self.countSubs)
    var parts = range.map { host.slots.slots[$0] }
    parts.removeAll { atNs &- $0.a >= windowNs }
    // Times may go back, within a file as in a backlog: what is later than this one stays where it is.
    let before = parts.lastIndex { $0.a <= atNs }
    if isCounted(atNs, among: parts, node, host) {
      // By one that is too near to be another one.
    } else if let before, parts.count >= RuleLimits.windowParts,
      atNs &- parts[before].a < windowNs / RuleLimits.windowParts
    {
      parts[before].b = parts[before].b.addingClamped(1)
    } else {
      parts.insert(Slot(key: key, a: atNs, b: 1), at: before.map { $0 + 1 } ?? 0)
      // Full: the two oldest become one, counted from the older's start.
      if parts.count > RuleLimits.windowParts * 2 {
        parts[1].b = parts[1].b.addingClamped(parts[0].b)
        parts[1].a = parts[0].a
        parts.removeFirst()
      }
    }
    if !range.isEmpty { host.slots.remove(range, rule: rule.place) }
    for (sub, part) in parts.enumerated() { host.slots.set(key + UInt64(sub), part.a, part.b) }
    return Self.sum(parts[...], atNs, windowNs)
  }

  private func isCounted(
    _ atNs: Int64, among parts: [Slot], _ node: CompiledNode, _ host: borrowing HostState
  ) -> Bool {
    if node.isApartByBoot { return parts.last.map { $0.a >= host.bootNs - RuleLimits.bootSlackNs } ?? false }
    return node.apartNs > 0 && parts.contains { ($0.a &- atNs).magnitude < UInt64(node.apartNs) }
  }

  /// How often in the window that ends now.
  func sum(
    _ rule: CompiledRule, _ place: Int, _ host: borrowing HostState, _ entity: Int, _ atNs: Int64, from base: Int,
    windowNs: Int64
  ) -> Double {
    let range = host.slots.numbers(rule.place, place, entity, from: base, below: base + Self.countSubs)
    return Self.sum(host.slots.slots[range], atNs, windowNs)
  }

  /// What is within a window of a time, on either side: lines of several programs come a little out of order.
  private static func sum(_ parts: ArraySlice<Slot>, _ atNs: Int64, _ windowNs: Int64) -> Double {
    parts.reduce(0) { found, part in
      atNs &- part.a < windowNs && part.a &- atNs < windowNs ? found + Double(part.b) : found
    }
  }

  /// Numbers that one count may take.
  static let countSubs = 64

  /// Lines of one file that begin in a range of its offsets.
  func observeLines(
    _ lines: borrowing LogLines, path: String, _ host: inout HostState, _ entity: Int, in range: Range<UInt64>
  ) {
    if lineMatcher.isEmpty { return }
    let plan = lineMatcher.plan(of: path)
    if plan.conditions.isEmpty { return }
    let bytes = lines.text.span
    plan.look(lines, in: range) { line, range, found in
      let timeNs = max(0, min(Int64(nsOfUs: lines.timesUs[line]), arrivedNs - host.offsetNs))
      for place in found {
        let condition = plan.conditions[place]
        if condition.isWhole {
          let node = condition.rule.nodes[condition.node]
          if !host.isExcluded(condition.rule.place) {
            _ = count(
              condition.rule, condition.node, node, &host, node.kind == .host ? 0 : entity, timeNs,
              from: Self.secondCountSub, windowNs: node.windowNs)
          }
          continue
        }
        // What is history was found then, not now.
        let foundNs = host.role == .history ? timeNs : arrivedNs - host.offsetNs
        occurred(
          condition.rule, condition.node, &host, entity, atNs: timeNs, foundNs,
          .line(file: path, text: Self.text(bytes, range)))
        if node(of: condition).goesOnNs > 0 {
          let key = SlotTable.key(condition.rule.place, condition.node, counted(by: condition, entity), Self.lineSub)
          host.slots.set(key, timeNs, Int64(bitPattern: Self.mark(of: path)))
        }
      }
    }
    takeBack(lines, path, &host, entity)
  }

  private func node(of condition: LineCondition) -> CompiledNode { condition.rule.nodes[condition.node] }

  private func counted(by condition: LineCondition, _ entity: Int) -> Int {
    node(of: condition).kind == .host ? 0 : entity
  }

  private static func mark(of path: String) -> UInt64 { ContentHash.of(Array(path.utf8).span) }

  /// A traceback after which its program logs on was handled: it proves nothing about another process's end.
  private func takeBack(_ lines: borrowing LogLines, _ path: String, _ host: inout HostState, _ entity: Int) {
    for (rule, node) in goingOn where host.slots.isActive(rule.place) {
      let compiled = rule.nodes[node]
      let place = compiled.kind == .host ? 0 : entity
      let key = SlotTable.key(rule.place, node, place, Self.lineSub)
      guard let line = host.slots[key], line.b == Int64(bitPattern: Self.mark(of: path)),
        let last = lines.levels.lastIndex(where: { $0 == Level.info.rawValue || $0 == Level.debug.rawValue }),
        Int64(nsOfUs: lines.timesUs[last]) &- line.a >= compiled.goesOnNs
      else { continue }
      host.slots[key] = nil
      host.slots[SlotTable.key(rule.place, node, place, Self.untilSub)] = nil
    }
  }

  private static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
    let kept = range.lowerBound..<min(range.upperBound, range.lowerBound + RuleLimits.evidenceBytesMax)
    return String(decoding: kept.map { bytes[$0] }, as: UTF8.self)
  }

  func observe(_ event: Event, _ host: inout HostState) {
    let isXid = event.kind == .xid
    for (rule, node, query) in eventRules where query.fits(event, isXid ? Self.xidCode(event.message) : nil) {
      guard let entity = thing(.device, event.subject, &host, event.timeNs) else { continue }
      occurred(
        rule, node, &host, entity, atNs: event.timeNs, max(event.timeNs, host.entities[0].markNs),
        .event(subject: event.subject, text: event.message))
    }
  }

  func observe(_ loss: Loss, _ host: inout HostState) {
    // What the operator asked to be left out is no loss.
    guard loss.reason != .skipped else { return }
    for (rule, node, query) in eventRules where query.isLoss {
      if let subject = query.subject, !subject.matches(loss.subject) { continue }
      if !query.text.isEmpty, query.text != loss.reason.text { continue }
      guard let entity = thing(.device, loss.subject, &host, loss.timeNs) else { continue }
      occurred(
        rule, node, &host, entity, atNs: loss.timeNs, max(loss.timeNs, host.entities[0].markNs),
        .event(subject: loss.subject, text: "\(loss.from)..<\(loss.to) lost: \(loss.reason.text)"))
    }
  }

  /// The agent's messages begin `Xid CODE on DEVICE:`, whatever form the driver wrote.
  static func xidCode(_ message: String) -> Int? {
    guard message.hasPrefix("Xid ") else { return nil }
    return Int(message.dropFirst(4).prefix { $0.isASCII && $0.isNumber })
  }

  func observe(_ probe: ProbeResult, _ host: inout HostState, _ entity: Int) {
    for (rule, node, name, state) in probeRules {
      // Who asks for failed also means an answer that did not come in time.
      guard probe.state == state || (state == .failed && probe.state == .timedOut), name.matches(probe.name) else {
        continue
      }
      occurred(
        rule, node, &host, entity, atNs: probe.timeNs, max(probe.timeNs, host.entities[0].markNs),
        .event(subject: probe.name, text: probe.detail))
    }
  }

  /// The index of an entity, with the time of the newest fact about it.
  func thing(_ kind: EntityKind, _ name: String, _ host: inout HostState, _ timeNs: Int64) -> Int? {
    guard let entity = host.entity(kind, name) else {
      untrackedEntities += 1
      return nil
    }
    host.entities[entity].markNs = max(host.entities[entity].markNs, min(timeNs, RuleLimits.timeNsMax))
    return entity
  }
}

extension EventQuery {
  /// - Parameter code: of an Xid.
  fileprivate func fits(_ event: Event, _ code: Int?) -> Bool {
    if isLoss { return false }
    if let kind, kind != event.kind { return false }
    if !codes.isEmpty, !(code.map(codes.contains) ?? false) { return false }
    if let code, exceptCodes.contains(code) { return false }
    if let subject, !subject.matches(event.subject) { return false }
    if !text.isEmpty || matches != nil {
      let bytes = Array(event.message.utf8)
      if !text.isEmpty, !LineMatcher.contains(bytes.span, 0..<bytes.count, Array(text.utf8)) { return false }
      if let matches, !matches.matches(bytes.span) { return false }
    }
    return true
  }
}
