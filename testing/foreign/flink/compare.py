"""The same requests to a real Flink and to a cluster of ours, compared field by field: status, names and types."""

import json
import os
import re
import signal
import time

import parts
from parts import claim, foreign

TESTS = parts.ROOT / "crates" / "cluster" / "flink-rest" / "tests" / "flink"

CONFIG = """\
execution.checkpointing.dir: file://{place}/checkpoints
execution.checkpointing.savepoint-dir: file://{place}/savepoints
state.savepoints.dir: file://{place}/savepoints
execution.checkpointing.interval: 500ms
execution.target: remote
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 1000
restart-strategy.fixed-delay.delay: 0s
heartbeat.timeout: 5000
heartbeat.interval: 1000
parallelism.default: 2
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: {rpc}
jobmanager.bind-host: 127.0.0.1
rest.address: 127.0.0.1
rest.port: {rest}
rest.bind-address: 127.0.0.1
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: 2
taskmanager.cpu.cores: 2.0
taskmanager.memory.task.heap.size: 96m
taskmanager.memory.task.off-heap.size: 0m
taskmanager.memory.network.min: 16m
taskmanager.memory.network.max: 16m
taskmanager.memory.managed.size: 16m
taskmanager.memory.framework.heap.size: 64m
taskmanager.memory.framework.off-heap.size: 64m
taskmanager.memory.jvm-metaspace.size: 128m
taskmanager.memory.jvm-overhead.min: 64m
taskmanager.memory.jvm-overhead.max: 64m
io.tmp.dirs: {place}/tmp
web.refresh-interval: 50
rest.cache.checkpoint-statistics.timeout: 50 ms
"""

VERTEX = "/jobs/{job}/vertices/{vertex}"

# By name: the method, the path, and the body. What begins with `bad` is refused by both.
REQUESTS = {
    "config": ("GET", "/config"),
    "overview": ("GET", "/overview"),
    "applications": ("GET", "/applications/overview"),
    "application": ("GET", "/applications/{application}"),
    "application-exceptions": ("GET", "/applications/{application}/exceptions"),
    "application-config": ("GET", "/applications/{application}/jobmanager/config"),
    "jobs": ("GET", "/jobs"),
    "jobs-overview": ("GET", "/jobs/overview"),
    "jobs-overview-versioned": ("GET", "/v1/jobs/overview"),
    "jobs-metrics": ("GET", "/jobs/metrics?get=numRestarts"),
    "job": ("GET", "/jobs/{job}"),
    "job-status": ("GET", "/jobs/{job}/status"),
    "job-result": ("GET", "/jobs/{job}/execution-result"),
    "job-plan": ("GET", "/jobs/{job}/plan"),
    "job-config": ("GET", "/jobs/{job}/config"),
    "job-jobmanager-config": ("GET", "/jobs/{job}/jobmanager/config"),
    "job-jobmanager-environment": ("GET", "/jobs/{job}/jobmanager/environment"),
    "job-log-url": ("GET", "/jobs/{job}/jobmanager/log-url"),
    "job-exceptions": ("GET", "/jobs/{job}/exceptions"),
    "job-accumulators": ("GET", "/jobs/{job}/accumulators"),
    "job-metrics": ("GET", "/jobs/{job}/metrics?get=numRestarts,lastCheckpointSize,nothing"),
    "job-metric-names": ("GET", "/jobs/{job}/metrics"),
    "job-resources": ("GET", "/jobs/{job}/resource-requirements"),
    "checkpoints": ("GET", "/jobs/{job}/checkpoints"),
    "checkpoints-config": ("GET", "/jobs/{job}/checkpoints/config"),
    "checkpoint": ("GET", "/jobs/{job}/checkpoints/details/{checkpoint}"),
    "checkpoint-subtasks": ("GET", "/jobs/{job}/checkpoints/details/{checkpoint}/subtasks/{vertex}"),
    "savepoint-begun": ("POST", "/jobs/{job}/savepoints", {}),
    "savepoint-status": ("GET", "/jobs/{job}/savepoints/{trigger}"),
    "disposal-begun": ("POST", "/savepoint-disposal", {"savepoint-path": "{savepoint}"}),
    "disposal-status": ("GET", "/savepoint-disposal/{disposal}"),
    "checkpoint-begun": ("POST", "/jobs/{job}/checkpoints", {}),
    "vertex": ("GET", VERTEX),
    "vertex-times": ("GET", f"{VERTEX}/subtasktimes"),
    "vertex-taskmanagers": ("GET", f"{VERTEX}/taskmanagers"),
    "vertex-accumulators": ("GET", f"{VERTEX}/accumulators"),
    "vertex-backpressure": ("GET", f"{VERTEX}/backpressure"),
    "vertex-watermarks": ("GET", f"{VERTEX}/watermarks"),
    "vertex-flamegraph": ("GET", f"{VERTEX}/flamegraph"),
    "vertex-metric-names": ("GET", f"{VERTEX}/metrics"),
    "subtask": ("GET", f"{VERTEX}/subtasks/0"),
    "subtask-attempt": ("GET", f"{VERTEX}/subtasks/0/attempts/{{attempt}}"),
    "subtask-attempt-accumulators": ("GET", f"{VERTEX}/subtasks/0/attempts/{{attempt}}/accumulators"),
    "subtask-metric-names": ("GET", f"{VERTEX}/subtasks/0/metrics"),
    "subtasks-accumulators": ("GET", f"{VERTEX}/subtasks/accumulators"),
    "subtasks-metric-names": ("GET", f"{VERTEX}/subtasks/metrics"),
    "taskmanagers": ("GET", "/taskmanagers"),
    "taskmanager": ("GET", "/taskmanagers/{manager}"),
    "taskmanager-logs": ("GET", "/taskmanagers/{manager}/logs"),
    "taskmanager-metric-names": ("GET", "/taskmanagers/{manager}/metrics"),
    "taskmanager-threads": ("GET", "/taskmanagers/{manager}/thread-dump"),
    "taskmanagers-metric-names": ("GET", "/taskmanagers/metrics"),
    "jobmanager-config": ("GET", "/jobmanager/config"),
    "jobmanager-environment": ("GET", "/jobmanager/environment"),
    "jobmanager-metric-names": ("GET", "/jobmanager/metrics"),
    "jobmanager-logs": ("GET", "/jobmanager/logs"),
    "jobmanager-threads": ("GET", "/jobmanager/thread-dump"),
    "jars": ("GET", "/jars"),
    "datasets": ("GET", "/datasets"),
    "bad-application": ("GET", "/applications/ffffffffffffffffffffffffffffffff"),
    "bad-application-id": ("GET", "/applications/x"),
    "bad-application-to-cancel": ("POST", "/applications/ffffffffffffffffffffffffffffffff/cancel"),
    "bad-rescales": ("GET", "/jobs/{job}/rescales/overview"),
    "bad-path": ("GET", "/no/such/path"),
    "bad-path-of-job": ("GET", "/jobs/{job}/nothing"),
    "bad-method": ("DELETE", "/jobs/{job}"),
    "bad-method-of-overview": ("POST", "/overview", {}),
    "bad-job": ("GET", "/jobs/ffffffffffffffffffffffffffffffff"),
    "bad-job-id": ("GET", "/jobs/x"),
    "bad-job-status": ("GET", "/jobs/ffffffffffffffffffffffffffffffff/status"),
    "bad-job-to-cancel": ("PATCH", "/jobs/ffffffffffffffffffffffffffffffff?mode=cancel"),
    "bad-mode": ("PATCH", "/jobs/{job}?mode=stop"),
    "bad-unknown-mode": ("PATCH", "/jobs/{job}?mode=frobnicate"),
    "bad-vertex": ("GET", "/jobs/{job}/vertices/ffffffffffffffffffffffffffffffff"),
    "bad-vertex-id": ("GET", "/jobs/{job}/vertices/x"),
    "bad-subtask": ("GET", f"{VERTEX}/subtasks/999"),
    "bad-checkpoint": ("GET", "/jobs/{job}/checkpoints/details/999999999"),
    "bad-checkpoint-id": ("GET", "/jobs/{job}/checkpoints/details/x"),
    "bad-trigger": ("GET", "/jobs/{job}/savepoints/ffffffffffffffffffffffffffffffff"),
    "bad-trigger-id": ("GET", "/jobs/{job}/savepoints/x"),
    "bad-savepoint-of-no-job": ("POST", "/jobs/ffffffffffffffffffffffffffffffff/savepoints", {}),
    "bad-stop-body": ("POST", "/jobs/{job}/stop", b"{"),
    "bad-taskmanager": ("GET", "/taskmanagers/nobody"),
    "bad-jar": ("POST", "/jars/nothing/run", {}),
    "bad-jar-to-delete": ("DELETE", "/jars/nothing"),
    "cancel": ("PATCH", "/jobs/{job}?mode=cancel"),
    "result-of-canceled": ("GET", "/jobs/{job}/execution-result"),
    "cancel-again": ("PATCH", "/jobs/{job}?mode=cancel"),
}


def check(setting):
    theirs = of_flink(setting)
    if setting.flags.record:
        TESTS.mkdir(parents=True, exist_ok=True)
        file = TESTS / f"{setting.version}.json"
        file.write_text(json.dumps(theirs, indent=1, sort_keys=True) + "\n")
        print(f"  wrote {file}")
    ours = of_ours(setting)
    (setting.place / "theirs.json").write_text(json.dumps(theirs, indent=1, sort_keys=True))
    (setting.place / "ours.json").write_text(json.dumps(ours, indent=1, sort_keys=True))
    found = set()
    for name in REQUESTS:
        found |= {f"{name} {line}" for line in differences(theirs[name], ours[name])}
    told = listed(setting.version)
    new, old = sorted(found - told), sorted(told - found)
    claim(f"{len(REQUESTS)} requests: nothing differs but what {len(told)} lines of differs.txt say", not new,
          "not in differs.txt:\n" + "\n".join(new))
    claim("every line of differs.txt is true", not old, "no such difference:\n" + "\n".join(old))


def listed(version):
    """What differs.txt says of this version. A line may name one version, by its beginning."""
    told = set()
    for line in (TESTS / "differs.txt").read_text().splitlines():
        words = line.split("#")[0].split()
        if words and words[0].rstrip("*").replace(".", "").isdigit():
            if not version.startswith(words.pop(0).rstrip("*")):
                continue
        if words:
            told.add(" ".join(words))
    return told


def differences(theirs, ours):
    if theirs["status"] != ours["status"]:
        yield f"status {theirs['status']} {ours['status']}"
    if (theirs["status"] < 400) == (ours["status"] < 400):
        yield from walked("", theirs["body"], ours["body"])


def walked(path, theirs, ours):
    if theirs is None or ours is None:
        return
    kinds = kind(theirs), kind(ours)
    if kinds[0] != kinds[1]:
        yield f"{path or '.'} {kinds[0]} {kinds[1]}"
    elif kinds[0] == "object" and not path.endswith(".user-config"):  # what is in there is the user's
        theirs, ours = named(theirs), named(ours)
        for name in sorted({*theirs, *ours}):
            if name not in ours:
                yield f"{path}.{name} missing"
            elif name not in theirs:
                yield f"{path}.{name} extra"
            else:
                yield from walked(f"{path}.{name}", theirs[name], ours[name])
    elif kinds[0] == "array" and theirs and ours:
        yield from walked(f"{path}[]", merged(theirs), merged(ours))


def named(fields):
    """The same, with one name for all ids."""
    return {"*" if re.fullmatch(r"\{.*|[0-9a-f]{32}", name) else name: value for name, value in fields.items()}


def merged(elements):
    """One element that has what any of them has."""
    if not all(isinstance(one, dict) for one in elements):
        return elements[0]
    whole = {}
    for one in elements:
        for name, value in one.items():
            if whole.get(name) is None:
                whole[name] = value
    return whole


def kind(value):
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    # What Flink says of a number that is none.
    return "number" if value == "NaN" else names[type(value)]


def of_flink(setting):
    flink = Flink(setting)
    savepoint = (setting.place / "savepoints").resolve()
    return asked(flink.address, flink.job, {str(savepoint): "/savepoints", str(setting.place): "/place", str(foreign.TARGET): "/target"})


def of_ours(setting):
    ours = parts.Ours(setting)
    job = ours.count()
    # One of its tasks dies, so there is a failure to show.
    attempt = ours.ask(f"/v1/jobs/{job}")["attempt"]
    os.kill(ours.ask(f"/v1/jobs/{job}")["tasks"][0]["pid"], signal.SIGKILL)

    def again():
        found = ours.ask(f"/v1/jobs/{job}")
        return found.get("attempt", 0) > attempt and found["state"] == "running"

    foreign.eventually("it runs again", again, ours.up)
    return asked(ours.front, job, {str(setting.place): "/place"})


def asked(address, job, replaced):
    """All answers, with names for what differs from run to run."""
    get = lambda path: parts.answer("GET", address, path)[1] or {}
    completed = lambda: (get(f"/jobs/{job}/checkpoints").get("latest") or {}).get("completed")
    first = foreign.eventually("a checkpoint is complete", completed)["id"]
    foreign.eventually("another one is", lambda: completed()["id"] > first)
    known = {
        # Since 2.3.
        "application": get(f"/jobs/{job}").get("application-id", job),
        "job": job,
        "vertex": get(f"/jobs/{job}")["vertices"][0]["id"],
        "manager": get("/taskmanagers")["taskmanagers"][0]["id"],
    }
    answers = {}
    for name, (method, path, *body) in REQUESTS.items():
        if name == "result-of-canceled":
            foreign.eventually("it is canceled", lambda: get(f"/jobs/{job}/status").get("status") == "CANCELED")
        if name.startswith("checkpoint") and not name.endswith("begun"):
            known["checkpoint"] = completed()["id"]
        if name == "subtask-attempt":
            known["attempt"] = answers["subtask"]["raw"]["attempt"]
        fill = lambda text: re.sub(r"\{(\w+)\}", lambda found: str(known.get(found[1], found[0])), text)
        body = [one if isinstance(one, bytes) else json.loads(fill(json.dumps(one))) for one in body]
        status, said = parts.answer(method, address, fill(path), *body)
        if name == "savepoint-begun":
            known["trigger"] = said["request-id"]
        if name == "savepoint-status":
            while said["status"]["id"] != "COMPLETED":
                time.sleep(0.05)
                status, said = parts.answer(method, address, fill(path))
            known["savepoint"] = said["operation"]["location"]
        if name == "vertex-backpressure":
            # The first question begins to measure.
            foreign.eventually("it is measured", lambda: (get(fill(path)) or {}).get("subtasks"))
            status, said = parts.answer(method, address, fill(path))
        if name == "disposal-begun":
            known["disposal"] = said["request-id"]
        if name == "disposal-status":
            while said["status"]["id"] != "COMPLETED":
                time.sleep(0.05)
                status, said = parts.answer(method, address, fill(path))
        text = json.dumps(cut(said))
        for old, new in [*((str(value), f"{{{name}}}") for name, value in known.items() if name in ("application", "job", "vertex", "manager", "trigger")),
                         *replaced.items()]:
            text = text.replace(old, new)
        answers[name] = {"request": f"{method} {path}", "status": status, "body": json.loads(text), "raw": said}
    for one in answers.values():
        del one["raw"]
    return answers


def cut(value, name=""):
    """The same with short texts and lists, so that a file of it can be read."""
    if isinstance(value, str):
        return value if len(value) <= 160 else value[:160] + "…"
    if isinstance(value, list):
        return [cut(one) for one in value[:2]]
    if isinstance(value, dict):
        most = 3 if name in ("user-config", "extendedResources") else len(value)
        return {key: cut(one, key) for key, one in list(value.items())[:most]}
    return value


class Flink:
    """A real one: a JobManager, and a TaskManager that is replaced once, so that the job has a failure to show."""

    def __init__(self, setting):
        self._setting, self._count = setting, 0
        place = setting.place
        rest = foreign.free_port()
        (place / "config.yaml").write_text(CONFIG.format(place=place, rpc=foreign.free_port(), rest=rest))
        self.address = f"127.0.0.1:{rest}"
        manager = self._java("jobmanager", "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", 320,
                             "--configDir", str(place))
        foreign.eventually("Flink answers", lambda: self._ask("/config"), manager)
        first = self._task_manager()
        foreign.eventually("the TaskManager is registered", lambda: self._ask("/overview").get("slots-total"), first)
        submit = parts.ROOT / "testing" / "zookeeper" / "foreign" / "flink" / "Submit.java"
        client = self._java("submit", str(submit), 320, str(place))
        self.job = foreign.eventually("the job is submitted",
                                      lambda: re.search(r"^job (\S+)$", foreign.text(client), re.M), client)[1]
        foreign.eventually("the job runs", self._runs)
        foreign.eventually("a checkpoint is complete",
                           lambda: self._ask(f"/jobs/{self.job}/checkpoints").get("counts", {}).get("completed"))
        first.kill()
        first.wait()
        second = self._task_manager()
        foreign.eventually("the failure is known",
                           lambda: self._ask(f"/jobs/{self.job}/exceptions").get("exceptionHistory", {}).get("entries"), second)
        foreign.eventually("the job runs again", self._runs, second)
        foreign.eventually("the dead TaskManager is forgotten", lambda: len(self._ask("/taskmanagers").get("taskmanagers", [])) == 1)

    def _runs(self):
        job = self._ask(f"/jobs/{self.job}")
        states = {vertex["status"] for vertex in job.get("vertices", [])}
        return job.get("state") == "RUNNING" and states == {"RUNNING"}

    def _ask(self, path):
        return parts.answer("GET", self.address, path)[1] or {}

    def _task_manager(self):
        return self._java("taskmanager", "org.apache.flink.runtime.taskexecutor.TaskManagerRunner", 320,
                          "--configDir", str(self._setting.place))

    def _java(self, name, main, megabytes, *arguments):
        self._count += 1
        return self._setting.processes.start(f"{name}-{self._count}", [*self._setting.java(megabytes), main, *arguments])
