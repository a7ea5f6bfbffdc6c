internal import Files
internal import FleetModel

/// Finds the class of what a record raises: a sieve for the words of all classes over a delta's text, then the patterns of those found.
final class FailureMatcher {
  let classes: [FailureClass]
  private let sieve: WordSieve?
  private let words: [[UInt8]]
  /// Where the sieve finds too much, one pass over the bytes of each line replaces it: several where the words are more than one takes.
  /// They are large, and hardly any log needs them.
  private lazy var scanners = LiteralScanner.each(of: words)
  /// The pattern of each word: its class, and its place among that class's lines and, behind them, its ends.
  private let owners: [Int]
  private static let placeBits = 16
  private let places: [String: Int]
  /// Kept from delta to delta, so that none is allocated.
  private var spare: [UInt32] = []

  init(_ classes: [FailureClass]) {
    self.classes = classes
    var words: [[UInt8]] = []
    var owners: [Int] = []
    for (place, failure) in classes.enumerated() {
      for (index, pattern) in (failure.patterns + failure.ends).enumerated() {
        for word in pattern.literals {
          words.append(word)
          owners.append(place << Self.placeBits | index)
        }
      }
    }
    sieve = words.isEmpty ? nil : WordSieve(words)
    self.words = words
    self.owners = owners
    places = Dictionary(classes.enumerated().map { ($0.element.id, $0.offset) }) { first, _ in first }
  }

  var isEmpty: Bool { classes.isEmpty }

  /// Bytes of one raised text that patterns are held against: a message says what it is at its beginning.
  private static let textBytesMax = 4096

  subscript(id: String) -> FailureClass? { places[id].map { classes[$0] } }

  /// The class that a signal's number alone shows.
  func ofSignal(_ signal: Int32) -> FailureClass? { classes.first { $0.signals.contains(signal) } }

  /// Looks at the lines of a delta that begin in a range of the file's offsets.
  ///
  /// - Parameter take: called for each of them with its index, its bytes, and what it raises; nil = nothing.
  func look(_ lines: borrowing LogLines, in wanted: Range<UInt64>, _ take: (Int, Range<Int>, Suspect?) -> Void) {
    var hints: [UInt32] = []
    swap(&hints, &spare)
    defer { swap(&hints, &spare) }
    let bytes = lines.text.span
    let isSieved = sieve?.find(in: bytes, &hints) ?? true
    var (start, offset, hint) = (0, lines.firstOffset, 0)
    var found: [Int] = []
    for line in 0..<lines.lengths.count {
      let end = start + Int(lines.lengths[line])
      found.removeAll(keepingCapacity: true)
      func add(_ word: Int) { if !found.contains(owners[word]) { found.append(owners[word]) } }
      if isSieved {
        while hint < hints.count, hints[hint] < end {
          sieve?.look(at: Int(hints[hint]), in: bytes, start..<end, add)
          hint += 1
        }
      } else {
        for (first, scanner) in scanners { scanner.scan(bytes, start..<end) { add(first + Int($0)) } }
      }
      if wanted.contains(offset) {
        take(line, start..<end, suspect(bytes, start..<end, lines.levels[line], found))
      }
      start = end
      offset &+= UInt64(lines.advances[line])
    }
  }

  /// What a record raises; nil = nothing.
  ///
  /// - Parameter found: patterns of which a word stands in the record.
  private func suspect(
    _ bytes: Span<UInt8>, _ range: Range<Int>, _ level: UInt8, _ found: [Int]
  ) -> Suspect? {
    let isError = level == Level.error.rawValue
    if found.isEmpty, !isError { return nil }
    // One that is logged as a warning or less was handled.
    if isError || level == Level.unknown.rawValue, RaisedText.isTraceback(bytes, range) {
      return ofTraceback(bytes, range, found)
    }
    var best: Int?
    var isEnd = false
    let text = bytes.extracting(range.prefix(Self.textBytesMax))
    forEachClass(of: found) { place, patterns in
      let fit = fits(place, patterns, text, mayRaise: isRaised(level, classes[place]))
      guard fit.ends || fit.raises else { return }
      isEnd = isEnd || fit.ends
      if best.map({ says(place, moreThan: $0) }) ?? true { best = place }
    }
    guard let best else { return isError ? Suspect(bytes, range, rankOf: range, weight: .errorLine) : nil }
    var suspect = Suspect(bytes, range, rankOf: range, weight: weight(best))
    suspect.failureClass = classes[best].id
    suspect.isEnd = isEnd
    return suspect
  }

  /// - Parameter body: called with each class and its patterns, in the order of the classes.
  private func forEachClass(of found: [Int], _ body: (Int, ArraySlice<Int>) -> Void) {
    let sorted = found.sorted()
    var start = 0
    while start < sorted.count {
      let place = sorted[start] >> Self.placeBits
      let end = sorted[start...].firstIndex { $0 >> Self.placeBits != place } ?? sorted.count
      body(place, sorted[start..<end])
      start = end
    }
  }

  /// Only patterns of which a word stands in the text can fit: a line that holds `error` costs no more than those that ask for it.
  /// - Parameter mayRaise: what the text says counts at its level; else only how it ends.
  private func fits(
    _ place: Int, _ patterns: ArraySlice<Int>, _ text: Span<UInt8>, mayRaise: Bool = true
  ) -> (raises: Bool, ends: Bool) {
    let failure = classes[place]
    var fit = (raises: false, ends: false)
    for pattern in patterns {
      let index = pattern & ((1 << Self.placeBits) - 1)
      if index >= failure.patterns.count {
        fit.ends = fit.ends || failure.ends[index - failure.patterns.count].matches(text)
      } else if mayRaise, !fit.raises {
        fit.raises = failure.patterns[index].matches(text)
      }
    }
    guard fit.raises || fit.ends, failure.exceptions.contains(where: { $0.matches(text) }) else { return fit }
    return (false, false)
  }

  private func isRaised(_ level: UInt8, _ failure: FailureClass) -> Bool {
    level == Level.unknown.rawValue || level >= failure.level.rawValue
  }

  private func weight(_ place: Int) -> Suspect.Weight {
    classes[place].kind == .cascade ? .cascade : classes[place].isGeneric ? .generic : .root
  }

  /// Of two classes that one text fits: a cascade that is named says more than what anything may be behind.
  private func says(_ place: Int, moreThan other: Int) -> Bool {
    func order(_ place: Int) -> Int { classes[place].isGeneric ? 2 : classes[place].kind == .cascade ? 1 : 0 }
    return order(place) < order(other)
  }

  /// Of the exceptions of a chain, the first of those that say most; where none of them has a class, what was logged with the traceback.
  private func ofTraceback(_ bytes: Span<UInt8>, _ range: Range<Int>, _ found: [Int]) -> Suspect? {
    var best: Suspect?
    for exception in RaisedText.exceptions(bytes, range) {
      let suspect = suspect(of: exception.range, in: bytes, range, found, .exception)
      if best.map({ suspect.weight < $0.weight }) ?? true { best = suspect }
    }
    if best?.failureClass ?? Diagnosis.unknownClass == Diagnosis.unknownClass {
      let logged = suspect(of: RaisedText.beforeTraceback(bytes, range), in: bytes, range, found, .errorLine)
      if logged.failureClass != Diagnosis.unknownClass { best = logged }
    }
    // One that is cut off names nothing, and is an error all the same.
    var suspect = best ?? Suspect(bytes, range, rankOf: range, weight: .errorLine)
    suspect.isTraceback = true
    return suspect
  }

  /// What a part of a record shows.
  /// - Parameter weight: where no class fits.
  private func suspect(
    of part: Range<Int>, in bytes: Span<UInt8>, _ record: Range<Int>, _ found: [Int], _ weight: Suspect.Weight
  ) -> Suspect {
    let text = bytes.extracting(part.prefix(Self.textBytesMax))
    var suspect = Suspect(bytes, part, rankOf: record, weight: weight)
    var place: Int?
    forEachClass(of: found) { candidate, patterns in
      let fit = fits(candidate, patterns, text)
      guard fit.raises || fit.ends else { return }
      if place.map({ says(candidate, moreThan: $0) }) ?? true { place = candidate }
    }
    if let place {
      suspect.failureClass = classes[place].id
      suspect.weight = self.weight(place)
    }
    return suspect
  }
}

/// A line that may show why a program fails.
struct Suspect: Equatable {
  /// How much it says; the lowest of a crash names it.
  enum Weight: UInt8, Comparable {
    case root
    /// A class that anything may be behind, such as a missing key.
    case generic
    /// No class fits: the exception's own name.
    case exception
    /// What follows from another process's failure.
    case cascade
    /// A line of level error in which no class and no exception stands.
    case errorLine

    static func < (left: Weight, right: Weight) -> Bool { left.rawValue < right.rawValue }
  }

  var failureClass = Diagnosis.unknownClass
  var weight: Weight
  var text: String
  var rank: Int32?
  /// When it was written, the host's clock.
  var atNs: Int64 = 0
  /// What a shell, the kernel or a launcher says of a program that has ended.
  var isEnd = false
  /// Its program has ended, or is about to, unless it catches what it raised.
  var isTraceback = false

  /// Bytes of its text that are kept.
  static let textBytesMax = 600

  init(weight: Weight, text: String) {
    self.weight = weight
    self.text = text
  }

  init(_ bytes: Span<UInt8>, _ range: Range<Int>, rankOf record: Range<Int>, weight: Weight) {
    self.weight = weight
    let kept = range.lowerBound..<min(range.upperBound, range.lowerBound + Self.textBytesMax)
    text = String(decoding: kept.map { bytes[$0] }, as: UTF8.self)
    rank = RaisedText.rank(bytes, record)
  }
}
