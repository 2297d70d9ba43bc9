"""What clients of `incumbent gateway --flink` see while the leading JobManager is killed.

It checks that the web UI, the REST API and the upload of a jar come through, from the JobManager that leads, and that
no header contains a JobManager's address.
"""

import collections
import http.client
import io
import json
import os
import re
import statistics
import threading
import time
import zipfile

# Longer than the gateway holds a request and waits for an answer. What takes longer has failed.
PATIENCE = 120

# More than the gateway keeps of a request body to repeat it, and more than one read or frame.
JAR_BYTES = 4 << 20

BOUNDARY = "the-border-of-a-part"

Reply = collections.namedtuple("Reply", "status headers body")
Asked = collections.namedtuple("Asked", "sent answered why")


class Gateway:
    def __init__(self, address, managers):
        self._address, self._managers = address, managers

    def ask(self, path, method="GET", body=None, headers=None):
        """Sends one request, on its own connection."""
        connection = http.client.HTTPConnection(self._address, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def check(self, leader):
        """Checks the UI, the REST API and an upload, all from this leader."""
        page = self._right("/", "text/html")
        scripts = re.findall(r'src="([^"]+\.js)"', page.decode())
        assert scripts, "index.html names no scripts"
        for script in scripts:
            sent = self._right("/" + script, "javascript")
            assert sent == self._direct(leader, "/" + script), f"{script} is not what the leader sends"
        assert json.loads(self._right("/overview", "application/json"))["taskmanagers"] == 1
        assert json.loads(self._right("/jobs", "application/json"))["jobs"]
        config = {one["key"]: one["value"] for one in json.loads(self._right("/jobmanager/config", "application/json"))}
        assert config["rest.port"] == str(leader.port), f"{config['rest.port']} answered, but {leader.port} leads"
        self._upload(leader)

    def _upload(self, leader):
        jar = io.BytesIO()
        with zipfile.ZipFile(jar, "w") as archive:
            archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
            archive.writestr("filler", os.urandom(JAR_BYTES))
        body = b"".join([f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="jarfile"; filename="probe.jar"\r\n'.encode(),
                         b"Content-Type: application/x-java-archive\r\n\r\n", jar.getvalue(), f"\r\n--{BOUNDARY}--\r\n".encode()])
        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        uploaded = json.loads(self._right("/jars/upload", "application/json", "POST", body, kind))
        stored = uploaded["filename"]
        with open(stored, "rb") as file:
            assert file.read() == jar.getvalue(), f"{stored} is not the uploaded file"
        name = os.path.basename(stored)
        listed = json.loads(self._right("/jars", "application/json"))["files"]
        assert name in [one["id"] for one in listed], f"{name} is not among {listed}"
        self._right(f"/jars/{name}", "application/json", "DELETE")

    def _right(self, path, kind, *rest):
        reply = self.ask(path, *rest)
        found = reply.headers.get("Content-Type", "")
        assert reply.status == 200, f"{path}: {reply.status} {reply.body[:300]}"
        assert kind in found, f"{path}: Content-Type is {found!r}, not {kind}"
        ports = "|".join(str(one.port) for one in self._managers)
        for name, value in reply.headers.items():
            assert not re.search(rf":({ports})\b", value), f"{path}: {name}: {value} names a JobManager"
        return reply.body

    @staticmethod
    def _direct(leader, path):
        return Gateway(f"127.0.0.1:{leader.port}", []).ask(path).body


class Visitor:
    """A client that asks for the jobs without end, while this context lasts."""

    def __init__(self, gateway):
        self._gateway, self._asked, self._left = gateway, [], threading.Event()
        self._thread = threading.Thread(target=self._visit, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._left.set()
        self._thread.join()

    def _visit(self):
        while not self._left.wait(0.01):
            sent, why = time.monotonic(), None
            try:
                reply = self._gateway.ask("/jobs/overview")
                if reply.status != 200:
                    why = f"{reply.status} {reply.body[:300].decode(errors='replace')}"
                else:
                    json.loads(reply.body)
            except (OSError, http.client.HTTPException, ValueError) as error:
                why = repr(error)
            self._asked.append(Asked(sent, time.monotonic(), why))

    def seen(self):
        """The number of requests, why some failed, and the longest time between two good answers."""
        good = [one.answered for one in self._asked if not one.why]
        return dict(asked=len(self._asked), failed=[one.why for one in self._asked if one.why],
                    pause=max((later - sooner for sooner, later in zip(good, good[1:])), default=0.0))


def table(rounds):
    print("GET /jobs/overview, one after the other, through incumbent gateway --flink")
    print(f"{'round':>6} {'requests':>12} {'failed':>12} {'longest pause':>14}")
    for number, one in enumerate(rounds, 1):
        print(f"{number:>6} {one['asked']:>12} {len(one['failed']):>12} {one['pause']:>12.2f} s")
        for why in dict.fromkeys(one["failed"]):
            print(f"       {one['failed'].count(why)} x {why}")
    print(f"median {'':>25} {statistics.median(one['pause'] for one in rounds):>12.2f} s")
