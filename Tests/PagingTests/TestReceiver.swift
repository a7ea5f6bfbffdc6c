import Foundation
import TestSupport

/// A real HTTP server of its own process. The path decides the answer: `/200`, `/500`, `/hang`, `/once-500` (then 200), `/slow-400`…; `/429~30` asks for
/// a pause of 30 s.
final class TestReceiver {
  struct Request {
    var path: String
    var headers: [String: String]
    var body: [String: Any]
    var raw: String
  }

  private let child: TestChild
  private let log: String
  let port: Int

  private static let script = """
    import sys, json, time, threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    seen = set()
    log = open(sys.argv[1], "a", buffering=1)
    lock = threading.Lock()
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            if self.command == "GET" and self.path.endswith("/api/v2/silences"):
                try: answer = open(sys.argv[1] + ".silences", "rb").read()
                except OSError: answer = b"[]"
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            with lock:
                log.write(json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}) + "\\n")
            word = self.path.strip("/").split("/")[0]
            if word == "hang":
                time.sleep(3600)
            if word.startswith("slow-"):
                time.sleep(1.5)
                word = word[5:]
            if word.startswith("once-"):
                word = word[5:] if self.path not in seen else "200"
                seen.add(self.path)
            word, _, pause = word.partition("~")
            self.send_response(int(word))
            if pause: self.send_header("Retry-After", pause)
            if word == "302": self.send_header("Location", "/200")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
        do_GET = do_POST
        def log_message(self, *a): pass
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()
    """

  init() throws {
    log = "/tmp/signalbox-receiver-\(UUID().uuidString).log"
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    child = try TestChild(["python3", "-c", Self.script, log], readsLine: true)
    port = Int(child.firstLine) ?? 0
  }

  deinit { for suffix in ["", ".silences"] { try? FileManager.default.removeItem(atPath: log + suffix) } }

  /// What it answers as an Alertmanager that is asked for its silences; an empty list where it was never set.
  func setSilences(_ text: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: log + ".silences")) }

  func url(_ path: String) -> String { "http://127.0.0.1:\(port)/\(path)" }

  func requests() -> [Request] {
    let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").compactMap { line in
      guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
        let headers = object["headers"] as? [String: String], let raw = object["body"] as? String
      else { return nil }
      let body = (try? JSONSerialization.jsonObject(with: Data(raw.utf8))) as? [String: Any] ?? [:]
      return Request(path: object["path"] as? String ?? "", headers: headers, body: body, raw: raw)
    }
  }

  /// Keys of the alerts that are open at a PagerDuty below a path: an alert is known by its key, and an end without one is dropped.
  func openAlerts(_ path: String) -> Set<String> {
    var open: Set<String> = []
    for request in requests() where request.path.hasSuffix(path) {
      guard let key = request.body["dedup_key"] as? String else { continue }
      switch request.body["event_action"] as? String {
      case "trigger": open.insert(key)
      case "resolve": open.remove(key)
      default: break
      }
    }
    return open
  }
}
