internal import Files
internal import FleetModel

/// A file of parameters as flat names and scalars: JSON, or the part of YAML that such files use.
///
/// Names of what is nested are joined by dots. Lists, and of YAML also tags, anchors, aliases, texts of several lines and flow collections,
/// are left out and counted: no value is guessed.
/// - Source: yaml.org/spec/1.1; PyYAML's `dump`, by which Lightning, RL Zoo and MLflow write theirs.
struct ParameterText {
  private(set) var parameters: RunParameters
  /// Members that were not understood.
  private(set) var leftOut = 0
  private var path: [UInt8] = []

  /// - Parameter redactor: every name with its value goes through it.
  init(_ redactor: Redactor?) { parameters = RunParameters(redactor) }

  /// Adds to what is known.
  init(_ before: RunParameters) { parameters = before }

  /// Whether a document of that kind begins here, by its first bytes.
  /// - Parameter isCertain: the file's name says that it is one; else it may be a log of objects of which the first was written.
  static func looksLike(json head: Span<UInt8>, isCertain: Bool = true) -> Bool {
    var at = 0
    while at < head.count, head[at] <= 0x20 { at += 1 }
    guard at < head.count, head[at] == UInt8(ascii: "{") else { return false }
    // A line that is an object, and another behind it: a log.
    let newline = LineCutter.newline(head, from: at)
    var scanner = JSONScanner(at..<(newline ?? head.count))
    while scanner.next(head) != nil {}
    guard let newline else { return isCertain || scanner.isComplete }
    if !scanner.isComplete { return true }
    return isCertain && (newline + 1 >= head.count || head[newline + 1] != UInt8(ascii: "{"))
  }

  /// The same of YAML: its first line is a member, or the mark of a document or of Python's `OrderedDict`.
  static func looksLike(yaml head: Span<UInt8>) -> Bool {
    var start = 0
    while start < head.count {
      let end = LineCutter.newline(head, from: start) ?? head.count
      let line = YAMLLine(head, start..<end)
      start = end + 1
      if line.isBlank { continue }
      return line.member(head) != nil || head.holds("---", at: line.text.lowerBound) || isOrdered(head, line)
    }
    return false
  }

  /// A text of a file of its own: a number where it is one.
  mutating func add(_ name: [UInt8], text bytes: Span<UInt8>) {
    let line = YAMLLine(bytes, 0..<bytes.count)
    close(OpenMember(name: name, value: line.text.map { bytes[$0] }, indent: 0))
  }

  // MARK: JSON

  /// - Returns: false where the bytes are no JSON object.
  mutating func read(json bytes: Span<UInt8>) -> Bool {
    var scanner = JSONScanner(0..<bytes.count)
    guard scanner.next(bytes) == .objectStart else { return false }
    read(bytes, &scanner)
    return scanner.next(bytes) == nil && scanner.isComplete
  }

  /// One JSON value under a name.
  mutating func add(_ name: [UInt8], json bytes: Span<UInt8>, _ range: Range<Int>) {
    var scanner = JSONScanner(range)
    path = name
    take(bytes, &scanner, scanner.next(bytes))
    path.removeAll()
  }

  /// The members of the object that was just opened.
  private mutating func read(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) {
    let length = path.count
    while case .key(let key)? = scanner.next(bytes) {
      if length > 0 { path.append(UInt8(ascii: ".")) }
      path += JSONScanner.text(bytes, key, bytesMax: TrainingLimits.metricNameBytesMax)
      take(bytes, &scanner, scanner.next(bytes))
      path.removeLast(path.count - length)
    }
  }

  private mutating func take(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner, _ token: JSONScanner.Token?) {
    switch token {
    case .objectStart?: read(bytes, &scanner)
    case .number(let text)?: add(number: DecimalNumber.parse(bytes, text) ?? .nan, bytes, text)
    case .bool(let value)?: parameters.add(path, isTrue: value)
    case .string(let text)?:
      parameters.add(path, text: JSONScanner.text(bytes, text, bytesMax: TrainingLimits.parameterBytesMax))
    case .arrayStart?:
      leftOut += 1
      scanner.skip(bytes, token)
    default: break
    }
  }

  /// A number that JSON does not know stays the text that it was.
  private mutating func add(number value: Double, _ bytes: Span<UInt8>, _ text: Range<Int>) {
    if value.isFinite {
      parameters.add(path, number: value)
    } else {
      parameters.add(path, text: text.map { bytes[$0] })
    }
  }

  // MARK: YAML

  /// A member whose value may go on in lines that are indented deeper.
  private struct OpenMember {
    var name: [UInt8]
    var value: [UInt8]
    var indent: Int

    /// One more line of its value: a line break is a blank, unless a quoted text escapes it.
    mutating func append(_ bytes: Span<UInt8>, _ line: Range<Int>) {
      if value.first == UInt8(ascii: "\""), value.last == UInt8(ascii: "\\") {
        value.removeLast()
      } else {
        value.append(UInt8(ascii: " "))
      }
      value.append(bytes, line)
    }
  }

  mutating func read(yaml bytes: Span<UInt8>) {
    /// Indentation of each open mapping's member, and its name with those above it.
    var parents: [(indent: Int, name: [UInt8])] = []
    var open: OpenMember?
    /// What is indented deeper than this belongs to something that was left out.
    var skipped: Int?
    var isOrderedDict = false
    var orderedName: [UInt8] = []
    var start = 0
    while start < bytes.count {
      let end = LineCutter.newline(bytes, from: start) ?? bytes.count
      let line = YAMLLine(bytes, LineCutter.content(bytes, start..<end))
      start = end + 1
      if line.isBlank { continue }
      if isOrderedDict {
        takeOrdered(bytes, line, &orderedName)
        continue
      }
      if let indent = skipped, line.indent > indent || line.indent == indent && line.isItem(bytes) { continue }
      skipped = nil
      if let indent = open?.indent, line.indent > indent {
        open?.append(bytes, line.text)
        continue
      }
      if let member = open { close(member) }
      open = nil
      if line.indent == 0, parents.isEmpty, parameters.isEmpty, Self.isOrdered(bytes, line) {
        isOrderedDict = true
        continue
      }
      while let last = parents.last, last.indent >= line.indent { parents.removeLast() }
      guard let member = line.member(bytes) else {
        if line.isMark(bytes) { continue }
        leftOut += 1
        skipped = line.indent
        continue
      }
      let name = (parents.last.map { $0.name + [UInt8(ascii: ".")] } ?? []) + member.name
      if member.value.isEmpty {
        guard parents.count < JSONScanner.depthMax else { continue }
        parents.append((line.indent, name))
      } else if isScalar(bytes, member.value) {
        open = OpenMember(name: name, value: member.value.map { bytes[$0] }, indent: line.indent)
      } else {
        leftOut += 1
        skipped = line.indent
      }
    }
    if let member = open { close(member) }
  }

  /// What begins no tag, anchor, alias, block of text or flow collection.
  private func isScalar(_ bytes: Span<UInt8>, _ value: Range<Int>) -> Bool {
    switch bytes[value.lowerBound] {
    case UInt8(ascii: "!"), UInt8(ascii: "&"), UInt8(ascii: "*"), UInt8(ascii: "|"), UInt8(ascii: ">"),
      UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "%"), UInt8(ascii: "@"), UInt8(ascii: "`"), UInt8(ascii: "?"):
      false
    default: true
    }
  }

  private mutating func close(_ member: OpenMember) {
    let (name, value) = (member.name, member.value)
    if let quote = value.first, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") {
      guard value.count >= 2, value.last == quote else {
        leftOut += 1
        return
      }
      parameters.add(name, text: YAMLLine.unquoted(value))
    } else if let number = DecimalNumber.parse(value.span, 0..<value.count), number.isFinite {
      parameters.add(name, number: number)
    } else {
      switch String(decoding: value.prefix(8), as: UTF8.self) {
      case "true", "True", "TRUE": parameters.add(name, isTrue: true)
      case "false", "False", "FALSE": parameters.add(name, isTrue: false)
      case "null", "Null", "NULL", "~", "": break
      default: parameters.add(name, text: value.prefix(TrainingLimits.parameterBytesMax))
      }
    }
  }

  // MARK: Python's OrderedDict

  private static func isOrdered(_ bytes: Span<UInt8>, _ line: YAMLLine) -> Bool {
    bytes.holds("!!python/object/apply:collections.OrderedDict", at: line.text.lowerBound)
  }

  /// As RL Zoo writes `config.yml` and `args.yml`: a list of pairs, `- - - name` or `  - - name`, and below it `    - value`.
  /// - Source: rl_zoo3/exp_manager.py (`_save_config`).
  private mutating func takeOrdered(_ bytes: Span<UInt8>, _ line: YAMLLine, _ name: inout [UInt8]) {
    var (at, items) = (line.text.lowerBound, 0)
    while at + 1 < line.text.upperBound, bytes[at] == UInt8(ascii: "-"), bytes[at + 1] == UInt8(ascii: " ") {
      at += 2
      items += 1
    }
    let column = line.indent + at - line.text.lowerBound
    let content = at..<line.text.upperBound
    if column == 6, items >= 2 {
      name = content.map { bytes[$0] }
    } else if column == 6, items == 1, !name.isEmpty, !content.isEmpty, isScalar(bytes, content) {
      close(OpenMember(name: name, value: content.map { bytes[$0] }, indent: 0))
      name.removeAll()
    } else if !name.isEmpty {
      leftOut += 1
      name.removeAll()
    }
  }
}

/// One line of YAML.
struct YAMLLine {
  /// Blanks before its text.
  let indent: Int
  /// Without blanks around it; without a comment only where all of it is one.
  let text: Range<Int>
  private let isComment: Bool

  init(_ bytes: Span<UInt8>, _ line: Range<Int>) {
    var (start, end) = (line.lowerBound, line.upperBound)
    while start < end, bytes[start] == 0x20 { start += 1 }
    while end > start, bytes[end - 1] == 0x20 || bytes[end - 1] == 0x09 || bytes[end - 1] == 0x0d { end -= 1 }
    indent = start - line.lowerBound
    text = start..<end
    isComment = start < end && bytes[start] == UInt8(ascii: "#")
  }

  var isBlank: Bool { text.isEmpty || isComment }

  func isItem(_ bytes: Span<UInt8>) -> Bool {
    bytes[text.lowerBound] == UInt8(ascii: "-") && (text.count == 1 || bytes[text.lowerBound + 1] == 0x20)
  }

  /// `---`, `...`, `%YAML`
  func isMark(_ bytes: Span<UInt8>) -> Bool {
    indent == 0
      && (bytes.holds("---", at: text.lowerBound) || bytes.holds("...", at: text.lowerBound)
        || bytes[text.lowerBound] == UInt8(ascii: "%"))
  }

  /// `name: value`; nil where the line is none, such as an item of a list.
  func member(_ bytes: Span<UInt8>) -> (name: [UInt8], value: Range<Int>)? {
    guard !isBlank, !isItem(bytes) else { return nil }
    let quote = bytes[text.lowerBound]
    var at = text.lowerBound
    if quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") {
      at += 1
      while at < text.upperBound, bytes[at] != quote { at += 1 }
      guard at < text.upperBound else { return nil }
    } else if quote &- 0x21 < 0x0f, quote != UInt8(ascii: "-") {
      // Punctuation begins no plain name.
      return nil
    }
    while at < text.upperBound {
      if bytes[at] == UInt8(ascii: ":"), at + 1 == text.upperBound || bytes[at + 1] == 0x20 { break }
      at += 1
    }
    guard at < text.upperBound, at > text.lowerBound else { return nil }
    let name = (text.lowerBound..<at).prefix(TrainingLimits.metricNameBytesMax).map { bytes[$0] }
    var start = at + 1
    while start < text.upperBound, bytes[start] == 0x20 { start += 1 }
    return (quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") ? Self.unquoted(name) : name, value(bytes, start))
  }

  /// Up to a comment, which a blank and a `#` begin outside of quotes.
  private func value(_ bytes: Span<UInt8>, _ start: Int) -> Range<Int> {
    guard start < text.upperBound else { return text.upperBound..<text.upperBound }
    if bytes[start] == UInt8(ascii: "#") { return start..<start }
    var end = start
    if bytes[start] == UInt8(ascii: "'") || bytes[start] == UInt8(ascii: "\"") {
      end = (start + 1..<text.upperBound).last { bytes[$0] == bytes[start] } ?? start
    }
    while end < text.upperBound, bytes[end] != UInt8(ascii: "#") || bytes[max(start, end - 1)] != 0x20 { end += 1 }
    while end > start, bytes[end - 1] == 0x20 { end -= 1 }
    return start..<end
  }

  /// What stands between two quotes.
  static func unquoted(_ text: [UInt8]) -> [UInt8] {
    guard text.count >= 2, let quote = text.first else { return text }
    if quote == UInt8(ascii: "\"") { return unescaped(text[1..<text.count - 1]) }
    var plain: [UInt8] = []
    var at = 1
    while at < text.count - 1 {
      plain.append(text[at])
      at += text[at] == quote && text[at + 1] == quote ? 2 : 1
    }
    return plain
  }

  /// The escapes that YAML has beside those of JSON are written as JSON's. Source: YAML 1.1, 5.6.
  private static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var json: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
      json.append(byte)
      guard byte == UInt8(ascii: "\\"), let escape = rest.popFirst() else { continue }
      switch escape {
      case UInt8(ascii: "x"): json += Array("u00".utf8)
      case UInt8(ascii: "e"): json += Array("u001b".utf8)
      case UInt8(ascii: "a"): json += Array("u0007".utf8)
      case UInt8(ascii: "0"): json += Array("u0000".utf8)
      case UInt8(ascii: " "): json[json.count - 1] = escape
      default: json.append(escape)
      }
    }
    return JSONScanner.text(json.span, 0..<json.count, bytesMax: TrainingLimits.parameterBytesMax)
  }
}
