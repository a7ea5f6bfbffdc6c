"""What configured probes ask, as small servers on loopback: servers.py DIRECTORY

Prints one line of JSON with a port for each server; ends with its input. DIRECTORY holds good.pem, expired.pem (chain and key) and gets
docker.sock.
"""
import http.server
import json
import os
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time

directory = sys.argv[1]
ports = {}


def start(name, server):
    ports[name] = server.server_address[1] if isinstance(server.server_address, tuple) else 0
    threading.Thread(target=server.serve_forever, daemon=True).start()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def chunks(self, status, text, size):
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(text), size):
            part = text[at:at + size].encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        if self.path == "/ok":
            self.body(200, "all is ok")
        elif self.path == "/chunked":
            self.chunks(200, "all is ok " * 1000 + "at the end", 7)
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"x" * 4096)
        elif self.path == "/metrics":
            # Ten requests more each time, of which one failed; a thousand series that nothing keeps.
            Answers.scrapes = getattr(Answers, "scrapes", 0) + 1
            lines = ["# TYPE tgi_request_count counter", f"tgi_request_count {Answers.scrapes * 10}",
                     "# TYPE tgi_request_failure counter", f'tgi_request_failure{{err="x"}} {Answers.scrapes}',
                     "# TYPE tgi_queue_size gauge", "tgi_queue_size 5", 'secret{password="hunter2hunter2"} 1']
            lines += [f'other{{n="{n}",padding="{"p" * 300}"}} {n}' for n in range(1000)]
            self.chunks(200, "\n".join(lines) + "\n", 5000)
        elif self.path == "/metrics-cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"up 1\n")
            self.close_connection = True
        elif self.path == "/metrics-none":
            self.body(200, "# HELP nothing\n")
        elif self.path == "/hang":
            time.sleep(600)
        else:
            self.body(500, "broken")


def fixed(answer, wait=True):
    """Reads something, says one thing, closes."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            if wait:
                self.request.recv(4096)
            self.request.sendall(answer)
    return Handler


class Silent(socketserver.BaseRequestHandler):
    def handle(self):
        time.sleep(600)


def error(code, text):
    body = b"SFATAL\0C" + code + b"\0M" + text + b"\0\0"
    return b"E" + struct.pack(">I", len(body) + 4) + body


class Docker(Answers):
    containers = {
        "running": {"Status": "running", "Running": True, "OOMKilled": False, "ExitCode": 0},
        "healthy": {"Status": "running", "Running": True, "Health": {"Status": "healthy", "Log": [{"Output": "{\"Status\": 1}"}]}},
        "sick": {"Status": "running", "Running": True, "Health": {"Status": "unhealthy"}},
        "ended": {"Status": "exited", "Running": False, "OOMKilled": True, "ExitCode": 137},
        "looping": {"Status": "restarting", "Running": True, "ExitCode": 1},
    }

    def address_string(self):
        return "docker"

    def do_GET(self):
        name = self.path.removeprefix("/containers/").removesuffix("/json")
        if name not in self.containers:
            return self.body(404, '{"message":"No such container"}')
        facts = {"Id": "a" * 64, "Args": ["RestartCount", 9], "State": self.containers[name], "RestartCount": 4, "Name": "/" + name}
        self.chunks(200, json.dumps(facts), 50)


class Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class UnixThreads(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def tls(name):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{directory}/{name}.pem", f"{directory}/{name}.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


start("http", http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers))
start("silent", Threads(("127.0.0.1", 0), Silent))
start("garbage", Threads(("127.0.0.1", 0), fixed(b"hello, who is there?\r\n")))
start("closing", Threads(("127.0.0.1", 0), fixed(b"")))
start("redis", Threads(("127.0.0.1", 0), fixed(b"+PONG\r\n")))
start("locked", Threads(("127.0.0.1", 0), fixed(b"-NOAUTH Authentication required.\r\n")))
start("loading", Threads(("127.0.0.1", 0), fixed(b"-LOADING Redis is loading the dataset in memory\r\n")))
start("starting", Threads(("127.0.0.1", 0), fixed(error(b"57P03", b"the database system is starting up"))))
start("full", Threads(("127.0.0.1", 0), fixed(error(b"53300", b"sorry, too many clients already"))))
start("refusing", Threads(("127.0.0.1", 0), fixed(error(b"28000", b"no pg_hba.conf entry"))))
start("asking", Threads(("127.0.0.1", 0), fixed(b"R\0\0\0\x08\0\0\0\x03")))
start("good", tls("good"))
start("expired", tls("expired"))
start("docker", UnixThreads(directory + "/docker.sock", Docker))
with socket.socket() as closed:
    closed.bind(("127.0.0.1", 0))
    ports["closed"] = closed.getsockname()[1]
print(json.dumps(ports), flush=True)
sys.stdin.read()
os._exit(0)
