import FleetModel
import Foundation
import TestSupport
import Testing

@testable import Agent

/// Files that hold no text are never lines.
@Suite(.timeLimit(.minutes(10))) struct BinaryContentTests {
  private static func random(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var random = SplitMix(seed: seed)
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() >> 24) }
  }

  private static func length(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }

  private static let binaries: [(String, [UInt8])] = [
    ("model.pt", [0x50, 0x4b, 3, 4] + random(100)), ("data.npz", [0x50, 0x4b, 5, 6]),
    ("model.h5", [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]), ("a.bin", [0x1f, 0x8b, 8, 0]),
    ("a", [0x28, 0xb5, 0x2f, 0xfd, 4]), ("a", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), ("a", Array("BZh91AY&SY".utf8)),
    ("train", [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]), ("plot", [0x89, 0x50, 0x4e, 0x47]),
    ("photo", [0xff, 0xd8, 0xff, 0xe0]),
    ("x.npy", [0x93] + Array("NUMPY".utf8)), ("t.parquet", Array("PAR1".utf8) + random(20)),
    ("study.db", Array("SQLite format 3\0".utf8)),
    ("model.safetensors", length(2) + Array("{}".utf8) + random(20)),
    ("replay.pkl", [0x80, 0x04, 0x95, 1, 2]), ("old.pkl", [0x80, 0x02, 0x7d]),
    ("ckpt.tar", Array("checkpoint/model".utf8) + [UInt8](repeating: 0, count: 241) + Array("ustar\0".utf8)),
    ("events.out.tfevents.17.host", length(24) + [1, 2, 3, 4] + Array("brain.Event:2".utf8)),
    ("run-1.wandb", Array(":W&B".utf8) + [0xe1, 0xbe, 1]), ("noise", random(8192)), ("noise", random(600, seed: 9)),
    ("weights.bin", (0..<2000).flatMap { _ in [0x3f, 0x80, 0, 0] as [UInt8] }),
    // Small numbers of two bytes.
    ("shorts.bin", (0..<2000).flatMap { [UInt8($0 % 25), 0] as [UInt8] }),
  ]

  @Test(arguments: binaries.indices) func isNoText(_ index: Int) {
    let (name, bytes) = Self.binaries[index]
    let kind = BinaryContent.kind(bytes.span, path: "/srv/train/" + name)
    #expect(kind == .binary, "\(name)")
  }

  private static func utf16(_ text: String, isBig: Bool) -> [UInt8] {
    text.utf16.flatMap { isBig ? [UInt8($0 >> 8), UInt8($0 & 255)] : [UInt8($0 & 255), UInt8($0 >> 8)] }
  }

  private static let wideTexts: [[UInt8]] = [
    utf16("\u{feff}2025-05-14 ERROR PowerShell wrote it\n", isBig: false), utf16("\u{feff}x", isBig: true),
    utf16("ordinary text in UTF-16\n", isBig: false), utf16("and with the other byte first\n", isBig: true),
    // No NUL in it.
    utf16("\u{feff}训练开始损失训练开始损失", isBig: false),
    "\u{feff}wider still\n".unicodeScalars.flatMap { [UInt8($0.value & 255), UInt8($0.value >> 8 & 255), 0, 0] },
    "\u{feff}wider still\n".unicodeScalars.flatMap { [0, 0, UInt8($0.value >> 8 & 255), UInt8($0.value & 255)] },
  ]

  @Test(arguments: wideTexts.indices) func isTextOfAnotherEncoding(_ index: Int) {
    let bytes = Self.wideTexts[index]
    let kind = BinaryContent.kind(bytes.span, path: "/srv/train/x.log")
    #expect(kind == .wideText)
  }

  private static let texts: [[UInt8]] = [
    [], Array("a\n".utf8), Array("2025-05-14 22:33:06 INFO PK is not a zip\n".utf8),
    Array("\u{1b}[31mERROR\u{1b}[0m colours\r 10%\r 20%\u{8}\u{8}\n".utf8),
    Array("{\"step\": 1, \"loss\": 0.5}\n".utf8), Array("训练开始 – эпоха 1 – 損失\n".utf8),
    // Latin-1 and GBK
    Array("f".utf8) + [0xfc, 0x72, 0x20, 0xe4, 0x0a],
    (0..<400).flatMap { _ in [0xd1, 0xb5, 0xc1, 0xb7, 0x0a] as [UInt8] },
    Array("some stray bytes ".utf8) + [0, 1, 2]
      + Array(String(repeating: " and then a long line of text", count: 40).utf8),
    [UInt8](repeating: 0, count: 5000) + Array("after a hole\n".utf8), [UInt8](repeating: 0, count: 8192),
    Array("before\n".utf8) + [UInt8](repeating: 0, count: 4096) + Array("behind\n".utf8),
    Array("episode,step,reward\n1,2,3\n".utf8), Array("#{\"t_start\": 1.0}\nr,l,t\n".utf8),
  ]

  @Test(arguments: texts.indices) func isText(_ index: Int) {
    let text = Self.texts[index]
    let kind = BinaryContent.kind(text.span, path: "/srv/train/x.log")
    #expect(kind == .text)
  }

  private static func write(_ harness: FollowingHarness, _ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: harness.path(name)))
  }

  @Test("a checkpoint is counted and never read as lines, whenever it comes; truncated to text it is read")
  func checkpoints() throws {
    let harness = try FollowingHarness(["**"])
    try Self.write(harness, "model.pt", [0x50, 0x4b, 3, 4] + Self.random(300_000))
    try harness.write("train.log", 3)
    harness.run(seconds: 10)
    // Seen empty, and growing.
    try harness.append("late.bin", "")
    harness.run(seconds: 4)
    try Self.write(harness, "late.bin", Self.random(100_000, seed: 5))
    harness.run(seconds: 10)
    harness.expectEachLineOnce()
    #expect(harness.collector.rows.count == 3)
    #expect(harness.followers.figures.binary == 2)
    #expect(harness.followers.figures.matched == 3)
    try harness.truncate("model.pt")
    try harness.write("model.pt", 2)
    harness.run(seconds: 20)
    harness.expectEachLineOnce()
    try harness.restartAgent()
    harness.run(seconds: 20)
    harness.expectEachLineOnce()
    #expect(harness.followers.figures.binary == 1)
  }

  @Test("a log in UTF-16 is no line, and is counted apart from what holds no text")
  func otherEncodings() throws {
    let harness = try FollowingHarness(["**"])
    try Self.write(harness, "wide.log", Self.utf16("\u{feff}ERROR one\nERROR two\n", isBig: false))
    try Self.write(harness, "model.pt", [0x50, 0x4b, 3, 4] + Self.random(3000))
    try harness.write("train.log", 3)
    harness.run(seconds: 10)
    #expect(harness.collector.rows.count == 3)
    #expect(harness.followers.figures.binary == 1)
    #expect(harness.followers.figures.wideText.count == 1)
    #expect(harness.followers.figures.wideText.first == harness.path("wide.log"))
    // Written anew in UTF-8, it is read.
    try harness.truncate("wide.log")
    harness.run(seconds: 4)
    try harness.write("wide.log", 2)
    harness.run(seconds: 20)
    harness.expectEachLineOnce()
    #expect(harness.followers.figures.wideText.count == 0)
  }

  @Test("what is excluded is not followed, by name or by path")
  func exclusions() throws {
    let harness = try FollowingHarness(["**"], history: FollowedHistory(exclude: ["*.tmp", "/**/cache/**"]))
    try harness.write("a.log", 1)
    try harness.append("b.tmp", "excluded\n")
    try FileManager.default.createDirectory(atPath: harness.path("cache"), withIntermediateDirectories: true)
    try harness.append("cache/c.log", "excluded\n")
    harness.run(seconds: 10)
    try harness.append("b.tmp", "still\n")
    harness.run(seconds: 10)
    harness.expectEachLineOnce()
    #expect(harness.collector.rows.count == 1)
    #expect(harness.followers.figures.matched == 1)
  }
}
