import FleetModel
import Postgres
import Store
import TestSupport
import Testing

/// Counts, templates and the surroundings of log lines.
@Suite(.timeLimit(.minutes(10))) struct LogSearchTests {
  private static let hourNs: Int64 = 3_600_000_000_000
  /// A whole hour.
  static let startNs: Int64 = 1_790_000_000_000_000_000 / hourNs * hourNs
  private let fixture: StoreFixture
  private var store: Store { fixture.store }

  init() throws {
    fixture = try StoreFixture()
    try store.connection.execute(
      """
      insert into signalbox.hosts (number, host_id, name) values
        (1, gen_random_uuid(), 'one'), (2, gen_random_uuid(), 'two'), (3, gen_random_uuid(), 'three');
      insert into signalbox.followed_files (number, host, key, path, device, inode, birth_ns, head_hash, head_length, generation,
        format, first_seen, updated)
      select h, h, gen_random_uuid(), '/var/log/' || h || '.log', 1, h, 0, 0, 0, 0, 0, now(), now() from generate_series(1, 3) h;
      """)
  }

  /// Rows of (host, seconds after the start, level, message), committed with their counts an hour.
  private func add(_ lines: [(Int32, Double, Level, String)]) throws {
    for (number, line) in lines.enumerated() {
      let table = ["log_debug", "log_debug", "log_info", "log_warn", "log_error"][Int(line.2.rawValue)]
      let time = Timestamp.text(Self.startNs + Int64(line.1 * 1e9))
      if try fixture.value("select to_regproc('signalbox.ensure_partition')") != nil {
        _ = try store.connection.query(
          "select signalbox.ensure_partition($1, $2::timestamptz)", [.text(table), .text(time)])
      }
      _ = try store.connection.query(
        """
        insert into signalbox.\(table) (time, received, host, file, file_offset, level, flags, message)
        values ($1::timestamptz, now(), $2::int4, $2::int4, $3::int8, $4::int2, 0, $5)
        """,
        [
          .text(time), .text(String(line.0)), .text(String(number * 100)), .text(String(line.2.rawValue)),
          .text(line.3),
        ])
      _ = try store.connection.query(
        """
        insert into signalbox.log_counts values (date_trunc('hour', $1::timestamptz), $2::int4, $2::int4, $3::int2, 1, 1)
        on conflict (host, file, time, level) do update set lines = log_counts.lines + 1
        """, [.text(time), .text(String(line.0)), .text(String(line.2.rawValue))])
    }
  }

  private func read(_ filter: LogFilter, _ query: (LogScope) -> ReadQuery) throws -> [[ReadValue]] {
    let reader = try FleetReader(fixture.database.url)
    defer { reader.close() }
    return try reader.read(query(reader.scope(of: filter))).rows
  }

  private func counts(_ filter: LogFilter = LogFilter(), from: Int64 = 0, hours: Int64) throws -> [[ReadValue]] {
    let buckets = LogBuckets(
      filter, sinceNs: Self.startNs + from * 1_000_000_000, untilNs: Self.startNs + hours * Self.hourNs)
    return try read(filter) { LogQueries.counts(filter, $0, buckets) }
  }

  private func sum(_ rows: [[ReadValue]], _ facet: String) -> Int64 {
    rows.reduce(0) { sum, row in
      guard row[0] == .text(facet), case .integer(let lines) = row[4] else { return sum }
      return sum + lines
    }
  }

  /// The same lines give the same counts, whether whole hours come from the kept counts or all are counted line by line; and a part of an
  /// hour at either end is not taken whole.
  @Test func keptCountsAndLinesAgree() throws {
    var generator = SplitMix(seed: 3)
    try add(
      (0..<200).map { _ in
        (
          Int32.random(in: 1...3, using: &generator), Double.random(in: 0..<36_000, using: &generator),
          [.debug, .info, .warn, .error].randomElement(using: &generator) ?? .info, "line"
        )
      })
    for from: Int64 in [0, 1_234] {
      let kept = try counts(from: from, hours: 9)
      var all = LogFilter()
      // Every line has it: what is asked by text is counted line by line.
      all.text = "line"
      let counted = try counts(all, from: from, hours: 9)
      let exact = try fixture.value(
        """
        select count(*) from log_lines where time >= '\(Timestamp.text(Self.startNs + from * 1_000_000_000))'
          and time < '\(Timestamp.text(Self.startNs + 9 * Self.hourNs))'
        """)
      for facet in ["histogram", "level", "host", "file"] {
        #expect(String(sum(kept, facet)) == exact && String(sum(counted, facet)) == exact, "\(facet) from \(from)")
      }
      #expect(kept.filter { $0[0] != .text("histogram") } == counted.filter { $0[0] != .text("histogram") })
    }
    var errors = LogFilter()
    errors.minimumLevel = .error
    errors.withoutHosts = ["two"]
    errors.file = "*.log"
    let exact = try fixture.value("select count(*) from log_lines where level = 'ERROR' and host <> 'two'")
    let found = try counts(errors, hours: 12)
    #expect(String(sum(found, "histogram")) == exact && sum(found, "level") == sum(found, "histogram"))
    #expect(!found.contains { $0[3] == .text("two") })
    errors.withoutFile = "1.log"
    #expect(try counts(errors, hours: 12).filter { $0[0] == .text("host") }.map { $0[3] } == [.text("three")])
  }

  /// Numbers and addresses fold, words do not; the first who wrote it is named, and what the limit leaves out is one row with its count.
  @Test func templatesAddUpAndNameTheFirst() throws {
    var lines: [(Int32, Double, Level, String)] = []
    for number in 0..<60 {
      lines.append(
        (Int32(1 + number % 3), Double(100 - number), .warn, "rank \(number): peer 10.0.\(number).7:29500 timed out"))
    }
    for number in 0..<9 { lines.append((1, Double(number), .info, "step \(number) loss=0.\(number)")) }
    lines.append((2, 50, .error, "rank failed: peer lost"))
    lines.append((3, 55, .info, "unique words here"))
    try add(lines)
    // Lines of before have no hash; those of a fleet that was just brought up to date are of both kinds.
    for share in [nil, 2, 1] as [Int?] {
      if let share { try hash(lines.indices.filter { $0 % share == 0 }.map { lines[$0] }) }
      try checkTemplates()
    }
  }

  private func hash(_ lines: [(Int32, Double, Level, String)]) throws {
    for line in lines {
      let table = ["log_debug", "log_debug", "log_info", "log_warn", "log_error"][Int(line.2.rawValue)]
      _ = try store.connection.query(
        "update signalbox.\(table) set template = $1::int8 where message = $2",
        [.text(String(Int64(bitPattern: LogTemplate.hash(of: line.3)))), .text(line.3)])
    }
  }

  private func checkTemplates() throws {
    let filter = LogFilter()
    let (since, until) = (Self.startNs, Self.startNs + Self.hourNs)
    let all = try read(filter) { LogQueries.templates(filter, $0, sinceNs: since, untilNs: until, limit: 100) }
    #expect(all.count == 4)
    let storm = all[0]
    #expect(
      storm[0...5] == [
        .text("rank #: peer # timed out"), .integer(1), .text("WARN"), .integer(60), .integer(3), .integer(3),
      ])
    // The earliest of them is number 59, of the third host.
    #expect(storm[6] == .time(Self.startNs + 41_000_000_000) && storm[7] == .time(Self.startNs + 100_000_000_000))
    #expect(storm[8] == .text("three") && storm[9] == .text("/var/log/3.log"))
    #expect(all[1][0] == .text("step # loss=#") && all[1][3] == .integer(9))
    let cut = try read(filter) { LogQueries.templates(filter, $0, sinceNs: since, untilNs: until, limit: 1) }
    #expect(cut.count == 2 && cut[1][0] == .null && cut[1][1] == .integer(3) && cut[1][3] == .integer(11))
    #expect(cut[1][2] == .text("ERROR") && cut[1][4] == .integer(3) && cut[1][6] == .time(Self.startNs))
    #expect(cut[1][8] == .text("one"))

    // A template as a filter gives its lines, and without it the others.
    var one = LogFilter()
    one.template = "rank #: peer # timed out"
    #expect(try read(one) { LogQueries.newest(one, $0, limit: 1000) }.count == 60)
    var others = LogFilter()
    others.withoutTemplate = one.template
    others.withoutText = "unique"
    #expect(try read(others) { LogQueries.newest(others, $0, limit: 1000) }.count == 10)
    #expect(sum(try counts(one, hours: 24), "histogram") == 60)
  }

  /// A level alone leaves out those above it, and in the class of INFO the lines without a level.
  @Test func aLevelIsFoundAlone() throws {
    let levels: [Level] = [.unknown, .debug, .info, .warn, .error, .warn]
    try add(levels.enumerated().map { (1, Double($0), $1, "line \($0)") })
    for (level, count) in [(Level.debug, 1), (.info, 1), (.warn, 2), (.error, 1)] {
      var filter = LogFilter()
      filter.onlyLevel = level
      let rows = try read(filter) { LogQueries.newest(filter, $0, limit: 100) }
      #expect(rows.count == count, "\(level)")
      // Whole hours are counted by the counts that are kept.
      #expect(sum(try counts(filter, hours: 24), "level") == Int64(count), "\(level)")
    }
  }

  /// New is what has no line in the time before, whether its lines there have a hash or not; how far back lines reach is known of each
  /// class.
  @Test(arguments: [false, true]) func whatIsNewIsKnownByTheTimeBefore(isHashed: Bool) throws {
    let lines: [(Int32, Double, Level, String)] = [
      (1, -7_300, .error, "before all of it"), (1, -60, .info, "step 1"), (2, -50, .error, "of two 7"),
      (1, 10, .info, "step 2"), (1, 20, .error, "of two 8"), (1, 30, .error, "never before 1"),
    ]
    try add(lines)
    if isHashed { try hash(lines) }
    let seen = { (filter: LogFilter) in
      Set(
        try read(filter) {
          LogQueries.templatesSeen(
            ["step #", "of two #", "never before #"], filter, $0, sinceNs: Self.startNs - Self.hourNs,
            untilNs: Self.startNs)
        }.map { $0[0] })
    }
    #expect(try seen(LogFilter()) == [.text("step #"), .text("of two #")])
    var ofOne = LogFilter()
    ofOne.hosts = ["one"]
    #expect(try seen(ofOne) == [.text("step #")])
    let kept = try read(LogFilter()) { _ in LogQueries.kept(sinceNs: Self.startNs - 2 * Self.hourNs) }
    #expect(
      Set(kept.filter { $0[1] == .boolean(true) }.map { $0[0] }) == [.text("ERROR")] && kept.count == 4, "\(kept)")
  }

  /// The database folds lines that were stored without a hash as the collector folds those that it stores.
  @Test func bothFoldAlike() throws {
    let parts = [
      "a", "Z_", "7", "42", "_9", ".", ":", ",", "-", "#", " ", "\n", "é", "日", "/", "(", "=", "\u{301}", "loss",
      "0x1f", "\t", "\\", "'",
    ]
    var generator = SystemRandomNumberGenerator()
    var messages = ["", "#", "#.#", "1.2.3.4:5", "a1-b2", "1..2", "##.1", String(repeating: "é1", count: 300)]
    messages.append(String(repeating: "a", count: 399) + "1b")
    messages.append(String(repeating: "日", count: 400) + "tail")
    for _ in 0..<3000 {
      messages.append((0..<Int.random(in: 1...12, using: &generator)).map { _ in parts.randomElement()! }.joined())
    }
    let answer = try store.connection.query(
      "select \(LogTemplates.expression) from unnest($1::text[]) with ordinality m (message, place) order by place",
      [.texts(messages)])
    for (row, message) in messages.enumerated() {
      let text = LogTemplate.text(of: message)
      #expect(answer.text(row, 0) == text, "\(message.debugDescription)")
      #expect(LogTemplate.text(of: text) == text && LogTemplate.hash(of: text) == LogTemplate.hash(of: message))
    }
  }

  @Test func aStoredLineHasTheHashOfItsTemplate() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    _ = try fixture.store.commit([stream.lines(5)])
    let message = try #require(try fixture.value("select message from signalbox.log_info limit 1"))
    let hash = Int64(bitPattern: LogTemplate.hash(of: message))
    #expect(try fixture.value("select count(*) from signalbox.log_info where template = \(hash)") == "5")
  }

  /// The neighbours of a line in its file, and what the run's other hosts wrote at that moment, but no host that is not of the run.
  @Test func aLineHasItsSurroundings() throws {
    try store.connection.execute(
      """
      insert into signalbox.runs (host, run, started, updated)
      select h, 'ppo', '\(Timestamp.text(Self.startNs))', '\(Timestamp.text(Self.startNs + Self.hourNs))'
      from unnest(array[1, 2]) h
      """)
    try add(
      (0..<20).map { (1, Double($0), $0 == 10 ? .error : .info, "line \($0)") } + [
        (2, 12, .info, "elsewhere"), (2, 900, .info, "much later"), (3, 10, .error, "a stranger"),
      ])
    let rows = try read(LogFilter()) { _ in
      LogQueries.context(
        host: "one", file: "/var/log/1.log", timeNs: Self.startNs + 10_000_000_000, offset: 1000, lines: 3)
    }
    #expect(
      rows.map { $0[6] }
        == ["line 7", "line 8", "line 9", "line 10", "line 11", "line 12", "line 13", "elsewhere"].map(ReadValue.text))
    #expect(
      rows.map { $0[0] }
        == ["before", "before", "before", "line", "after", "after", "after", "elsewhere"].map(ReadValue.text))
    #expect(rows[3][5] == .text("ERROR") && rows[7][2] == .text("two"))
  }
}
