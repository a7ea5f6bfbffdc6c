import Answers
import Testing

@testable import Commands

/// Why a run failed, as a person woken at night reads it.
@Suite struct FailurePageTests {
  private static func page(kind: String = "root", width: Int?) -> String {
    let cells: [(String, Cell)] = [
      ("class", .text("device-memory")), ("title", .text("out of GPU memory")), ("kind", .text(kind)),
      ("line", .text("torch.OutOfMemoryError: CUDA out of memory.\n\tTried to allocate \u{1b}[31m2 GiB \u{202e}")),
      ("file", .text("/srv/exp/train.log")), ("host", .text("gpu-01")), ("rank", .integer(3)),
      ("evidence", .json("[\"python[7] ended with exit code 1 after 3h (user ann, slurm:12/0)\"]")),
      ("cascade", .integer(2)),
      ("causes", .json("[\"a larger batch\"]")), ("steps", .json("[\"Lower the batch.\", \"Again? Not unchanged.\"]")),
      ("last_step", .integer(4100)), ("last_checkpoint", .null), ("incident", .integer(12)),
      ("opened", .time(1_760_000_000_000_000_000)), ("severity", .text("P1")),
    ]
    let answer = Answer(columns: cells.map { .init($0.0) }, rows: [cells.map(\.1)])
    return FailurePage(answer, width: width).text
  }

  @Test(arguments: [80, 40]) func itFitsAndSaysWhatToDo(_ width: Int) {
    let text = Self.page(width: width)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.allSatisfy { $0.count <= width }, "\(text)")
    #expect(lines.first == "out of GPU memory (device-memory)")
    for part in [
      "incident 12", "gpu-01, rank 3", "1. Lower the batch.", "2. Again?", "last step: 4100", "2 further raised lines",
    ] {
      #expect(text.contains(part), "\(part): \(text)")
    }
    #expect(!text.contains("\u{1b}") && !text.contains("\u{202e}") && !text.contains("last checkpoint"))
  }

  @Test func aCascadeSaysThatItsCauseIsElsewhere() {
    #expect(Self.page(kind: "cascade", width: nil).contains("follows from another failure, which was not found"))
    #expect(!Self.page(width: nil).contains("follows from another"))
  }
}
