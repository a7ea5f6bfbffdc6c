/// A regular expression with named captures, in time that a hostile line cannot raise: Thompson's simulation, with one thread of each
/// instruction, in the order of their priority (Pike 1987; Cox, "Regular Expression Matching: the Virtual Machine Approach").
///
/// The same subset as `LinePattern`, and `(?<name>…)`. What matches first in the line counts, of it what an ordinary expression would choose:
/// the left alternative, and as many repetitions as there are. The cost is bytes of the line times at most `instructionsMax`, each with the
/// copy of its captures.
package struct CapturePattern: Sendable, Equatable {
  /// Of the pattern, with `{n,m}` written out.
  package static let instructionsMax = 256
  package static let capturesMax = 16

  private enum Instruction: Sendable, Equatable {
    case symbols(SymbolSet)
    /// Both, the first is preferred.
    case split(Int, Int)
    case jump(Int)
    case save(Int)
    case lineStart, lineEnd, match
  }

  package let text: String
  /// Of its captures, in the order in which they begin.
  package let names: [String]
  private var program: [Instruction] = []
  /// Lower case, of which each match holds one whole; empty: not known. Who has many lines looks for them first.
  package let literals: [[UInt8]]
  /// What a match may begin with; nil: with anything, or it may be empty.
  private var firstBytes: SymbolSet?

  /// - Throws: one sentence about what is wrong with the pattern.
  package init(_ text: String) throws(LinePatternError) {
    self.text = text
    var parser = LinePatternParser(text, takesNames: true)
    let tree = try parser.parse()
    names = parser.names
    literals = LineLiterals.required(of: tree)
    guard names.count <= Self.capturesMax else {
      throw LinePatternError("has more than \(Self.capturesMax) names")
    }
    try compile(tree)
    program.append(.match)
    firstBytes = beginnings()
  }

  /// Of what stands before the first byte only edges of the line are passed over, so that the set is never too small.
  private func beginnings() -> SymbolSet? {
    var found = SymbolSet()
    var seen = [Bool](repeating: false, count: program.count)
    var open = [0]
    while let counter = open.popLast() {
      if seen[counter] { continue }
      seen[counter] = true
      switch program[counter] {
      case .match: return nil
      case .symbols(let set): found.formUnion(set)
      case .jump(let to): open.append(to)
      case .split(let first, let second): open += [first, second]
      case .save, .lineStart, .lineEnd: open.append(counter + 1)
      }
    }
    return found
  }

  // MARK: Compiling

  private mutating func add(_ instruction: Instruction) throws(LinePatternError) -> Int {
    guard program.count < Self.instructionsMax else {
      throw LinePatternError("is too long: {n,m} written out, a pattern has at most \(Self.instructionsMax) places")
    }
    program.append(instruction)
    return program.count - 1
  }

  private mutating func compile(_ tree: PatternTree) throws(LinePatternError) {
    switch tree {
    case .empty: break
    case .symbols(let set):
      _ = try add(set == .lineStart ? .lineStart : set == .lineEnd ? .lineEnd : .symbols(set))
    case .sequence(let parts): for part in parts { try compile(part) }
    case .named(let number, let part):
      _ = try add(.save(number * 2))
      try compile(part)
      _ = try add(.save(number * 2 + 1))
    case .choice(let parts):
      var ends: [Int] = []
      for part in parts.dropLast() {
        let split = try add(.split(0, 0))
        try compile(part)
        ends.append(try add(.jump(0)))
        program[split] = .split(split + 1, program.count)
      }
      if let last = parts.last { try compile(last) }
      for end in ends { program[end] = .jump(program.count) }
    case .repeated(let part, let least, let most): try compile(part, least, most)
    }
  }

  private mutating func compile(_ part: PatternTree, _ least: Int, _ most: Int?) throws(LinePatternError) {
    for _ in 0..<least {
      let before = program.count
      try compile(part)
      // Nothing, however often.
      if program.count == before { break }
    }
    guard let most else {
      let split = try add(.split(0, 0))
      try compile(part)
      _ = try add(.jump(split))
      program[split] = .split(split + 1, program.count)
      return
    }
    var splits: [Int] = []
    for _ in least..<max(least, most) {
      splits.append(try add(.split(0, 0)))
      try compile(part)
    }
    for split in splits { program[split] = .split(split + 1, program.count) }
  }

  // MARK: Matching

  /// Kept between lines, so that a line costs no allocation but for its captures.
  package struct Matcher: Sendable {
    /// In the order of their priority.
    fileprivate struct Threads: Sendable {
      var count = 0
      /// Room for one of each instruction.
      var counters: [Int] = []
      /// `2 * names.count` for each thread.
      var slots: [Int] = []

      mutating func makeRoom(_ threads: Int, _ slotCount: Int) {
        count = 0
        if counters.count < threads { counters = [Int](repeating: 0, count: threads) }
        if slots.count < threads * slotCount { slots = [Int](repeating: -1, count: threads * slotCount) }
      }

      mutating func add(_ counter: Int, _ added: [Int]) {
        counters[count] = counter
        let start = count * added.count
        for index in added.indices { slots[start + index] = added[index] }
        count += 1
      }
    }
    /// What is still to be followed of a thread.
    fileprivate enum Branch: Sendable {
      case counter(Int)
      /// A slot gets its value back: what comes next branched off before it was set.
      case slot(Int, Int)
    }
    fileprivate var now = Threads()
    fileprivate var next = Threads()
    /// The step in which an instruction was last added.
    fileprivate var marks: [Int] = []
    fileprivate var step = 0
    /// Of the thread that is being followed.
    fileprivate var slots: [Int] = []
    fileprivate var branches: [Branch] = []
    fileprivate var found: [Int] = []

    package init() {}

    fileprivate mutating func begin(_ instructions: Int, _ slotCount: Int) {
      if marks.count < instructions { marks = [Int](repeating: -1, count: instructions) }
      now.makeRoom(instructions, slotCount)
      next.makeRoom(instructions, slotCount)
      found.removeAll(keepingCapacity: true)
      if slots.count != slotCount { slots = [Int](repeating: -1, count: slotCount) }
      clearSlots()
      step += 1
    }

    fileprivate mutating func clearSlots() { for index in slots.indices { slots[index] = -1 } }

    fileprivate mutating func takeSlots(of thread: Int) {
      let start = thread * slots.count
      for index in slots.indices { slots[index] = now.slots[start + index] }
    }
  }

  /// - Returns: the ranges of the captures, nil for those that took no part; nil where the line does not match.
  package func match(_ bytes: Span<UInt8>, _ line: Range<Int>, _ matcher: inout Matcher) -> [Range<Int>?]? {
    guard holdsLiteral(bytes, line) else { return nil }
    matcher.begin(program.count, names.count * 2)
    var isFound = false
    if mayBegin(bytes, line.lowerBound, line) { addThread(0, line.lowerBound, line, &matcher) }
    swap(&matcher.now, &matcher.next)
    for at in line.lowerBound...line.upperBound {
      if matcher.now.count == 0, isFound { break }
      // Its instructions are of the next place: those before stand first.
      matcher.step += 1
      matcher.next.count = 0
      threads: for thread in 0..<matcher.now.count {
        let counter = matcher.now.counters[thread]
        switch program[counter] {
        case .match:
          isFound = true
          matcher.takeSlots(of: thread)
          matcher.found.removeAll(keepingCapacity: true)
          matcher.found.append(contentsOf: matcher.slots)
          // What comes after it has a lower priority.
          break threads
        case .symbols(let set) where at < line.upperBound && set.contains(Int(bytes[at])):
          matcher.takeSlots(of: thread)
          addThread(counter + 1, at + 1, line, &matcher)
        default: break
        }
      }
      if !isFound, at < line.upperBound, mayBegin(bytes, at + 1, line) {
        matcher.clearSlots()
        addThread(0, at + 1, line, &matcher)
      }
      swap(&matcher.now, &matcher.next)
    }
    guard isFound else { return nil }
    let slots = matcher.found
    return names.indices.map { index in
      let (start, end) = (slots[index * 2], slots[index * 2 + 1])
      return start >= 0 && end >= start ? start..<end : nil
    }
  }

  private func mayBegin(_ bytes: Span<UInt8>, _ at: Int, _ line: Range<Int>) -> Bool {
    guard let firstBytes else { return true }
    return at < line.upperBound && firstBytes.contains(Int(bytes[at]))
  }

  /// Follows what takes no byte, from `start` with the matcher's slots, and adds what comes of it to the next threads.
  private func addThread(_ start: Int, _ at: Int, _ line: Range<Int>, _ matcher: inout Matcher) {
    matcher.branches.append(.counter(start))
    while let branch = matcher.branches.popLast() {
      guard case .counter(let counter) = branch else {
        if case .slot(let slot, let value) = branch { matcher.slots[slot] = value }
        continue
      }
      if matcher.marks[counter] == matcher.step { continue }
      matcher.marks[counter] = matcher.step
      switch program[counter] {
      case .jump(let to): matcher.branches.append(.counter(to))
      case .split(let first, let second):
        matcher.branches.append(.counter(second))
        matcher.branches.append(.counter(first))
      case .save(let slot):
        matcher.branches.append(.slot(slot, matcher.slots[slot]))
        matcher.slots[slot] = at
        matcher.branches.append(.counter(counter + 1))
      case .lineStart:
        if at == line.lowerBound { matcher.branches.append(.counter(counter + 1)) }
      case .lineEnd:
        if at == line.upperBound { matcher.branches.append(.counter(counter + 1)) }
      case .symbols, .match:
        matcher.next.add(counter, matcher.slots)
      }
    }
  }

  private func holdsLiteral(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Bool {
    if literals.isEmpty { return true }
    for literal in literals where line.count >= literal.count {
      for start in line.lowerBound...line.upperBound - literal.count {
        var length = 0
        while length < literal.count, ASCII.lower(bytes[start + length]) == literal[length] { length += 1 }
        if length == literal.count { return true }
      }
    }
    return false
  }
}
