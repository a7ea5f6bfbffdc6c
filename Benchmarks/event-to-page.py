#!/usr/bin/env python3
"""Time from an event on a host to its page at a receiver, with real programs on this machine.

1. Log lines: one in each of EVENTS files that are followed already, at random moments, a third of them in each of FORMS; from before
   the write to the receiver's first byte of the request. A record at level ERROR is held back by the agent for a traceback that may
   follow it.
2. Samples: EVENTS rules, each of which begins to hold with another sample; from when the sample was taken (the incident's time).
3. Beside it, where Debian's prometheus and prometheus-alertmanager are installed: a gauge that a scrape finds, with 1 s
   intervals and group_wait 0s; from when the gauge was set.

Usage: Benchmarks/event-to-page.py [--events 1000] [--peer-events 60] [--bin .build/release]
Prints a table; writes .build/event-to-page.json.
"""
import argparse
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

arguments = argparse.ArgumentParser()
arguments.add_argument("--events", type=int, default=1000)
arguments.add_argument("--peer-events", type=int, default=60)
arguments.add_argument("--bin", default=".build/release")
options = arguments.parse_args()
binaries = os.path.abspath(options.bin)
place = tempfile.mkdtemp(prefix="signalbox-event-to-page-")
# A private PostgreSQL runs as another user.
os.chmod(place, 0o755)
processes = []
pages = []
gauges = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        at = time.time()
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        pages.append((at, self.path, body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self):
        text = "".join(f'event{{n="{n}"}} 1\n' for n in list(gauges)).encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_port


def start(name, words):
    log = open(f"{place}/{os.path.basename(name)}.log", "ab")
    process = subprocess.Popen([name] + words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    processes.append(process)
    return process


def wait(what, seconds, holds):
    end = time.time() + seconds
    while time.time() < end:
        if holds():
            return
        time.sleep(0.05)
    print(f"{what} did not come within {seconds} s; see {place}", file=sys.stderr)
    raise SystemExit(1)


def signalbox(*words):
    command = [f"{binaries}/signalbox", *words, "--state-dir", f"{place}/collector"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def uptime():
    return float(open("/proc/uptime").read().split()[0])


def figures(name, latencies):
    ordered = sorted(latencies)
    at = lambda share: ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000
    print(f"{name:<58} {len(ordered):>5} {at(0.5):>8.0f} {at(0.99):>8.0f} {ordered[-1] * 1000:>8.0f}")
    return {"events": len(ordered), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": ordered[-1] * 1000}


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def write_line(path, _):
    with open(path, "a") as file:
        file.write("BOOM\n")


def write_record(path, error):
    # What logging.FileHandler does: formats the record and writes it, with its traceback, by one write(2).
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    trace = (type(error), error, error.__traceback__) if error else None
    handler.handle(logging.LogRecord("trainer", logging.ERROR, path, 1, "BOOM", None, trace))
    handler.close()


def an_error(depth):
    try:
        return an_error(depth - 1) if depth else 1 / 0
    except ZeroDivisionError as error:
        return error


# The writer, and the exception that it logs.
FORMS = {
    "bare line": (write_line, None),
    "record of Python's logging": (write_record, None),
    "record of Python's logging with its traceback": (write_record, an_error(8)),
}


def lines():
    forms = [list(FORMS)[number % len(FORMS)] for number in range(options.events)]
    random.shuffle(forms)
    sent = {}
    for number, form in enumerate(forms):
        path = f"{place}/logs/{number}.log"
        write_event, error = FORMS[form]
        sent[path] = time.time()
        write_event(path, error)
        time.sleep(random.uniform(0.01, 0.09))
    arrived = {}

    def all_there():
        for at, _, body in list(pages):
            for one in body.get("incidents", [body]):
                arrived.setdefault(one.get("entity"), at)
        return all(path in arrived for path in sent)

    wait("the pages of the lines", 60, all_there)
    latencies = {form: [] for form in FORMS}
    for form, (path, at) in zip(forms, sent.items()):
        latencies[form].append(arrived[path] - at)
    return latencies


def samples(collector):
    pages.clear()
    first = uptime() + 5
    rules = "".join(
        f"- {{ id: UP-{n:04}, title: Up, severity: P1, when: {{ metric: uptime.seconds, above: {first + n * 0.11:.2f} }} }}\n"
        for n in range(options.events)
    )
    write(f"{place}/rules/site.yaml", rules)
    collector.send_signal(signal.SIGHUP)
    found = {}

    def all_there():
        for at, _, body in list(pages):
            for one in body.get("incidents", [body]):
                if one.get("rule", "").startswith("UP-") and body["event"] == "trigger":
                    found.setdefault(one["rule"], at - seconds(one["opened"]))
        return len(found) == options.events

    wait("the pages of the samples", options.events * 0.11 + 60, all_there)
    return list(found.values())


def peer():
    pages.clear()
    write(
        f"{place}/prometheus.yml",
        f"""
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: ["{place}/alerts.yml"]
alerting: {{ alertmanagers: [{{ static_configs: [{{ targets: ["127.0.0.1:19093"] }}] }}] }}
scrape_configs: [{{ job_name: events, static_configs: [{{ targets: ["127.0.0.1:{port}"] }}] }}]
""",
    )
    write(f"{place}/alerts.yml", "groups: [{ name: g, interval: 1s, rules: [{ alert: Event, expr: event == 1 }] }]\n")
    write(
        f"{place}/alertmanager.yml",
        f"""
route: {{ receiver: hook, group_by: [n], group_wait: 0s, group_interval: 1s }}
receivers: [{{ name: hook, webhook_configs: [{{ url: "http://127.0.0.1:{port}/peer" }}] }}]
""",
    )
    start("prometheus-alertmanager", [f"--config.file={place}/alertmanager.yml", f"--storage.path={place}/am",
          "--web.listen-address=127.0.0.1:19093", "--cluster.listen-address="])
    start("prometheus", [f"--config.file={place}/prometheus.yml", f"--storage.tsdb.path={place}/tsdb",
          "--web.listen-address=127.0.0.1:19090"])
    time.sleep(8)
    sent = {}
    for number in range(options.peer_events):
        sent[str(number)] = time.time()
        gauges[str(number)] = True
        time.sleep(random.uniform(0.5, 1.5))
    arrived = {}

    def all_there():
        for at, path, body in list(pages):
            if path == "/peer":
                for alert in body["alerts"]:
                    arrived.setdefault(alert["labels"]["n"], at)
        return all(number in arrived for number in sent)

    wait("the pages of the peer", 60, all_there)
    return [arrived[number] - at for number, at in sent.items()]


def main():
    os.makedirs(f"{place}/logs")
    os.makedirs(f"{place}/rules")
    write(
        f"{place}/rules/site.yaml",
        '- { id: SITE-01, title: Boom, severity: P1, scope: file, when: { log: { file: "*.log", matches: BOOM } } }\n',
    )
    write(
        f"{place}/signalbox.yaml",
        f"""
rules: ["rules/*.yaml"]
paging:
  receivers: {{ duty: {{ webhook: {{ url: "http://127.0.0.1:{port}/page" }} }} }}
  policies: {{ P1: [{{ to: duty }}] }}
  messages_per_minute: 100000
""",
    )
    collector = start(f"{binaries}/signalbox-collector", [
        "--state-dir", f"{place}/collector", "--listen", "127.0.0.1:0", "--config", f"{place}/signalbox.yaml"])
    wait("the collector", 60, lambda: "ready " in open(f"{place}/signalbox-collector.log").read())
    subprocess.run([f"{binaries}/signalbox-agent", "join", signalbox("hosts", "invite", "host-1"),
                    "--state-dir", f"{place}/agent"], check=True)
    for number in range(options.events):
        write(f"{place}/logs/{number}.log", "begin\n")
    start(f"{binaries}/signalbox-agent", [
        "run", "--state-dir", f"{place}/agent", "--follow", f"{place}/logs/**", "--interval", "100ms"])
    count = ("query", "select count(*) from log_lines", "--format", "csv")
    wait("the first lines", 120, lambda: signalbox(*count).split("\n")[-1] == str(options.events))
    time.sleep(2)
    print(f"{'ms':<58} {'n':>5} {'p50':>8} {'p99':>8} {'max':>8}")
    result = {form: figures(f"{form} → page", latencies) for form, latencies in lines().items()}
    result["sample"] = figures("sample taken → page", samples(collector))
    if shutil.which("prometheus") and shutil.which("prometheus-alertmanager"):
        result["prometheus"] = figures("Prometheus + Alertmanager, 1 s, group_wait 0s", peer())
    else:
        print("prometheus and prometheus-alertmanager are not installed: no peer beside it")
    write(".build/event-to-page.json", json.dumps(result, indent=2) + "\n")


try:
    main()
    failed = False
except SystemExit:
    failed = True
for process in reversed(processes):
    process.terminate()
for process in reversed(processes):
    process.wait()
if not failed:
    shutil.rmtree(place)
sys.exit(1 if failed else 0)
