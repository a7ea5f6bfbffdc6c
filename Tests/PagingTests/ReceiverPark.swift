import Foundation
import Paging
import SiteConfiguration
import TestSupport

/// One receiver of each kind, all real programs: the alerts of a PagerDuty are counted from the events that it was
/// sent; Slack and a webhook are one HTTP server; the mail server takes a login over STARTTLS only, with a certificate
/// of its own authority, and refuses one of three addresses; the Alertmanager is Debian's own.
final class ReceiverPark {
  let http: TestReceiver
  private let mail: TestMailServer
  /// nil where the program is not installed.
  private let alertmanager: (program: TestChild, port: Int, directory: String)?

  init() throws {
    http = try TestReceiver()
    mail = try TestMailServer(password: "right", startsTLS: true)
    alertmanager = try Self.startAlertmanager()
  }

  deinit {
    if let alertmanager { TestFiles.remove(alertmanager.directory) }
  }

  /// `deploy/setup/install-dependencies.sh test` unpacks it there; an installed one is used as well.
  private static func tool(_ name: String) -> String? {
    let unpacked = FileManager.default.currentDirectoryPath + "/.build/alertmanager/usr/bin/" + name
    return [unpacked, "/usr/bin/" + name].first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  private static func startAlertmanager() throws -> (program: TestChild, port: Int, directory: String)? {
    guard let path = tool("prometheus-alertmanager") else { return nil }
    let directory = "/tmp/signalbox-park-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let file = directory + "/alertmanager.yml"
    try "route: {receiver: none}\nreceivers: [{name: none}]\n".write(toFile: file, atomically: true, encoding: .utf8)
    for _ in 0..<5 {
      let port = Int.random(in: 20_000..<32_000)
      let program = try TestChild(
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
      server: mail.url, from: "signalbox@test", to: ["a@test", "no@test", "b@test"])
    (email.user, email.password) = ("signalbox", "right")
    (email.authorities, email.requiresTLS) = (mail.authorities, true)
    var receivers: [String: Receiver] = [
      "pagerduty": .pagerDuty(url: http.url("202/pagerduty"), routingKey: "k"),
      "slack": .slack(url: http.url("200/slack")), "mail": .email(email),
      "hook": .webhook(url: http.url("200/hook"), secrets: ["s"]),
    ]
    if let alertmanager { receivers["alertmanager"] = .alertmanager(url: "http://127.0.0.1:\(alertmanager.port)") }
    return receivers
  }

  // MARK: State of the receivers

  var openAtPagerDuty: Set<String> { http.openAlerts("pagerduty") }

  /// Each message that people would read.
  var slackTexts: [String] {
    http.requests().filter { $0.path.hasSuffix("slack") }.map(\.raw)
  }

  var mails: [TestMailServer.Mail] { mail.mails }

  /// Keys of the incidents that are open by the messages to the webhook, by themselves or in lists.
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
