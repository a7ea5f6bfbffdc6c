/// One mounted file system that can fill or fail.
package struct Mount: Sendable, Equatable {
  package var mountPoint = ""
  /// As the mount names it: a device's path, server:/export, or the file system's own word.
  package var source = ""
  package var fileSystem = ""
  package var major: UInt32 = 0
  package var minor: UInt32 = 0
  /// Of the super block, not of this mount: a hardened unit sees every mount read-only, and only the super block shows a fault.
  package var isReadOnly = false
  package var kind = Kind.local

  package enum Kind: Sendable, Equatable {
    case local
    /// In memory: counts for itself, not as the host's fullest disk.
    case memory
    /// Asking it may block for ever: only the probe process does.
    case network
  }

  package init() {}
}

/// /proc/self/mountinfo; proc_pid_mountinfo(5).
enum MountTable {
  /// Real file systems, one entry for each, at the shortest of its mount points; at most `SamplingLimits.mountsMax`.
  static func read(_ text: Span<UInt8>) -> (mounts: [Mount], leftOut: Int) {
    var mounts: [Mount] = []
    var indexes: [String: Int] = [:]
    var leftOut = 0
    var cursor = ProcCursor()
    repeat {
      guard let mount = line(text, &cursor) else { continue }
      let key = identity(mount)
      if let index = indexes[key] {
        if mount.mountPoint.utf8.count < mounts[index].mountPoint.utf8.count { mounts[index] = mount }
      } else if mounts.count < SamplingLimits.mountsMax {
        indexes[key] = mounts.count
        mounts.append(mount)
      } else {
        leftOut += 1
      }
    } while cursor.nextLine(text)
    return (mounts, leftOut)
  }

  /// Several subvolumes of one btrfs have device numbers of their own, but one source.
  private static func identity(_ mount: Mount) -> String {
    if mount.source.utf8.first == UInt8(ascii: "/") || mount.kind == .network { return mount.source }
    return "\(mount.major):\(mount.minor)"
  }

  private static func line(_ text: Span<UInt8>, _ cursor: inout ProcCursor) -> Mount? {
    var mount = Mount()
    cursor.skipFields(2, text)
    guard let major = cursor.number(text), cursor.skip(UInt8(ascii: ":"), text), let minor = cursor.number(text) else {
      return nil
    }
    mount.major = UInt32(clamping: major)
    mount.minor = UInt32(clamping: minor)
    cursor.skipFields(1, text)
    let point = cursor.field(text)
    cursor.skipFields(1, text)
    // Optional fields up to a lonely hyphen.
    while true {
      let field = cursor.field(text)
      if field.isEmpty { return nil }
      if field.count == 1, text[field.lowerBound] == UInt8(ascii: "-") { break }
    }
    let type = cursor.field(text)
    let source = cursor.field(text)
    let options = cursor.field(text)
    guard !point.isEmpty, !type.isEmpty, !options.isEmpty else { return nil }
    mount.mountPoint = unescape(text, point)
    mount.fileSystem = ProcText.string(text, type)
    mount.source = unescape(text, source)
    mount.isReadOnly = isReadOnly(text, options)
    guard let kind = kind(mount) else { return nil }
    mount.kind = kind
    return mount
  }

  private static let readOnly = Array("ro".utf8)

  private static func isReadOnly(_ text: Span<UInt8>, _ options: Range<Int>) -> Bool {
    guard ProcText.matches(readOnly, text, at: options.lowerBound) else { return false }
    return options.count == 2 || text[options.lowerBound + 2] == UInt8(ascii: ",")
  }

  /// nil for what holds no files of its own, and for images that are full by their nature (squashfs, iso9660).
  private static func kind(_ mount: Mount) -> Mount.Kind? {
    let type = mount.fileSystem
    if emptyFuse.contains(type) { return nil }
    if networkTypes.contains(type) || type.hasPrefix("fuse.") { return .network }
    if localTypes.contains(type) { return .local }
    switch type {
    case "overlay": return mount.mountPoint == "/" ? .local : nil
    case "tmpfs": return mount.mountPoint == "/dev/shm" || mount.mountPoint == "/tmp" ? .memory : nil
    default: return nil
    }
  }

  private static let localTypes: Set<String> = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "jfs", "reiserfs", "vfat", "exfat", "ntfs3",
    "fuseblk",
  ]
  private static let emptyFuse: Set<String> = ["fuse.lxcfs", "fuse.gvfsd-fuse", "fuse.portal"]
  private static let networkTypes: Set<String> = [
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs", "9p", "afs", "virtiofs",
    "wekafs", "pvfs2", "ocfs2", "gfs2", "fuse",
  ]

  /// Blanks, tabs, newlines and backslashes are written as three octal digits.
  private static func unescape(_ text: Span<UInt8>, _ range: Range<Int>) -> String {
    var bytes: [UInt8] = []
    var index = range.lowerBound
    while index < range.upperBound, bytes.count < SamplingLimits.textBytesMax {
      let byte = text[index]
      if byte == UInt8(ascii: "\\"), index + 3 < range.upperBound, let octal = octal(text, index + 1) {
        bytes.append(octal)
        index += 4
      } else {
        bytes.append(byte)
        index += 1
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func octal(_ text: Span<UInt8>, _ at: Int) -> UInt8? {
    var value: UInt32 = 0
    for index in at..<at + 3 {
      let digit = text[index] &- 48
      guard digit < 8 else { return nil }
      value = value * 8 + UInt32(digit)
    }
    return UInt8(exactly: value)
  }
}
