import FleetModel
import Testing

@testable import Agent

/// What is passed over is said when it begins, when it is much more, and when it is over: not at every look.
@Suite struct FollowingReportTests {
  @Test func changesAreLoggedOnce() {
    var report = FollowingReport()
    var figures = FollowingFigures()
    #expect(report.lines(figures, places: 8192).isEmpty)
    figures.matched = 8300
    figures.followed = 8192
    figures.waiting = 108
    figures.missingRoots.add("/srv/train")
    let lines = report.lines(figures, places: 8192)
    #expect(lines.count == 2)
    #expect(lines[0].fields.contains { $0 == ("places", "8192") })
    #expect(lines[0].fields.contains { $0 == ("count", "108") })
    #expect(lines[1].fields.contains { $0 == ("first", "/srv/train") })
    figures.waiting = 120
    #expect(report.lines(figures, places: 8192).isEmpty)
    figures.waiting = 1000
    #expect(report.lines(figures, places: 8192).count == 1)
    figures.waiting = 0
    figures.missingRoots = ListingFigures.Finding()
    let ends = report.lines(figures, places: 8192)
    #expect(ends.map(\.isOver) == [true, true])
    #expect(ends.allSatisfy { $0.message.hasPrefix("no longer: ") })
  }

  @Test func aNameThatIsNotUTF8IsReportedAsOne() {
    var report = FollowingReport()
    var figures = FollowingFigures()
    figures.misnamed.add("/logs/caf\u{fffd}.log")
    let lines = report.lines(figures, places: 8192)
    #expect(lines.map(\.message) == ["names of files or directories are not UTF-8: rename them to have them followed"])
    #expect(lines.first?.fields.contains { $0 == ("first", "/logs/caf\u{fffd}.log") } == true)
  }

  @Test func everyFigureIsReportedToTheCollector() {
    var figures = FollowingFigures()
    figures.matched = 1
    figures.waiting = 2
    figures.binary = 3
    for path in 0..<3 { figures.unreadable.add("/\(path)") }
    figures.misnamed.add("/caf\u{fffd}")
    for path in 0..<5 { figures.outside.add("/\(path)") }
    for path in 0..<6 { figures.missingRoots.add("/\(path)") }
    for path in 0..<7 { figures.unwatched.add("/\(path)") }
    for path in 0..<8 { figures.cut.add("/\(path)") }
    for path in 0..<9 { figures.wideText.add("/\(path)") }
    var health = AgentHealth()
    figures.fill(&health)
    let all = [
      health.matchedFiles, health.waitingFiles, health.binaryFiles, health.unreadableFiles, health.outsideFiles,
      health.missingRoots, health.unwatchedDirectories, health.cutDirectories, health.utf16Files,
    ]
    #expect(all == [1, 2, 3, 4, 5, 6, 7, 8, 9])
  }
}
