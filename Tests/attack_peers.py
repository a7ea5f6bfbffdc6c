"""HTTP/2, gRPC and protobuf made by hand, so that a test can send what no library would. Used by attacks.py."""
import os, select, socket, ssl, struct, time


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
    """gRPC's prefix and the message."""
    return b"\0" + len(body).to_bytes(4, "big") + body


# MARK: protobuf (proto/signalbox/v1)


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field_number, value):
    return varint(field_number << 3) + varint(value)


def text(field_number, value):
    body = value if isinstance(value, bytes) else value.encode()
    return varint(field_number << 3 | 2) + varint(len(body)) + body


def float32(field_number, value):
    return varint(field_number << 3 | 5) + struct.pack("<f", value)


def float64(field_number, value):
    return varint(field_number << 3 | 1) + struct.pack("<d", value)


def now_ns():
    return time.time_ns()


def hello():
    identities = b"".join(text(field_number, os.urandom(16)) for field_number in (3, 4, 5, 6))
    return message(text(1, number(1, 1) + identities + number(11, 1)))


def join_request():
    claims = text(1, b"stranger") + text(2, os.urandom(16))
    return message(text(1, b"abcdefgh") + text(2, b"x" * 43) + text(3, os.urandom(100)) + text(4, claims))


def records(sequence, *parts):
    """One spooled record of the live lane: parts are fields of Records."""
    return text(4, number(2, sequence) + number(3, sequence) + text(4, b"".join(parts)))


def host_sample(*more):
    return text(1, number(1, now_ns()) + float32(8, 10.0) + number(15, 1 << 34) + number(16, 1 << 33) + b"".join(more))


def log_lines(offset, lines):
    """Field `lines` of a FileDelta: each line ends with a newline in the file."""
    now_us = now_ns() // 1000
    packed = lambda field_number, values: text(field_number, b"".join(varint(value) for value in values))
    return text(6, text(1, b"".join(lines)) + packed(2, [len(line) for line in lines])
                + packed(3, [len(line) + 1 for line in lines])
                + packed(4, [2 * now_us] + [0] * (len(lines) - 1))
                + text(5, b"\4" * len(lines)) + text(6, b"\x10" * len(lines)) + number(7, offset))


def file_delta(key, path, start, end, *parts):
    identity = text(1, text(1, key) + text(2, path))
    return text(5, identity + number(2, start) + number(3, end) + b"".join(parts))


class HostStream:
    """A known host's Report stream: batches go out as far as the collector's flow control lets them.

    `acked` is the last batch that the collector has committed; `closed` is set when the stream or the connection has ended.
    """

    def __init__(self, port, certificate):
        self.peer = Frames(port, certificate)
        self.credit = {0: 65535, 1: 65535}
        self.acked, self.sent, self.closed, self.welcome = 0, 0, False, None
        self.buffer, self.messages = b"", b""
        self.peer.open(1, "/signalbox.v1.Collector/Report")
        self._data(hello())
        if not self._until(lambda: self.welcome is not None, 60):
            raise OSError("no Welcome")

    def _until(self, holds, seconds):
        """Reads until `holds()`, the end of the time or of the stream. One thread reads and writes: a TLS session takes no two."""
        end = time.monotonic() + seconds
        while not (holds() or self.closed):
            left = end - time.monotonic()
            if left <= 0:
                break
            self._read(left)
        return holds()

    def _read(self, seconds):
        tls = self.peer.socket
        try:
            if not tls.pending() and not select.select([tls], [], [], seconds)[0]:
                return
            more = tls.recv(1 << 18)
        except OSError:
            more = b""
        if not more:
            self.closed = True
        self.buffer += more
        while len(self.buffer) >= 9 and not self.closed:
            size = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + size:
                break
            kind, flags = self.buffer[3], self.buffer[4]
            stream = int.from_bytes(self.buffer[5:9], "big")
            body, self.buffer = self.buffer[9:9 + size], self.buffer[9 + size:]
            self._frame(kind, flags, stream, body)

    def _frame(self, kind, flags, stream, body):
        if kind == 8:
            self.credit[stream] = self.credit.get(stream, 0) + int.from_bytes(body, "big")
        elif kind == 4 and not flags & 1:
            for at in range(0, len(body), 6):
                if int.from_bytes(body[at:at + 2], "big") == 4:
                    self.credit[1] += int.from_bytes(body[at + 2:at + 6], "big") - 65535
            self.peer.send(Frames.frame(4, 1, 0, b""))
        elif kind == 6 and not flags & 1:
            self.peer.send(Frames.frame(6, 1, 0, body))
        elif kind == 0 and stream == 1:
            if body:
                size = len(body).to_bytes(4, "big")
                self.peer.send(Frames.frame(8, 0, 0, size) + Frames.frame(8, 0, 1, size))
            self.messages += body
            while len(self.messages) >= 5:
                size = int.from_bytes(self.messages[1:5], "big")
                if len(self.messages) < 5 + size:
                    break
                self._message(self.messages[5:5 + size])
                self.messages = self.messages[5 + size:]
        if kind in (3, 7) or kind in (0, 1) and flags & 1:
            self.closed = True

    def _message(self, body):
        if body[:1] == b"\x0a":
            self.welcome = body
        elif body[:1] == b"\x12":
            value, shift = 0, 0
            for byte in body[3:]:
                value |= (byte & 127) << shift
                shift += 7
            self.acked = max(self.acked, value)

    def _data(self, payload):
        at = 0
        while at < len(payload):
            if not self._until(lambda: min(self.credit[0], self.credit[1]) > 0, 120):
                raise OSError("the stream has ended or is held")
            size = min(16000, len(payload) - at, self.credit[0], self.credit[1])
            self.credit[0] -= size
            self.credit[1] -= size
            self.peer.send(Frames.frame(0, 0, 1, payload[at:at + size]))
            at += size
            self._read(0)

    def send(self, *parts):
        """One batch of spooled records and file deltas; its number."""
        self.sent += 1
        body = number(1, self.sent) + number(2, now_ns()) + number(3, time.monotonic_ns()) + b"".join(parts)
        self._data(message(text(2, body)))
        return self.sent

    def wait(self, batch, seconds):
        """Whether the collector has acknowledged this batch, within the time and before the stream's end."""
        return self._until(lambda: self.acked >= batch, seconds)

    def close(self):
        self.peer.close()
