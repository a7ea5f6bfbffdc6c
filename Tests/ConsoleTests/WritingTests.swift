import Answers
import FleetModel
import Testing

@testable import Console

/// What is written for people: no text of a host, a log or a person is ever markup.
@Suite struct WritingTests {
  static let hostile = "<script>alert('1')</script> &amp; \"x\" \u{1b}[31m \u{202e}abc"

  private func page(_ blocks: [Page.Block]) -> Page { Page(title: Self.hostile, blocks: blocks, command: Self.hostile) }

  private var everything: [Page.Block] {
    let answer = Answer(
      columns: [.init("host", Self.hostile), .init("state", "STATE")],
      rows: [[.text(Self.hostile), .text(Self.hostile)]])
    return [
      .heading(Self.hostile), .text(Self.hostile), .notice(Self.hostile),
      .table(name: "t", answer, links: [.init(column: "host", path: "/hosts/")], empty: Self.hostile),
      .items([Self.hostile], isNumbered: true), .quoted([Self.hostile + "\nsecond"]),
      .form(
        .init(path: "/x?\"><script>", button: Self.hostile, inputs: [.init(name: "\"><script>", label: Self.hostile)])),
    ]
  }

  @Test func textIsNeverMarkupInHTML() {
    let frame = PageFrame(page: page(everything), caller: nil, formToken: "\"><script>", nowNs: 0)
    let html = String(decoding: frame.html, as: UTF8.self)
    let own = "<script src=\"\(Script.common.path)\" defer=\"\"></script>"
    #expect(html.contains(own) && !html.replacing(own, with: "").lowercased().contains("<script"))
    #expect(!html.unicodeScalars.contains { $0 == "\u{1b}" || $0 == "\u{202e}" })
    #expect(html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp;amp;"))
    #expect(html.contains("\nsecond</pre>"))
    #expect(html.contains("href=\"/hosts/%3Cscript%3E"))
  }

  @Test func textIsNeverMarkupInMarkdown() {
    let text = Markdown.text(
      page([.text("# a *b* `c` [d](e) | <f>"), .items(["1. x\n2. y"], isNumbered: false)]), nowNs: 0)
    #expect(text.contains(##"\# a \*b\* \`c\` \[d\](e) \| \<f\>"##), "\(text)")
    #expect(text.split(separator: "\n").count { $0.hasPrefix("- ") } == 1)
  }

  /// Log text cannot end its own fence.
  @Test func aFenceIsLongerThanAnyInTheText() {
    let text = Markdown.text(Page(title: "t", blocks: [.quoted(["a\n````\n# not a heading"])]), nowNs: 0)
    #expect(text.contains("`````text\na\n````\n# not a heading\n`````"), "\(text)")
  }

  @Test(
    arguments: [
      (nil, .json), ("", .json), ("*/*", .json), ("text/csv", .csv), ("text/*", .csv),
      ("text/html,application/xhtml+xml,*/*;q=0.8", .json), ("text/csv;q=0.2, application/x-ndjson;q=0.9", .ndjson),
      ("image/png", nil), ("application/json;q=0", nil), ("TEXT/CSV", .csv), (";;,,", nil),
    ] as [(String?, MediaType?)])
  func aFormIsChosen(_ accept: String?, _ chosen: MediaType?) {
    #expect(MediaType.choose(accept, among: [.json, .ndjson, .csv]) == chosen)
  }

  @Test func pathsAndWordsAreQuoted() {
    #expect(PercentEncoding.pathPart("a/b ü?") == "a%2Fb%20%C3%BC%3F")
    #expect(ShellWord.quoted("gpu-1") == "gpu-1")
    #expect(ShellWord.quoted("a b'c") == "'a b'\\''c'")
    #expect(ShellWord.quoted("") == "''")
  }

  @Test func aFormsBodyIsRead() throws {
    let fields = try FormEncoding.fields(Array("text=a+b%26c%3D%zz&empty=&alone&text2=%2B%20%E2%82%AC".utf8))
    #expect(fields == ["text": "a b&c=%zz", "empty": "", "alone": "", "text2": "+ €"])
    #expect(throws: Problem.self) { try FormEncoding.fields(Array("text=%ff".utf8)) }
  }

  @Test func anAnswerNamesWhoIsMissing() {
    var answer = Answer(columns: [.init("host"), .init("state")])
    answer.rows = [("a", "live"), ("b", "late"), ("c", "silent"), ("d", "waiting")].map { [.text($0), .text($1)] }
    let presence = Presence(answer, asOfNs: 0)
    #expect(presence.sentence == "1 of 4 hosts are live; late: b; silent: c; never reported: d.")
    #expect(
      presence.json(isCut: true).written
        == #"{"as_of":"1970-01-01T00:00:00.000000Z","hosts":{"asked":4,"answered":1,"late":["b"],"silent":["c"],"never":["d"]},"truncated":true}"#
    )
    let list = AnswerWriter(nowNs: 0, presence: presence).list(
      Answer(columns: [.init("x")], rows: [[.integer(1)]]), isCut: true, as: .ndjson)
    let lines = String(decoding: list, as: UTF8.self).split(separator: "\n")
    #expect(lines.count == 2 && lines[0] == #"{"x":1}"# && lines[1].hasPrefix(#"{"end":true,"rows":1,"meta":{"#))
  }
}
