internal import FleetModel

/// What is remembered of a run between its steps.
struct RunProgress: Equatable {
  var entity: Int
  /// When its start was reported, or it made its first step; 0 = not known.
  var startedNs: Int64 = 0
  var windowStartNs: Int64 = 0
  var windowSteps: Int64 = 0
  var lastStepNs: Int64 = 0
  var sharesHeld = Double.nan
  var actions = ActionVotes()
  var numbers = EpisodeNumbers()
  /// Episodes that the program announced; 0 = none announced.
  var announced: Int32 = 0
  /// The one under way; none where there is none.
  var episodes: [EpisodeSummary] = []

  init(entity: Int) { self.entity = entity }
}

/// How often the commonest action of an episode was taken, without a count for each action.
///
/// Source: Boyer, Moore, "MJRTY, a fast majority vote algorithm" (1981): what is left over of the votes is a lower bound of the
/// lead, so that the share is never overstated, and is exact where one action is all there is.
struct ActionVotes: Equatable {
  var episode: Int64 = .min
  var candidate = Double.nan
  var lead: Int32 = 0
  var count: Int32 = 0

  /// - Returns: the share of the episode before, where this step begins another one.
  mutating func add(_ action: Double, episode number: Int64) -> Double {
    var ended = Double.nan
    if number != episode {
      if count > 0 { ended = share }
      self = ActionVotes(episode: number)
    }
    // An episode of more steps than that keeps the share that it has.
    guard count < .max else { return ended }
    count += 1
    if lead == 0 { candidate = action }
    lead += action == candidate ? 1 : -1
    return ended
  }

  private var share: Double { (1 + Double(lead) / Double(count)) / 2 }
}

/// Which of the last 128 episodes' numbers were seen, and which have ended.
struct EpisodeNumbers: Equatable {
  /// Newest numbers that may still be under way: environments run side by side.
  static let underWay = 16
  private static let window = 100
  private static let leastForShare = 20

  var highest: Int64 = -1
  var first: Int64 = -1
  private var seen: UInt128 = 0
  private var ended: UInt128 = 0

  init() {}

  /// For the saved state: six words, whatever the database holds.
  init(words: [UInt64]) {
    highest = max(-1, Int64(bitPattern: words[0]))
    first = max(-1, Int64(bitPattern: words[1]))
    seen = UInt128(words[3]) << 64 | UInt128(words[2])
    ended = UInt128(words[5]) << 64 | UInt128(words[4])
  }

  var words: [UInt64] {
    [
      UInt64(bitPattern: highest), UInt64(bitPattern: first), UInt64(truncatingIfNeeded: seen),
      UInt64(truncatingIfNeeded: seen >> 64), UInt64(truncatingIfNeeded: ended),
      UInt64(truncatingIfNeeded: ended >> 64),
    ]
  }

  /// - Returns: numbers that were left out: they are so far behind that they will not come any more.
  mutating func note(_ number: Int64, hasEnded: Bool) -> [Int64] {
    // Other environments of the run number theirs by themselves.
    guard number >= 0, number < TrainingStep.episodesPerEnvironment else { return [] }
    var missing: [Int64] = []
    if highest < 0 {
      (highest, first) = (number, number)
    } else if number > highest {
      let step = Int(min(number &- highest, 128))
      seen = step < 128 ? seen << UInt128(step) : 0
      ended = step < 128 ? ended << UInt128(step) : 0
      highest = number
      missing = left(from: Self.underWay, to: Self.underWay + step)
    }
    first = min(first, number)
    let place = highest - number
    guard place < 128 else { return missing }
    seen |= 1 << UInt128(place)
    if hasEnded { ended |= 1 << UInt128(place) }
    return missing
  }

  /// The run is over: what was not seen will not come.
  func rest() -> [Int64] { left(from: 0, to: Self.underWay) }

  /// How many numbers there were, to the highest.
  var count: Int64 { highest < 0 ? 0 : highest.subtractingClamped(min(first, 1)).addingClamped(1) }

  private func left(from low: Int, to high: Int) -> [Int64] {
    (low..<min(high, 128)).compactMap { place in
      let number = highest - Int64(place)
      return number > first && seen >> UInt128(place) & 1 == 0 ? number : nil
    }
  }

  /// Of the last 100 that are not under way: how many ended; NaN while there are few.
  var completedRatio: Double {
    let mask: UInt128 = ((1 << UInt128(Self.window)) - 1) << UInt128(Self.underWay)
    let count = (seen & mask).nonzeroBitCount
    return count < Self.leastForShare ? .nan : Double((ended & mask).nonzeroBitCount) / Double(count)
  }
}

/// How long the last five finished runs of one kind took.
struct RunHistory: Equatable {
  let kind: UInt64
  /// NaN where there is none yet, the oldest first.
  var seconds = SIMD8<Float>(repeating: .nan)

  init(kind: UInt64) { self.kind = kind }

  mutating func add(_ length: Double) {
    for place in 0..<4 { seconds[place] = seconds[place + 1] }
    seconds[4] = Float(length)
  }

  /// nil before three of them.
  var median: Double? {
    let known = (0..<5).map { seconds[$0] }.filter { !$0.isNaN }.sorted()
    return known.count < 3 ? nil : Double(known[known.count / 2])
  }

  /// The name of a run, its numbers aside: runs of the same program with the same purpose.
  static func kind(of run: String) -> UInt64 {
    var bytes: [UInt8] = []
    var part: [UInt8] = []
    func end() {
      // Hexadecimal marks of eight and more, too; `cafe` is a word.
      let isNumber = part.allSatisfy(ASCII.isDigit)
      let isMark = part.count >= 6 && part.contains(where: ASCII.isDigit) && part.allSatisfy(isHexadecimal)
      if !part.isEmpty { bytes += isNumber || isMark ? [UInt8(ascii: "#")] : part }
      part = []
    }
    for byte in run.utf8 {
      if ASCII.isLetter(byte) || ASCII.isDigit(byte) {
        // A number that follows a word is one of its own: run12.
        if ASCII.isDigit(byte), let last = part.last, !ASCII.isDigit(last), !part.allSatisfy(isHexadecimal) { end() }
        part.append(byte)
      } else {
        end()
        bytes.append(byte)
      }
    }
    end()
    return ContentHash.of(bytes.span)
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || (byte | 0x20) &- 97 < 6
  }
}
