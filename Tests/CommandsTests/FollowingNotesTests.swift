import Answers
import Testing

/// That nothing was lost is not said of what was not looked at.
@Suite struct FollowingNotesTests {
  private static let columns = [
    "host", "matched_files", "followed_files", "waiting_files", "unreadable_files", "outside_files", "binary_files",
    "missing_roots", "unwatched_directories", "cut_directories", "utf16_files",
  ]

  private static func answer(_ rows: [[Int64]]) -> Answer {
    Answer(
      columns: columns.map { Answer.Column($0) },
      rows: rows.enumerated().map { index, row in [.text("gpu-\(index)")] + row.map { .integer($0) } })
  }

  @Test func whatIsPassedOverIsNamed() {
    let notes = FollowingNotes.notes(Self.answer([[8300, 8192, 108, 0, 1, 2, 1, 0, 0, 0]]))
    #expect(
      notes == [
        "gpu-0, of 8300 files: 108 files wait for a place, 1 link leads out of what the host allows, "
          + "1 directory to follow is not there, 2 files without text are left alone"
      ])
    #expect(FollowingNotes.nothingLost(notes).hasPrefix("nothing of what is followed was lost; gpu-0, of 8300 files"))
    #expect(FollowingNotes.nothingLost([]) == "nothing was lost")
  }

  @Test func whatCannotBeOpenedIsNamedWithBothReasons() {
    let notes = FollowingNotes.notes(Self.answer([[9, 8, 0, 1, 0, 0, 0, 0, 0, 0]]))
    #expect(notes == ["gpu-0, of 9 files: 1 file or directory cannot be read, or has a name that is not UTF-8"])
  }

  /// What its owner can do about it stands in the note; of a checkpoint there is nothing to do.
  @Test func textInAnEncodingThatIsNotReadIsNamedApart() {
    let notes = FollowingNotes.notes(Self.answer([[9, 8, 0, 0, 0, 1, 0, 0, 0, 2]]))
    #expect(
      notes == [
        "gpu-0, of 9 files: 2 files in UTF-16 or UTF-32 are not read: have them written in UTF-8, "
          + "1 file without text is left alone"
      ])
  }

  @Test func ofManyHostsAFewAreNamed() {
    let notes = FollowingNotes.notes(Self.answer((0..<30).map { _ in [9, 8, 1, 0, 0, 0, 0, 0, 0, 0] }))
    #expect(notes.count == 6)
    #expect(notes.last?.contains("25 further hosts") == true)
  }
}
