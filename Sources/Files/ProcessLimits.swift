internal import Glibc

extension Process {
  /// How many files and connections this process may have open, getrlimit(2).
  package static var openFilesMax: Int {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    return Int(clamping: limit.rlim_cur)
  }
}
