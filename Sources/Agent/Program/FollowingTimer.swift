internal import FleetModel

/// When the followers are looked at without a notification of inotify(7): for rescans, and for the ends of records that are held back.
///
/// A record is held back while frames are built, long after the timer was set: whoever builds frames asks again, or the record waits
/// for a look that was due for something else.
struct FollowingTimer {
  /// What nothing notifies of is looked at so often.
  private static let everyNs: Int64 = 1_000_000_000
  /// Work in parts, and what is overdue, goes on after so long.
  private static let pauseNs: Int64 = 20_000_000
  /// Records that end within this time are let go together: many files that get one each cost 200 looks a second.
  private static let heldPauseNs: Int64 = 5_000_000

  /// CLOCK_MONOTONIC, ns; nil: not set.
  private var dueNs: Int64?

  mutating func fired() { dueNs = nil }

  /// - Parameters:
  ///   - deadlineNs: `Followers.nextDeadlineNs`, CLOCK_REALTIME.
  ///   - heldNs: `Followers.nextHeldNs`, CLOCK_REALTIME.
  /// - Returns: the delay to set the timer to, ns; nil where it is set and fires no later.
  mutating func delayNs(deadlineNs: Int64?, heldNs: Int64, wallNs: Int64, monotonicNs: Int64) -> Int64? {
    let forWork = max(Self.pauseNs, (deadlineNs ?? 0).subtractingClamped(wallNs))
    let forRecords = max(Self.heldPauseNs, heldNs.subtractingClamped(wallNs))
    let delayNs = min(Self.everyNs, forWork, forRecords)
    if let dueNs, dueNs <= monotonicNs + delayNs { return nil }
    dueNs = monotonicNs + delayNs
    return delayNs
  }
}
