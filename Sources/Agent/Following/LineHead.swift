internal import FleetModel

/// What the start of a line holds: when it was written and how grave it is.
struct LineHead: Equatable {
  /// µs since 1970; nil where the line has no time.
  var timeUs: Int64?
  var level: Level = .unknown
}

/// Reads time and level from the heads that trainers, launchers and services print: a time at the start of the line or behind what may
/// stand before it (a level, groups in brackets, a program's name), JSON and logfmt fields, syslog's priority, glog's letter.
///
/// Where the last line of the file had its time is tried first: a file keeps its pattern.
struct LineHeadParser {
  /// Times are looked for this far into a line; what follows is the message.
  private static let headBytesMax = 112
  /// Groups that may stand before the time, such as `(Worker pid=1) INFO [main] 2026-…`.
  private static let groupsMax = 6
  /// Colour sequences are taken out of so many bytes: enough for a head.
  private static let colouredBytesMax = 256
  /// A launcher within a container.
  private static let wrappersMax = 2
  /// A line that is moved further to the right has no head.
  private static let indentMax = 8

  private var times: LineTimeReader
  /// Where the last line had its time, from its start.
  private var timeOffset = 0
  /// How often the line of a program is being read behind what a launcher or a container runtime put before it.
  private var wrappers = 0

  init(zone: @escaping ZoneOffset) { times = LineTimeReader(zone: zone) }

  /// - Parameter isOdd: the line may hold bytes that `LineScan` calls odd: only then colours and marks are looked for.
  mutating func parse(_ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64, isOdd: Bool = true) -> LineHead {
    // Nothing behind the line is looked at.
    let line = bytes.extracting(range)
    guard isOdd else { return head(line, 0..<line.count, nowNs: nowNs) }
    let start = line.holds("\u{feff}", at: 0) ? 3 : 0
    if let plain = withoutColours(line, start..<line.count) { return head(plain.span, 0..<plain.count, nowNs: nowNs) }
    return head(line, start..<line.count, nowNs: nowNs)
  }

  private mutating func head(_ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64) -> LineHead {
    guard let first = range.first else { return LineHead() }
    if bytes[first] <= UInt8(ascii: " ") { return indented(bytes, range, nowNs: nowNs) }
    if bytes[first] == UInt8(ascii: "{"), let head = json(bytes, range, nowNs: nowNs) { return head }
    // Behind syslog's `<PRI>` there is no way but the long one: it holds the level.
    let isPriority = bytes[first] == UInt8(ascii: "<")
    if !isPriority, let found = times.common(bytes, range, at: first + timeOffset, nowNs: nowNs) {
      return timed(bytes, range, found, at: first + timeOffset, nowNs: nowNs)
    }
    return searched(bytes, range, nowNs: nowNs)
  }

  /// Passes over what may stand before the time, group by group.
  private mutating func searched(_ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64) -> LineHead {
    var groups = HeadGroups(bytes, range, headBytesMax: Self.headBytesMax)
    for _ in 0..<Self.groupsMax {
      if let head = fields(bytes, groups.at..<range.upperBound, nowNs: nowNs) { return head }
      for index in 0..<groups.candidates(bytes) {
        guard let at = groups.candidate(bytes, index) else { continue }
        if let level = LineLevel.ofLetter(bytes, at, range.upperBound),
          let found = times.glog(bytes, range, at: at + 1, nowNs: nowNs)
        {
          return LineHead(timeUs: found.timeUs, level: level)
        }
        guard let found = times.any(bytes, range, at: at, nowNs: nowNs) else { continue }
        var head = timed(bytes, range, found, at: at, nowNs: nowNs)
        if head.level == .unknown { head.level = groups.priority }
        if found.isDayless, head.level == .unknown { return LineHead() }
        if times.common(bytes, range, at: at, nowNs: nowNs) != nil { timeOffset = at - range.lowerBound }
        return head
      }
      guard groups.next(bytes) else { break }
    }
    let level = LineLevel.find(bytes, range, isTimed: false)
    if level != .unknown || groups.priority != .unknown {
      return LineHead(timeUs: nil, level: level == .unknown ? groups.priority : level)
    }
    return LineWrapper.ofLauncher(bytes, range).map { wrapped(bytes, $0..<range.upperBound, nowNs: nowNs) }
      ?? LineHead()
  }

  /// The head of a program's line that something else writes on in its name.
  @inline(never) private mutating func wrapped(_ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64) -> LineHead {
    guard wrappers < Self.wrappersMax else { return LineHead() }
    // Where times stand in the whole line is not where they stand in this part.
    let offset = timeOffset
    wrappers += 1
    timeOffset = 0
    defer {
      wrappers -= 1
      timeOffset = offset
    }
    return head(bytes, range, nowNs: nowNs)
  }

  private mutating func timed(_ bytes: Span<UInt8>, _ range: Range<Int>, _ found: LineTime, at: Int, nowNs: Int64)
    -> LineHead
  {
    if let start = LineWrapper.ofRuntime(bytes, behind: found.end, range) {
      return LineHead(timeUs: found.timeUs, level: wrapped(bytes, start..<range.upperBound, nowNs: nowNs).level)
    }
    var level = Level.unknown
    if at > range.lowerBound { level = LineLevel.before(bytes, range.lowerBound..<at) }
    if level == .unknown { level = LineLevel.find(bytes, found.end..<range.upperBound, isTimed: true) }
    return LineHead(timeUs: found.timeUs, level: level)
  }

  /// Leading blanks belong to continuation lines, which have no head, unless a date stands behind them (Megatron), or a level in a
  /// column of its own (rich, which leaves out a time that it has just printed), or a warning's place in the source, where a bar was cleared.
  private mutating func indented(_ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64) -> LineHead {
    var at = range.lowerBound
    while at < range.upperBound, bytes[at] == UInt8(ascii: " ") { at += 1 }
    guard at < range.upperBound else { return LineHead() }
    if at - range.lowerBound <= Self.indentMax {
      let start = bytes[at] == UInt8(ascii: "[") ? at + 1 : at
      if let found = times.common(bytes, range, at: start, nowNs: nowNs) {
        return LineHead(timeUs: found.timeUs, level: LineLevel.find(bytes, found.end..<range.upperBound, isTimed: true))
      }
    }
    let level = LineLevel.column(bytes, at..<range.upperBound)
    if level == .unknown, at - range.lowerBound > Self.indentMax, bytes[at] == UInt8(ascii: "/") {
      return LineHead(timeUs: nil, level: LineLevel.find(bytes, at..<range.upperBound, isTimed: false))
    }
    return LineHead(timeUs: nil, level: level)
  }

  // MARK: Fields

  /// logfmt: `time="2026-…" level=error msg="…"`, in any order. Source: brandur.org/logfmt; Go's log/slog TextHandler.
  private mutating func fields(_ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64) -> LineHead? {
    var walk = LogfmtFields(range)
    guard walk.beginsWithField(bytes) else { return nil }
    let head = head(bytes, &walk, nowNs: nowNs)
    return head == LineHead() ? nil : head
  }

  private mutating func json(_ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64) -> LineHead? {
    var walk = JSONFields(range)
    return head(bytes, &walk, nowNs: nowNs)
  }

  /// - Returns: nil where there are no fields at all.
  private mutating func head(_ bytes: Span<UInt8>, _ walk: inout some FieldWalk, nowNs: Int64) -> LineHead? {
    var head = LineHead()
    var fields = HeadFields()
    while fields.count < HeadFields.countMax, let field = walk.next(bytes) {
      fields.add(bytes, field)
      if head.timeUs == nil, HeadFields.isTime(bytes, field.name) { head.timeUs = time(bytes, field, nowNs: nowNs) }
      if head.timeUs != nil, fields.isLevelSure { break }
    }
    head.level = fields.level
    if let wrapped = fields.wrapped, head.level == .unknown {
      head.level = self.head(bytes, wrapped, nowNs: nowNs).level
    }
    return fields.count > 0 ? head : nil
  }

  private mutating func time(_ bytes: Span<UInt8>, _ field: JSONFields.Field, nowNs: Int64) -> Int64? {
    if let inner = field.inner {
      // MongoDB's {"$date": "…"}, loguru's {"repr": …, "timestamp": …}, log4j's {"epochSecond": …}.
      var walk = JSONFields(inner)
      while let part = walk.next(bytes) {
        if let found = time(bytes, part, nowNs: nowNs) { return found }
      }
      return nil
    }
    let number = JSONFields.number(bytes, field.value)
    if !number.isNaN { return JSONFields.timeUs(number) }
    guard field.isText, let found = times.any(bytes, field.value, at: field.value.lowerBound, nowNs: nowNs),
      !found.isDayless
    else { return nil }
    return found.timeUs
  }

  // MARK: Colours

  /// - Returns: the line's first bytes without the control sequences of terminals (ECMA-48 5.4), nil where it has none.
  private func withoutColours(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8]? {
    let end = min(range.upperBound, range.lowerBound + Self.colouredBytesMax)
    guard (range.lowerBound..<end).contains(where: { bytes[$0] == 0x1b }) else { return nil }
    var plain: [UInt8] = []
    plain.reserveCapacity(end - range.lowerBound)
    var at = range.lowerBound
    while at < end {
      if bytes[at] != 0x1b {
        plain.append(bytes[at])
        at += 1
      } else if at + 1 < end, bytes[at + 1] == UInt8(ascii: "[") {
        at += 2
        while at < end, bytes[at] < 0x40 { at += 1 }
        at += 1
      } else {
        at += 2
      }
    }
    return plain
  }
}

/// Walks over what may stand before a line's time.
private struct HeadGroups {
  private static let bracketBytesMax = 72
  private static let nameBytesMax = 48

  private(set) var at: Int
  private let end: Int
  /// Of syslog's `<PRI>`. RFC 5424 6.2.1: its lowest three bits are the severity.
  private(set) var priority = Level.unknown

  init(_ bytes: Span<UInt8>, _ range: Range<Int>, headBytesMax: Int) {
    at = range.lowerBound
    end = min(range.upperBound, range.lowerBound + headBytesMax)
    skipPriority(bytes)
  }

  /// Where a time may begin in the group at hand: at its start or inside its bracket; behind a letter in that, as in `[I 2026-…]`; behind
  /// a name and a letter, as in `[NeMo W 2026-…]`; behind a level, as in `[ERROR  2026-…]`.
  func candidates(_ bytes: Span<UInt8>) -> Int { at < end && isOpening(bytes[at]) ? 4 : 1 }

  func candidate(_ bytes: Span<UInt8>, _ index: Int) -> Int? {
    guard at < end else { return nil }
    let isBracket = isOpening(bytes[at])
    if index == 0 { return isBracket ? at + 1 : at }
    guard isBracket else { return nil }
    if index == 3 { return behindLevel(bytes) }
    let inner = at + 1..<min(end, at + 9)
    guard let blank = inner.first(where: { bytes[$0] == UInt8(ascii: " ") }) else { return nil }
    let letter = index == 1 ? blank - 1 : blank + 1
    return LineLevel.ofLetter(bytes, letter, end) == nil ? nil : letter + 2
  }

  @inline(never) private func behindLevel(_ bytes: Span<UInt8>) -> Int? {
    var stop = at + 1
    while stop < end, ByteClass.isWord(bytes[stop]) { stop += 1 }
    guard LineLevel.ofWord(bytes, at + 1..<stop) != .unknown else { return nil }
    let first = stop
    while stop < end,
      [UInt8(ascii: " "), UInt8(ascii: "|"), UInt8(ascii: ":"), UInt8(ascii: "\t")].contains(bytes[stop])
    {
      stop += 1
    }
    return stop > first && stop < end ? stop : nil
  }

  /// Passes over the group: one in brackets, a level, `name:`, `name |`, Redis's `1:M`, an access log's `host - user`.
  mutating func next(_ bytes: Span<UInt8>) -> Bool {
    guard at < end else { return false }
    if isOpening(bytes[at]) {
      let close: UInt8 = bytes[at] == UInt8(ascii: "[") ? UInt8(ascii: "]") : UInt8(ascii: ")")
      guard let last = (at..<min(end, at + Self.bracketBytesMax)).first(where: { bytes[$0] == close }) else {
        return false
      }
      return advance(bytes, to: last + 1)
    }
    var stop = at
    while stop < end, stop - at < Self.nameBytesMax, isNamePart(bytes[stop]) { stop += 1 }
    guard stop > at, stop < end else { return false }
    let word = at..<stop
    if LineLevel.isWord(bytes, word) { return advance(bytes, to: stop) }
    if bytes[stop] == UInt8(ascii: ":") {
      // Redis: a process, the letter of its role.
      let isRole =
        stop + 2 < end && ByteClass.of(bytes[stop + 1]) == ByteClass.upper && bytes[stop + 2] == UInt8(ascii: " ")
      if isRole { return advance(bytes, to: stop + 2) }
      return stop + 1 < end && bytes[stop + 1] <= UInt8(ascii: " ") ? advance(bytes, to: stop + 1) : false
    }
    if bytes.holds(" - ", at: stop) { return advance(bytes, to: access(bytes, behind: stop + 3)) }
    while stop < end, bytes[stop] == UInt8(ascii: " ") { stop += 1 }
    return stop < end && bytes[stop] == UInt8(ascii: "|") ? advance(bytes, to: stop + 1) : false
  }

  /// The user's name in an access log.
  private func access(_ bytes: Span<UInt8>, behind start: Int) -> Int {
    var stop = start
    while stop < end, bytes[stop] > UInt8(ascii: " "), stop - start < Self.nameBytesMax { stop += 1 }
    return bytes.holds(" [", at: stop) ? stop : start
  }

  private mutating func advance(_ bytes: Span<UInt8>, to stop: Int) -> Bool {
    at = stop
    while at < end {
      switch bytes[at] {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "|"),
        UInt8(ascii: "\""):
        at += 1
      default: return true
      }
    }
    return false
  }

  private func isOpening(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "[") || byte == UInt8(ascii: "(") }

  private func isNamePart(_ byte: UInt8) -> Bool {
    ByteClass.isName(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "@")
  }

  private mutating func skipPriority(_ bytes: Span<UInt8>) {
    guard at < end, bytes[at] == UInt8(ascii: "<") else { return }
    var cursor = TimeCursor(bytes.count, at + 1, end)
    guard let number = cursor.number(bytes, digits: 3), cursor.skips(bytes, UInt8(ascii: ">")) else { return }
    priority = LineLevel.ofSyslog(number & 7)
    at = cursor.at
    // The version of RFC 5424.
    if bytes.holds("1 ", at: at) { at += 2 }
  }
}
