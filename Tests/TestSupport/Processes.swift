internal import Files

/// Processes of this machine, as tests have to do with them.
package enum Processes {
  /// A process and its children, itself first. Source: proc(5), /proc/PID/stat.
  package static func family(of first: Int32) -> [Int32] {
    let names = (try? HostFiles.list("/proc")) ?? []
    return [first]
      + names.compactMap { name in
        guard let pid = Int32(name), let stat = try? HostFiles.read("/proc/\(name)/stat"),
          let end = stat.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        // pid (comm) state ppid …
        let fields = String(decoding: stat[(end + 2)...], as: UTF8.self).split(separator: " ")
        return fields.count > 1 && Int32(fields[1]) == first ? pid : nil
      }
  }
}
