/// What following may cost, and how long it waits for what.
package struct FollowingLimits: Sendable {
  /// Names come by notification; this finds what notifications missed.
  package var scanEveryNs: Int64 = 3_000_000_000
  /// After a notification: a rotation is several system calls, and is looked at once.
  package var scanAfterChangeNs: Int64 = 20_000_000
  /// A record that a traceback may still follow is sent after so long without growth: Python writes both at once.
  package var recordIdleNs: Int64 = 50_000_000
  /// A last line without newline is sent after so long without growth.
  package var partialIdleNs: Int64 = 5_000_000_000
  /// A renamed file is finished when it is read, acked and has not grown for so long. Nothing is lost by it: what is added
  /// later is found again while its name can be listed.
  package var renamedIdleNs: Int64 = 60_000_000_000
  /// The same for a deleted one, which keeps its disk space while it is open.
  package var deletedIdleNs: Int64 = 10_000_000_000
  /// A training file's run has ended when who wrote to it has closed it, and nothing came for so long; some programs open it for each row.
  package var closedIdleNs: Int64 = 60_000_000_000
  /// The same where nobody was seen to close it: the agent started later, or the file system does not tell. Slow environments
  /// write a block of rows in minutes.
  package var abandonedIdleNs: Int64 = 7_200_000_000_000
  /// A file that gets more columns is written anew within so long.
  package var rewrittenSettleNs: Int64 = 1_000_000_000
  /// Largest part of a file that is read at once: the one read buffer has this size. More than the longest log line; a longer
  /// line of a training file makes the buffer grow to `TrainingLimits.lineBytesMax` until it is read.
  package var chunkBytes = 256 << 10
  /// Files that are open at once; below the usual limit of 1024 descriptors a process.
  package var openFiles = 896
  /// Files followed in all; what is found beyond is not followed and counted.
  package var files = 8192
  /// Finished files that are remembered, so that they are not read again when their name comes back.
  package var retired = 1024

  package init() {}
}
