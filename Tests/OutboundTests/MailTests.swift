import Foundation
import Outbound
import Testing

/// libcurl's mail against a server that answers by address: `ok@`, `later@` (450), `no@` (550).
@Suite(.timeLimit(.minutes(10))) struct MailTests {
  private static let script = """
    import socketserver, sys
    log = open(sys.argv[1], "a", buffering=1)
    class Handler(socketserver.StreamRequestHandler):
        def say(self, text): self.wfile.write((text + "\\r\\n").encode())
        def handle(self):
            self.say("220 test")
            taken = 0
            while line := self.rfile.readline():
                word = line.decode().strip()
                verb = word.split(" ")[0].upper()
                if verb == "EHLO": self.say("250-test"); self.say("250 8BITMIME")
                elif verb == "RCPT":
                    code = "550 5.1.1 no such user" if "<no" in word else "450 4.2.0 later" if "<later" in word else "250 ok"
                    taken += code.startswith("250")
                    log.write(word + "\\n")
                    self.say(code)
                elif verb == "DATA":
                    if not taken: self.say("554 no recipients"); continue
                    self.say("354 go on")
                    while (part := self.rfile.readline()) not in (b".\\r\\n", b""): pass
                    log.write("DATA\\n")
                    self.say("250 queued")
                elif verb == "QUIT": self.say("221 bye"); return
                else: self.say("250 ok")
    class Server(socketserver.ThreadingTCPServer): daemon_threads = True
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
    """

  private final class MailServer {
    let process = Process()
    let log = "/tmp/signalbox-mail-\(UUID().uuidString).log"
    let port: Int

    init() throws {
      _ = FileManager.default.createFile(atPath: log, contents: nil)
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["python3", "-c", MailTests.script, log]
      let pipe = Pipe()
      process.standardOutput = pipe
      try process.run()
      let line = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
      port = Int(line.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }

    var lines: [String] {
      ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }

    deinit {
      _ = kill(process.processIdentifier, SIGKILL)
      try? FileManager.default.removeItem(atPath: log)
    }
  }

  private func answer(_ server: MailServer, to addresses: [String]) throws -> OutboundAnswer {
    let transfers = try Transfers()
    let message = Array("Subject: x\r\n\r\nbody\r\n".utf8)
    try transfers.begin(
      .mail(
        MailRequest(url: "smtp://127.0.0.1:\(server.port)", from: "signalbox@test", to: addresses, message: message)),
      tag: 1, deadlineMs: 20_000)
    while true {
      if let done = transfers.work(waitMs: 100).first { return try done.result.get() }
    }
  }

  @Test func oneRefusedAddressCostsItselfAlone() throws {
    let server = try MailServer()
    let answer = try answer(server, to: ["ok1@test", "no@test", "ok2@test"])
    #expect(answer.code == 250)
    #expect(answer.recipients.map(\.code) == [250, 550, 250])
    #expect(answer.recipients[1] == RecipientReply(address: "no@test", code: 550, text: "5.1.1 no such user"))
    #expect(server.lines.last == "DATA")
  }

  @Test func anAddressThatIsToBeTriedAgainIsTold() throws {
    let answer = try answer(try MailServer(), to: ["later@test", "ok@test"])
    #expect(answer.recipients.map(\.code) == [450, 250])
  }

  @Test func nobodyLeftIsAnAnswerOfEachAddress() throws {
    let server = try MailServer()
    let answer = try answer(server, to: ["no1@test", "no2@test"])
    #expect(answer.code == 550)
    #expect(answer.recipients.map(\.code) == [550, 550])
    #expect(!server.lines.contains("DATA"))
  }
}
