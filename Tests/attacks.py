#!/usr/bin/env python3
"""What strangers and one host can cost the others: a collector of this build, a private PostgreSQL, loopback.

  attacks.py [PART…]     anonymous-memory join-flood hello-flood health   (all of them where none is named)

Prints a figure a line, then `passed` or what was wrong. SIGNALBOX_BIN names built programs (.build/debug).
The HTTP/2 and protobuf bytes are made by hand, so that nothing but Python is needed.
"""
import os, re, shutil, socket, ssl, statistics, subprocess, sys, tempfile, threading, time, urllib.request

BIN = os.environ.get("SIGNALBOX_BIN") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.build/debug")
# Bounds of docs/security.md, with room for a debug build on a busy machine.
ANONYMOUS_MIB_MAX = 24
HELLO_SECONDS_MAX = 2.0
failures = []


def say(what, value):
    print(f"{what:<74} {value}", flush=True)


def require(what, holds):
    if not holds:
        failures.append(what)


class Frames:
    """One TLS connection with HTTP/2 on it, as bytes."""

    def __init__(self, port, certificate=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        if certificate:
            context.load_cert_chain(*certificate)
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=30))
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(4, 0, 0, b""))

    @staticmethod
    def frame(kind, flags, stream, payload):
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    def send(self, data):
        self.socket.sendall(data)

    def open(self, stream, path):
        fields = [(":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "x"),
                  ("content-type", "application/grpc"), ("te", "trailers")]
        block = b"".join(b"\0" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode() for n, v in fields)
        self.send(self.frame(1, 4, stream, block))

    def data(self, stream, payload, end=False):
        for at in range(0, max(1, len(payload)), 16000):
            part = payload[at:at + 16000]
            self.send(self.frame(0, 1 if end and at + 16000 >= len(payload) else 0, stream, part))

    def read_until(self, kinds, seconds):
        """The first frame of these kinds; None at the end of the connection or of the time."""
        self.socket.settimeout(seconds)
        buffer = b""
        try:
            while True:
                while len(buffer) >= 9:
                    size = int.from_bytes(buffer[:3], "big")
                    if len(buffer) < 9 + size:
                        break
                    kind, stream, body = buffer[3], int.from_bytes(buffer[5:9], "big"), buffer[9:9 + size]
                    buffer = buffer[9 + size:]
                    if kind == 4 and not body:
                        continue
                    if kind in kinds and stream:
                        return kind, body
                more = self.socket.recv(65536)
                if not more:
                    return None
                buffer += more
        except OSError:
            return None

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass


def message(body):
    return b"\0" + len(body).to_bytes(4, "big") + body


def field(number, body):
    return bytes([number << 3 | 2]) + bytes([len(body)]) + body if len(body) < 128 else None


def hello():
    body = b"\x08\x01" + b"".join(field(n, os.urandom(16)) for n in (3, 4, 5, 6)) + b"\x58\x01"
    return message(bytes([1 << 3 | 2, len(body)]) + body)


def join_request():
    claims = field(1, b"stranger") + field(2, os.urandom(16))
    return message(field(1, b"abcdefgh") + field(2, b"x" * 43) + field(3, os.urandom(100)) + field(4, claims))


class Collector:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="signalbox-attacks-")
        os.chmod(self.directory, 0o711)
        self.process = subprocess.Popen(
            [f"{BIN}/signalbox-collector", "--state-dir", self.directory + "/collector", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=open(self.directory + "/collector.err", "w"), text=True)
        for line in self.process.stdout:
            if line.startswith("ready "):
                words = dict(word.split("=", 1) for word in line.split()[1:])
                break
        else:
            raise SystemExit("the collector does not start: " + open(self.directory + "/collector.err").read()[-2000:])
        self.port = int(words["listen"].rsplit(":", 1)[1])
        self.database, self.metrics = words["database"], words["metrics"]

    def memory_mib(self):
        text = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024

    def join(self, name):
        """Certificate and key of a new host."""
        environment = dict(os.environ, SIGNALBOX_DATABASE_URL=self.database)
        token = subprocess.run([f"{BIN}/signalbox", "hosts", "invite", name], env=environment, check=True,
                               capture_output=True, text=True).stdout.strip()
        state = f"{self.directory}/{name}"
        subprocess.run([f"{BIN}/signalbox-agent", "join", token, "--state-dir", state], check=True, capture_output=True)
        found = [os.path.join(root, file) for root, _, files in os.walk(state) for file in files]
        chain = next(path for path in found if "BEGIN CERTIFICATE" in open(path, errors="replace").read()
                     and not os.path.basename(path).startswith("ca") and "root" not in os.path.basename(path))
        key = next(path for path in found if "PRIVATE KEY" in open(path, errors="replace").read())
        return chain, key

    def welcome_seconds(self, certificate):
        """From the first packet of a known host to its Welcome; inf where none came."""
        began = time.monotonic()
        try:
            peer = Frames(self.port, certificate)
            peer.open(1, "/signalbox.v1.Collector/Report")
            peer.data(1, hello())
            found = peer.read_until({0}, 60)
            peer.close()
        except OSError:
            return float("inf")
        return time.monotonic() - began if found else float("inf")

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.directory, ignore_errors=True)


def flood(count, body):
    """Runs `body` again and again on `count` threads until the returned function is called."""
    going, done = [True], [0]

    def run(number):
        while going[0]:
            try:
                body(number)
                done[0] += 1
            except OSError:
                time.sleep(0.01)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()

    def stop():
        going[0] = False
        for thread in threads:
            thread.join(60)
        return done[0]

    return stop


def quantiles(values):
    ordered = sorted(values)
    return f"median {statistics.median(ordered):.3f} s, longest {ordered[-1]:.3f} s of {len(ordered)}"


def anonymous_memory(collector):
    before = collector.memory_mib()
    held, peak = [], before
    for _ in range(24):
        try:
            peer = Frames(collector.port)
            for stream in range(1, 33, 2):
                peer.open(stream, "/signalbox.v1.Enrolment/Join")
                peer.data(stream, b"\0" + (4 << 20).to_bytes(4, "big") + b"x" * (256 << 10))
            held.append(peer)
        except OSError:
            pass
        peak = max(peak, collector.memory_mib())
    time.sleep(2)
    peak = max(peak, collector.memory_mib())
    say("24 connections without a certificate, 16 streams of 4 MiB each: memory", f"{peak - before:.1f} MiB more")
    time.sleep(20)
    say("  20 s later, the connections held by the peer", f"{collector.memory_mib() - before:.1f} MiB more")
    for peer in held:
        peer.close()
    require("anonymous memory", peak - before <= ANONYMOUS_MIB_MAX)


def join_flood(collector):
    known = collector.join("known")
    quiet = [collector.welcome_seconds(known) for _ in range(3)]
    say("a known host's connection to its Welcome, nothing else", quantiles(quiet))

    def ask(_):
        peer = Frames(collector.port)
        peer.open(1, "/signalbox.v1.Enrolment/Join")
        peer.data(1, join_request(), end=True)
        peer.read_until({0, 1, 3}, 30)
        peer.close()

    stop = flood(180, ask)
    time.sleep(3)
    busy = []
    for _ in range(6):
        busy.append(collector.welcome_seconds(known))
        time.sleep(1.1)
    joins = stop()
    say("  the same under 180 strangers that join without end", quantiles(busy))
    say("  joins that were answered meanwhile", joins)
    require("latency under joins", max(busy) <= HELLO_SECONDS_MAX * 5)


def hello_flood(collector):
    greedy = [collector.join(f"greedy-{number}") for number in range(4)]
    other = collector.join("other")

    def ask(number):
        collector.welcome_seconds(greedy[number])

    stop = flood(4, ask)
    time.sleep(8)
    busy = []
    for _ in range(6):
        busy.append(collector.welcome_seconds(other))
        time.sleep(1.1)
    say("a host's connection to its Welcome while four others say Hello without end", quantiles(busy))
    say("  Hellos of the four that were answered in about 15 s", stop())
    require("latency under Hellos", max(busy) <= HELLO_SECONDS_MAX)


def health(collector):
    host, port = collector.metrics.rsplit(":", 1)
    held = []
    for _ in range(300):
        try:
            held.append(socket.create_connection((host, int(port)), timeout=5))
        except OSError:
            pass
    times = []
    for _ in range(20):
        began = time.monotonic()
        try:
            answer = urllib.request.urlopen(f"http://{collector.metrics}/health", timeout=10).read()
        except OSError as error:
            answer = str(error).encode()
        times.append(time.monotonic() - began if answer == b"ok\n" else float("inf"))
    say(f"/health while {len(held)} connections to its port are held", quantiles(times))
    require("health", max(times) < float("inf"))
    for peer in held:
        peer.close()


def main():
    parts = {"anonymous-memory": anonymous_memory, "join-flood": join_flood, "hello-flood": hello_flood, "health": health}
    wanted = sys.argv[1:] or list(parts)
    if unknown := [name for name in wanted if name not in parts]:
        raise SystemExit(f"attacks.py: no part {unknown[0]}; there are {', '.join(parts)}")
    collector = Collector()
    try:
        for name in wanted:
            parts[name](collector)
    finally:
        collector.stop()
    print("passed" if not failures else "not within the bounds: " + ", ".join(failures))
    raise SystemExit(1 if failures else 0)


main()
