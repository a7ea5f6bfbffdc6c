import Files
import Foundation

/// Writes numbered lines at a steady rate from a thread of its own, and rotates the file now and then.
final class NumberedWriter: @unchecked Sendable {
  enum Rotation: Sendable { case none, rename, copyTruncate }

  private let path: String
  private let linesPerSecond: Int
  private let lock = NSLock()
  private var isStopping = false
  private var pendingRotation = Rotation.none
  private var next = 0
  private var rotated = 0
  private var history: [String] = []
  private let done = DispatchSemaphore(value: 0)

  init(path: String, linesPerSecond: Int) {
    self.path = path
    self.linesPerSecond = linesPerSecond
  }

  /// Lines written so far.
  var count: Int { lock.withLock { next } }

  /// When each rotation began and ended, and what had been written by then.
  var rotations: [String] { lock.withLock { history } }

  func rotate(_ rotation: Rotation) { lock.withLock { pendingRotation = rotation } }

  func start() {
    Thread.detachNewThread { [self] in
      run()
      done.signal()
    }
  }

  /// - Returns: how many lines were written.
  func stop() -> Int {
    lock.withLock { isStopping = true }
    done.wait()
    return count
  }

  private func run() {
    var file = try? Descriptor.open(path, .append, mode: 0o644)
    let perSlice = max(1, linesPerSecond / 50)
    var due = DispatchTime.now().uptimeNanoseconds
    while !lock.withLock({ isStopping }) {
      let rotation = lock.withLock { () -> Rotation in
        defer { pendingRotation = .none }
        return pendingRotation
      }
      if rotation != .none {
        perform(rotation)
        if rotation == .rename { file = try? Descriptor.open(path, .append, mode: 0o644) }
      }
      var text = ""
      let first = lock.withLock { next }
      for number in first..<first + perSlice { text += "2026-11-21 08:00:00,000 - INFO - line \(number) of the test\n" }
      try? file?.write(Array(text.utf8).span)
      lock.withLock { next = first + perSlice }
      due += 20_000_000
      let now = DispatchTime.now().uptimeNanoseconds
      if due > now { usleep(UInt32((due - now) / 1000)) } else { due = now }
    }
  }

  private func perform(_ rotation: Rotation) {
    rotated += 1
    let begun = Date()
    var copied = begun
    switch rotation {
    case .none: break
    case .rename: try? HostFiles.rename(path, to: "\(path).\(rotated)")
    case .copyTruncate:
      try? FileManager.default.copyItem(atPath: path, toPath: "\(path).\(rotated)")
      copied = Date()
      try? Descriptor.open(path, .update).truncate(to: 0)
    }
    let text =
      "\(begun.logTime): to .\(rotated) before line \(next), copied after \(copied.timeIntervalSince(begun)) s, done after \(Date().timeIntervalSince(begun)) s"
    lock.withLock { history.append(text) }
  }
}

extension Date {
  /// As programs of Signalbox write it.
  var logTime: String { formatted(.iso8601.time(includingFractionalSeconds: true)) }
}
