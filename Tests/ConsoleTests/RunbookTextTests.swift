import Testing

@testable import Console

/// A runbook's Markdown as a page: its forms, and any other text.
@Suite struct RunbookTextTests {
  private func shown(_ text: String) -> [String] {
    RunbookText.blocks(text).map { block in
      switch block {
      case .heading(let text): "# \(text)"
      case .text(let text): "p \(text)"
      case .items(let items, let isNumbered): "\(isNumbered ? "ol" : "ul") \(items.joined(separator: "|"))"
      case .quoted(let texts): "pre \(texts.joined(separator: "|"))"
      default: "?"
      }
    }
  }

  @Test func eachFormIsABlock() {
    let text = """
      # GPU-07: Fell off the bus

      P0: answer within
      15 minutes.

      ## What to do

      1. Drain `HOST`
      2. Look
      - cable
      - riser
      The rest.

      ```yaml
      - id: GPU-07
        # not a heading
      1. not a step
      ```
      Needs: NVML
      """
    #expect(
      shown(text) == [
        "p P0: answer within 15 minutes.", "# What to do", "ol Drain HOST|Look", "ul cable|riser", "p The rest.",
        "pre - id: GPU-07\n  # not a heading\n1. not a step", "p Needs: NVML",
      ])
  }

  @Test func whatHasNoFormIsText() {
    #expect(shown("") == [] && shown("\n\n```") == [])
    #expect(shown("<script>alert(1)</script>\n1.5 percent\n-x") == ["p <script>alert(1)</script> 1.5 percent -x"])
    // A fence without an end loses nothing.
    #expect(shown("a\n```\nb") == ["p a", "pre b"])
  }
}
