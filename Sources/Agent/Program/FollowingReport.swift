internal import FleetModel

/// The log lines about what is not read although it was asked for: one when it begins, when it has changed much, and when it is over.
struct FollowingReport {
  struct Line: Equatable {
    /// Nothing is left of it.
    var isOver = false
    var message: String
    var fields: [(String, String)]

    static func == (one: Line, other: Line) -> Bool {
      one.isOver == other.isOver && one.message == other.message && one.fields.elementsEqual(other.fields, by: ==)
    }
  }

  private var reported: [String: UInt64] = [:]

  /// - Parameter places: how many files are followed at a time.
  mutating func lines(_ figures: FollowingFigures, places: Int) -> [Line] {
    var lines: [Line] = []
    func line(_ message: String, _ count: UInt64, _ fields: [(String, String)] = []) {
      guard isNew(message, count) else { return }
      lines.append(
        count == 0
          ? Line(isOver: true, message: "no longer: " + message, fields: [])
          : Line(message: message, fields: [("count", String(count))] + fields))
    }
    line(
      "files wait for a place: those that changed last are followed first", figures.waiting,
      [("matched", String(figures.matched)), ("followed", String(figures.followed)), ("places", String(places))])
    line("files without text are not followed", figures.binary)
    line("files in UTF-16 or UTF-32 are not read: have them written in UTF-8", figures.wideText)
    line("files or directories cannot be read: give the agent's user access", figures.unreadable)
    line("names of files or directories are not UTF-8: rename them to have them followed", figures.misnamed)
    line("links lead out of what --follow and --allow name", figures.outside)
    line("directories to follow are not there yet", figures.missingRoots)
    line(
      "directories are not watched: raise fs.inotify.max_user_watches; they are looked at again and again",
      figures.unwatched)
    line("directories are too deep or too full to be looked at wholly: name them more closely", figures.cut)
    line("databases whose rows cannot be read", figures.databases)
    return lines

    func line(_ message: String, _ finding: ListingFigures.Finding) {
      line(message, finding.count, finding.count > 0 ? [("first", finding.first)] : [])
    }
  }

  /// Zero to something, something to zero, or by half.
  private mutating func isNew(_ message: String, _ count: UInt64) -> Bool {
    let before = reported[message] ?? 0
    let isMuch = count > before + before / 2 || count < before / 2
    guard (before == 0) != (count == 0) || isMuch else { return false }
    reported[message] = count
    return true
  }
}
