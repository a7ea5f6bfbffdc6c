#!/usr/bin/env python3
"""What the console costs with a large fleet, with real programs on this machine.

1. A collector makes its private database; the server itself fills it: HOSTS hosts in racks of 40, every fifth with four GPUs, every third with
   a live run, 40 open incidents; of each host a sample every SPACING s of a day, of ten hosts one every 5 s of the last hour; LINES log lines
   of a day; 100 000 ended runs, 20 of them with an episode of STEPS steps.
2. Requests one after another over one connection each: p50 and p99 of REQUESTS; compressed bytes. People's SQL: the first byte, and its end
   after its client's.
3. VIEWERS live streams for 20 s on a quiet fleet: CPU of the console, bytes a viewer; then the delay from a commit to each viewer.
4. 1 000 streams that read and 100 that never do, while 200 hosts change each second: the console's memory.
5. Chromium, where selenium is installed (SIGNALBOX_PYTHON): bytes, requests, elements, heap and time to the first paint of pages.
6. An episode of 972 steps beside the same rows in three Plotly charts of a Streamlit page, by turns, where SIGNALBOX_STREAMLIT names a
   Python that has both: `python3 -m venv V && V/bin/pip install streamlit plotly pandas`.
7. A page that follows log lines for TAIL minutes (1; 0: left out) while 200 lines a second arrive: its heap each minute.

Usage: Benchmarks/console.py [--hosts 10000] [--lines 1000000] [--spacing 600] [--bin .build/release] [--only browser]
  [--pictures FOLDER] [--tail 60]
Prints a table; writes .build/console-bench.json.
"""
import argparse
import asyncio
import gzip
import http.client
import json
import os
import random
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

arguments = argparse.ArgumentParser()
arguments.add_argument("--hosts", type=int, default=10000)
arguments.add_argument("--lines", type=int, default=1_000_000)
arguments.add_argument("--spacing", type=int, default=600)
arguments.add_argument("--steps", type=int, default=100_000)
arguments.add_argument("--requests", type=int, default=300)
arguments.add_argument("--viewers", type=int, default=200)
arguments.add_argument("--bin", default=".build/release")
arguments.add_argument("--pictures", default="", help="a folder: each page at three widths, light and dark")
arguments.add_argument("--tail", type=int, default=1)
arguments.add_argument("--only", choices=["requests", "browser"])
options = arguments.parse_args()
binaries = os.path.abspath(options.bin)
if options.pictures:
    os.makedirs(options.pictures, exist_ok=True)
place = tempfile.mkdtemp(prefix="signalbox-console-bench-")
state = place + "/state"
# A private PostgreSQL refuses root; what it needs is readable for the other user.
user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
os.chmod(place, 0o777)
processes = []
figures = {}
bars = {}


def note(name, value, bar=None):
    figures[name] = round(value, 2) if isinstance(value, float) else value
    bars[name] = bar
    print(f"{name:58} {figures[name]:>12}  {bar or ''}", flush=True)


def start(name, words):
    log = open(f"{place}/{name}.log", "ab")
    copy = f"{place}/{name}"
    if not os.path.exists(copy):
        shutil.copy(f"{binaries}/{name}", copy)
    process = subprocess.Popen(user + [copy] + words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
    processes.append(process)
    for line in process.stdout:
        if line.startswith("ready "):
            return process, dict(word.split("=", 1) for word in line.split()[1:])
    raise SystemExit(f"{name} does not start: see {place}/{name}.log")


def sql(text):
    command = user + ["psql", database, "-v", "ON_ERROR_STOP=1", "-q", "-At"]
    result = subprocess.run(command, input=text, text=True, capture_output=True)
    if result.returncode:
        raise SystemExit(result.stderr)
    return result.stdout.strip()


def signalbox(*words):
    environment = dict(os.environ, SIGNALBOX_DATABASE_URL=database)
    copy = f"{place}/signalbox"
    if not os.path.exists(copy):
        shutil.copy(f"{binaries}/signalbox", copy)
    result = subprocess.run(user + [copy, *words], env=environment, text=True, capture_output=True)
    if result.returncode:
        raise SystemExit(f"signalbox {' '.join(words)}: {result.stderr}")
    return result.stdout.strip()


def hash_of(template):
    """As the collector stores it: FNV-1a, 64 bits, as a signed number."""
    value = 0xCBF29CE484222325
    for byte in template.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value - 2**64 if value >= 2**63 else value


def fill():
    words = [chr(97 + n) * 3 for n in range(26)]
    templates = [f"INFO - episode # of {word} finished after # steps, reward -#" for word in words]
    began = time.time()
    for day in range(2):
        for table in ["host_samples", "log_info", "training_steps"]:
            sql(f"select signalbox.ensure_partition('{table}', now() - {day} * interval '1 day')")
    sql(f"""
      insert into signalbox.hosts (host_id, name, gpu_count, gpu_model, os_name, labels)
        select gen_random_uuid(), 'node-' || lpad(i::text, 5, '0'), case when i % 5 = 0 then 4 else 0 end,
          case when i % 5 = 0 then 'NVIDIA H100 80GB HBM3' else '' end, 'Debian GNU/Linux 12',
          jsonb_build_object('rack', 'r' || lpad((i / 40)::text, 3, '0'), 'site', case when i % 2 = 0 then 'north' else 'south' end)
        from generate_series(1, {options.hosts}) i;
      insert into signalbox.epochs (host, epoch, connected, last_seen, latest_time, latest_cpu_busy_percent, latest_memory_used_percent,
          latest_disk_used_percent_max, latest_load1, latest_gpus_time, latest_gpu_readings, backlog_bytes)
        select h.number, 1, now(), now(), now(), 50, 40, 30, 3, case when h.gpu_count > 0 then now() end,
          case when h.gpu_count > 0 then array(
            select row(g, h.gpu_model, 'present', 90, 1e9, 8e10, 50, 400)::signalbox.gpu_reading from generate_series(0, 3) g) end, 0
        from signalbox.hosts h;
      insert into signalbox.runs (host, run, state, started, updated)
        select number, '/runs/' || number, 1, now(), now() from signalbox.hosts where number % 3 = 0;
      insert into signalbox.runs (host, run, state, started, updated, detail)
        select 1 + i % {options.hosts}, 'ppo-' || i, 2, now() - interval '2 days' - i * interval '1 min', now() - interval '1 day' - i * interval '1 min',
          jsonb_build_object('learning_rate', i % 97 / 1e5, 'gamma', 0.99, 'batch_size', i % 8 * 64, 'seed', i, 'network', 'mlp-256-256',
            'commit', md5(i::text), 'optimizer', 'adam', 'notes', 'baseline with clipped gradients and a longer warmup')
        from generate_series(1, 100000) i;
      insert into signalbox.incidents (rule, severity, host, host_name, identity, dedup_key, opened, detected, last_event, summary)
        select 'RES-01', i % 4, h.number, h.name, 'i' || i, 'd' || i, now(), now(), now(), 'something of ' || h.name
        from generate_series(1, 40) i join signalbox.hosts h on h.name = 'node-' || lpad((i * 100)::text, 5, '0');
      insert into signalbox.followed_files (host, key, path, first_seen, updated, device, inode, birth_ns, head_hash, head_length, generation, format)
        select number, gen_random_uuid(), '/srv/train/' || name || '.log', now(), now(), 0, 0, 0, 0, 0, 0, 0 from signalbox.hosts where number <= 200;
    """)
    sql(f"""
      insert into signalbox.host_samples (time, received, host, cpu_busy_percent, load1, memory_total_bytes, memory_available_bytes, disk_used_percent_max)
        select t, t, n, 50 + 40 * sin(n + extract(epoch from t) / 3600), 3, 5e11, 3e11, 30
        from generate_series(now() - interval '1 day', now(), interval '{options.spacing} s') t, generate_series(1, {options.hosts}) n;
      insert into signalbox.host_samples (time, received, host, cpu_busy_percent, load1, memory_total_bytes, memory_available_bytes, disk_used_percent_max)
        select t, t, n, 50, 3, 5e11, 3e11, 30
        from generate_series(now() - interval '1 hour', now(), interval '5 s') t, generate_series(1, 10) n;
      insert into signalbox.log_info (time, received, host, file_offset, file, level, flags, message, template)
        select t, t, f.host, i * 100, f.number, 2, 0, 'INFO - episode ' || i || ' of ' || (array{words})[1 + i % 26]
          || ' finished after 972 steps, reward -12.5137' || case when i % ({options.lines} / 3) = 7 then ' rare-word' else '' end,
          case when i % ({options.lines} / 3) <> 7 then (array{[hash_of(template) for template in templates]})[1 + i % 26] end
        from (select i, now() - interval '1 day' * (1 - i / {options.lines}::float8) as t from generate_series(1::bigint, {options.lines}) i) x
        join signalbox.followed_files f on f.host = 1 + x.i % 200;
      insert into signalbox.log_counts (time, host, file, level, lines, bytes)
        select date_trunc('hour', time), host, file, level, count(*), 0 from signalbox.log_info group by 1, 2, 3, 4;
    """)
    sql(f"""
      insert into signalbox.training_steps (time, received, host, run, episode, step, reward, action, price, portfolio_value, position)
        select now(), now(), r.host, r.number, 1, s, sin(s / 100.0) + r.number % 7, s % 3, 100 + s % 50, 10000 + s % 500, s % 3 - 1
        from (select * from signalbox.runs where run like 'ppo-%' order by number limit 20) r, generate_series(1, {options.steps}) s;
      insert into signalbox.episodes (run, episode, updated, state, started, steps, first_step, last_step, reward_count, reward_sum,
          value_count, return_count, trades_closed, trades_won, final_steps)
        select number, 1, updated, 1, started, {options.steps}, 1, {options.steps}, 1, number, 0, 0, 0, 0, 0
        from (select * from signalbox.runs where run like 'ppo-%' order by number limit 20) r;
    """)
    # An episode as a trading environment has them: 972 steps.
    sql(f"""
      insert into signalbox.runs (host, run, state, started, updated) values (1, 'trader', 2, now() - interval '1 h', now());
      insert into signalbox.training_steps (time, received, host, run, episode, step, reward, action, price, portfolio_value, position, balance)
        select now() - interval '1 s' * (972 - s), now(), 1, r.number, 1, s, sin(s / 30.0), s % 3, 100 + 20 * sin(s / 90.0), 10000 + 9 * s,
          s % 3 - 1, 5000 from signalbox.runs r, generate_series(1, 972) s where r.run = 'trader';
      insert into signalbox.episodes (run, episode, updated, state, started, steps, first_step, last_step, reward_count, reward_sum,
          value_count, return_count, trades_closed, trades_won, final_steps)
        select number, 1, updated, 1, started, 972, 1, 972, 972, 0, 0, 0, 0, 0, 0 from signalbox.runs where run = 'trader';
    """)
    sql("vacuum analyze")
    note("filling the database, s", time.time() - began)


def keep_alive():
    """The hosts report on; their agents are none of this bench."""
    while not stopped.wait(20):
        sql("update signalbox.epochs set last_seen = now(), latest_time = now()")


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def connection(source="127.0.0.1"):
    return http.client.HTTPSConnection(url.hostname, url.port, context=tls, timeout=60, source_address=(source, 0))


def ask(one, path, accept):
    one.request("GET", path, headers={"Authorization": f"Bearer {token}", "Accept": accept, "Accept-Encoding": "gzip"})
    answer = one.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {body[:300]}")
    return body, answer


def measure(name, path, accept="application/json", bar=None, count=None):
    one = connection()
    times = []
    for _ in range(5):
        body, answer = ask(one, path, accept)
    for _ in range(count or options.requests):
        began = time.perf_counter()
        body, answer = ask(one, path, accept)
        times.append((time.perf_counter() - began) * 1000)
        # Requests of people do not come without a pause.
        time.sleep(0.005)
    plain = gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
    note(f"{name}, p50 ms", percentile(times, 0.5))
    note(f"{name}, p99 ms", percentile(times, 0.99), bar)
    note(f"{name}, kB on the wire", len(body) / 1000)
    one.close()
    return plain


def queries():
    """People's SQL: until the first row of a large answer, and from a client's end to the statement's."""
    heads = {"Authorization": f"Bearer {token}", "Accept": "application/x-ndjson", "Content-Type": "application/json"}
    many = json.dumps({"sql": "select time, host, message from log_lines where time > now() - interval '6 hours'", "limit": "20000"})
    firsts, ends = [], []
    for _ in range(20):
        one = connection()
        one.connect()
        began = time.perf_counter()
        one.request("POST", "/api/v1/query", many, heads)
        answer = one.getresponse()
        answer.read(1)
        firsts.append((time.perf_counter() - began) * 1000)
        if answer.status != 200 or b'"end":true' not in answer.read():
            raise SystemExit(f"the query has no end: {answer.status}")
        one.close()
    endless = json.dumps({"sql": "select count(*) from generate_series(1, (select 100000000000))"})
    running = "select count(*) from pg_stat_activity where application_name = 'signalbox-query' and state = 'active'"
    watch = subprocess.Popen(user + ["psql", database, "-q", "-At"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def is_running():
        watch.stdin.write(running + ";\n")
        watch.stdin.flush()
        return int(watch.stdout.readline())

    for _ in range(10):
        one = connection()
        one.request("POST", "/api/v1/query", endless, heads)
        while not is_running():
            time.sleep(0.01)
        began = time.perf_counter()
        one.sock.close()
        while is_running():
            time.sleep(0.002)
        ends.append((time.perf_counter() - began) * 1000)
    watch.stdin.close()
    note("a query's first byte, p50 ms", percentile(firsts, 0.5))
    note("a query's first byte, highest ms", max(firsts), "≤ 100")
    note("from a client's end to its query's, highest ms", max(ends), "≤ 200")


def cpu(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1000


async def watch(number, tokens, seen, reads=True):
    """One live stream; `seen` gets its bytes and when each event came."""
    # So many connections of one address are not taken.
    source = f"127.0.0.{2 + number // 200}"
    reader, writer = await asyncio.open_connection(url.hostname, url.port, ssl=tls, server_hostname=url.hostname, local_addr=(source, 0))
    writer.write(f"GET /api/v1/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tokens[number // 32]}\r\n\r\n".encode())
    await writer.drain()
    if not reads:
        writer.transport.pause_reading()
        await asyncio.sleep(3600)
    try:
        while data := await reader.read(65536):
            seen["bytes"] += len(data)
            if b"event: " in data:
                seen["at"] = time.time()
                seen["last"] = data
                if seen.get("wanted") and seen["wanted"] in data:
                    seen["arrivals"].append(time.time())
    finally:
        writer.close()


async def live(console, tokens):
    seen = [{"bytes": 0, "arrivals": []} for _ in range(options.viewers)]
    tasks = [asyncio.create_task(watch(n, tokens, one)) for n, one in enumerate(seen)]
    while not all(one["bytes"] for one in seen):
        await asyncio.sleep(0.2)
    await asyncio.sleep(2)
    before = sum(one["bytes"] for one in seen)
    used, began = cpu(console.pid), time.time()
    await asyncio.sleep(20)
    span = time.time() - began
    note(f"{options.viewers} viewers of a quiet fleet, % of a core", 100 * (cpu(console.pid) - used) / span, "≤ 10")
    note("bytes a second a viewer", (sum(one["bytes"] for one in seen) - before) / span / len(seen), "≤ 1000")
    delays = []
    for n in range(20):
        for one in seen:
            one["wanted"], one["arrivals"] = b'"incidents"', []
        await asyncio.to_thread(
            sql, "update signalbox.incidents set state = case state when 'open' then 'acked' else 'open' end, change_number = change_number + 1 where number = 1")
        committed = time.time()
        while not all(one["arrivals"] for one in seen):
            await asyncio.sleep(0.01)
        delays += [max(0, one["arrivals"][0] - committed) for one in seen]
        # At any moment between two frames.
        await asyncio.sleep(random.uniform(0, 1.8))
    note("from the commit to a viewer, p50 ms", 1000 * percentile(delays, 0.5))
    note("from the commit to a viewer, p99 ms", 1000 * percentile(delays, 0.99), "≤ 1000")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def crowd(console, tokens):
    await asyncio.sleep(3)
    before = resident(console.pid)
    seen = [{"bytes": 0, "arrivals": []} for _ in range(1000)]
    tasks = [asyncio.create_task(watch(n, tokens, one)) for n, one in enumerate(seen)]
    tasks += [asyncio.create_task(watch(1000 + n, tokens, {"bytes": 0}, reads=False)) for n in range(100)]
    while not all(one["bytes"] for one in seen):
        await asyncio.sleep(0.2)
    note("1 000 streams and 100 that never read: MB more", resident(console.pid) - before)
    for n in range(60):
        await asyncio.to_thread(
            sql, f"update signalbox.epochs set last_seen = case when last_seen < now() - interval '70 s' then now() else now() - interval '100 s' end "
            f"where host % 50 = {n % 50}")
        await asyncio.sleep(0.8)
    note("the same after a minute of changes, MB more", resident(console.pid) - before, "≤ 150")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    sql("update signalbox.epochs set last_seen = now()")


# A browser that has logged in by the link that is its first argument.
BROWSER_START = """
import json, sys, time
from selenium import webdriver
from selenium.webdriver.common.by import By
link = sys.argv[1]
options = webdriver.ChromeOptions()
options.binary_location = "/usr/bin/chromium"
for word in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--ignore-certificate-errors", "--window-size=1440,900"]:
    options.add_argument(word)
driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path="/usr/bin/chromedriver"))
driver.get(link)
driver.find_element(By.CSS_SELECTOR, "button.main").click()
time.sleep(1)
driver.execute_cdp_cmd("Performance.enable", {})
base = link.split("/login/")[0]
"""

BROWSER = BROWSER_START + """
pictures, pages = sys.argv[2], sys.argv[3:]
for path in pages:
    driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    driver.get(base + path if path.startswith("/") else path)
    time.sleep(4)
    if not path.startswith("/"):
        for _ in range(60):
            if len(driver.find_elements(By.CSS_SELECTOR, ".js-plotly-plot .main-svg")) >= 3:
                break
            time.sleep(0.5)
        else:
            sys.exit("Streamlit draws no charts")
    figures = driver.execute_script('''const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
      return {bytes: all.reduce((n, e) => n + e.transferSize, 0), requests: all.length, nodes: document.querySelectorAll('*').length,
        paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime, drawn: !!document.querySelector('canvas.drawn')}''')
    driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    metrics = {m["name"]: m["value"] for m in driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]}
    figures["heap"] = metrics["JSHeapUsedSize"]
    print(json.dumps(figures), flush=True)
    if not path.startswith("/") or not pictures:
        continue
    for width in [1440, 768, 360]:
        for scheme in ["light", "dark"]:
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == 360}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            time.sleep(0.5)
            size["height"] = min(6000, driver.execute_script("return document.documentElement.scrollHeight"))
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            time.sleep(0.5)
            name = path.split("?")[0].strip("/").replace("/", "-") or "fleet"
            driver.save_screenshot(f"{pictures}/{name}-{width}-{scheme}.png")
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
driver.quit()
"""

TAIL = BROWSER_START + """
minutes = int(sys.argv[2])
driver.get(base + "/logs")
driver.find_element(By.CSS_SELECTOR, "p.tail button").click()
for minute in range(minutes):
    for _ in range(12):
        time.sleep(5)
        metrics = {m["name"]: m["value"] for m in driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]}
        rows, state = driver.execute_script("return [document.querySelectorAll('tbody tr').length, document.querySelector('p.tail output').textContent]")
        print(json.dumps({"heap": metrics["JSHeapUsedSize"], "nodes": metrics["Nodes"], "rows": rows, "state": state}), flush=True)
driver.quit()
"""

STREAMLIT = """
import pandas, plotly.express as chart, streamlit as page
rows = pandas.read_csv("steps.csv")
page.title("Episode 1")
page.plotly_chart(chart.line(rows, x="step", y="price"))
page.plotly_chart(chart.line(rows, x="step", y="portfolio_value"))
page.plotly_chart(chart.bar(rows, x="step", y="reward"))
"""


def in_chromium(pages, pictures=""):
    """What Chromium measures of each page, in order; nothing where it has no driver. `pictures`: a folder for them."""
    python = os.environ.get("SIGNALBOX_PYTHON", ".build/venv/bin/python")
    if subprocess.run([python, "-c", "import selenium"], capture_output=True).returncode:
        print("no selenium: Chromium is left out")
        return None
    link = signalbox("console", "link", "--for", "bench", "--role", "viewer")
    result = subprocess.run([python, "-c", BROWSER, link, pictures] + pages, text=True, capture_output=True)
    if result.returncode:
        raise SystemExit(result.stderr)
    return [json.loads(line) for line in result.stdout.splitlines()]


def browse(first):
    pages = ["/", "/hosts/node-00001", "/incidents", "/runs", f"/runs/{first}", f"/runs/{first}/episodes/1", "/logs?q=rare-word&since=1d",
             f"/compare?runs={first},{first + 1}&metric=reward", "/oncall", "/silences", "/models", "/query"]
    for path, one in zip(pages, in_chromium(pages, options.pictures) or []):
        name = path.split("?")[0].replace(str(first), "N")
        note(f"{name}: kB in Chromium", one["bytes"] / 1000, "≤ 100")
        note(f"{name}: requests", one["requests"], "≤ 12")
        note(f"{name}: elements", one["nodes"], "≤ 1500")
        note(f"{name}: heap MB", one["heap"] / 1e6, "≤ 10")
        note(f"{name}: first paint ms", one["paint"] or -1.0)
        if path == "/" and not one["drawn"]:
            raise SystemExit("the map is not drawn")


def tail():
    """200 new lines a second, and what the page that follows them holds."""
    ended = threading.Event()

    def write():
        number = 0
        while not ended.wait(0.5):
            sql(f"""insert into signalbox.log_info (time, received, host, file_offset, file, level, flags, message)
              select now(), now(), host, {10**9} + {number} + i, number, 2, 0, 'INFO - step ' || {number} + i || ' loss=0.0312 lr=3e-4'
              from signalbox.followed_files, generate_series(1, 100) i where host = 1""")
            number += 100

    python = os.environ.get("SIGNALBOX_PYTHON", ".build/venv/bin/python")
    link = signalbox("console", "link", "--for", "bench-tail", "--role", "viewer")
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    result = subprocess.run([python, "-c", TAIL, link, str(options.tail)], text=True, capture_output=True)
    ended.set()
    writer.join()
    if result.returncode:
        raise SystemExit(result.stderr)
    seen = [json.loads(line) for line in result.stdout.splitlines()]
    note(f"{options.tail} min of following lines: highest heap, MB", max(one["heap"] for one in seen) / 1e6, "≤ 50")
    note("its heap at the end, MB", seen[-1]["heap"] / 1e6)
    note("its lines at the end", seen[-1]["rows"])
    print(seen[-1]["state"])


def beside_streamlit():
    python = os.environ.get("SIGNALBOX_STREAMLIT")
    if not python:
        print("SIGNALBOX_STREAMLIT is not set: the comparison is left out")
        return
    run = sql("select number from signalbox.runs where run = 'trader'")
    with open(f"{place}/steps.csv", "w") as file:
        file.write("step,price,portfolio_value,reward\n" + sql(
            f"select step || ',' || price || ',' || portfolio_value || ',' || reward from signalbox.training_steps where run = {run} order by step"))
    with open(f"{place}/page.py", "w") as file:
        file.write(STREAMLIT)
    port = url.port + 1
    server = subprocess.Popen(
        [python, "-m", "streamlit", "run", "page.py", "--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true",
         "--browser.gatherUsageStats", "false"], cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    processes.append(server)
    for _ in range(120):
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=1).request("GET", "/")
            break
        except OSError:
            time.sleep(0.5)
    measured = in_chromium([f"/runs/{run}/episodes/1", f"http://127.0.0.1:{port}/"] * 6) or []
    if not measured:
        return
    # The first of each warms the programs.
    ours, theirs = measured[2::2], measured[3::2]
    for name, ones in [("episode of 972 steps", ours), ("the same in Streamlit", theirs)]:
        note(f"{name}: kB in Chromium", ones[0]["bytes"] / 1000, "≤ 150" if ones is ours else None)
        note(f"{name}: requests", ones[0]["requests"])
        note(f"{name}: heap MB", ones[0]["heap"] / 1e6)
        note(f"{name}: first paint ms, p50", percentile([one["paint"] for one in ones], 0.5))
    ratios = [our["paint"] / their["paint"] for our, their in zip(ours, theirs)]
    note("our first paint / Streamlit's, p50", percentile(ratios, 0.5), "≤ 0.3")


stopped = threading.Event()
try:
    collector, ready = start("signalbox-collector", ["--state-dir", state, "--listen", "127.0.0.1:0"])
    database = ready["database"]
    print(f"{os.cpu_count()} cores; {options.hosts} hosts, a sample each {options.spacing} s of a day, {options.lines} log lines; {options.bin}")
    fill()
    threading.Thread(target=keep_alive, daemon=True).start()
    began = time.time()
    # The collector's housekeeping folds the steps of long episodes.
    while sql("select count(*) from signalbox.episodes where rolled_up") != "21":
        if time.time() - began > 900:
            raise SystemExit("the steps of ended episodes are not folded: see the collector's log")
        time.sleep(5)
    # The library of the charts is looked for beside the program.
    if os.path.exists(".build/console-assets"):
        shutil.copytree(".build/console-assets", f"{place}/console-assets")
    console, ready = start("signalbox-console", ["--state-dir", state, "--database", database, "--listen", "127.0.0.1:0"])
    url = urllib.parse.urlparse(ready["url"])
    tls = ssl.create_default_context(cafile=state + "/ca/root.pem")
    token = signalbox("tokens", "create", "bench", "--role", "viewer")
    first = int(sql("select min(number) from signalbox.runs where run like 'ppo-%'"))
    if options.only != "browser":
        measure("fleet page", "/", "text/html", "≤ 100")
        measure("/api/v1/hosts", "/api/v1/hosts", bar="≤ 100")
        measure("host page", "/hosts/node-00001", "text/html", "≤ 200")
        measure("runs page", "/runs", "text/html", "≤ 100")
        measure("runs by a word that none has, of 100 000", "/api/v1/runs?q=no-such-word", bar="≤ 100", count=50)
        measure("runs by a parameter, of 100 000", "/api/v1/runs?q=warmup", bar="≤ 100", count=50)
        twenty = ",".join(str(first + n) for n in range(20))
        measure(f"20 runs of {options.steps} steps compared", f"/api/v1/compare?runs={twenty}&metric=reward&align=relative", bar="≤ 500", count=10)
        measure(f"an episode of {options.steps} steps, page", f"/runs/{first}/episodes/1?step=500", "text/html", count=10)
        measure("names and groups of the map", "/api/v1/live/map?by=rack", count=100)
        measure("log search over a day, a rare word", "/api/v1/logs?q=rare-word&since=1d", bar="≤ 1000", count=20)
        measure("log search over a day, a common word", "/api/v1/logs?q=episode&since=1d", bar="≤ 1000", count=20)
        measure("log lines of a day by time and level", "/api/v1/logs/counts?since=1d", bar="≤ 1000", count=20)
        measure(f"templates of {options.lines} lines", "/api/v1/logs/templates?since=25h", bar="≤ 1000", count=10)
        measure("logs page", "/logs", "text/html", bar="≤ 1000", count=20)
        queries()
        tokens = [signalbox("tokens", "create", f"viewer-{n}", "--role", "viewer") for n in range(35)]
        asyncio.run(live(console, tokens))
        asyncio.run(crowd(console, tokens))
        note("the console's memory after all that, MB", resident(console.pid))
    if options.only != "requests":
        browse(first)
        beside_streamlit()
        if options.tail:
            tail()
    with open(".build/console-bench.json", "w") as file:
        json.dump(figures, file, indent=1)
finally:
    stopped.set()
    for process in reversed(processes):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
    shutil.rmtree(place, ignore_errors=True)
