"""A real collector with its private database, and agents in namespaces of processes of their own."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# The private PostgreSQL refuses root.
USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
NAMES = ("signalbox", "signalbox-agent", "signalbox-collector")


class Fleet:
    """One collector, and what the command line answers of it."""

    def __init__(self, directory, binaries, rules):
        self.directory = pathlib.Path(directory)
        os.chmod(self.directory, 0o755)
        self.bin = self.directory / "bin"
        self.bin.mkdir()
        for name in NAMES:
            shutil.copy(pathlib.Path(binaries) / name, self.bin / name)
        # In memory where there is room: a disk that all share makes commits wait, and that is not what is measured.
        memory = "/dev/shm" if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 4 << 30 else None
        centre = self.centre = pathlib.Path(tempfile.mkdtemp(prefix="signalbox-diagnose-", dir=memory))
        os.chown(centre, 65534, 65534)
        # Contexts and a configuration of whoever runs this have no part in it.
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("SIGNALBOX_")}
        self.environment |= {"SIGNALBOX_RULES": str(rules), "HOME": str(centre)}
        self.collector = subprocess.Popen(
            USER + [self.bin / "signalbox-collector", "--state-dir", centre, "--listen", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=open(self.directory / "collector.log", "w"),
            text=True,
            env=self.environment,
            start_new_session=True,
        )
        self.database = ""
        for line in self.collector.stdout:
            if line.startswith("ready "):
                self.database = dict(word.split("=", 1) for word in line.split()[1:])["database"]
                break
        if not self.database:
            self.collector.wait(60)
            shutil.rmtree(centre, ignore_errors=True)
            raise SystemExit("the collector does not start: " + (self.directory / "collector.log").read_text()[-600:])
        threading.Thread(target=self.collector.stdout.read, daemon=True).start()
        self.incidents, self.asked = [], 0.0
        self.is_over = threading.Event()
        self.asker = threading.Thread(target=self._ask, daemon=True)
        self.asker.start()

    def ask(self, *words, timeout=120):
        environment = {**self.environment, "SIGNALBOX_DATABASE_URL": self.database}
        result = subprocess.run(
            USER + [self.bin / "signalbox", *words], capture_output=True, text=True, timeout=timeout, env=environment
        )
        if result.returncode not in (0, 3):
            raise RuntimeError(f"signalbox {' '.join(map(str, words))}: {result.stderr.strip()[-400:]}")
        return result.stdout

    def json(self, *words):
        return json.loads(self.ask(*words, "--format", "json") or "[]")

    def _ask(self):
        """One question for all cases, again and again: a process for each case and second would be the machine's load."""
        while not self.is_over.wait(1.5):
            began = time.time()
            try:
                incidents = self.json("incidents", "list", "--state", "all", "--since", "10m", "--limit", "10000")
            except (RuntimeError, subprocess.TimeoutExpired, ValueError) as error:
                print(f"the list of incidents could not be asked for: {error}", flush=True)
                continue
            self.incidents, self.asked = incidents, began

    def of_host(self, host):
        return [row for row in self.incidents if row.get("host") == host]

    def close(self):
        self.is_over.set()
        self.asker.join(30)
        if self.collector.poll() is None:
            self.collector.send_signal(signal.SIGTERM)
            try:
                self.collector.wait(60)
            except subprocess.TimeoutExpired:
                self.collector.kill()
        shutil.rmtree(self.centre, ignore_errors=True)


class Host:
    """An agent and the program that it watches, which see no process but their own.

    The kernel's log is one for the whole machine: it is covered, unless the case is about it and runs alone.
    """

    def __init__(self, fleet, name, case, python, path, directory=None):
        """fleet: nil where the program is to run alone, below `directory`."""
        self.fleet, self.name = fleet, name
        self.directory = (directory or fleet.directory / "hosts") / name
        self.work = self.directory / "work"
        (self.work / "logs").mkdir(parents=True)
        for path_of in (self.directory, self.work, self.work / "logs"):
            os.chmod(path_of, 0o777)
        program = self.directory / f"train.{case.language}"
        program.write_text(case.program)
        for file, text in case.files.items():
            (self.work / file).parent.mkdir(parents=True, exist_ok=True)
            (self.work / file).write_text(text)
        start = (
            case.start.replace("{python}", str(python))
            .replace("{program}", str(program))
            .replace("{work}", str(self.work))
        )
        (self.directory / "start.sh").write_text(start + "\n")
        before, after = self._agent(case) if fleet else ("", "")
        script = f"""{before}cd {self.work} && bash {self.directory}/start.sh > {self.directory}/terminal 2>&1
echo "$? $(date +%s.%N)" > {self.directory}/ended.new && mv {self.directory}/ended.new {self.directory}/ended
{after}"""
        environment = {key: os.environ[key] for key in ("LANG", "LC_ALL", "TZ") if key in os.environ}
        environment |= {
            "HOME": str(self.work),
            "PATH": f"{pathlib.Path(python).parent}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": path,
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "TOKENIZERS_PARALLELISM": "false",
            "TMPDIR": str(self.work),
        }
        # A signal that whoever started the corpus ignores would be ignored by its programs as well.
        self.process = subprocess.Popen(
            [
                "env",
                "--default-signal",
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "bash",
                "-c",
                script,
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=open(self.directory / "shell.log", "w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _agent(self, case):
        """Joins the fleet. Returns the shell's lines that start the agent and, behind the program, wait for it."""
        state, agent = self.directory / "state", self.fleet.bin / "signalbox-agent"
        token = self.fleet.ask("hosts", "invite", self.name).strip()
        subprocess.run(
            [agent, "join", "-", "--state-dir", state],
            input=token,
            text=True,
            check=True,
            capture_output=True,
            timeout=60,
        )
        cover = "" if case.alone else "mount --bind /dev/null /dev/kmsg\n"
        return (
            f"""{cover}{agent} run --state-dir {state} --follow '{self.work}/logs/**' --interval 1s > {self.directory}/agent.log 2>&1 &
agent=$!
sleep 2
""",
            "wait $agent\n",
        )

    def ended(self):
        """Exit code and time of the program's end, or nil."""
        try:
            code, at = (self.directory / "ended").read_text().split()
            return int(code), float(at)
        except FileNotFoundError:
            return None

    def close(self):
        """Ends the agent, and takes the host out of the fleet so that its silence is no incident of another case."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(30)
        try:
            self.fleet.ask("hosts", "remove", self.name)
        except RuntimeError as error:
            print(f"{self.name}: {error}", flush=True)
