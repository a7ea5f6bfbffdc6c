/// A program that writes numbered lines to a log, some of them records with tracebacks, and whatever rotates it.
final class SimulatedWriter {
  let path: String
  private let name: String
  private unowned let agent: SimulatedAgent
  private unowned let world: World
  private var random: SeededRandom
  private var node: SimulatedFiles.Node
  private var nextLine = 0
  /// A copy is made and its original not truncated yet.
  private var isTruncationDue = false
  /// The rest of a line whose start is written.
  private var pendingRest: (bytes: [UInt8], lines: [LineText]) = ([], [])

  init(name: String, agent: SimulatedAgent, world: World) {
    self.name = name
    self.agent = agent
    self.world = world
    path = "/logs/\(name).log"
    random = world.random.fork()
    node = agent.files.create(path, nowNs: world.wallNs)
    tick()
  }

  private func tick() {
    flush()
    if world.isWriting {
      write(random.chance(0.1) ? random.within(5...40) : random.within(0...3))
      if random.chance(world.plan.rotationRatio) { rotate() }
    }
    guard world.isWriting || !pendingRest.bytes.isEmpty else { return }
    world.scheduler.after(random.within(20 * .millisecond...2 * .second)) { [self] in tick() }
  }

  private func flush() {
    if !pendingRest.bytes.isEmpty { append(pendingRest.bytes, pendingRest.lines) }
    pendingRest = ([], [])
  }

  /// Lines of one record may come at different times, so that it is held back, sent in one row or in several.
  private static let starts = [
    "", "", "", "", "", "", "ERROR ", "", "ERROR ", "Traceback (most recent call last): ", "  ", "ValueError: ",
  ]

  private func write(_ count: Int) {
    var bytes: [UInt8] = []
    var lines: [LineText] = []
    for _ in 0..<count {
      var line = Array("\(Self.starts[nextLine % Self.starts.count])\(name) \(nextLine) ".utf8)
      line += repeatElement(UInt8(ascii: "x"), count: random.within(0...60))
      line.append(UInt8(ascii: "|"))
      nextLine += 1
      bytes += line
      bytes.append(10)
      let text = LineText(line)
      lines.append(text)
      world.truth.written(text, path: path)
    }
    guard !bytes.isEmpty else { return }
    if random.chance(world.plan.partialRatio), let last = lines.popLast() {
      // The last line is cut; those before it are whole.
      let cut = bytes.count - random.within(1...last.bytes.count)
      pendingRest = (Array(bytes[cut...]), [last])
      bytes.removeLast(bytes.count - cut)
    }
    append(bytes, lines)
  }

  private func append(_ bytes: [UInt8], _ lines: [LineText]) {
    agent.files.append(bytes, lines: lines, to: node, nowNs: world.wallNs)
    world.log { "\(self.path) grows to \(self.node.data.count), before line \(self.nextLine)" }
    agent.filesChanged()
  }

  private func rotate() {
    switch world.plan.rotation {
    case .none: break
    case .rename: rename(keeping: 100)
    case .renameAndDelete: rename(keeping: 2)
    case .copyTruncate: copyTruncate()
    case .delete:
      world.log { "\(self.path) is deleted" }
      agent.files.remove(path)
      reopen()
    }
  }

  private func rename(keeping count: Int) {
    world.log { "\(self.path) is rotated by renaming" }
    shift(keeping: count)
    agent.files.rename(path, to: "\(path).1")
    reopen()
  }

  private func shift(keeping count: Int) {
    for index in (1..<count).reversed() where agent.files.nodes["\(path).\(index)"] != nil {
      agent.files.rename("\(path).\(index)", to: "\(path).\(index + 1)")
    }
  }

  /// A program that is signalled to reopen goes on writing to the old file until it does.
  private func reopen() {
    let open = { [self] in
      guard pendingRest.bytes.isEmpty else { return }
      node = agent.files.create(path, nowNs: world.wallNs)
      agent.filesChanged()
    }
    if random.chance(0.5) { world.scheduler.after(random.within(0...2 * .second), open) } else { open() }
    agent.filesChanged()
  }

  private func copyTruncate() {
    // One rotation ends before the next begins.
    if isTruncationDue { return }
    isTruncationDue = true
    world.log { "\(self.path) is copied and truncated" }
    flush()
    shift(keeping: 100)
    let copy = agent.files.create("\(path).1", nowNs: world.wallNs)
    agent.files.append(node.data, lines: node.lines, to: copy, nowNs: world.wallNs)
    agent.filesChanged()
    let copiedBytes = node.data.count
    agent.files.copied(node)
    let truncate = { [self] in
      isTruncationDue = false
      // The rest of a line in a file without its start would be a line that no writer wrote.
      flush()
      world.log { "\(self.path) is truncated at \(self.node.data.count)" }
      agent.files.truncate(node, copiedBytes: copiedBytes, nowNs: world.wallNs)
      agent.filesChanged()
    }
    // What is written between the copy and the truncation is lost: copytruncate's own fault.
    if random.chance(0.3) {
      world.scheduler.after(random.within(0...50 * .millisecond), truncate)
    } else {
      truncate()
    }
  }
}
