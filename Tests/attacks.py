#!/usr/bin/env python3
"""What strangers and one host can cost the others: a collector of this build, a private PostgreSQL, loopback.

  attacks.py [PART…]     all of them where none is named; without a certificate: anonymous-memory join-flood http2 health;
                         one or several known hosts: hello-flood extremes poison mounts rows; people's SQL: reader

Prints a figure a line, then `passed` or what was wrong. SIGNALBOX_BIN names built programs (.build/debug), ATTACKS_KEEP=1 leaves the
collector's directory with its log.
The HTTP/2 and protobuf bytes are made by hand, so that nothing but Python is needed.
"""
import os, re, shutil, socket, statistics, subprocess, sys, tempfile, threading, time, urllib.request

from attack_peers import *

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get("SIGNALBOX_BIN") or ROOT + "/.build/debug"
RULES = ROOT + "/deploy/rules"
# Bounds of docs/security.md, with room for a debug build on a busy machine.
ANONYMOUS_MIB_MAX = 24
HELLO_SECONDS_MAX = 2.0
SAMPLE_SECONDS_MAX = 5.0
failures = []


def say(what, value):
    print(f"{what:<74} {value}", flush=True)


def require(what, holds):
    if not holds:
        failures.append(what)


class Collector:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="signalbox-attacks-")
        os.chmod(self.directory, 0o711)
        config = self.directory + "/signalbox.yaml"
        with open(config, "w") as file:
            file.write(f"rules: [{RULES}]\n")
        self.process = subprocess.Popen(
            [f"{BIN}/signalbox-collector", "--state-dir", self.directory + "/collector", "--listen", "127.0.0.1:0",
             "--config", config],
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

    def cpu_seconds(self):
        """Of the collector's process, without PostgreSQL's."""
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def sql(self, statement):
        return subprocess.run(["psql", "-XqAt", "-d", self.database, "-c", statement], check=True, capture_output=True,
                              text=True).stdout.strip()

    def health(self):
        try:
            return urllib.request.urlopen(f"http://{self.metrics}/health", timeout=10).read().decode().strip()
        except OSError as error:
            return str(error)

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

    def welcomes(self, certificate):
        """Six of them, a little slower than a host's rate of Hellos."""
        times = []
        for _ in range(6):
            times.append(self.welcome_seconds(certificate))
            time.sleep(1.1)
        return times

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        if not os.environ.get("ATTACKS_KEEP"):
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
    ordered = sorted(values) or [float("inf")]
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
    busy = collector.welcomes(known)
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
    busy = collector.welcomes(other)
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
        times.append(time.monotonic() - began if collector.health() == "ok" else float("inf"))
    say(f"/health while {len(held)} connections to its port are held", quantiles(times))
    require("health", max(times) < float("inf"))
    for peer in held:
        peer.close()


class Steady:
    """Another host that sends one sample every 100 ms: how long each takes until it is committed."""

    def __init__(self, collector, name):
        self.stream, self.times, self.going = HostStream(collector.port, collector.join(name)), [], True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while self.going:
            began = time.monotonic()
            try:
                batch = self.stream.send(records(self.stream.sent + 1, host_sample()))
                self.times.append(time.monotonic() - began if self.stream.wait(batch, 60) else float("inf"))
            except OSError:
                self.times.append(float("inf"))
                return
            time.sleep(0.1)

    def take(self):
        taken, self.times = self.times, []
        return taken

    def stop(self):
        self.going = False
        self.thread.join(90)
        self.stream.close()
        return self.take()


def against(collector, name, attack, seconds=15):
    """Runs `attack()` again and again on threads of its own list; prints what another host's samples wait meanwhile."""
    steady = Steady(collector, name)
    time.sleep(5)
    quiet, before, peak = steady.take(), collector.memory_mib(), 0
    cpu = collector.cpu_seconds()
    stop = attack()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.2)
        peak = max(peak, collector.memory_mib())
    busy, used = steady.take(), collector.cpu_seconds() - cpu
    done = stop()
    steady.stop()
    say("  a sample of another host until it is committed, quiet", quantiles(quiet))
    say("  the same meanwhile", quantiles(busy))
    say("  the collector's memory; its cores", f"{max(0, peak - before):.1f} MiB more; {used / seconds:.2f}")
    require(f"{name}: the collector is alive", collector.process.poll() is None)
    require(f"{name}: latency", bool(busy) and max(busy) <= SAMPLE_SECONDS_MAX)
    return done


# Numbers at which a conversion or a sum would overflow.
FLOATS = [1e30, -1e30, 3.4e38, float("inf"), float("-inf"), float("nan"), -0.0]
INTEGERS = [1 << 31, (1 << 32) - 1, (1 << 53) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]


def extreme_batches():
    """What an attacked release ended at, and its like: records and file deltas of one field each that no honest agent sends."""
    for value in FLOATS:
        for field_number in (4, 8, 12, 27):
            yield [text(2, number(1, now_ns()) + text(3, b"GPU-1") + float32(field_number, value))], []
        for field_number in (8, 9, 33, 36):
            yield [host_sample(float32(field_number, value))], []
        run = number(1, now_ns()) + text(2, b"run-1") + number(3, 1)
        yield [text(11, run + number(4, 1) + float64(5, value) + float64(10, value))], []
    for value in INTEGERS:
        for field_number in (15, 16, 20, 35, 37):
            yield [host_sample(number(field_number, value))], []
        start = text(9, number(1, now_ns()) + text(2, b"run-2") + number(3, 1) + text(6, b'{"episodes": 9223372036854775807}'))
        yield [start] + [text(10, number(1, now_ns()) + text(2, b"run-2") + number(3, episode) + number(4, 1) + number(6, 10))
                         for episode in (0, value)], []
        yield [text(3, number(1, value) + text(2, b"/") + number(5, value) + number(6, value))], []
        yield [], [text(6, b"".join(number(field_number, value) for field_number in range(1, 9)))]
        yield [], [file_delta(os.urandom(16), b"/srv/a.log", 0, value, log_lines(value - 16, [b"ERROR a", b"ERROR b"]))]


def welcomed(collector, certificate):
    """A stream of a host whose earlier one has just ended: Hellos have a rate."""
    for _ in range(60):
        try:
            return HostStream(collector.port, certificate)
        except OSError:
            time.sleep(1)
    raise SystemExit("no Welcome within a minute")


def extremes(collector):
    certificate, counts = collector.join("extreme"), [0, 0]

    def attack():
        def send():
            stream = None
            for parts, others in extreme_batches():
                if stream is None or stream.closed:
                    stream = welcomed(collector, certificate)
                sequence = stream.sent + 1
                spooled = [records(sequence, *(parts or [host_sample()]))]
                counts[0 if stream.wait(stream.send(*spooled, *others), 10) else 1] += 1
            stream.close()

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        return lambda: thread.join(300)

    say("one host sends every number that ended the collector, and its like", "")
    against(collector, "beside-extremes", attack)
    say("  batches committed; refused with their stream; the collector's ends", f"{counts[0]}; {counts[1]}; 0")
    require("extremes were sent", sum(counts) > 90)


def poison(collector):
    """Rows that PostgreSQL refuses, or did: a path of 3.6 kB whose line opens an incident, and counts beyond int4."""
    certificate = collector.join("poison")
    path = b"/srv/" + b"/".join(os.urandom(100).hex().encode() for _ in range(18))

    def attack():
        stream = welcomed(collector, certificate)
        line = b"torch.cuda.OutOfMemoryError: CUDA out of memory"

        def send(_):
            batch = stream.send(
                records(stream.sent + 1, host_sample()),
                file_delta(os.urandom(16), path, 0, len(line) + 1, log_lines(0, [line])),
                text(6, number(5, 3_000_000_000)))
            require("poison: its batch is committed", stream.wait(batch, 30))

        return flood(1, send)

    say("one host sends a path of 3.6 kB with a line that opens an incident, and 3·10⁹ followed files", "")
    done = against(collector, "beside-poison", attack)
    say("  such batches, all committed; incidents of that host", f"{done}; {collector.sql(INCIDENTS_OF % 'poison')}")
    require("poison: incident", int(collector.sql(INCIDENTS_OF % "poison")) > 0)
    require("poison: /health", collector.health() == "ok")


INCIDENTS_OF = "select count(*) from incidents where host = '%s'"


def mounts(collector):
    certificate = collector.join("mounts")
    fixed = [text(2, b"/mnt/%04d" % mount) + text(3, b"/dev/sd%04d" % mount) + text(4, b"ext4" + b"x" * 300)
             + number(5, 1 << 40) + number(6, 1 << 30) + float32(7, 99.9) for mount in range(1000)]
    streams = []

    def attack():
        streams.append(welcomed(collector, certificate))

        def send(_):
            time_of_all = number(1, now_ns())
            streams[0].send(records(streams[0].sent + 1, host_sample(), *(text(3, time_of_all + rest) for rest in fixed)))

        return flood(1, send)

    say("one host sends batches of 1 000 full mounts (380 kB) as fast as it may", "")
    sent = against(collector, "beside-mounts", attack)
    streams[0].wait(sent, 60)
    say("  its batches sent; committed; its incidents", f"{sent}; {streams[0].acked}; {collector.sql(INCIDENTS_OF % 'mounts')}")


def rows(collector):
    """What is numbered or kept for good: runs and events, far beyond the quota of a day and its burst."""
    certificate = collector.join("rows")
    size = "select pg_database_size(current_database()) / 1048576"
    before = int(collector.sql(size))

    def attack():
        stream = welcomed(collector, certificate)

        def send(_):
            run = number(1, now_ns()) + number(3, 1)
            event = text(7, number(1, now_ns()) + number(2, 7) + number(3, 2) + text(5, b"x"))
            runs = [text(9, run + text(2, b"run-" + os.urandom(8).hex().encode())) for _ in range(2000)]
            stream.send(records(stream.sent + 1, *runs, event * 8000))

        return flood(1, send)

    say("one host makes 2 000 runs and 8 000 events a batch as fast as it may", "")
    sent = against(collector, "beside-rows", attack, seconds=30)
    runs = int(collector.sql(RUNS_OF_ROWS))
    say("  runs sent; stored", f"{sent * 2000}; {runs}")
    refused = collector.sql("select string_agg(kind || ' ' || rows_refused, ', ') from host_quotas where host = 'rows'")
    say("  rows refused, as host_quotas counts them", refused)
    say("  MiB of the database more", int(collector.sql(size)) - before)
    require("rows: quota of runs", runs <= 20_000 + 2_000)


RUNS_OF_ROWS = "select count(*) from signalbox.runs where host = (select number from signalbox.hosts where name = 'rows')"


def http2_floods(collector):
    """Peers without a certificate that use HTTP/2 against its user, four connections each."""
    block = b"".join(b"\0" + bytes([len(n)]) + n + bytes([len(v)]) + v for n, v in (
        (b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/signalbox.v1.Enrolment/Join"), (b":authority", b"x")))
    frame = Frames.frame

    def rapid_reset(stream):
        return frame(1, 4, stream, block) + frame(3, 0, stream, b"\0\0\0\x08")

    attacks = {
        "streams opened and reset": rapid_reset,
        "PINGs": lambda _: frame(6, 0, 0, b"12345678"),
        "SETTINGS": lambda _: frame(4, 0, 0, b"\0\4\0\1\0\0"),
        "CONTINUATIONs without end": lambda stream: frame(1 if stream == 1 else 9, 0, 1, block if stream == 1 else b"\0\1a\1b" * 50),
        "empty DATA frames": lambda stream: frame(1, 4, 1, block) if stream == 1 else frame(0, 0, 1, b""),
        "TLS handshakes": None,
    }
    for number_of_attack, (what, make) in enumerate(attacks.items()):
        sent, ended = [0], [0]

        def send(_):
            peer = Frames(collector.port)
            try:
                stream, end = 1, time.monotonic() + 8
                while make and time.monotonic() < end:
                    burst = b"".join(make(stream + 2 * index) for index in range(100))
                    stream += 200
                    peer.send(burst)
                    sent[0] += 100
            except OSError:
                ended[0] += 1
            finally:
                peer.close()

        say(f"four strangers: {what}", "")
        done = against(collector, f"beside-flood-{number_of_attack}", lambda: flood(4, send), seconds=8)
        say("  frames sent; connections that the collector ended" if make else "  handshakes",
            f"{sent[0]}; {ended[0]}" if make else done)


def reader(collector):
    """People's SQL: what `signalbox query` can hold, fill and take."""
    environment = dict(os.environ, SIGNALBOX_DATABASE_URL=collector.database)
    data = collector.sql("show data_directory")

    def ask(sql, seconds):
        return subprocess.Popen([f"{BIN}/signalbox", "query", "--timeout", str(seconds), sql], env=environment,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def temporary_mib():
        total = 0
        for root, _, files in os.walk(data + "/base/pgsql_tmp"):
            for file in files:
                try:
                    total += os.stat(os.path.join(root, file)).st_size
                except OSError:
                    pass
        return total / (1 << 20)

    peak = [0.0]

    def attack():
        # One spills without end, one holds locks on every view that it has read, nine more take connections.
        spill = ask("select count(*) from (select a, repeat('x', 500) from generate_series(1, 50000000) a order by 2, 1 offset 0) s", 60)
        hold = [ask("select count(*), pg_sleep(20) from hosts, incidents, log_lines", 30) for _ in range(10)]
        going = [True]

        def watch():
            while going[0]:
                peak[0] = max(peak[0], temporary_mib())
                time.sleep(0.05)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()

        def stop():
            ends = [process.communicate(timeout=120)[1] for process in [spill] + hold]
            going[0] = False
            thread.join(10)
            return ends

        return stop

    say("one person's SQL: a sort without end, ten sessions that hold what they read", "")
    ends = against(collector, "beside-reader", attack, seconds=15)
    refused = sum(1 for end in ends[1:] if end.strip())
    say("  temporary files at most; why the sort ended", f"{peak[0]:.0f} MiB; {ends[0].strip().splitlines()[:1]}")
    say("  of ten further sessions refused", refused)
    require("reader: temporary files", peak[0] <= 1100)
    require("reader: connections", refused >= 1)


def main():
    parts = {
        "anonymous-memory": anonymous_memory, "join-flood": join_flood, "hello-flood": hello_flood, "health": health,
        "http2": http2_floods, "extremes": extremes, "poison": poison, "mounts": mounts, "rows": rows, "reader": reader,
    }
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
