/// What agents found and do not read, as notes below an answer: "nothing was lost" must not include what was not looked at.
package enum FollowingNotes {
  /// Hosts that are named; more are counted.
  private static let hostsMax = 5

  private static let words: [(column: String, one: String, many: String)] = [
    ("waiting_files", "file waits for a place", "files wait for a place"),
    (
      "unreadable_files", "file or directory cannot be read, or has a name that is not UTF-8",
      "files or directories cannot be read, or have names that are not UTF-8"
    ),
    ("outside_files", "link leads out of what the host allows", "links lead out of what the host allows"),
    ("missing_roots", "directory to follow is not there", "directories to follow are not there"),
    ("cut_directories", "directory is too deep or too full", "directories are too deep or too full"),
    (
      "unwatched_directories", "directory is looked at every few seconds only",
      "directories are looked at every few seconds only"
    ),
    (
      "utf16_files", "file in UTF-16 or UTF-32 is not read: have it written in UTF-8",
      "files in UTF-16 or UTF-32 are not read: have them written in UTF-8"
    ),
    ("binary_files", "file without text is left alone", "files without text are left alone"),
  ]

  /// - Parameter answer: rows of `FollowingQueries.passedOver`.
  package static func notes(_ answer: Answer) -> [String] {
    let notes = answer.rows.prefix(hostsMax).map { note(answer, $0) }
    let more = answer.rows.count - notes.count
    return notes
      + (more > 0 ? ["and \(more) further hosts; signalbox query 'select * from host_following' shows them"] : [])
  }

  /// Instead of "nothing was lost".
  package static func nothingLost(_ notes: [String]) -> String {
    notes.isEmpty ? "nothing was lost" : "nothing of what is followed was lost; " + notes.joined(separator: "; ")
  }

  private static func note(_ answer: Answer, _ row: [Cell]) -> String {
    func count(_ column: String) -> Int64 {
      guard let place = answer.columns.firstIndex(where: { $0.name == column }), case .integer(let value) = row[place]
      else {
        return 0
      }
      return value
    }
    var name = ""
    if let place = answer.columns.firstIndex(where: { $0.name == "host" }), case .text(let text) = row[place] {
      name = text
    }
    let parts = words.compactMap { word -> String? in
      let number = count(word.column)
      return number > 0 ? "\(number) \(number == 1 ? word.one : word.many)" : nil
    }
    return "\(Escaping.visible(name)), of \(count("matched_files")) files: \(parts.joined(separator: ", "))"
  }
}
