"""A program that stands by warm, and counts while it leads. Python 3.9, nothing else.

In two terminals or more, then kill -9 what you like:

    incumbent run --standby warm --restart always -- python3 examples/standby/counter.py

It loads (here: sleeps) before it asks for its role, so a node whose program is still loading does
not lead. From then on it does what the lines of ``GET /v1/role/events`` say.
"""

import http.client
import json
import os
import socket
import threading
import time


class Runner:
    """The HTTP API of ``incumbent run``, on the Unix socket that it names."""

    def __init__(self):
        self.path = os.environ["INCUMBENT_RECORDS_SOCKET"]

    def open(self, method, target, body=None, headers=None):
        connection = http.client.HTTPConnection("records")
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.connect(self.path)
        connection.request(method, target, body, headers or {})
        return connection.getresponse()

    def ask(self, method, target, body=None, headers=None):
        answer = self.open(method, target, body, headers)
        return answer.status, answer.getheader("etag"), json.loads(answer.read())

    def roles(self):
        """Each role as it is told, beginning with the present one."""
        for line in self.open("GET", "/v1/role/events"):
            yield json.loads(line)


def count(runner, epoch, stop):
    """Counts in a record until it is told to stop, or another node has taken over."""
    # Said with each request: what was sent in this term is refused in a later one.
    term = {"Incumbent-Epoch": str(epoch)}
    status, etag, record = runner.ask("POST", "/v1/records/counter", headers=term)
    number = (record.get("data") or 0) if status == 200 else 0
    while status == 200 and not stop.wait(0.1):
        number += 1
        headers = {**term, "If-Match": etag}
        status, etag, record = runner.ask("PUT", "/v1/records/counter", str(number), headers)
        if status == 200:
            print(f"epoch {epoch}: {number}", flush=True)
    if status != 200:
        print(f"epoch {epoch}: stopped counting: {record.get('detail')}", flush=True)


def main():
    time.sleep(float(os.environ.get("LOADING", "5")))  # What takes long.
    runner, work = Runner(), None
    for role in runner.roles():
        print(f"role {role['role']}, number {role['number']}, epoch {role['epoch']}", flush=True)
        if role["role"] == "leader":
            stop = threading.Event()
            thread = threading.Thread(target=count, args=(runner, role["epoch"], stop))
            thread.start()
            work = (thread, stop)
        elif work is not None:
            thread, stop = work
            stop.set()
            thread.join()  # Nothing of the term goes on now: say so.
            work = None
            if role["role"] == "stepping-down":
                runner.ask("POST", f"/v1/role/acknowledge?number={role['number']}")


if __name__ == "__main__":
    main()
