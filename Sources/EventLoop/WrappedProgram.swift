internal import CLinux

/// A program that this process stands in for: it has this one's standard streams, gets its signals, and this one ends as it did.
///
/// Blocks; for a process of one thread that does nothing else.
package struct WrappedProgram {
  package let pid: Int32

  /// Starts the program with all that this process has: environment, directory, descriptors, signals.
  /// - Parameters:
  ///   - arguments: the program, looked for in `PATH`, and its arguments; at least one.
  ///   - keeping: this process closes all descriptors of its maker but standard error and this one.
  /// - Throws: with the errno of exec(3).
  package static func start(_ arguments: [String], keeping descriptor: Int32?) throws(LoopError) -> WrappedProgram {
    let words = CStrings(arguments)
    var pid: Int32 = -1
    // The words end with NULL; the new process has its own copy when the call returns.
    let code = unsafe sbx_wrap_start(words.pointers, descriptor ?? -1, &pid)
    if code != 0 { throw LoopError("start \(arguments.first ?? "")", code: code) }
    return WrappedProgram(pid: pid)
  }

  /// Passes signals on until it has ended.
  /// - Returns: wait(2) status.
  package func wait() throws(LoopError) -> Int32 {
    var status: Int32 = 0
    // `status` lives for the call.
    if unsafe sbx_wrap_wait(pid, &status) != 0 { throw .last("wait for process \(pid)") }
    return status
  }

  /// Ends this process as a wait(2) status says: with the same code, or by the same signal.
  package static func end(as status: Int32) -> Never {
    sbx_wrap_end(status)
    fatalError("_exit(2) does not return")
  }
}
