import Foundation

/// Receivers of pages: a real HTTP server in a process of its own, with one path a receiver. It answers by a plan drawn from a seed, and notes
/// each request in a file before it answers, so that its account survives its own kill.
final class PageReceiver {
  /// One request, as it was noted.
  struct Page: Decodable {
    /// Seconds since 1970.
    var time: Double
    var to: String
    /// `webhook-id`.
    var id: String
    var event: String
    var step: Int
    /// One; more where it is a list.
    var keys: [String]
    var isList: Bool
    /// The receiver took it, whether or not its answer arrived.
    var accepted: Bool
    var plan: String
    /// The message itself, JSON.
    var text: String

    /// - Throws: where it is no JSON object.
    func body() throws -> [String: Any] {
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
    }
  }

  private static let script = """
    import sys, json, time, random, os, threading, zlib
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    port, path, seed, mode = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    draw, lock, refused = random.Random(seed), threading.Lock(), int(os.environ.get("SIGNALBOX_PAGING_REFUSED", "25"))
    faults = [("500", 8), ("429", 6), ("hang", 3), ("cut", 4), ("late", 3)]
    def plan(to, event, keys):
        if mode == "calm" or to == "safety": return "200"
        # What is wrong is wrong on each attempt.
        if to == "duty" and event == "trigger" and zlib.crc32(keys[0].encode()) % refused == 0: return "400"
        with lock: n = draw.random() * 100
        for word, share in faults:
            if n < share: return word
            n -= share
        return "200"
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            body = json.loads(raw)
            to, event = self.path.strip("/"), body.get("event") or body.get("event_action", "")
            keys = [i["dedup_key"] for i in body["incidents"]] if "incidents" in body else [body.get("dedup_key", "")]
            word = plan(to, event, keys)
            note = {"time": time.time(), "to": to, "id": self.headers.get("webhook-id", ""), "event": event, "keys": keys,
                "step": body.get("step", 0), "isList": "incidents" in body, "accepted": word in ("200", "cut", "late"), "plan": word,
                "text": raw.decode()}
            os.write(log, (json.dumps(note) + "\\n").encode())
            if word == "cut":
                self.close_connection = True
                return
            if word == "hang":
                time.sleep(12)
                self.close_connection = True
                return
            if word == "late": time.sleep(1.5)
            self.send_response(200 if word == "late" else int(word))
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
        def log_message(self, *a): pass
    class Server(ThreadingHTTPServer):
        daemon_threads, request_queue_size = True, 256
    server = Server(("127.0.0.1", port), Handler)
    print("ready", server.server_port, flush=True)
    server.serve_forever()
    """

  private let directory: String
  private let seed: UInt64
  private let isCalm: Bool
  private(set) var program: Program?
  private(set) var port = 0
  private var starts: UInt64 = 0

  /// - Parameter isCalm: takes everything at once.
  init(directory: String, seed: UInt64, isCalm: Bool = false) throws {
    self.directory = directory
    self.seed = seed
    self.isCalm = isCalm
    try Data(Self.script.utf8).write(to: URL(fileURLWithPath: directory + "/receiver.py"))
    try start()
  }

  /// The first start, or the next one after a kill: on the same port.
  func start() throws {
    starts += 1
    let program = try Program(
      "/usr/bin/python3",
      [directory + "/receiver.py", "\(port)", log, "\(seed &+ starts)", isCalm ? "calm" : "faults"],
      errorPath: directory + "/receiver.err")
    self.program = program
    port = Int(try program.line(startingWith: "ready ").split(separator: " ")[1]) ?? 0
  }

  func stop() { program?.kill() }

  private var log: String { directory + "/pages.log" }

  /// Everything that was noted, oldest first.
  func pages() throws -> [Page] {
    guard let text = try? String(contentsOfFile: log, encoding: .utf8) else { return [] }
    return try text.split(separator: "\n").map { try JSONDecoder().decode(Page.self, from: Data($0.utf8)) }
  }

  func pages(_ event: String) throws -> [Page] { try pages().filter { $0.event == event } }

  func url(_ receiver: String) -> String { "http://127.0.0.1:\(port)/\(receiver)" }
}
