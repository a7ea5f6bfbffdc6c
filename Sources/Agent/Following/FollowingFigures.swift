package import FleetModel

/// What the last whole pass over the patterns found, and what of it is not read. Nothing that is passed over is passed over in silence.
package struct FollowingFigures: Sendable, Equatable {
  package var matched: UInt64 = 0
  package var followed: UInt64 = 0
  /// Without a place although there is, or may be, something to read.
  package var waiting: UInt64 = 0
  package var binary: UInt64 = 0
  package var wideText = ListingFigures.Finding()
  package var unreadable = ListingFigures.Finding()
  package var misnamed = ListingFigures.Finding()
  package var outside = ListingFigures.Finding()
  package var missingRoots = ListingFigures.Finding()
  package var unwatched = ListingFigures.Finding()
  package var cut = ListingFigures.Finding()
  /// Databases whose rows cannot be read, with a sentence of the first.
  package var databases = ListingFigures.Finding()

  package init() {}

  package func fill(_ health: inout AgentHealth) {
    health.matchedFiles = matched
    health.waitingFiles = waiting
    health.binaryFiles = binary
    health.utf16Files = wideText.count
    // One figure: neither can be opened, and the agent's log distinguishes them.
    health.unreadableFiles = unreadable.count + misnamed.count
    health.outsideFiles = outside.count
    health.missingRoots = missingRoots.count
    health.unwatchedDirectories = unwatched.count
    health.cutDirectories = cut.count
  }
}
