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

    // Copies of the words, ended by NULL, for the call's length.
    var words = unsafe arguments.map { unsafe strdup($0) }
    unsafe words.append(nil)
    var environment = unsafe [
      strdup("PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"), strdup("LC_ALL=C"), strdup("TZ=UTC"),
    ]
    unsafe environment.append(nil)
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
}

/// A user of this system.
struct SystemUser {
  let name: String
  let uid: UInt32
  let gid: UInt32

  static var effectiveUID: UInt32 { geteuid() }
  static var isRoot: Bool { effectiveUID == 0 }

  static func named(_ name: String) -> SystemUser? {
    // getpwnam's record lives until the next call on this thread; it is copied at once.
    guard let entry = unsafe getpwnam(name) else { return nil }
    return unsafe SystemUser(name: name, uid: entry.pointee.pw_uid, gid: entry.pointee.pw_gid)
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
