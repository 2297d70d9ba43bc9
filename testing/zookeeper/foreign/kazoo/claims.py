"""What all topics share: clients below a node of their own, a link that can be cut, and waiting for conditions.

The server is the one that INCUMBENT_FOREIGN_ADDRESS (host:port) names. Every claim works below a node of its own, so that the topics
can run at the same time on one server, and again on the same one.
"""

import faulthandler
import logging
import os
import selectors
import socket
import threading
import time
import unittest
import uuid

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException

ADDRESS = os.environ.get("INCUMBENT_FOREIGN_ADDRESS", "127.0.0.1:2181")

# Far more than anything here takes, even on a busy machine.
PATIENCE = 20.0

# A test that hangs shows where, and ends. A whole topic takes a few seconds.
faulthandler.dump_traceback_later(110, exit=True)

# The library logs every dropped connection, and connections are dropped on purpose here.
logging.basicConfig(level=logging.CRITICAL)

EAGER = dict(max_tries=-1, delay=0.02, backoff=1.5, max_delay=0.3)


class Claims(unittest.TestCase):
    """`self.zk` is connected, with a node of its own as its root; `self.another()` is one more client of the same root."""

    def setUp(self):
        self._clients = []
        self._links = []
        self.root = "/kazoo-" + uuid.uuid4().hex[:12]
        self.outside = self.client(chroot="")
        self.outside.create(self.root)
        self.zk = self.another()

    def tearDown(self):
        for link in self._links:
            link.mend()
        for client in reversed(self._clients[1:]):
            end(client)
        self.outside.delete(self.root, recursive=True)
        end(self.outside)
        for link in self._links:
            link.close()

    def client(self, chroot=None, address=ADDRESS, timeout=15.0, start=True, **options):
        """A client that ends with the claim."""
        hosts = address + (self.root if chroot is None else chroot)
        client = KazooClient(hosts, timeout=timeout, connection_retry=EAGER, **options)
        self._clients.append(client)
        if start:
            client.start(PATIENCE)
        return client

    def another(self, **options):
        return self.client(**options)

    def link(self):
        """A connection to the server that can be cut."""
        link = Link(ADDRESS)
        self._links.append(link)
        return link


def end(client):
    try:
        client.stop()
        client.close()
    except KazooException:
        pass  # it had lost its connection already


def eventually(what, look, patience=PATIENCE):
    """Waits until there is a result, and returns it."""
    deadline = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"in {patience} s it has not come that {what}"
        time.sleep(0.005)


def in_thread(work, *args):
    """Runs `work` on a thread; `.result()` waits for its result or its exception."""
    return Beside(work, args)


class Beside(threading.Thread):
    def __init__(self, work, args):
        super().__init__(daemon=True)
        self._work, self._args, self._outcome = work, args, None
        self.start()

    def run(self):
        try:
            self._outcome = ("gave", self._work(*self._args))
        except BaseException as error:
            self._outcome = ("raised", error)

    def result(self):
        self.join(PATIENCE)
        assert self._outcome, f"{self._work} has not ended in {PATIENCE} s"
        how, what = self._outcome
        if how == "raised":
            raise what
        return what

    def waits(self):
        return self.is_alive()


class Events:
    """A watch that notes its events."""

    def __init__(self):
        self.all = []

    def __call__(self, *event):
        self.all.append(event[0] if len(event) == 1 else event)

    def types(self):
        return [event.type for event in self.all]

    def next(self, count=1):
        """Waits for the `count`-th event, and returns it."""
        eventually(f"event {count} comes after {self.all}", lambda: len(self.all) >= count)
        return self.all[count - 1]


class States(Events):
    """The states of a client since the start."""

    def __init__(self, client):
        super().__init__()
        client.add_listener(self)

    def reach(self, state):
        eventually(f"{state} follows {self.all}", lambda: state in self.all)


class Link:
    """Forwards to the server, until it is cut."""

    def __init__(self, server):
        host, port = server.rsplit(":", 1)
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs = []
        self._cut = False
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def drop(self):
        """Closes the present connections. New ones are let through."""
        with self._lock:
            for pair in self._pairs:
                for end_ in pair:
                    close(end_)
            self._pairs.clear()

    def cut(self):
        """Closes the present connections and refuses others."""
        with self._lock:
            self._cut = True
        self.drop()

    def mend(self):
        with self._lock:
            self._cut = False

    def close(self):
        self._closed = True
        close(self._listener)
        self.drop()

    def _accept(self):
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._cut:
                    client.close()
                    continue
            try:
                server = socket.create_connection(self._server)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.append((client, server))
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()

    @staticmethod
    def _forward(client, server):
        other = {client: server, server: client}
        with selectors.DefaultSelector() as selector:
            try:
                for end_ in other:
                    selector.register(end_, selectors.EVENT_READ)
                while True:
                    for key, _ in selector.select():
                        read = key.fileobj.recv(1 << 16)
                        if not read:
                            return
                        other[key.fileobj].sendall(read)
            except (OSError, ValueError):
                pass  # dropped
            finally:
                close(client)
                close(server)


def close(end_):
    try:
        # Wakes the thread that reads from it.
        end_.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end_.close()


__all__ = ["ADDRESS", "PATIENCE", "Claims", "Events", "KazooState", "Link", "States", "end", "eventually", "in_thread"]
