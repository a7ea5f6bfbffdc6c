package import Foundation

/// A program of a test that is killed with its owner.
package final class TestChild {
  package let process = Process()
  /// The first line of its standard output; "" where that is not read.
  package let firstLine: String

  package init(_ arguments: [String], readsLine: Bool) throws {
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    guard readsLine else {
      (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
      firstLine = ""
      try process.run()
      return
    }
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    firstLine = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }

  // The child inherits a blocked SIGTERM.
  deinit { _ = kill(process.processIdentifier, SIGKILL) }
}

/// A mail server that answers by address: `later…` with 450, `no…` with 550, all others take the mail.
package final class TestMailServer {
  package struct Mail {
    /// Addresses that took it.
    package var to: [String]
    /// Its body, out of Base64.
    package var text: String
  }

  private let child: TestChild
  private let log = "/tmp/signalbox-mail-\(UUID().uuidString).log"

  private static let script = """
    import socketserver, sys, json, base64, ssl
    log = open(sys.argv[1], "a", buffering=1)
    password = sys.argv[2].encode()
    context = None
    if sys.argv[3]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[3] + "/server.pem", sys.argv[3] + "/server.key")
    class Handler(socketserver.StreamRequestHandler):
        def say(self, text): self.wfile.write((text + "\\r\\n").encode())
        def handle(self):
            self.say("220 test")
            known, to, secret = not password, [], not context
            while line := self.rfile.readline():
                word = line.decode().strip()
                verb = word.split(" ")[0].upper()
                if verb == "EHLO":
                    self.say("250-test"); self.say("250-AUTH PLAIN" if secret else "250-STARTTLS"); self.say("250 8BITMIME")
                elif verb == "STARTTLS" and context:
                    self.say("220 go on")
                    self.connection = context.wrap_socket(self.connection, server_side=True)
                    self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
                    secret = True
                elif not secret: self.say("530 5.7.0 must issue a STARTTLS command first")
                elif verb == "AUTH":
                    given = base64.b64decode(word.split(" ")[2]) if len(word.split(" ")) > 2 else b""
                    if not given:
                        self.say("334 "); given = base64.b64decode(self.rfile.readline().strip())
                    known = given.split(b"\\0")[2] == password
                    self.say("235 ok" if known else "535 no")
                elif not known and verb in ("MAIL", "RCPT"): self.say("530 login first")
                elif verb == "RCPT":
                    address = word.split("<")[1].split(">")[0]
                    if address.startswith("no"): self.say("550 5.1.1 no such user")
                    elif address.startswith("later"): self.say("450 4.2.0 later")
                    else: to.append(address); self.say("250 ok")
                elif verb == "DATA":
                    if not to: self.say("554 no recipients"); continue
                    self.say("354 go on")
                    parts = []
                    while (part := self.rfile.readline()) not in (b".\\r\\n", b""): parts.append(part)
                    head, _, body = b"".join(parts).partition(b"\\r\\n\\r\\n")
                    if b"base64" in head: body = base64.b64decode(body)
                    log.write(json.dumps({"to": to, "text": body.decode()}) + "\\n")
                    to = []
                    self.say("250 queued")
                elif verb == "QUIT": self.say("221 bye"); return
                else: self.say("250 ok")
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        def handle_error(self, *a): pass
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
    """

  /// The authority and the certificate of a server with STARTTLS.
  private let directory: String?

  /// - Parameters:
  ///   - password: that a login needs; nil where none is asked for.
  ///   - startsTLS: takes nothing before STARTTLS; its certificate comes from an authority of its own.
  package init(password: String? = nil, startsTLS: Bool = false) throws {
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    directory = startsTLS ? try Self.makeCertificate() : nil
    child = try TestChild(["python3", "-c", Self.script, log, password ?? "", directory ?? ""], readsLine: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: log)
    if let directory { try? FileManager.default.removeItem(atPath: directory) }
  }

  /// File of the authority that its certificate comes from; nil without STARTTLS.
  package var authorities: String? { directory.map { $0 + "/ca.pem" } }

  private enum Problem: Error { case openssl(Int32) }

  private static func makeCertificate() throws -> String {
    let directory = "/tmp/signalbox-mail-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let process = Process()
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-ec",
      """
      new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
      openssl req -x509 $new -keyout ca.key -out ca.pem -days 2 -subj '/CN=authority of a test'
      openssl req $new -keyout server.key -out server.csr -subj '/CN=mail server of a test'
      echo 'subjectAltName=IP:127.0.0.1' > names
      openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.pem -extfile names
      """,
    ]
    (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Problem.openssl(process.terminationStatus) }
    return directory
  }

  package var url: String { "smtp://127.0.0.1:\(child.firstLine)" }

  /// Those that it has taken, in their order.
  package var mails: [Mail] {
    let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").compactMap { line in
      guard let mail = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else { return nil }
      return Mail(to: mail["to"] as? [String] ?? [], text: mail["text"] as? String ?? "")
    }
  }
}
