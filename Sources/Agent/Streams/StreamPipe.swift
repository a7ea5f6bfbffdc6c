internal import Files
internal import FleetModel

/// `program 2>&1 | signalbox-agent pipe NAME`: passes a stream on unchanged, and keeps it where the agent follows it.
///
/// It needs no agent: what is written while none runs is read when one does. It never ends before the stream does, so
/// the program that prints is never stopped by it; what cannot be kept is counted and recorded in the stream's own segments.
struct StreamPipe {
  private static let readBytes = 64 << 10

  private let writer: SegmentWriter
  private var passesOn = true
  private var leftOutBytes = 0
  private var isAtLineStart = true

  static func run(_ options: PipeOptions) -> Int32 {
    // Ctrl-C is for the program: its last words are still to come.
    Process.ignoreInterrupts()
    if options.makesInbox, isDirectory(HostFiles.directory(of: options.inbox)) {
      try? HostFiles.makeDirectory(options.inbox)
    }
    if !isDirectory(options.inbox) {
      // The program that prints goes on: this is the end of a pipe.
      AgentMain.write(
        "signalbox-agent: there is no directory \(options.inbox): the stream is only passed on, and no agent reports it. "
          + "Make it, or name the one that the agent follows: --inbox DIR or --state-dir DIR.", .error)
    }
    // Later pipes have larger serials; those of one microsecond differ by the process.
    let serial = UInt64(max(0, Clock.wallNs() / 1000)) * 1000 + UInt64(Process.id % 1000)
    var pipe = StreamPipe(
      writer: SegmentWriter(
        directory: options.inbox, name: options.name, serial: serial, limitBytes: options.limitBytes))
    pipe.copy()
    return 0
  }

  private static func isDirectory(_ path: String) -> Bool { (try? FileStatus.of(path: path))?.kind == .directory }

  private init(writer: SegmentWriter) { self.writer = writer }

  private mutating func copy() {
    let input = Descriptor(adopting: 0, path: "standard input")
    var bytes = [UInt8](repeating: 0, count: Self.readBytes)
    while true {
      let got: Int?
      do throws(FileError) { got = try input.reread(into: &bytes, from: 0, at: nil) } catch { break }
      // Another program made it non-blocking.
      guard let got else {
        Process.sleep(ns: 10_000_000)
        continue
      }
      if got == 0 { break }
      let part = bytes.span.extracting(0..<got)
      keep(part)
      pass(part)
    }
    sayWhatWasLeftOut()
    _ = input.release()
  }

  private mutating func pass(_ part: Span<UInt8>) {
    guard passesOn else { return }
    let output = Descriptor(adopting: 1, path: "standard output")
    passesOn = (try? output.write(part)) != nil
    _ = output.release()
  }

  private mutating func keep(_ part: Span<UInt8>) {
    guard writer.hasRoom(for: part.count) else {
      leftOutBytes += part.count
      return
    }
    sayWhatWasLeftOut()
    do {
      try writer.append(part)
      isAtLineStart = part[part.count - 1] == UInt8(ascii: "\n")
    } catch {
      leftOutBytes += part.count
    }
  }

  /// A sentence of the stream, found as every line is; the limit does not count for it.
  private mutating func sayWhatWasLeftOut() {
    guard leftOutBytes > 0 else { return }
    let line =
      (isAtLineStart ? "" : "\n")
      + "ERROR: signalbox-agent pipe left out \(leftOutBytes) bytes: the inbox was full or could not be written.\n"
    guard (try? writer.append(Array(line.utf8).span)) != nil else { return }
    isAtLineStart = true
    leftOutBytes = 0
  }
}
