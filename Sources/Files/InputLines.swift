internal import Glibc

/// Lines of standard input as they come, for a program that answers each.
package struct InputLines {
  /// A longer line fails: nothing that is read so needs it.
  package static let bytesMax = 1 << 20

  private var buffer: [UInt8] = []
  private var hasEnded = false

  package init() {}

  /// Waits for the next line.
  /// - Returns: it without its end; nil at the end of the input.
  /// - Throws: `FileError`, `EMSGSIZE` for a line that is too long.
  package mutating func next() throws(FileError) -> [UInt8]? {
    while true {
      if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
        let line = Array(buffer[..<end])
        buffer.removeSubrange(...end)
        return line
      }
      if hasEnded {
        guard !buffer.isEmpty else { return nil }
        defer { buffer = [] }
        return buffer
      }
      guard buffer.count <= Self.bytesMax else { throw FileError("read a line of", "standard input", code: EMSGSIZE) }
      let stream = Descriptor(adopting: 0, path: "standard input")
      do throws(FileError) {
        if (try stream.read(into: &buffer, count: 16 << 10) ?? 0) == 0 { hasEnded = true }
      } catch {
        _ = stream.release()
        throw error
      }
      _ = stream.release()
    }
  }
}
