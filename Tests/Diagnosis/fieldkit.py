"""What the corpus' programs share: steps in a log, and servers that answer badly. On the programs' PYTHONPATH."""

import http.server
import os
import ssl
import subprocess
import sys
import threading
import time


def steps(seconds, start=0, loss=2.0, form="plain", pause=0.25):
    """Trains for so many seconds: a line for each step, as one of the common loops prints it. Returns the next step."""
    end = time.monotonic() + seconds
    step = start
    while time.monotonic() < end:
        loss *= 0.995
        if form == "plain":
            print(f"step {step}: train loss {loss:.4f}, lr 3.0e-04", flush=True)
        elif form == "iter":
            print(f"iter {step}: loss {loss:.4f}, time {pause * 1000:.2f}ms, mfu 31.25%", flush=True)
        elif form == "hf":
            print(
                {"loss": round(loss, 4), "grad_norm": 1.25, "learning_rate": 5e-05, "epoch": round(step / 100, 2)},
                flush=True,
            )
        elif form == "bar":
            sys.stderr.write(
                f"\r{step % 100:3d}%|{'█' * (step % 10)}{' ' * (10 - step % 10)}| {step}/1000 [00:{step % 60:02d}<09:59,  4.00it/s]"
            )
            sys.stderr.flush()
        elif form == "log":
            import logging

            logging.getLogger("trainer").info("epoch %d step %d loss %.4f", step // 100, step, loss)
        step += 1
        time.sleep(pause)
    return step


def configure_logging(**rest):
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(name)s - %(levelname)s - %(message)s", **rest)
    return logging.getLogger("trainer")


def serve(status=200, body=b"{}", headers=(), certificate=None, hang=False, cut=False):
    """A server on the loopback that answers everything alike. Returns its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if hang:
                time.sleep(60)
            if cut:
                self.connection.close()
                return
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_HEAD = do_GET

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"


def self_signed(name="localhost", days=30, path="server.pem"):
    """A certificate that no authority signed, with its key, in one file."""
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            path,
            "-out",
            path + ".crt",
            "-days",
            str(days),
            "-subj",
            f"/CN={name}",
            "-addext",
            f"subjectAltName=DNS:{name}",
        ],
        check=True,
        capture_output=True,
    )
    with open(path, "a") as out:
        out.write(open(path + ".crt").read())
    return os.path.abspath(path)


def free_port():
    """A port of the loopback on which no one listens."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
