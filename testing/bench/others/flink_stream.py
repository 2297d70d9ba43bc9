#!/usr/bin/env python3
"""Runs SQL jobs with Flink, as `incumbent-bench stream --flink VERSION` asks.

    flink_stream.py --version 2.3.0

A JobManager and a TaskManager run as processes on this machine. The script prints a line of JSON when they stand:
{"version": …, "pids": [PID, …]}. Then each line of JSON on its standard input is answered by one, until the input ends:

    {"do": "run", "statements": [SQL, …], "tasks": 2, "interval": 1000, "mini_batch": false}     {"seconds": …}
    {"do": "kill", "statements": [SQL, …], "tasks": 2, "interval": 1000, "wait": 10}              {"next": …}

`seconds` is how long the job ran by its own account. `kill` starts a job whose last statement writes to `print`, lets it run
so many seconds and until three checkpoints are complete, starts a second TaskManager, and kills the first: `next` are the
seconds until the second prints its first record.

It needs Java 17 and Python with pip. Flink's jars are fetched as testing/zookeeper/foreign/flink/run fetches them.
"""

import argparse
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent

# How often it is looked whether a killed job goes on, in seconds.
LOOK_EVERY = 0.002

CONFIG = """\
execution.checkpointing.dir: file://{place}/checkpoints
state.backend.type: hashmap
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 1000
restart-strategy.fixed-delay.delay: 0s
execution.target: remote
pipeline.object-reuse: true
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: {rpc}
jobmanager.bind-host: 127.0.0.1
rest.address: 127.0.0.1
rest.port: {rest}
rest.bind-address: 127.0.0.1
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: {slots}
taskmanager.cpu.cores: {slots}.0
taskmanager.memory.task.heap.size: 896m
taskmanager.memory.task.off-heap.size: 0m
taskmanager.memory.network.min: 64m
taskmanager.memory.network.max: 64m
taskmanager.memory.managed.size: 64m
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 128m
taskmanager.memory.jvm-overhead.max: 128m
io.tmp.dirs: {place}/tmp
# The answers of the REST API are at most this old; the default is seconds.
web.refresh-interval: 50
rest.cache.checkpoint-statistics.timeout: 50 ms
"""


def load(path):
    """A module of a script without an ending."""
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("flink_run", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("flink_run", loader))
    loader.exec_module(module)
    return module


run = load(HERE.parents[1] / "zookeeper" / "foreign" / "flink" / "run")


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--version", default="1.20.5", help="of Flink (default: 1.20.5)")
    flags.add_argument("--slots", type=int, default=2, help="of each TaskManager (default: 2)")
    flags.add_argument("--keep", action="store_true", help="keep logs and data, and print where")
    flags = flags.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    jars = run.flink(flags.version)
    place = pathlib.Path(tempfile.mkdtemp(prefix="flink-"))
    processes = run.Processes(place)
    try:
        cluster = Cluster(processes, place, jars, flags)
        answer({"version": flags.version, "pids": cluster.pids()})
        for line in sys.stdin:
            asked = json.loads(line)
            answer({"run": cluster.run, "kill": cluster.kill}[asked.pop("do")](**asked))
    except BaseException:
        flags.keep = True
        raise
    finally:
        processes.end()
        if flags.keep:
            print(f"logs and data: {place}", file=sys.stderr)
        else:
            shutil.rmtree(place, ignore_errors=True)


def answer(what):
    print(json.dumps(what), flush=True)


class Cluster:
    def __init__(self, processes, place, jars, flags):
        self._processes, self._place, self._jars = processes, place, jars
        self._started = 0
        (place / "tmp").mkdir()
        rest, rpc = run.free_port(), run.free_port()
        (place / "config.yaml").write_text(CONFIG.format(place=place, slots=flags.slots, rest=rest, rpc=rpc))
        (place / "log4j.properties").write_text(run.LOGGING)
        self._manager = self._java("jobmanager", 512, "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
                                   "--configDir", str(place))
        self._manager.port = rest
        run.eventually("it answers", lambda: self._ask("/config"), self._manager)
        self._worker = self._start_worker()
        self._until_workers(1)
        self._client = None
        self._connect()

    def pids(self):
        return [self._manager.pid, self._worker.pid]

    def run(self, statements, tasks, interval, mini_batch=False):
        """Runs a job from the beginning of its input to the end."""
        job = self._submit(statements, tasks, interval, mini_batch)
        while True:
            found = self._ask(f"/jobs/{job}")
            if found.get("state") == "FINISHED":
                return {"seconds": found["duration"] / 1000}
            if found.get("state") in ("FAILED", "CANCELED", "RESTARTING"):
                sys.exit(f"the job failed: {self._ask(f'/jobs/{job}/exceptions')}")
            time.sleep(0.1)

    def kill(self, statements, tasks, interval, wait, mini_batch=False):
        job = self._submit(statements, tasks, interval, mini_batch)
        begin = time.monotonic()
        run.eventually("three checkpoints are complete", lambda: self._completed(job) >= 3)
        time.sleep(max(0, wait - (time.monotonic() - begin)))
        # Not before: the job must run on the one that is killed.
        heir = self._start_worker()
        self._until_workers(2)
        count = self._completed(job)
        run.eventually("a checkpoint is complete", lambda: self._completed(job) > count)
        time.sleep(interval / 2000)
        before = heir.log.stat().st_size
        killed = time.monotonic()
        self._worker.kill()
        self._worker.wait()
        self._worker = heir
        next_record = self._printed(heir, before)
        took = next_record - killed
        cancel = urllib.request.Request(f"http://127.0.0.1:{self._manager.port}/jobs/{job}", method="PATCH")
        urllib.request.urlopen(cancel, timeout=30).close()
        run.eventually("the job is over", lambda: self._ask(f"/jobs/{job}").get("state") in ("CANCELED", "FINISHED"))
        self._until_workers(1)
        return {"next": took, "pids": self.pids()}

    def _printed(self, worker, position):
        """When this one printed a record: a line that begins with a kind of change."""
        with open(worker.log, "rb") as log:
            log.seek(position)
            deadline = time.monotonic() + run.PATIENCE
            rest = b""
            while time.monotonic() < deadline:
                found = log.read()
                if not found:
                    time.sleep(LOOK_EVERY)
                    continue
                rest += found
                if any(b"+I[" in line[:12] or b"+U[" in line[:12] for line in rest.split(b"\n")):
                    return time.monotonic()
                rest = rest.rsplit(b"\n", 1)[-1]
        sys.exit("the job did not go on")

    def _completed(self, job):
        return self._ask(f"/jobs/{job}/checkpoints").get("counts", {}).get("completed", 0)

    def _ask(self, path):
        return run.ask(self._manager, path)

    def _until_workers(self, count):
        run.eventually(f"{count} TaskManagers are registered", lambda: self._ask("/overview").get("taskmanagers") == count)

    def _start_worker(self):
        return self._java("taskmanager", 1024, "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
                          "--configDir", str(self._place))

    def _java(self, name, megabytes, main, *arguments):
        self._started += 1
        return self._processes.start(f"{name}-{self._started}", [*self._command(megabytes), main, *arguments])

    def _command(self, megabytes):
        return ["java", f"-Xmx{megabytes}m", *run.OPENED, f"-Dlog4j.configurationFile=file:{self._place}/log4j.properties",
                f"-Djava.io.tmpdir={self._place}/tmp", "-cp", ":".join(str(jar) for jar in self._jars)]

    def _connect(self):
        """Starts the client, which stays: a line asks for a job, a line says its id."""
        with open(self._place / "client.log", "ab") as log:
            self._client = subprocess.Popen([*self._command(512), str(HERE / "Statements.java"), str(self._place)], text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=self._place)
        self._processes._all.append(self._client)
        self._said("ready")

    def _submit(self, statements, tasks, interval, mini_batch):
        words = [str(tasks), str(interval), str(mini_batch).lower(), *(" ".join(one.split()) for one in statements)]
        self._client.stdin.write("\t".join(words) + "\n")
        self._client.stdin.flush()
        return self._said("job ")

    def _said(self, beginning):
        for line in self._client.stdout:
            if line.startswith(beginning):
                return line.removeprefix(beginning).strip()
        sys.exit(f"the client ended: {(self._place / 'client.log').read_text()[-3000:]}")


if __name__ == "__main__":
    main()
