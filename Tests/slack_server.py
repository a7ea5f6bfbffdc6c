"""A small Slack for Socket Mode on loopback, which can also misbehave.

slack_server.py serve DIRECTORY   prints "ready https://127.0.0.1:PORT"; DIRECTORY holds cert.pem and key.pem

Beside Slack's API it takes
  POST /plan     a JSON list of words: what the next connections come to, one a connection (STEPS, and "html", "plain" and "refuse")
  POST /press    an envelope: sent down the newest open socket, or the one before it ("older": true); answered with whether it was confirmed
  POST /raw      a text that is sent as it is
  POST /refresh  asks for a further connection, as Slack does before it ends one, and waits for it ("wait": false: does not)
  GET /state
"""
import base64, hashlib, http.server, json, os, select, ssl, struct, sys, threading

TOKEN = "xapp-1-A111-222-secret"
HELLO = json.dumps({"type": "hello", "num_connections": 1})
REFRESH = json.dumps({"type": "disconnect", "reason": "refresh_requested", "debug_info": {"host": "applink-1"}})


class Socket:
    """The server's end of RFC 6455."""

    def __init__(self, connection):
        self.connection, self.lock, self.buffer = connection, threading.Lock(), b""

    def send(self, data, opcode=1, first=True, last=True):
        data = data.encode() if isinstance(data, str) else data
        head = bytes([(0x80 if last else 0) | (opcode if first else 0)])
        size = len(data)
        head += bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size) if size < 65536 else \
            b"\x7f" + struct.pack(">Q", size)
        self.send_bytes(head + data)

    def send_bytes(self, data):
        # A TLS session takes one call at a time.
        with self.lock:
            self.connection.settimeout(30)
            self.connection.sendall(data)

    def read(self, count):
        """Fewer bytes where the peer has ended the connection."""
        while len(self.buffer) < count:
            if not self.connection.pending():
                select.select([self.connection], [], [])
            with self.lock:
                self.connection.settimeout(0)
                try:
                    data = self.connection.recv(65536)
                except ssl.SSLWantReadError:
                    continue
            if not data:
                break
            self.buffer += data
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def send_in_pieces(self, text, count):
        data = text.encode()
        size = len(data) // count + 1
        pieces = [data[i:i + size] for i in range(0, len(data), size)]
        for number, piece in enumerate(pieces):
            self.send(piece, first=number == 0, last=number == len(pieces) - 1)

    def receive(self):
        head = self.read(2)
        if len(head) < 2:
            return None
        assert head[1] & 0x80, "a client's frame is masked"
        size = head[1] & 0x7f
        if size == 126:
            size = struct.unpack(">H", self.read(2))[0]
        mask = self.read(4)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(self.read(size)))
        return head[0] & 15, data


def flood(socket):
    socket.send(HELLO)
    one = struct.pack("BB", 0x81, 2) + b"{}"
    socket.send_bytes(one * 20_000)


# What a server may do instead of being ready; True: it ends the connection.
STEPS = {
    "cut": lambda socket: True,
    "mute": lambda socket: None,
    "huge": lambda socket: socket.send("x" * (1 << 20)),
    "claim": lambda socket: socket.send_bytes(b"\x81\x7f" + struct.pack(">Q", (1 << 64) - 1)),
    "opcode": lambda socket: socket.send("x", opcode=11),
    "pieces": lambda socket: [socket.send("x", first=i == 0, last=False) for i in range(100)],
    "flood": flood,
    "link_disabled": lambda socket: socket.send(json.dumps({"type": "disconnect", "reason": "link_disabled"})),
}


class State:
    lock = threading.Condition()
    opened, refused, ready, pings, pongs = 0, 0, 0, 0, 0
    confirmed, tickets, plan, sockets = [], set(), [], []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, value, status=200):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/api/apps.connections.open":
            return self.open_connection()
        if self.path == "/plan":
            State.plan = json.loads(body)
            return self.answer({})
        if self.path == "/refresh":
            return self.refresh(json.loads(body))
        socket = self.ready_socket(1)[-1]
        if self.path == "/raw":
            socket.send(body)
            return self.answer({})
        wanted = json.loads(body)
        if wanted.pop("older", False):
            socket = self.ready_socket(2)[-2]
        identifier = wanted["envelope_id"]
        with State.lock:
            before = State.confirmed.count(identifier)
        if wanted.pop("in_pieces", False):
            socket.send_in_pieces(json.dumps(wanted), 5)
        else:
            socket.send(json.dumps(wanted))
        with State.lock:
            came = State.lock.wait_for(lambda: State.confirmed.count(identifier) > before, wanted.get("wait", 60))
        self.answer({"confirmed": came})

    def ready_socket(self, count):
        with State.lock:
            assert State.lock.wait_for(lambda: len(State.sockets) >= count, 60), "no console is connected"
            return list(State.sockets)

    def refresh(self, wanted):
        socket = self.ready_socket(1)[-1]
        with State.lock:
            before = State.ready
        socket.send(REFRESH)
        with State.lock:
            came = not wanted.get("wait", True) or State.lock.wait_for(lambda: State.ready > before, 60)
        self.answer({"came": came})

    def open_connection(self):
        if self.headers["Authorization"] != "Bearer " + TOKEN:
            State.refused += 1
            return self.answer({"ok": False, "error": "invalid_auth"})
        State.opened += 1
        step = State.plan[0] if State.plan else ""
        if step == "html":
            State.plan.pop(0)
            return self.answer(b"<html>busy</html>", 503)
        if step == "plain":
            State.plan.pop(0)
            return self.answer({"ok": True, "url": "ws://127.0.0.1:1/"})
        ticket = base64.urlsafe_b64encode(os.urandom(12)).decode()
        State.tickets.add(ticket)
        self.answer({"ok": True, "url": "wss://%s/link/?ticket=%s&app_id=A1" % (self.headers["Host"], ticket)})

    def do_GET(self):
        if self.path == "/state":
            return self.answer({"opened": State.opened, "refused": State.refused, "ready": State.ready,
                                "open": len(State.sockets), "confirmed": State.confirmed, "pings": State.pings, "pongs": State.pongs})
        ticket = self.path.split("ticket=")[-1].split("&")[0]
        if ticket not in State.tickets:
            return self.answer({}, 403)
        State.tickets.discard(ticket)
        step = State.plan.pop(0) if State.plan else ""
        self.close_connection = True
        if step == "refuse":
            return self.answer({}, 403)
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        if step == "wrong_accept":
            key += "x"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
            "Sec-WebSocket-Accept: %s\r\n\r\n" % accept
        socket = Socket(self.connection)
        if step in ("", "disconnect"):
            # In one piece with the first frames: servers do so, and a client must not lose them.
            text = HELLO.encode()
            socket.send_bytes(head.encode() + struct.pack("BB", 0x81, len(text)) + text)
        else:
            socket.send_bytes(head.encode())
        self.serve_socket(socket, step)

    def serve_socket(self, socket, step):
        try:
            if step in STEPS:
                if STEPS[step](socket) is True:
                    return
            elif step == "disconnect":
                socket.send(REFRESH)
            elif step == "":
                socket.send(b"are you there", opcode=9)
                with State.lock:
                    State.sockets.append(socket)
                    State.ready += 1
                    State.lock.notify_all()
            while (frame := socket.receive()) is not None:
                opcode, data = frame
                if opcode == 9:
                    socket.send(data, opcode=10)
                with State.lock:
                    State.pings += opcode == 9
                    if opcode == 10 and data == b"are you there":
                        State.pongs += 1
                    if opcode == 1:
                        State.confirmed.append(json.loads(data)["envelope_id"])
                    State.lock.notify_all()
                if opcode == 8:
                    break
        except OSError:
            pass
        finally:
            with State.lock:
                if socket in State.sockets:
                    State.sockets.remove(socket)
                State.lock.notify_all()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        # Peers hang up here as part of the tests.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(*_)


def serve(directory):
    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory + "/cert.pem", directory + "/key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print("ready https://127.0.0.1:%d" % server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    {"serve": serve}[sys.argv[1]](*sys.argv[2:])
