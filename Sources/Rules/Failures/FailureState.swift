internal import FleetModel

extension StateWriter {
  /// What files have raised and how processes ended: it names a failure that is concluded after a restart.
  mutating func failures(_ watch: FailureWatch) {
    count(watch.cases.count)
    for one in watch.cases {
      count(one.file)
      count(one.suspects.count)
      for suspect in one.suspects { self.suspect(suspect) }
      count(one.folded)
      for time in [one.lastNs, one.beganNs, one.quietSinceNs, one.concludedNs] { signed(time) }
      bytes.append((one.isHandled ? 1 : 0) | (one.isLast ? 2 : 0))
    }
    count(watch.ends.count)
    for end in watch.ends { self.end(end) }
    count(watch.concluded.count)
    for failure in watch.concluded {
      signed(failure.atNs)
      text(failure.directory)
      text(failure.job)
    }
    count(watch.messages.count)
    for message in watch.messages {
      signed(message.atNs)
      bytes.append(message.isOutOfMemory ? 1 : 0)
      text(message.text)
    }
  }

  private mutating func suspect(_ suspect: Suspect) {
    text(suspect.failureClass)
    bytes.append(suspect.weight.rawValue)
    text(suspect.text)
    signed(suspect.rank.map { Int64($0) } ?? -1)
    signed(suspect.atNs)
    bytes.append((suspect.isEnd ? 1 : 0) | (suspect.isTraceback ? 2 : 0))
  }

  /// Without what no diagnosis asks for: its start, control group and command.
  private mutating func end(_ end: EndedProcess) {
    let process = end.process
    unsigned(UInt64(process.pid))
    unsigned(UInt64(process.parent))
    for text in [end.subject, process.output, process.errors, process.directory, process.job, end.message] {
      self.text(text)
    }
    signed(end.atNs)
    signed(end.dueNs)
    switch process.exit {
    case nil: bytes.append(0)
    case .code(let code):
      bytes.append(1)
      signed(Int64(code))
    case .signal(let signal, let coreDumped):
      bytes.append(coreDumped ? 3 : 2)
      signed(Int64(signal))
    }
    signed(Int64(process.oomKills ?? -1))
  }
}

extension StateReader {
  /// - Throws: where a number or text is not as `StateWriter` writes it.
  mutating func failures(entities: Int) throws(RuleStateError) -> FailureWatch {
    var watch = FailureWatch()
    for _ in 0..<(try count(FailureWatch.casesMax)) {
      let file = try count(entities - 1)
      var suspects: [Suspect] = []
      for _ in 0..<(try count(FailureCase.suspectsMax)) { suspects.append(try suspect()) }
      let folded = try count(Int(Int32.max))
      let (lastNs, beganNs, quietSinceNs, concludedNs) = (try time(), try time(), try time(), try time())
      let marks = try byte()
      watch.cases.append(
        FailureCase(
          file: file, suspects: suspects, folded: folded, lastNs: lastNs, beganNs: beganNs, quietSinceNs: quietSinceNs,
          isHandled: marks & 1 != 0, isLast: marks & 2 != 0, concludedNs: concludedNs))
    }
    for _ in 0..<(try count(FailureWatch.endsMax)) { watch.ends.append(try end()) }
    for _ in 0..<(try count(FailureWatch.concludedMax)) {
      watch.concluded.append(ConcludedFailure(atNs: try time(), directory: try text(), job: try text()))
    }
    for _ in 0..<(try count(FailureWatch.messagesMax)) {
      watch.messages.append(KernelMessage(atNs: try time(), isOutOfMemory: try byte() != 0, text: try text()))
    }
    return watch
  }

  private mutating func suspect() throws(RuleStateError) -> Suspect {
    let failureClass = try text()
    guard let weight = Suspect.Weight(rawValue: try byte()) else { throw .malformed }
    var suspect = Suspect(weight: weight, text: try text())
    suspect.failureClass = failureClass
    let rank = try signed()
    suspect.rank = rank < 0 ? nil : Int32(clamping: rank)
    suspect.atNs = try time()
    let marks = try byte()
    (suspect.isEnd, suspect.isTraceback) = (marks & 1 != 0, marks & 2 != 0)
    return suspect
  }

  private mutating func end() throws(RuleStateError) -> EndedProcess {
    var end = EndedProcess()
    end.process.pid = UInt32(truncatingIfNeeded: try unsigned())
    end.process.parent = UInt32(truncatingIfNeeded: try unsigned())
    (end.subject, end.process.output, end.process.errors) = (try text(), try text(), try text())
    (end.process.directory, end.process.job, end.message) = (try text(), try text(), try text())
    (end.atNs, end.dueNs) = (try time(), try time())
    let kind = try byte()
    switch kind {
    case 0: break
    case 1: end.process.exit = .code(Int32(clamping: try signed()))
    case 2, 3: end.process.exit = .signal(UInt32(clamping: try signed()), coreDumped: kind == 3)
    default: throw .malformed
    }
    let kills = try signed()
    end.process.oomKills = kills < 0 ? nil : Int32(clamping: kills)
    return end
  }
}
