#!/usr/bin/env python3
"""Kills the coordinator of a running Ray or Dask, and watches what becomes of its tasks.

    coordinator.py ray|dask [--tasks 2] [--watch 120] [--restart 2]

Two tasks append to a file each. The coordinator (Ray's GCS, Dask's scheduler) is killed with -9, and started again after
some seconds, as a supervisor would, with the command that started it. All settings are the defaults. The script prints
one line of JSON: how long each task went on after the kill, at most as long as it was watched, and whether the client
still had its results to wait for.

It needs the package `ray`, or `distributed`, in the Python that runs it.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PAUSE = 0.05
# A task that has written nothing for so long has ended, or waits for somebody.
SILENT = 5.0


def work(path):
    """A task: appends its process id and a number for ever."""
    number = 0
    with open(path, "a", buffering=1) as out:
        while True:
            out.write(f"{os.getpid()} {number}\n")
            number += 1
            time.sleep(PAUSE)


class Dask:
    def __init__(self, place, tasks):
        self._port = free_port()
        self._place = place
        self.start()
        self._workers = [start(place, f"worker-{n}", [sys.executable, "-m", "distributed.cli.dask_worker", self._address(),
                                                      "--nthreads", "1", "--no-dashboard", "--nanny-port", "0"])
                         for n in range(tasks)]

    def _address(self):
        return f"tcp://127.0.0.1:{self._port}"

    def start(self):
        self._scheduler = start(self._place, "scheduler", [
            sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(self._port), "--no-dashboard"])

    def submit(self, tasks):
        """In a process of its own: submits the tasks. Returns what tells whether their results can be waited for."""
        import distributed
        client = distributed.Client(self._address(), timeout="30s")
        client.wait_for_workers(tasks, timeout=60)
        futures = [client.submit(work, str(self._place / f"task-{n}"), pure=False) for n in range(tasks)]
        # The client goes when nobody refers to it.
        return lambda: client and all(future.status == "pending" for future in futures)

    def kill(self):
        os.killpg(self._scheduler.pid, signal.SIGKILL)
        self._scheduler.wait()

    def end(self):
        for process in [self._scheduler, *self._workers]:
            end(process)


class Ray:
    def __init__(self, place, tasks):
        os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS="0")
        self._port = free_port()
        self._place = place
        self.start()

    def start(self):
        command = [str(pathlib.Path(sys.executable).with_name("ray")), "start", "--head", "--node-ip-address=127.0.0.1",
                   f"--port={self._port}", "--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats",
                   "--object-store-memory=100000000", f"--temp-dir={self._place}"]
        start(self._place, "start", command)

    def submit(self, tasks):
        import ray
        ray.init(address=f"127.0.0.1:{self._port}", log_to_driver=False, logging_level="ERROR")

        @ray.remote(num_cpus=0.5)
        class Task:
            def work(self, path):
                work(path)

        actors = [Task.remote() for _ in range(tasks)]
        results = [actor.work.remote(str(self._place / f"task-{n}")) for n, actor in enumerate(actors)]
        # The actors go when nobody refers to them.
        return lambda: actors and not ray.wait(results, num_returns=1, timeout=1)[0]

    def kill(self):
        for pid in pids_of(str(self._place), "gcs_server"):
            os.kill(pid, signal.SIGKILL)

    def end(self):
        for _ in range(3):
            for pid in pids_of(str(self._place)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.2)


def client(system, place, tasks):
    """The client, until it is ended: writes down whether it can still wait for its results."""
    try:
        has_tasks = system.submit(tasks)
        while True:
            (place / "client").write_text("yes" if has_tasks() else "no")
            time.sleep(0.2)
    except Exception:  # whatever it is, the client has no results to wait for
        (place / "client").write_text("no")


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("system", choices=["ray", "dask"])
    flags.add_argument("--tasks", type=int, default=2)
    flags.add_argument("--watch", type=float, default=120, help="seconds after the kill")
    flags.add_argument("--restart", type=float, default=2, help="seconds after the kill at which the coordinator is started again")
    flags = flags.parse_args()
    # Sockets of Ray have long names.
    place = pathlib.Path(tempfile.mkdtemp(prefix="co-", dir="/tmp"))
    files = [place / f"task-{n}" for n in range(flags.tasks)]
    system = {"ray": Ray, "dask": Dask}[flags.system](place, flags.tasks)
    # It may end with its coordinator, and must not take this process along.
    submitter = os.fork()
    if submitter == 0:
        client(system, place, flags.tasks)
        os._exit(0)
    try:
        eventually("all tasks work", lambda: all(file.exists() and file.stat().st_size > 100 for file in files))
        killed = time.time()
        system.kill()
        is_restarted = False
        while time.time() < killed + flags.watch:
            time.sleep(0.1)
            if not is_restarted and time.time() > killed + flags.restart:
                system.start()
                is_restarted = True
            if all(file.stat().st_mtime < time.time() - SILENT for file in files):
                break
        went_on = [round(max(0.0, file.stat().st_mtime - killed), 1) for file in files]
        is_alive = os.waitpid(submitter, os.WNOHANG) == (0, 0)
        print(json.dumps({
            "system": flags.system, "version": version(flags.system), "tasks": flags.tasks, "watched_s": flags.watch,
            "went_on_s": went_on, "ended": any(seconds < flags.watch - SILENT for seconds in went_on),
            "client_has_its_tasks": is_alive and (place / "client").read_text() == "yes",
        }))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(submitter, signal.SIGKILL)
        system.end()
        shutil.rmtree(place, ignore_errors=True)


def start(place, name, command):
    with open(place / f"{name}.log", "ab") as out:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=place, start_new_session=True)


def end(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def pids_of(*words):
    """The processes whose command lines contain all of these."""
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = entry.read_bytes().decode(errors="replace")
            if all(word in line for word in words) and int(entry.parent.name) != os.getpid():
                yield int(entry.parent.name)


def version(system):
    return importlib.metadata.version({"ray": "ray", "dask": "distributed"}[system])


def eventually(what, look):
    deadline = time.monotonic() + 60
    while not look():
        if time.monotonic() > deadline:
            sys.exit(f"timed out, waiting until {what}")
        time.sleep(0.05)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


if __name__ == "__main__":
    main()
