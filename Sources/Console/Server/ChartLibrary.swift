internal import Files
internal import FleetModel
internal import TLS

/// The library that draws charts in a browser, brought at build time (deploy/setup/install-dependencies.sh) and never built in. Without it
/// pages show the drawings of the server.
///
/// Source: github.com/leeoniya/uPlot, version 1.6.31, MIT.
struct ChartLibrary: Sendable {
  struct File: Sendable {
    let name: String
    let type: String
    /// Of its bytes, hexadecimal: another file is not served.
    let sha256: String

    /// The hash stands in the address, so that a browser may keep it for good.
    var path: String { "/uplot-\(sha256.prefix(16)).\(name.hasSuffix(".css") ? "css" : "js")" }

    static let script = File(
      name: "uplot.iife.min.js", type: "text/javascript",
      sha256: "2d27e8ad3d228164525ce213f9dc716f39b4e3aee0cc773fb3491c96cf4921a2")
    static let style = File(
      name: "uplot.min.css", type: "text/css",
      sha256: "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04")
    static let all = [script, style]
  }

  private static let bytesMax = 1 << 20

  /// By the file's address.
  private let files: [String: [UInt8]]
  /// Why there is none, in a sentence; nil where it is there.
  let missing: String?

  var isThere: Bool { missing == nil }

  func bytes(of file: File) -> [UInt8]? { files[file.path] }

  /// Where packages and builds put it: beside the program, up to two folders above it, and in the system's place.
  static var usualDirectories: [String] {
    let own = HostFiles.directory(of: (try? HostFiles.readLink("/proc/self/exe")) ?? "/")
    let above = HostFiles.directory(of: own)
    return [own, above, HostFiles.directory(of: above)].map { ($0 == "/" ? "" : $0) + "/console-assets" }
      + ["/usr/share/signalbox/console"]
  }

  /// - Parameter directory: of `--assets`; nil: the first of the usual ones that has both files.
  init(directory: String?) {
    var problem: String?
    for place in directory.map({ [$0] }) ?? Self.usualDirectories {
      var read: [String: [UInt8]] = [:]
      for file in File.all {
        let path = "\(place)/\(file.name)"
        do throws(FileError) {
          let bytes = try HostFiles.read(path, limitBytes: Self.bytesMax)
          if Hex.text(Digest.sha256(bytes)) == file.sha256 {
            read[file.path] = bytes
          } else {
            problem = problem ?? "\(path) is not the file of uPlot 1.6.31: its SHA-256 is another one"
          }
        } catch {
          if directory != nil || !error.isNotFound { problem = problem ?? "\(error)" }
        }
      }
      if read.count == File.all.count {
        (files, missing) = (read, nil)
        return
      }
    }
    files = [:]
    missing =
      problem ?? "no folder has it (\(Self.usualDirectories.joined(separator: ", "))); --assets DIR names another one"
  }

  /// Without one, for what needs no charts.
  init() { (files, missing) = ([:], "none was asked for") }
}
