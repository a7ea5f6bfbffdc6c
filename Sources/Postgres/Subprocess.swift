internal import Files
internal import Glibc

/// Runs a short program to its end, without a shell.
enum Subprocess {
  /// - Parameter outputPath: where stdout and stderr go; a file, because a server started by the program would keep a pipe open.
  /// - Returns: the exit status; 128 + signal where a signal ended it.
  static func run(_ arguments: [String], outputPath: String) throws(PostgresError) -> Int32 {
    let doing = "run \(HostFiles.name(of: arguments[0]))"
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      unsafe posix_spawnattr_destroy(&attributes)
    }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
    // This process may block signals to read them from a descriptor and ignore SIGPIPE: the program must not inherit that.
    var none = sigset_t()
    var all = sigset_t()
    unsafe sigemptyset(&none)
    unsafe sigfillset(&all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    let words = unsafe copies(arguments)
    let environment = unsafe copies(environment)
    defer { unsafe (words + environment).forEach { unsafe free($0) } }
    var pid: pid_t = 0
    let failure = unsafe posix_spawn(&pid, arguments[0], &actions, &attributes, words, environment)
    if failure != 0 { throw .connectionLost(SystemMessage.of(failure), doing: doing) }
    var status: Int32 = 0
    while unsafe waitpid(pid, &status, 0) < 0 {
      if errno != EINTR { throw .connectionLost("waitpid: \(SystemMessage.of(errno))", doing: doing) }
    }
    // wait(2)'s encoding.
    return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
  }

  /// Becomes a program: the same process, with its standard output and error, and where to report readiness to
  /// (sd_notify(3)). Returns only by its error.
  static func become(_ arguments: [String]) throws(PostgresError) -> Never {
    let notify = Environment.value("NOTIFY_SOCKET").map { ["NOTIFY_SOCKET=" + $0] } ?? []
    let words = unsafe copies(arguments)
    let environment = unsafe copies(environment + notify)
    defer { unsafe (words + environment).forEach { unsafe free($0) } }
    unsafe _ = execve(arguments[0], words, environment)
    throw .connectionLost(SystemMessage.of(errno), doing: "run \(HostFiles.name(of: arguments[0]))")
  }

  private static let environment = ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", "TZ=UTC"]

  /// C strings, ended by NULL; to be freed.
  private static func copies(_ words: [String]) -> [UnsafeMutablePointer<CChar>?] {
    unsafe words.map { unsafe strdup($0) } + [nil]
  }
}

/// A user of this system.
struct SystemUser {
  let name: String
  let uid: UInt32
  let gid: UInt32

  static var effectiveUID: UInt32 { geteuid() }
  static var isRoot: Bool { effectiveUID == 0 }

  static func named(_ name: String) -> SystemUser? {
    unsafe SystemUser(getpwnam(name))
  }

  /// The user that this process acts as; nil where the number has no name.
  static var effective: SystemUser? { unsafe SystemUser(getpwuid(geteuid())) }

  /// The record lives until the next call on this thread; it is copied at once.
  private init?(_ entry: UnsafeMutablePointer<passwd>?) {
    guard let entry = unsafe entry else { return nil }
    name = unsafe String(cString: entry.pointee.pw_name)
    uid = unsafe entry.pointee.pw_uid
    gid = unsafe entry.pointee.pw_gid
  }

  func own(_ path: String) throws(PostgresError) {
    if unsafe chown(path, uid, gid) != 0 {
      throw .connectionLost(SystemMessage.of(errno), doing: "give \(path) to user \(name)")
    }
  }
}

enum FileModes {
  static func set(_ path: String, _ mode: UInt32) {
    _ = unsafe chmod(path, mode)
  }

  static func isExecutable(_ path: String) -> Bool { unsafe access(path, X_OK) == 0 }

  /// The absolute path without symbolic links; nil where it does not exist.
  static func absolute(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }
}

enum Environment {
  static func value(_ name: String) -> String? { unsafe getenv(name).map { unsafe String(cString: $0) } }
}
