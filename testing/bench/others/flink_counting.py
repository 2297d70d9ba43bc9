#!/usr/bin/env python3
"""Counts the keys of files with Flink, as `incumbent-bench cluster --only counting --flink` asks.

    flink_counting.py --binary target/release/incumbent [--slots 2]

Two JobManagers and two TaskManagers run as processes on this machine, with high availability on `incumbent serve`. The
script prints a line of JSON when they stand: {"version": …}. Then each line of JSON on its standard input is answered by
one, until the input ends:

    {"do": "count", "input": FILE, "tasks": 2, "mini_batch": false}           {"seconds": …, "cpu": …}
    {"do": "kill", "what": "coordinator", "input": FILE, "tasks": 2}          {"pause": …, "checkpoint": …}

`seconds` is how long the job ran by its own account, `cpu` what the JobManagers and TaskManagers took of the processors,
without the client that submits. `pause` is the longest time after the kill in which nobody read the file, `checkpoint` the
time from the kill to the next completed checkpoint; `what` may also be a `worker`, a TaskManager that reads.

It needs Java 17, Python with pip, and about 4 GB of memory. Flink's jars are fetched as
testing/zookeeper/foreign/flink/run fetches them.
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
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent

# How often it is looked whether somebody reads.
LOOK_EVERY = 0.005
# The kill comes in the middle between two checkpoints.
AFTER_CHECKPOINT = 0.5
TICKS = os.sysconf("SC_CLK_TCK")

CONFIG = """\
high-availability.type: zookeeper
high-availability.zookeeper.quorum: {zookeeper}
high-availability.zookeeper.path.root: /{place.name}
high-availability.storageDir: file://{place}/ha
high-availability.cluster-id: /cluster
execution.checkpointing.dir: file://{place}/checkpoints
execution.checkpointing.interval: 1s
state.backend.type: hashmap
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 1000
restart-strategy.fixed-delay.delay: 0s
execution.target: remote
jobmanager.rpc.address: 127.0.0.1
jobmanager.bind-host: 127.0.0.1
rest.address: 127.0.0.1
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
    flags.add_argument("--version", default="1.20.3", help="of Flink (default: 1.20.3)")
    flags.add_argument("--binary", metavar="FILE", help="the program incumbent (default: build it for release)")
    flags.add_argument("--slots", type=int, default=2, help="of each TaskManager (default: 2)")
    flags.add_argument("--grace", default="500ms", help="--disconnect-grace of our server (default: 500ms)")
    flags.add_argument("--keep", action="store_true", help="keep logs and data, and print where")
    flags = flags.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    jars = run.flink(flags.version)
    place = pathlib.Path(tempfile.mkdtemp(prefix="flink-"))
    processes = run.Processes(place)
    try:
        cluster = Cluster(processes, place, jars, flags)
        answer({"version": flags.version})
        for line in sys.stdin:
            asked = json.loads(line)
            answer({"count": cluster.count, "kill": cluster.kill}[asked.pop("do")](**asked))
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
        zookeeper, _ = processes.incumbent(flags)
        (place / "config.yaml").write_text(CONFIG.format(zookeeper=zookeeper, place=place, slots=flags.slots))
        (place / "log4j.properties").write_text(run.LOGGING)
        self._managers = [self._manager(), self._manager()]
        self._workers = [self._worker(), self._worker()]
        self._client = None
        self._until_complete()

    def count(self, input, tasks, mini_batch):
        """Counts a file once, from its beginning to its end."""
        self._connect()
        before = self._cpu()
        job = self._submit(input, tasks, mini_batch)
        while True:
            found = run.ask(self._leader(), f"/jobs/{job}")
            if found.get("state") == "FINISHED":
                break
            if found.get("state") in ("FAILED", "CANCELED"):
                sys.exit(f"the job ended: {found}")
            time.sleep(0.1)
        cpu = self._cpu() - before
        counted = sum(vertex["metrics"]["write-records"] for vertex in found["vertices"][:1])
        print(f"flink: {tasks} tasks, mini-batch {mini_batch}: {found['duration']} ms, {cpu:.2f} s of CPU, {counted} records"
              " left the source", file=sys.stderr)
        return {"seconds": found["duration"] / 1000, "cpu": cpu}

    def kill(self, what, input, tasks):
        """Kills a process between two checkpoints, and watches until the next one."""
        self._connect()
        job = self._submit(input, tasks, False)
        first = self._checkpoint_after(job, 1)
        last = self._checkpoint_after(job, first)
        time.sleep(AFTER_CHECKPOINT)
        of, start = (self._managers, self._manager) if what == "coordinator" else (self._workers, self._worker)
        victim = self._leader() if what == "coordinator" else next(one for one in of if positions(one.pid, input))
        reading = Reading(self._workers, input)
        killed = time.monotonic()
        victim.kill()
        victim.wait()
        of.remove(victim)
        reading.start(killed)
        self._checkpoint_after(job, last)
        checkpoint = time.monotonic() - killed
        pause = reading.end()
        leader = self._leader()
        cancel = urllib.request.Request(f"http://127.0.0.1:{leader.port}/jobs/{job}", method="PATCH")
        urllib.request.urlopen(cancel, timeout=30).close()
        run.eventually("the job is canceled", lambda: run.ask(leader, f"/jobs/{job}").get("state") in ("CANCELED", "FINISHED"))
        of.append(start())
        self._until_complete()
        return {"pause": pause, "checkpoint": checkpoint}

    def _checkpoint_after(self, job, number):
        def look():
            for manager in self._managers:
                found = run.ask(manager, f"/jobs/{job}/checkpoints") if run.granted_at(manager) else {}
                completed = (found.get("latest") or {}).get("completed")
                if completed and completed["id"] > number:
                    return completed["id"]
            return None

        return run.eventually(f"a checkpoint after {number} is complete", look)

    def _cpu(self):
        """What all nodes took of the processors, in seconds."""
        return sum(ticks(one.pid) for one in self._managers + self._workers) / TICKS

    def _leader(self):
        """The manager that was granted leadership; of two, the other is dead."""
        return run.eventually("one leads", lambda: next((one for one in self._managers if run.granted_at(one)), None))

    def _until_complete(self):
        leader = self._leader()
        run.eventually("all TaskManagers are registered",
                       lambda: run.ask(leader, "/overview").get("taskmanagers", 0) == len(self._workers))

    def _manager(self):
        port = run.free_port()
        process = self._java("jobmanager", 512, "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
                             "--configDir", str(self._place), "-D", f"rest.port={port}", "-D", f"rest.bind-port={port}")
        process.port = port
        run.eventually("it answers", lambda: run.ask(process, "/config"), process)
        return process

    def _worker(self):
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
        if self._client and self._client.poll() is None:
            return
        with open(self._place / "client.log", "ab") as log:
            self._client = subprocess.Popen([*self._command(512), str(HERE / "Counting.java"), str(self._place)], text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=self._place)
        self._processes._all.append(self._client)
        self._said("ready")

    def _submit(self, input, tasks, mini_batch):
        self._client.stdin.write(f"{tasks} {str(mini_batch).lower()} {input}\n")
        self._client.stdin.flush()
        return self._said("job ")

    def _said(self, beginning):
        for line in self._client.stdout:
            if line.startswith(beginning):
                return line.removeprefix(beginning).strip()
        sys.exit(f"the client ended: {(self._place / 'client.log').read_text()[-3000:]}")


class Reading:
    """Looks whether TaskManagers read a file; the list of them may change."""

    def __init__(self, workers, file):
        self._workers, self._file = workers, file
        self._before = self._now()
        self._ends = threading.Event()
        self._pause = 0.0

    def start(self, killed):
        self._moved = killed
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self):
        """The longest pause, in seconds."""
        self._ends.set()
        self._thread.join()
        return self._pause

    def _watch(self):
        while not self._ends.wait(LOOK_EVERY):
            now = self._now()
            if any(self._before.get(where, 0) != position for where, position in now.items()):
                at = time.monotonic()
                self._pause = max(self._pause, at - self._moved)
                self._moved = at
            self._before = now

    def _now(self):
        return {(one.pid, fd): position for one in list(self._workers) for fd, position in positions(one.pid, self._file)}


def positions(pid, file):
    """The descriptors of a process that are open for a file, and where they are."""
    found = []
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                if os.readlink(f"/proc/{pid}/fd/{fd}") == file:
                    with open(f"/proc/{pid}/fdinfo/{fd}") as info:
                        found.append((fd, int(info.readline().split()[1])))
            except OSError:
                pass  # closed meanwhile
    except OSError:
        pass  # ended meanwhile
    return found


def ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    main()
