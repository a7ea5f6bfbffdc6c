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
  /// Lower case, of which each match holds one whole; empty: not known.
  private let literals: [[UInt8]]

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
    fileprivate struct Threads: Sendable {
      var counters: [Int] = []
      /// `2 * capturesMax` for each thread.
      var slots: [Int] = []
    }
    fileprivate var now = Threads()
    fileprivate var next = Threads()
    /// The step in which an instruction was last added.
    fileprivate var marks: [Int] = []
    fileprivate var step = 0

    package init() {}
  }

  /// - Returns: the ranges of the captures, nil for those that took no part; nil where the line does not match.
  package func match(_ bytes: Span<UInt8>, _ line: Range<Int>, _ matcher: inout Matcher) -> [Range<Int>?]? {
    guard holdsLiteral(bytes, line) else { return nil }
    if matcher.marks.count < program.count { matcher.marks = [Int](repeating: -1, count: program.count) }
    matcher.now.counters.removeAll(keepingCapacity: true)
    matcher.now.slots.removeAll(keepingCapacity: true)
    var found: [Int]?
    let empty = [Int](repeating: -1, count: names.count * 2)
    for at in line.lowerBound...line.upperBound {
      // Its instructions are of this place: those before stand first.
      matcher.step += 1
      let before = matcher.now
      matcher.now.counters.removeAll(keepingCapacity: true)
      matcher.now.slots.removeAll(keepingCapacity: true)
      for (index, counter) in before.counters.enumerated() {
        let slots = Array(before.slots[index * empty.count..<(index + 1) * empty.count])
        addThread(counter, slots, at, line, &matcher)
      }
      if found == nil { addThread(0, empty, at, line, &matcher) }
      matcher.next.counters.removeAll(keepingCapacity: true)
      matcher.next.slots.removeAll(keepingCapacity: true)
      threads: for (index, counter) in matcher.now.counters.enumerated() {
        let slots = matcher.now.slots[index * empty.count..<(index + 1) * empty.count]
        switch program[counter] {
        case .match:
          found = Array(slots)
          // What comes after it has a lower priority.
          break threads
        case .symbols(let set) where at < line.upperBound && set.contains(Int(bytes[at])):
          matcher.next.counters.append(counter + 1)
          matcher.next.slots.append(contentsOf: slots)
        default: break
        }
      }
      swap(&matcher.now, &matcher.next)
      if matcher.now.counters.isEmpty, found != nil { break }
    }
    return found.map { slots in
      names.indices.map { slots[$0 * 2] >= 0 && slots[$0 * 2 + 1] >= 0 ? slots[$0 * 2]..<slots[$0 * 2 + 1] : nil }
    }
  }

  /// Follows what takes no byte.
  private func addThread(_ start: Int, _ slots: [Int], _ at: Int, _ line: Range<Int>, _ matcher: inout Matcher) {
    var stack = [(start, slots)]
    while let (counter, slots) = stack.popLast() {
      if matcher.marks[counter] == matcher.step { continue }
      matcher.marks[counter] = matcher.step
      switch program[counter] {
      case .jump(let to): stack.append((to, slots))
      case .split(let first, let second):
        stack.append((second, slots))
        stack.append((first, slots))
      case .save(let slot):
        var saved = slots
        saved[slot] = at
        stack.append((counter + 1, saved))
      case .lineStart:
        if at == line.lowerBound { stack.append((counter + 1, slots)) }
      case .lineEnd:
        if at == line.upperBound { stack.append((counter + 1, slots)) }
      case .symbols, .match:
        matcher.now.counters.append(counter)
        matcher.now.slots.append(contentsOf: slots)
      }
    }
  }

  private func holdsLiteral(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Bool {
    if literals.isEmpty { return true }
    return literals.contains { literal in
      guard let first = literal.first, line.count >= literal.count else { return false }
      return (line.lowerBound...line.upperBound - literal.count).contains { start in
        ASCII.lower(bytes[start]) == first
          && literal.indices.allSatisfy { ASCII.lower(bytes[start + $0]) == literal[$0] }
      }
    }
  }
}
