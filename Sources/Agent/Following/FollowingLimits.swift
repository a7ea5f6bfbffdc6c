/// What following may cost, and how long it waits for what.
package struct FollowingLimits: Sendable {
  /// Names come by notification; this finds what notifications missed.
  package var scanEveryNs: Int64 = 3_000_000_000
  /// After a notification: a rotation is several system calls, and is looked at once.
  package var scanAfterChangeNs: Int64 = 20_000_000
  /// A record that may be whole, but that a traceback may still follow, is sent after so long without growth. Python's logging writes both
  /// with one write(2); print, traceback.print_exc and std::endl write line by line, 4 µs apart, 99.9 % of them within 0.7 ms.
  package var recordIdleNs: Int64 = 15_000_000
  /// The same where the record is known not to be whole, or its writer to pause within records: time slices of other processes
  /// lie between two writes, or a limit of the CPU time of its container, which is set for periods of 100 ms.
  package var unfinishedIdleNs: Int64 = 100_000_000
  /// A last line without newline is sent after so long without growth.
  package var partialIdleNs: Int64 = 5_000_000_000
  /// A renamed file is finished when it is read, acked and has not grown for so long. Nothing is lost by it: what is added
  /// later is found again while its name can be listed.
  package var renamedIdleNs: Int64 = 60_000_000_000
  /// The same for a deleted one, which keeps its disk space while it is open.
  package var deletedIdleNs: Int64 = 10_000_000_000
  /// A training file's run has ended when who wrote to it has closed it, and nothing came for so long; some programs open it for each row.
  package var closedIdleNs: Int64 = 60_000_000_000
  /// The same where no close was observed: the agent started later, or the file system does not report one. Slow environments
  /// write a block of rows in minutes.
  package var abandonedIdleNs: Int64 = 7_200_000_000_000
  /// A file of parameters beside which no run is known waits so long for one; programs write them first. Then it is a log.
  package var parametersIdleNs: Int64 = 600_000_000_000
  /// A file that gets more columns is written anew within so long.
  package var rewrittenSettleNs: Int64 = 1_000_000_000
  /// Largest part of a file that is read at once: the one read buffer has this size. More than the longest log line; a longer
  /// line of a training file makes the buffer grow to `TrainingLimits.lineBytesMax` until it is read.
  package var chunkBytes = 256 << 10
  /// Files that are open at once; below the usual limit of 1024 descriptors a process.
  package var openFiles = 896
  /// Places: files followed at a time. Each costs some hundred bytes and, while it is read, a descriptor. What is found beyond waits, and
  /// is counted.
  package var files = 8192
  /// Of the places, one in so many is kept from any single owner, so that one user's files leave room for another's.
  package var placesReserve = 8
  /// Files without a place whose marks are kept, with the places below `UplinkLimits.marksMax`: beyond that nothing gives its place back.
  /// Of these too one in `placesReserve` is kept, for files that were written to within `freshNs`.
  package var parked = 114_688
  package var freshNs: Int64 = 600_000_000_000
  /// Of them, files that an agent does not find at its start though they may not be gone: a mount or a directory that is missing, a
  /// pattern that is not followed now. Beyond that, and for what may be gone after so long, they are taken for deleted.
  package var hidden = 8192
  package var hiddenNs: Int64 = 86_400_000_000_000
  /// Files without text that are known as such, so that they are not opened at each pass.
  package var binaries = 65_536
  /// A file that was read to its end and was still for so long gives its place to one that waits.
  package var parkIdleNs: Int64 = 5_000_000_000
  /// How often a growing file without text is looked at again.
  package var binaryRecheckNs: Int64 = 60_000_000_000
  /// A file that is found so soon after it was written to is read before the backlog of others.
  package var urgentAgeNs: Int64 = 10_000_000_000
  /// Names looked at in one part of a pass, and in the first pass, before which nothing can be sent. A name costs 2–5 µs.
  package var namesPerSlice = 512
  package var namesPerFirstSlice = 4096
  /// How long such a part may take on a slow file system or a busy host.
  package var sliceNs: Int64 = 10_000_000
  package var firstSliceNs: Int64 = 60_000_000
  /// Time between two parts of a pass: samples, signals and reading go on in between.
  package var sliceEveryNs: Int64 = 20_000_000
  /// Up to so many names in a pass, whatever changes is looked for by a whole pass; beyond, name by name.
  package var wholePassNames = 4096
  /// The pause between passes grows by this for each name of the last one, so that they cost little of a core, whatever there is.
  package var scanEachNameNs: Int64 = 100_000
  /// Where the kernel does not notify of changes in all directories.
  package var scanEachNameUnwatchedNs: Int64 = 20_000
  package var scanEveryMaxNs: Int64 = 20_000_000_000
  /// New files that are opened, and changed names that are looked at, in one turn.
  package var startsPerTurn = 256
  /// Files that are looked at in one turn without finding anything to send.
  package var looksPerTurn = 256
  /// Changed names that are remembered until their turn; beyond, a whole pass is due.
  package var changedNames = 4096
  /// Finished files that are remembered, so that they are not read again when their name comes back.
  package var retired = 1024

  package init() {}

  /// How long a record that `reader` holds back waits for more.
  func recordIdleNs(_ reader: (any FormatReader)?) -> Int64 {
    reader?.expectsMore == true ? unfinishedIdleNs : recordIdleNs
  }
}
