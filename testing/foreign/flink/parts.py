"""What all three need: Flink's jars, a cluster of ours, and questions to either."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def load(path):
    """A module of a script without an ending."""
    loader = importlib.machinery.SourceFileLoader("foreign_flink", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("foreign_flink", loader))
    loader.exec_module(module)
    return module


# It fetches Flink's jars, starts processes, and waits for things.
foreign = load(ROOT / "testing" / "zookeeper" / "foreign" / "flink" / "run")

# Keeps what it knows, and goes on for most of an hour.
COUNTING = """\
name = "counting"
tasks = 2
artifact = "{artifact}"
command = ["python3", "{{artifact}}", "--directory", "{place}/count", "--records", "60000", "--rate", "10"]
fenced = true

[checkpoints]
interval = "500ms"
"""


class Setting:
    """Where and with what this run works."""

    def __init__(self, flags, place, processes):
        self.flags, self.place, self.processes = flags, place, processes
        self.version = flags.version
        self.jars = foreign.flink(flags.version)
        (place / "tmp").mkdir()
        (place / "log4j.properties").write_text(foreign.LOGGING)

    def java(self, megabytes=320):
        return ["java", f"-Xmx{megabytes}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *foreign.OPENED,
                f"-Dlog4j.configurationFile=file:{self.place}/log4j.properties", f"-Djava.io.tmpdir={self.place}/tmp",
                "-cp", ":".join(str(jar) for jar in self.jars)]

    def page(self):
        """The files of the dashboard, out of the jar that Flink itself serves them from."""
        into = self.place / "page"
        for jar in self.jars:
            with zipfile.ZipFile(jar) as archive:
                names = [name for name in archive.namelist() if name.startswith("web/") and not name.endswith("/")]
                if "web/index.html" in names:
                    archive.extractall(into, names)
                    return into / "web"
        sys.exit("no jar of this Flink has the dashboard")


def guarded(setting):
    """The address of a cluster that asks for a token."""
    token = setting.place / "token"
    token.write_text("0123456789abcdef0123456789abcdef")
    up = setting.processes.start("guarded", [setting.processes._binary(setting.flags), "up", "--listen", "127.0.0.1:0", "--dir",
                                             str(setting.place / "guarded-cluster"), "--token-file", str(token)])
    return foreign.eventually("it answers", lambda: re.search(r"http://(127\.0\.0\.1:\d+)", foreign.text(up)), up)[1]


class Ours:
    """A cluster of Incumbent: two JobManagers, two TaskManagers, and a front, each on a port of its own."""

    def __init__(self, setting):
        self._place = setting.place
        self._binary = setting.processes._binary(setting.flags)
        self.up = setting.processes.start("up", [self._binary, "up", "--listen", "127.0.0.1:0", "--dir",
                                                 str(setting.place / "cluster"), "--slots", "4"])
        found = foreign.eventually("the cluster answers", lambda: re.search(r"http://(127\.0\.0\.1:\d+)", foreign.text(self.up)), self.up)
        self.front = found[1]
        foreign.eventually("both TaskManagers are there", lambda: self.ask("/taskmanagers").get("taskmanagers", [])[1:], self.up)

    def ask(self, path):
        return answer("GET", self.front, path)[1] or {}

    def nodes(self):
        """The addresses of all nodes that live, the front first."""
        nodes = self.ask("/v1/cluster")["nodes"]
        return [self.front, *(node["address"] for node in nodes if node["state"] == "live")]

    def kill_leader(self):
        """kill -9 of the JobManager that leads. Returns its process id."""
        leader = self.ask("/v1/cluster")["leader"]
        os.kill(leader["pid"], signal.SIGKILL)
        return leader["pid"]

    def run(self, *arguments):
        command = [self._binary, "job", "run", "--cluster", f"http://{self.front}", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self._place)

    def count(self):
        """Starts a job that checkpoints. Returns its id."""
        file = self._place / "counting.toml"
        artifact = ROOT / "examples" / "jobs" / "counter"
        file.write_text(COUNTING.format(artifact=artifact, place=self._place))
        self.run(str(file))
        job = self.job("counting")
        foreign.eventually("it has checkpoints", lambda: (self.ask(f"/jobs/{job}/checkpoints").get("latest") or {}).get("completed"))
        return job

    def sleep(self, name):
        """Starts a job that makes no checkpoints. Returns its id."""
        self.run("--name", name, "--tasks", "2", "--", "sh", "-c", "echo hello; while :; do sleep 1; done")
        return self.job(name)

    def job(self, name):
        def running():
            jobs = self.ask("/jobs/overview").get("jobs", [])
            return next((job["jid"] for job in jobs if job["name"] == name and job["state"] == "RUNNING"), None)
        return foreign.eventually(f"{name} runs", running, self.up)


def answer(method, address, path, body=None, headers=None):
    """The status and the JSON of an answer; 0 and nothing if there was none."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Accept": "*/*", **(headers or {})} if body is not None else headers or {}
    request = urllib.request.Request(f"http://{address}{path}", data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, parsed(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, parsed(error.read())
    except (OSError, ValueError):
        return 0, None


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def claim(what, holds, shown=""):
    if not holds:
        sys.exit(f"not so: {what}\n{shown}")
    print(f"  {what}", flush=True)
