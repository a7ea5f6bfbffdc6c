internal import CLinux
internal import Glibc

/// inotify(7): what changes in directories, without asking again and again. Non-blocking; its descriptor can be polled.
package struct Inotify: ~Copyable {
  private let descriptor: Descriptor

  /// One notification. `watch` is what `watch(_:)` returned; `name` is the entry in the directory, empty for the directory itself.
  package struct Notification: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
      case modified
      /// One who had it open for writing has closed it, or ended.
      case closed
      /// A name came, went or moved, or the directory itself did.
      case structural
      /// The kernel dropped notifications: everything may have changed.
      case overflow
    }
    package var watch: Int32
    package var kind: Kind
    package var name: String
    /// The watch is no more, or the directory has another name now.
    package var isGone = false
    /// The name is a directory's.
    package var isDirectory = false
  }

  package init() throws(FileError) {
    let raw = inotify_init1(0o4000 /* IN_NONBLOCK */ | 0o2000000 /* IN_CLOEXEC */)
    if raw < 0 { throw .last("start", "inotify") }
    descriptor = Descriptor(adopting: raw, path: "inotify")
  }

  /// For epoll(7).
  package var raw: Int32 { descriptor.raw }

  /// - Returns: the watch's number; the same again for a directory that is watched already.
  package borrowing func watch(_ directory: String) throws(FileError) -> Int32 {
    // MODIFY, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF, ONLYDIR
    let mask: UInt32 = 0x2 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800 | 0x0100_0000
    let watch = unsafe inotify_add_watch(descriptor.raw, directory, mask)
    if watch < 0 { throw .last("watch", directory) }
    return watch
  }

  package borrowing func unwatch(_ watch: Int32) {
    _ = inotify_rm_watch(descriptor.raw, watch)
  }

  /// Reads what is there, at most about 64 KiB of it; an empty array where nothing is.
  package borrowing func take() throws(FileError) -> [Notification] {
    var bytes: [UInt8] = []
    guard let got = try descriptor.read(into: &bytes, count: 64 << 10), got > 0 else { return [] }
    return Inotify.parse(bytes.span)
  }

  /// inotify(7), struct inotify_event: wd (4), mask (4), cookie (4), len (4), name (len, padded with NUL); host byte order.
  static func parse(_ bytes: Span<UInt8>) -> [Notification] {
    var notifications: [Notification] = []
    var at = 0
    while at + 16 <= bytes.count {
      let length = Int(word(bytes, at + 12))
      guard at + 16 + length <= bytes.count else { break }
      let mask = word(bytes, at + 4)
      var name: [UInt8] = []
      while name.count < length, bytes[at + 16 + name.count] != 0 { name.append(bytes[at + 16 + name.count]) }
      // IN_Q_OVERFLOW 0x4000, IN_MODIFY 0x2, IN_CLOSE_WRITE 0x8
      let kind: Notification.Kind =
        mask & 0x4000 != 0 ? .overflow : mask & 0x2 != 0 ? .modified : mask & 0x8 != 0 ? .closed : .structural
      // IN_DELETE_SELF 0x400, IN_MOVE_SELF 0x800, IN_UNMOUNT 0x2000, IN_IGNORED 0x8000
      notifications.append(
        Notification(
          watch: Int32(bitPattern: word(bytes, at)), kind: kind, name: String(decoding: name, as: UTF8.self),
          isGone: mask & 0xac00 != 0, isDirectory: mask & 0x4000_0000 /* IN_ISDIR */ != 0))
      at += 16 + length
    }
    return notifications
  }

  private static func word(_ bytes: Span<UInt8>, _ at: Int) -> UInt32 {
    let value =
      UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16 | UInt32(bytes[at + 3]) << 24
    return UInt32(littleEndian: value)
  }
}
