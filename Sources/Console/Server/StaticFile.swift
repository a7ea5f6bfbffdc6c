internal import FleetModel

/// A file of the program itself: what pages are drawn with.
struct StaticFile: Sendable {
  let path: String
  let summary: String
  let type: String
  let bytes: [UInt8]

  var contentType: String { type.hasPrefix("text/") ? type + "; charset=utf-8" : type }

  static let all =
    [
      StaticFile(
        path: StyleSheet.path, summary: "The style sheet of the pages.", type: "text/css",
        bytes: Array(StyleSheet.text.utf8))
    ]
    + Script.all.map { script in
      StaticFile(path: script.path, summary: script.summary, type: "text/javascript", bytes: script.bytes)
    } + [
      StaticFile(
        path: "/icon.svg", summary: "The mark in a browser's tab.", type: "image/svg+xml", bytes: Array(Icon.svg.utf8))
    ]

  private static let named = Set([StyleSheet.path] + Script.all.map(\.path) + ChartLibrary.File.all.map(\.path))

  /// Its address changes with its content, so that it can be kept for good.
  static func isNamedByContent(_ path: String) -> Bool { named.contains(path) }
}

/// A script of the pages; they can be read without it.
struct Script: Sendable {
  let path: String
  let summary: String
  let bytes: [UInt8]

  /// Without the indentation and the comments of its source, which a browser does not need. No text in it begins a line.
  private init(_ name: String, _ summary: String, _ source: [UInt8]) {
    let lines = source.split(separator: UInt8(ascii: "\n")).map { line in line.drop { $0 == UInt8(ascii: " ") } }
    let shown = Array(lines.filter { !$0.starts(with: "//".utf8) }.joined(separator: [UInt8(ascii: "\n")]))
    bytes = shown
    path = "/\(name)-\(String(ContentHash.of(shown.span), radix: 16)).js"
    self.summary = summary
  }

  /// On every page, before the others.
  static let common = Script(
    "console", "The script of all pages: keys and local times; they can be read without it.",
    PackageResources.console_js)
  static let fleet = Script(
    "fleet", "The script of the fleet's page, which keeps it current.", PackageResources.fleet_js)
  static let charts = Script(
    "charts", "The script of pages with charts: one cursor over all of them, and a range that is dragged.",
    PackageResources.charts_js)
  static let tail = Script(
    "tail", "The script of the page of log lines, which follows them.", PackageResources.tail_js)
  static let parallel = Script(
    "parallel", "The script of parallel coordinates: ranges on their axes.", PackageResources.parallel_js)
  static let all = [common, fleet, charts, tail, parallel]
}
