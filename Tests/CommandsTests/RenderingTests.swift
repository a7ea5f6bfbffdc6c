import Answers
import Commands
import Testing

@Suite struct RenderingTests {
  let answer = Answer(
    columns: [
      .init("host", "HOST"), .init("cpu_busy_percent", "CPU", .percent), .init("seen", "SEEN", .age),
      .init("gpus", nil), .init("note", "NOTE"),
    ],
    rows: [
      [.text("a"), .real(12.6), .time(1_000_000_000), .list([.integer(1), .null]), .text("x,\"y\"\u{1b}[31m")],
      [.text("long-name"), .real(.nan), .null, .list([]), .text("=SUM(A1)")],
    ])

  func render(_ format: OutputFormat) -> String {
    Renderer(format: format, nowNs: 91_000_000_000).text(answer)
  }

  @Test func tableAlignsAndHidesControlCharacters() {
    #expect(
      render(.table) == """
        HOST        CPU  SEEN       NOTE
        a          13 %  1m30s ago  x,"y"\\u{1b}[31m
        long-name     -  -          =SUM(A1)

        """)
  }

  @Test func jsonHasEveryColumnAndNoNaN() {
    #expect(
      render(.ndjson) == """
        {"host":"a","cpu_busy_percent":12.6,"seen":"1970-01-01T00:00:01.000000Z","gpus":[1,null],"note":"x,\\"y\\"\\u001b[31m"}
        {"host":"long-name","cpu_busy_percent":null,"seen":null,"gpus":[],"note":"=SUM(A1)"}

        """)
    #expect(Renderer(format: .json, nowNs: 0).text(Answer(columns: [.init("a")])) == "[]\n")
  }

  @Test func csvGuardsAgainstFormulas() {
    #expect(
      render(.csv) == """
        host,cpu_busy_percent,seen,gpus,note
        a,12.6,1970-01-01T00:00:01.000000Z,"[1,null]","x,""y""\\u{1b}[31m"
        long-name,,,[],'=SUM(A1)

        """)
  }

  @Test(
    arguments: [
      (0, 0, "0"), (1.005, 2, "1.00"), (-0.4, 0, "-0.40"), (-12.345, 1, "-12.3"), (999.999, 2, "1000.00"),
    ] as [(Double, Int, String)])
  func decimalsRound(_ number: Double, _ digits: Int, _ text: String) {
    #expect(Quantity.decimal(number, digits: digits) == text)
  }
}
