import FleetModel
import Foundation

@testable import Agent

/// A copy of one of the committed /proc and /sys trees, so that a test can let its time go on.
final class FixtureHost {
  let root: String

  static let trees = ["proc-5.10", "proc-6.8", "proc-6.18", "proc-container"]

  static func directory(_ tree: String) -> URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures").appending(path: tree)
  }

  /// A file of the committed tree.
  static func text(_ tree: String, _ path: String) throws -> String {
    try String(contentsOf: directory(tree).appending(path: path), encoding: .utf8)
  }

  init(_ tree: String) throws {
    root = NSTemporaryDirectory() + "sampling-\(UUID().uuidString)"
    try FileManager.default.copyItem(at: Self.directory(tree), to: URL(filePath: root))
  }

  deinit { try? FileManager.default.removeItem(atPath: root) }

  /// Writes what the tree has under `later` over the files in place, as the kernel does.
  func goOn() throws {
    let later = root + "/later"
    for path in try FileManager.default.subpathsOfDirectory(atPath: later) {
      // A directory has no data.
      guard let data = try? Data(contentsOf: URL(filePath: later + "/" + path)) else { continue }
      try write(path, data)
    }
  }

  func write(_ path: String, _ text: String) throws { try write(path, Data(text.utf8)) }

  private func write(_ path: String, _ data: Data) throws { try data.write(to: URL(filePath: root + "/" + path)) }

  func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: root + "/" + path) }

  func sampler(_ change: (inout SamplerSettings) -> Void = { _ in }) -> Sampler {
    var settings = SamplerSettings()
    settings.disksEvery = 1
    settings.networksEvery = 1
    settings.processesEvery = 1
    change(&settings)
    return Sampler(root: root, settings: settings)
  }
}

/// A start for samples: the wall clock of the trees and their uptime.
enum FixtureTime {
  static let wallNs: Int64 = 1_731_000_000_000_000_000
  /// 901 234.56 s, the uptime of the 5.10 tree.
  static let bootNs: Int64 = 901_234_560_000_000
  static let tenSeconds: Int64 = 10_000_000_000
}

func isNear(_ value: Float, _ expected: Float, within tolerance: Float = 0.01) -> Bool {
  abs(value - expected) <= tolerance * max(1, abs(expected))
}
