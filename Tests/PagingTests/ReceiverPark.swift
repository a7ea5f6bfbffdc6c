import Foundation
import Paging
import SiteConfiguration
import TestSupport

/// One receiver of each kind, all real programs: what a PagerDuty keeps is counted from what it was sent; Slack and a webhook are one HTTP
/// server; the mail server wants a login and refuses one of three addresses; the Alertmanager is Debian's own.
final class ReceiverPark {
  let http: TestReceiver
  private let mail: TestProgram
  private let mailLog = "/tmp/signalbox-park-mail-\(UUID().uuidString).log"
  /// nil where the program is not installed.
  private let alertmanager: (program: TestProgram, port: Int, directory: String)?

  /// Answers by address, as `no@` (550); keeps each mail's text, decoded, in one line.
  private static let mailScript = """
    import socketserver, sys, json, base64
    log = open(sys.argv[1], "a", buffering=1)
    class Handler(socketserver.StreamRequestHandler):
        def say(self, text): self.wfile.write((text + "\\r\\n").encode())
        def handle(self):
            self.say("220 test")
            user, to = None, []
            while line := self.rfile.readline():
                word = line.decode().strip()
                verb = word.split(" ")[0].upper()
                if verb == "EHLO": self.say("250-test"); self.say("250-AUTH PLAIN"); self.say("250 8BITMIME")
                elif verb == "AUTH":
                    given = base64.b64decode(word.split(" ")[2]) if len(word.split(" ")) > 2 else b""
                    if not given:
                        self.say("334 "); given = base64.b64decode(self.rfile.readline().strip())
                    user = given.split(b"\\0")[1].decode() if given.split(b"\\0")[2] == b"right" else None
                    self.say("235 ok" if user else "535 no")
                elif user is None and verb in ("MAIL", "RCPT"): self.say("530 login first")
                elif verb == "RCPT":
                    if "<no" in word: self.say("550 5.1.1 no such user")
                    else: to.append(word.split("<")[1].split(">")[0]); self.say("250 ok")
                elif verb == "DATA":
                    self.say("354 go on")
                    parts = []
                    while (part := self.rfile.readline()) not in (b".\\r\\n", b""): parts.append(part)
                    body = base64.b64decode(b"".join(parts).split(b"\\r\\n\\r\\n", 1)[1])
                    log.write(json.dumps({"to": to, "text": body.decode()}) + "\\n")
                    to = []
                    self.say("250 queued")
                elif verb == "QUIT": self.say("221 bye"); return
                else: self.say("250 ok")
    class Server(socketserver.ThreadingTCPServer): daemon_threads = True
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
    """

  /// A child that is killed with its owner.
  final class TestProgram {
    let process = Process()
    let firstLine: String

    init(_ arguments: [String], readsLine: Bool) throws {
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = arguments
      let pipe = Pipe()
      if readsLine { process.standardOutput = pipe } else { process.standardOutput = FileHandle.nullDevice }
      if !readsLine { process.standardError = FileHandle.nullDevice }
      try process.run()
      firstLine =
        readsLine
        ? String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
          .trimmingCharacters(in: .whitespacesAndNewlines) : ""
    }

    deinit { _ = kill(process.processIdentifier, SIGKILL) }
  }

  init() throws {
    http = try TestReceiver()
    _ = FileManager.default.createFile(atPath: mailLog, contents: nil)
    mail = try TestProgram(["python3", "-c", Self.mailScript, mailLog], readsLine: true)
    alertmanager = try Self.startAlertmanager()
  }

  deinit {
    try? FileManager.default.removeItem(atPath: mailLog)
    if let alertmanager { TestFiles.remove(alertmanager.directory) }
  }

  /// `deploy/setup/install-dependencies.sh test` unpacks it there; one that is installed is taken as well.
  private static func tool(_ name: String) -> String? {
    let unpacked = FileManager.default.currentDirectoryPath + "/.build/alertmanager/usr/bin/" + name
    return [unpacked, "/usr/bin/" + name].first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  private static func startAlertmanager() throws -> (program: TestProgram, port: Int, directory: String)? {
    guard let path = tool("prometheus-alertmanager") else { return nil }
    let directory = "/tmp/signalbox-park-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let file = directory + "/alertmanager.yml"
    try "route: {receiver: none}\nreceivers: [{name: none}]\n".write(toFile: file, atomically: true, encoding: .utf8)
    for _ in 0..<5 {
      let port = Int.random(in: 20_000..<32_000)
      let program = try TestProgram(
        [
          path, "--config.file=\(file)", "--storage.path=\(directory)/data", "--cluster.listen-address=",
          "--web.listen-address=127.0.0.1:\(port)",
        ], readsLine: false)
      let deadline = Date(timeIntervalSinceNow: 30)
      while Date() < deadline, program.process.isRunning {
        if try alerts(port) != nil { return (program, port, directory) }
        usleep(50_000)
      }
    }
    throw ParkError.alertmanagerDoesNotStart
  }

  enum ParkError: Error { case alertmanagerDoesNotStart, noAnswer }

  var hasAlertmanager: Bool { alertmanager != nil }

  var receivers: [String: Receiver] {
    var email = EmailReceiver(
      server: "smtp://127.0.0.1:\(mail.firstLine)", from: "signalbox@test", to: ["a@test", "no@test", "b@test"])
    (email.user, email.password) = ("signalbox", "right")
    var receivers: [String: Receiver] = [
      "pagerduty": .pagerDuty(url: http.url("202/pagerduty"), routingKey: "k"),
      "slack": .slack(url: http.url("200/slack")), "mail": .email(email),
      "hook": .webhook(url: http.url("200/hook"), secrets: ["s"]),
    ]
    if let alertmanager { receivers["alertmanager"] = .alertmanager(url: "http://127.0.0.1:\(alertmanager.port)") }
    return receivers
  }

  // MARK: What they have

  /// Keys of the alerts that are open at PagerDuty; what is said of a key without an alert is dropped.
  var openAtPagerDuty: Set<String> {
    var open: Set<String> = []
    for request in http.requests() where request.path.hasSuffix("pagerduty") {
      guard let key = request.body["dedup_key"] as? String else { continue }
      switch request.body["event_action"] as? String {
      case "trigger": open.insert(key)
      case "resolve": open.remove(key)
      default: break
      }
    }
    return open
  }

  /// Each message that people would read.
  var slackTexts: [String] {
    http.requests().filter { $0.path.hasSuffix("slack") }.map(\.raw)
  }

  var mails: [(to: [String], text: String)] {
    let text = (try? String(contentsOfFile: mailLog, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").compactMap { line in
      guard let mail = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else { return nil }
      return (mail["to"] as? [String] ?? [], mail["text"] as? String ?? "")
    }
  }

  /// Incidents that the webhook's program takes for open: by the key of each, by itself or in a list.
  var openAtWebhook: Set<String> {
    var open: Set<String> = []
    for request in http.requests() where request.path.hasSuffix("hook") {
      let event = request.body["event"] as? String
      let listed = request.body["incidents"] as? [[String: Any]]
      for incident in listed ?? [request.body] {
        guard let key = incident["dedup_key"] as? String else { continue }
        let isOver = incident["state"] as? String == "resolved" || listed == nil && event == "resolve"
        if isOver { open.remove(key) } else { open.insert(key) }
      }
    }
    return open
  }

  /// As `amtool alert query` counts them; nil where it is not installed.
  func openAtAlertmanager() throws -> Int? {
    guard let alertmanager else { return nil }
    guard let alerts = try Self.alerts(alertmanager.port) else { throw ParkError.noAnswer }
    return alerts.count
  }

  /// - Returns: nil where no Alertmanager answers.
  private static func alerts(_ port: Int) throws -> [Any]? {
    guard let amtool = tool("amtool") else { return nil }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: amtool)
    process.arguments = ["--alertmanager.url=http://127.0.0.1:\(port)", "alert", "query", "-o", "json"]
    let pipe = Pipe()
    (process.standardOutput, process.standardError) = (pipe, FileHandle.nullDevice)
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return process.terminationStatus == 0 ? try JSONSerialization.jsonObject(with: output) as? [Any] : nil
  }
}
