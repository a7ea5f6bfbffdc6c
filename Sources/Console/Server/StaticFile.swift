internal import FleetModel

/// A file of the program itself: what pages are drawn with.
struct StaticFile: Sendable {
  let path: String
  let summary: String
  let type: String
  let bytes: [UInt8]

  var contentType: String { type.hasPrefix("text/") ? type + "; charset=utf-8" : type }

  static let all = [
    StaticFile(
      path: StyleSheet.path, summary: "The style sheet of the pages.", type: "text/css",
      bytes: Array(StyleSheet.text.utf8)),
    StaticFile(
      path: Script.path, summary: "The script of the pages; they can be read without it.", type: "text/javascript",
      bytes: Script.bytes),
    StaticFile(
      path: "/icon.svg", summary: "The mark in a browser's tab.", type: "image/svg+xml", bytes: Array(Icon.svg.utf8)),
  ]

  /// Its address changes with its content, so that it can be kept for good.
  static func isNamedByContent(_ path: String) -> Bool { path == StyleSheet.path || path == Script.path }
}

/// The one script: keys, local times, and the fleet as it changes.
enum Script {
  /// Without the indentation and the comments of its source, which say nothing to a browser. No text in it begins a line.
  static let bytes: [UInt8] = {
    let lines = PackageResources.console_js.split(separator: UInt8(ascii: "\n")).map { line in
      line.drop { $0 == UInt8(ascii: " ") }
    }
    return Array(lines.filter { !$0.starts(with: "//".utf8) }.joined(separator: [UInt8(ascii: "\n")]))
  }()
  static let path = "/console-\(String(ContentHash.of(bytes.span), radix: 16)).js"
}
