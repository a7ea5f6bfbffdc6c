import Files
import Foundation
import Testing

extension EndToEndTests {
  /// Slips of the hand on command lines, and files that a command may not or cannot use.
  @Suite(.timeLimit(.minutes(10))) struct CommandLines {
    private let directory = "/tmp/signalbox-words-\(UUID().uuidString)"

    init() throws { try HostFiles.makeDirectory(directory, mode: 0o755) }

    private func remove() { try? FileManager.default.removeItem(atPath: directory) }

    private func ca(_ words: String...) throws -> Program.Result { try Program.run("signalbox", ["ca"] + words) }

    @Test(
      arguments: [
        (
          "signalbox", ["fleet", "--state-dir", "/proc/x"],
          "a command is missing between 'signalbox fleet' and '--state-dir'"
        ),
        ("signalbox", ["--state-dir", "/proc/x", "fleet", "status"], "use one of fleet, hosts,"),
        ("signalbox", ["hosts", "frobnicate"], "'signalbox hosts' has no command 'frobnicate': use one of invite,"),
        ("signalbox", ["frobnicate"], "'signalbox' has no command 'frobnicate': use one of fleet,"),
        ("signalbox", ["logs", "--limit", "-1"], "--limit takes a number of 1 or more, not -1"),
        ("signalbox", ["silences", "add", "--for", "-2h", "--host", "a", "--reason", "x"], "not '-2h'"),
        ("signalbox", ["logs", "--since", "-1"], "'-1' is invalid for '--since <since>'; it takes an age such as 2h"),
        ("signalbox", ["logs", "--until", "yesterday"], "a time such as 2026-11-21T08:00Z"),
        ("signalbox", ["gaps", "--since", "yesterday"], "an age such as 2h, or a time"),
        ("signalbox", ["incidents", "show", "abc"], "'abc' is invalid for '<number>'; it takes a whole number"),
        ("signalbox", ["incidents", "show", "-5"], "'-5' is no number that can be meant here: it must be positive"),
        ("signalbox", ["episodes", "list", "--limit", "0"], "--limit takes a number of 1 or more, not 0"),
        ("signalbox", ["episodes", "check", "--limit", "0"], "--limit takes a number of 1 or more, not 0"),
        ("signalbox", ["episodes", "check", "--stale-minutes", "-3"], "--stale-minutes takes a number of 1 or more"),
        ("signalbox", ["runs", "list", "--limit", "0"], "--limit takes a number of 1 or more, not 0"),
        ("signalbox", ["runs", "show", "a", "--limit", "-7"], "--limit takes a number of 1 or more, not -7"),
        ("signalbox", ["episodes", "list", "--limit", "many"], "'many' is invalid for '--limit <limit>'"),
        (
          "signalbox-collector", ["--state-dir", "/proc/x", "--writers", "0"], "--writers takes 1 to 256 threads, not 0"
        ),
        (
          "signalbox-collector", ["--state-dir", "/proc/x", "--gateways", "-1"],
          "--gateways takes 1 to 256 threads, not -1"
        ),
        (
          "signalbox-collector", ["--state-dir", "/proc/x", "--advertise", "bogus"],
          "such as collector.example.org:7443"
        ),
        ("signalbox-collector", ["--state-dir", "/proc/x", "--metrics", "x"], "such as 127.0.0.1:9464"),
        ("signalbox-agent", ["run", "--state-dir", "/proc/x", "--follow", "/x[a"], "a '[' has no ']'"),
        ("signalbox-agent", ["run", "--state-dir", "/proc/x", "--follow", "/x/{a"], "{a,b} is not supported"),
      ] as [(String, [String], String)])
    func aSlipOfTheHandIsNamedWithWhatIsValid(_ program: String, _ words: [String], _ part: String) throws {
      defer { remove() }
      let result = try Program.run(program, words, environment: ["SIGNALBOX_DATABASE_URL": ""])
      #expect(result.code == 2 && result.output.isEmpty, "\(result)")
      #expect(result.errors.contains(part), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    }

    /// A script that lost a word must not go on as if it had been done.
    @Test(
      arguments: ["", "fleet", "hosts", "runs", "episodes", "incidents", "silences", "oncall", "paging", "rules", "ca"])
    func aGroupAloneIsAMistake(_ group: String) throws {
      let words = group.isEmpty ? [] : [group]
      let result = try Program.run("signalbox", words)
      let path = (["signalbox"] + words).joined(separator: " ")
      #expect(result.code == 2 && result.output.isEmpty, "\(result)")
      let start = "signalbox: a command is missing behind '\(path)': use one of "
      #expect(result.errors.hasPrefix(start), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1)
      for asked in [words + ["--help"], ["help"] + words] {
        let help = try Program.run("signalbox", asked)
        #expect(help.code == 0 && help.errors.isEmpty && help.output.contains("USAGE: \(path)"), "\(help)")
      }
    }

    @Test func anAuthorityIsExportedAndImportedOnceAndARefusalLeavesNothingBehind() throws {
      defer { remove() }
      let (state, other, backup) = (directory + "/a", directory + "/b", directory + "/backup.pem")
      let empty = try ca("status", "--state-dir", directory + "/none")
      #expect(empty.code == 1 && empty.errors.contains("signalbox ca import FILE"), "\(empty)")
      #expect(try ca("init", "--state-dir", state).code == 0)
      #expect(try ca("export", backup, "--state-dir", state).code == 0)
      let again = try ca("export", backup, "--state-dir", state)
      #expect(again.code == 1 && again.errors.contains("name another file, or remove it first"), "\(again)")
      // Neither a file that is none nor one that is not there makes a directory.
      try HostFiles.replace(directory + "/rubbish", with: Array("rubbish".utf8))
      for file in ["/rubbish", "/gone"] {
        #expect(try ca("import", directory + file, "--state-dir", other).code == 1)
        #expect(try !FileStatus.exists(other), "\(file)")
      }
      #expect(try ca("import", backup, "--state-dir", other + "/deep").code == 0)
      let second = try ca("import", backup, "--state-dir", other + "/deep")
      #expect(second.code == 1 && second.errors.contains("--renewed"), "\(second)")
      #expect(try ca("status", "--state-dir", other + "/deep").code == 0)
    }

    @Test func aPipeMakesNoInboxOfAPathWithASlipInIt() throws {
      defer { remove() }
      for words in [["--inbox", directory + "/none"], ["--state-dir", directory + "/none"]] {
        let result = try Program.run("signalbox-agent", ["pipe", "train"] + words, input: "one\n")
        // The program that prints is not stopped.
        #expect(result.code == 0 && result.output == "one\n", "\(result)")
        #expect(result.errors.contains("there is no directory \(directory)/none"), "\(result.errors)")
        #expect(try !FileStatus.exists(directory + "/none"))
      }
      let own = try Program.run("signalbox-agent", ["pipe", "train", "--state-dir", directory], input: "one\n")
      let kept = try HostFiles.list(directory + "/inbox")
      #expect(own.errors.isEmpty && kept.count == 1, "\(own)")
    }

    /// As another user: the tests' own one, where it is not root, or the one that has no files.
    private static let stranger: [String]? = {
      guard Process.isRoot else { return [] }
      let words = ["--reuid=65534", "--regid=65534", "--clear-groups"]
      let answer = try? Program.run("/usr/bin/setpriv", words + ["/usr/bin/test", "-x", Program.path("signalbox")])
      return answer?.code == 0 ? words : nil
    }()

    @Test(.enabled(if: stranger != nil))
    func aStateDirectoryThatMayNotBeReadIsNotTakenForOneWithoutACollector() throws {
      defer { remove() }
      let state = directory + "/state"
      try HostFiles.makeDirectory(state + "/ca")
      // Its owner may pass over permissions only as root; the stranger then is another user.
      let drop = try #require(Self.stranger)
      if drop.isEmpty { try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: state) }
      defer { try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: state) }
      for (words, advice) in [
        (["fleet", "status"], "run it as the collector's user, or give --database"),
        (["hosts", "list"], "run it as the collector's user, or give --database"),
        (["ca", "status"], "run it as the collector's user"),
      ] {
        let line = [Program.path("signalbox")] + words + ["--state-dir", state]
        let result = try Program.run(
          drop.isEmpty ? line[0] : "/usr/bin/setpriv", drop + (drop.isEmpty ? Array(line.dropFirst()) : line))
        #expect(result.code == 1 && result.output.isEmpty, "\(result)")
        #expect(result.errors.contains("Permission denied") && result.errors.contains(advice), "\(result.errors)")
        #expect(!result.errors.contains("no collector") && !result.errors.contains("no whole authority"))
      }
    }
  }
}
