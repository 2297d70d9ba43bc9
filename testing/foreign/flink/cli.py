"""Flink's own command line, on each node of a cluster of ours, also while the leader is killed."""

import os
import re
import subprocess
import threading

import parts
from parts import claim, foreign

# Flink's client tries again this often and this fast; the default waits 3 s.
CONFIG = """\
rest.retry.delay: 200 ms
"""

ID = r"[0-9a-f]{32}"


def check(setting):
    ours = parts.Ours(setting)
    flink = Client(setting)
    counting, sleeping = ours.count(), ours.sleep("sleeping")
    nodes = ours.nodes()
    claim(f"there are {len(nodes)} nodes", len(nodes) == 5, nodes)
    for node in nodes:
        shown = flink.run(node, "list")
        both = counting in shown and sleeping in shown and "counting (RUNNING)" in shown
        claim(f"list at {node} shows both jobs", both, shown)

    made = flink.run(nodes[1], "savepoint", counting)
    path = re.search(rf"Path: ({ID})", made)
    claim("savepoint says where it is", path, made)
    gone = flink.run(nodes[3], "savepoint", "-d", path[1])
    claim("savepoint -d removes it, by another node", "disposed" in gone, gone)
    claim("it is gone", parts.answer("GET", nodes[0], f"/v1/savepoints/{path[1]}")[0] == 404)

    killed = ours.kill_leader()
    shown = flink.run(nodes[0], "list")
    claim(f"list shows both while nobody leads ({killed} was killed)", counting in shown and sleeping in shown, shown)
    made = flink.run_under_kill(ours, "savepoint", counting)
    path = re.search(rf"Path: ({ID})", made)
    claim("savepoint under kill -9 of the leader", path, made)
    gone = flink.run_under_kill(ours, "savepoint", "-d", path[1])
    claim("savepoint -d under kill -9 of the leader", "disposed" in gone, gone)
    stopped = flink.run_under_kill(ours, "stop", counting)
    claim("stop under kill -9 of the leader says its savepoint", re.search(rf"Path: ({ID})", stopped), stopped)
    shown = flink.run(ours.front, "list", "-a")
    claim("a stopped job is SUSPENDED", "counting (SUSPENDED)" in shown, shown)
    canceled = flink.run_under_kill(ours, "cancel", sleeping)
    claim("cancel under kill -9 of the leader", "Cancelled job" in canceled, canceled)
    ended = lambda: ours.ask(f"/jobs/{sleeping}/status").get("status") == "CANCELED"
    foreign.eventually("it is canceled", ended)
    shown = flink.run(ours.front, "list", "-a")
    claim("list -a shows it as CANCELED", "sleeping (CANCELED)" in shown, shown)

    nobody = "f" * 32
    for words, why in [
        (["cancel", nobody], "not found"),
        (["savepoint", nobody], "not found"),
        (["stop", sleeping], "makes no checkpoints"),
        (["savepoint", sleeping], "has ended"),
        (["savepoint", "-d", "/no/such/place"], "no savepoint of this cluster"),
    ]:
        code, shown = flink.tried(ours.front, *words)
        claim(f"{' '.join(words)} fails, and says why", code != 0 and why in shown, shown)

    # Flink's client has no token to give.
    address = parts.guarded(setting)
    for words in [["list"], ["cancel", sleeping], ["savepoint", counting]]:
        code, shown = flink.tried(address, *words)
        claim(f"{words[0]} without the token fails, and says why", code != 0 and "bearer token" in shown, shown)


class Client:
    """`flink`, as the jars have it."""

    def __init__(self, setting):
        self._command = [*setting.java(256), "org.apache.flink.client.cli.CliFrontend"]
        self._place = setting.place / "client"
        self._place.mkdir()
        (self._place / "config.yaml").write_text(CONFIG)
        self._environment = {**os.environ, "FLINK_CONF_DIR": str(self._place)}

    def tried(self, address, action, *words):
        command = [*self._command, action, "-m", address, *words]
        done = subprocess.run(command, env=self._environment, cwd=self._place, capture_output=True, text=True,
                              timeout=foreign.PATIENCE)
        return done.returncode, done.stdout + done.stderr

    def run(self, address, *words):
        code, shown = self.tried(address, *words)
        claim(f"flink {' '.join(words)}", code == 0, shown)
        return shown

    def run_under_kill(self, ours, *words):
        """The same, and the leader dies meanwhile."""
        # A new one may be asked while no standby is there yet: it is waited for.
        foreign.eventually("two JobManagers are there", lambda: len(managers(ours)) == 2)
        killer = threading.Timer(1.0, ours.kill_leader)
        killer.start()
        try:
            return self.run(ours.front, *words)
        finally:
            killer.join()


def managers(ours):
    nodes = ours.ask("/v1/cluster").get("nodes", [])
    return [node for node in nodes if node["kind"] == "job-manager" and node["state"] == "live"]
