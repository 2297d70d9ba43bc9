"""For tasks of a cluster, in Python: checkpoints, restore, and output that appears once.

A task is a process that ``incumbent job run`` starts, one of a gang. If its job file has
``[checkpoints]``, it speaks a small contract on a Unix socket, and this file says the words. It
needs Python 3.9 and nothing else: copy it beside your program. Everything here is an HTTP request
that ``curl --unix-socket`` can make too.

A complete task. It counts to a thousand, whatever is killed meanwhile, and with any number of
tasks: the state is kept by *part of the work* and not by rank, so that another number of ranks can
share it. Each number is in the output once::

    import json
    from incumbent_task import Checkpoint, Committed, FileSink, NotPending, Stop, Task

    task = Task.from_env()
    sink = FileSink(task, "/mnt/output", "numbers")

    # What all ranks had, and of it what is ours now.
    counters, staged = {str(counter): 0 for counter in range(8)}, []
    restore = task.restore()
    if restore is not None:
        for _, content in restore.all("state"):
            state = json.loads(content)
            counters.update(state["counters"])
            staged += state["staged"]
    sink.recover(staged)
    counters = {c: at for c, at in counters.items() if int(c) % task.tasks == task.rank}

    def store(part, staged):
        part.put("state", json.dumps({"counters": counters, "staged": staged}).encode())
        part.ack()

    task.ready()
    inbox, has_finished = task.inbox(), False
    while True:
        # There is always work, or else the next event is waited for.
        unfinished = next((c for c, at in counters.items() if at < 1000), None)
        if unfinished is not None:
            counters[unfinished] += 1
            sink.write(f"{unfinished} {counters[unfinished]}\\n".encode())
            event = inbox.poll()
        else:
            if not has_finished:
                store(task.last(), sink.stage_last())
                has_finished = True
            event = inbox.wait()
        if isinstance(event, Checkpoint) and not has_finished:
            try:
                store(task.checkpoint(event.number), sink.stage(event.number))
            except NotPending:
                pass  # What was staged belongs to the next one.
        elif isinstance(event, Committed):
            sink.committed(event.number)
        elif isinstance(event, Stop):
            break

What it raises is named for what you do next: NotPending, go on; everything else, exit: the job
begins its next attempt, from its last checkpoint.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import queue
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Dict, Iterable, Iterator, List, Optional, Tuple, Union
from urllib.parse import quote

__all__ = [
    "Aborted", "Checkpoint", "Committed", "Event", "FileSink", "Gone", "Inbox", "Lost", "NotATask",
    "NotPending", "NotRestored", "Part", "Query", "Refused", "Restore", "RestoredRank", "StoredFile",
    "Stop", "Taken", "Task", "TaskError",
]

# How often a request is sent whose connection breaks. All of them may be sent twice.
_TRIES = 3
# Between two tries, in seconds.
_PAUSE = 0.1
# If an answer says to come again, and not when; and the longest that is waited, in seconds.
_USUAL_WAIT, _LONGEST_WAIT = 1.0, 30.0
# How much of a file is sent at a time, in bytes.
_PIECE = 64 * 1024
# Most events that wait to be taken: there is one checkpoint at a time, so there are few.
_MOST_WAITING = 64
# How many digits of the id of a job are in the names of last files: enough to tell the few jobs
# apart that go on from each other in one directory.
_JOB_DIGITS = 8


class TaskError(Exception):
    """Why something did not do what it should."""


class NotATask(TaskError):
    """The program was not started as a task of a cluster: say so, and exit."""


class NotPending(TaskError):
    """The checkpoint is aborted, or another one is asked for by now. Go on working: what was
    staged for it belongs to the next one."""

    def __init__(self, number: int, why: str):
        super().__init__(f"checkpoint {number} is not asked for any more: {why}")
        self.number = number


class NotRestored(TaskError):
    """What the task was to start from is gone or altered. Exit."""


class Refused(TaskError):
    """The request is wrong, and would be at any other time: a fault of this program."""

    def __init__(self, status: int, why: str):
        super().__init__(f"refused with {status}: {why}")
        self.status, self.why = status, why


class Gone(TaskError):
    """The TaskManager is gone, and has ended this task or will. Exit."""


class Taken(TaskError):
    """There is a file of this name that is not of this job. Use another directory."""


class Lost(TaskError):
    """What a checkpoint has promised is neither staged nor published. Exit with a failure."""


@dataclass(frozen=True)
class Checkpoint:
    """Store the state as it is now, and acknowledge: Task.checkpoint."""

    number: int
    is_savepoint: bool = False


@dataclass(frozen=True)
class Committed:
    """The checkpoint is complete: publish everything that is staged up to it. May come twice."""

    number: int


@dataclass(frozen=True)
class Aborted:
    """It will never be complete: keep what is staged for it, it belongs to the next one. This rank
    may never have been asked for it."""

    number: int


@dataclass(frozen=True)
class Stop:
    """Publish nothing new, and exit with 0. It is the last event."""


Event = Union[Checkpoint, Committed, Aborted, Stop]


@dataclass(frozen=True)
class Query:
    """What is asked of the state of this task: the value of `key`, or if `limit` is set the lowest
    keys of a range, or if there is no `state` the names of all states. Somebody waits."""

    id: str
    state: Optional[str] = None
    key: Any = None
    start: Any = None
    """The first key of the range; None: from the beginning."""
    end: Any = None
    """The key before which it ends; None: to the end."""
    limit: Optional[int] = None


@dataclass(frozen=True)
class StoredFile:
    """A file that is durable."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class RestoredRank:
    """What one rank had stored."""

    rank: int
    is_finished: bool
    files: Tuple[StoredFile, ...] = field(default_factory=tuple)


class Task:
    """This task. Each request has a connection of its own, so threads do not wait for each other."""

    job: str
    """The id of the job: 32 hexadecimal digits."""
    name: str
    """Its name, for people."""
    attempt: int
    """The number of the attempt, from 1. Other systems can refuse what comes with a lower one."""
    rank: int
    """The place in the gang, from 0."""
    tasks: int
    """How many tasks the gang has."""
    peers: List[str]
    """`host:port` of each rank."""
    is_checkpointing: bool
    """Whether the job checkpoints. If not, the task is asked for nothing."""
    restore_number: Optional[int]
    """The number of the checkpoint to start from."""

    def __init__(self, socket_path: str):
        """The task whose socket this is. Raises Gone."""
        self._socket_path = socket_path
        told = self._json("GET", "/v1/task")
        self.job, self.name = told["job"], told["name"]
        self.attempt, self.rank, self.tasks = told["attempt"], told["rank"], told["tasks"]
        self.peers = told.get("peers") or []
        self.is_checkpointing = bool(told.get("is_checkpointing"))
        self.restore_number = told.get("restore")

    @classmethod
    def from_env(cls) -> Task:
        """The task that this process is. Raises NotATask, Gone."""
        path = os.environ.get("INCUMBENT_TASK_SOCKET")
        if not path:
            raise NotATask(
                "INCUMBENT_TASK_SOCKET is not set: this program is meant to be a task of a cluster "
                "(incumbent job run)"
            )
        return cls(path)

    def restore(self) -> Optional[Restore]:
        """What to start from: the parts of *all* ranks of the attempt that made it, which may have
        had another number of tasks. None at the beginning of a job.

        What was staged for that checkpoint counts as committed: publish it before `ready`
        (FileSink.recover does). Raises NotRestored, Gone. An outage of the blobs is waited out.
        """
        try:
            told = self._json("GET", "/v1/restore")
        except Refused as refused:
            if refused.status == 404:
                return None
            raise NotRestored(refused.why) from None
        return Restore(self, told)

    def ready(self) -> List[str]:
        """Says that this task is ready, and returns when all are: `host:port` of each rank. No
        checkpoint is asked for before. Raises Gone."""
        return self._json("POST", "/v1/ready").get("peers") or []

    def events(self) -> Iterator[Event]:
        """What this task is told, in order, waiting for each. It ends after Stop.

        A connection that breaks is made anew behind the scenes, and what was told already is not
        told again. Raises Gone.
        """
        asked = committed = 0
        while True:
            with self._ask("GET", "/v1/events") as lines:
                while True:
                    try:
                        line = lines.readline()
                    except (OSError, http.client.HTTPException):
                        break
                    if not line.endswith(b"\n"):
                        break  # What is left of a line will be told again.
                    try:
                        told = json.loads(line or b"null")
                        kind, number = told["event"], int(told.get("number", 0))
                    except (ValueError, TypeError, KeyError, AttributeError):
                        continue  # Of a later version.
                    if kind == "checkpoint" and number > asked:
                        asked = number
                        yield Checkpoint(number, bool(told.get("savepoint")))
                    elif kind == "committed" and number > committed:
                        committed = number
                        yield Committed(number)
                    elif kind == "aborted":
                        yield Aborted(number)
                    elif kind == "stop":
                        yield Stop()
                        return
            time.sleep(_PAUSE)

    def inbox(self) -> Inbox:
        """The same events, read on a thread of its own, to look at between two pieces of work."""
        return Inbox(self.events())

    def queries(self) -> Iterator[Query]:
        """What is asked of the state of this task, waiting for each. A task that reads them answers
        queries; the newest reader is the only one. Read them on a thread of their own.

        A connection that breaks is made anew behind the scenes; a query may come twice then.
        Raises Gone.
        """
        while True:
            with self._ask("GET", "/v1/queries") as lines:
                while True:
                    try:
                        line = lines.readline()
                    except (OSError, http.client.HTTPException):
                        break
                    if not line.endswith(b"\n"):
                        break  # What is left of a line will be asked again.
                    query = _query(line)
                    if query is not None:
                        yield query
            time.sleep(_PAUSE)

    def answer(
        self, query: Query, entries: Iterable[Tuple[Any, Any]] = (), *, is_owner: bool = False,
        more: bool = False, states: Iterable[str] = (), refused: str = "", detail: str = "",
    ) -> None:
        """Answers a query with keys and their values, or the names of states. `is_owner` says that
        the key belongs to this rank, whether it is there or not; `more`, that the range has more
        than the limit. `refused` is unknown-state (with `states`), bad-key or not-now (with
        `detail`). If nobody waits any more, that is no error. Raises Refused if it is too large:
        1 MiB; Gone."""
        told: Dict[str, Any] = {
            "entries": [{"key": key, "value": value} for key, value in entries],
            "is_owner": is_owner, "more": more, "states": list(states),
        }
        if refused:
            told["refused"] = refused
        if detail:
            told["detail"] = detail
        path = f"/v1/queries/{_escaped(query.id)}"
        try:
            self._done("POST", path, json.dumps(told).encode(), "application/json")
        except Refused as error:
            if error.status != 404:
                raise

    def checkpoint(self, number: int) -> Part:
        """This rank's part of a checkpoint that it was asked for."""
        return Part(self, number)

    def last(self) -> Part:
        """The last files of this rank: they count in all later checkpoints once `finish` has been
        said, or this part is acknowledged, which is the same."""
        return Part(self, None)

    def finish(self) -> None:
        """Says that nothing more will come of this rank. It is not asked for checkpoints any more;
        it goes on to listen, publishes what is committed, and exits when it is told to stop.
        Raises Refused, Gone."""
        self._done("POST", "/v1/finish")

    def metrics(self, text: str) -> None:
        """Shows these metrics, in the text form of OpenMetrics, at the TaskManager's /metrics, with
        `job` and `rank`. They replace what was shown before. Raises Refused, Gone."""
        self._done("PUT", "/v1/metrics", text.encode(), "application/openmetrics-text; version=1.0.0")

    def progress(self, line: str) -> None:
        """Shows this line to people who look at the job: at most 200 bytes. Raises Refused, Gone."""
        self._done("PUT", "/v1/progress", line.encode(), "text/plain; charset=utf-8")

    def _done(self, method: str, path: str, body: _Source = None, kind: str = "") -> None:
        self._ask(method, path, body, kind).close()

    def _json(self, method: str, path: str, body: _Source = None, kind: str = "") -> Any:
        for tried in range(_TRIES):
            try:
                with self._ask(method, path, body, kind) as answer:
                    return json.loads(answer.read())
            except (OSError, http.client.HTTPException, ValueError) as error:
                broken = error
                time.sleep(_PAUSE)
        raise Gone("the TaskManager does not answer") from broken

    def _ask(
        self, method: str, path: str, body: _Source = None, kind: str = ""
    ) -> http.client.HTTPResponse:
        """Asks until there is an answer that is final. The caller closes it."""
        source = io.BytesIO(body) if isinstance(body, (bytes, bytearray, memoryview)) else body
        start, length = _extent(source)
        broken = 0
        while True:
            connection = _UnixConnection(self._socket_path)
            try:
                connection.connect()
            except OSError as error:
                raise Gone("the TaskManager does not answer") from error
            try:
                answer = _exchange(connection, method, path, source, start, length, kind)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                broken += 1
                if broken == _TRIES:
                    raise Gone("the TaskManager does not answer") from error
                time.sleep(_PAUSE)
                continue
            if 200 <= answer.status < 300:
                return answer
            problem = _problem(answer)
            if answer.status == 503:
                time.sleep(min(_retry_after(answer), _LONGEST_WAIT))
            elif problem["type"].endswith(":being-stored"):
                # The upload that broke off is not known to be over yet.
                time.sleep(_PAUSE)
            else:
                raise Refused(answer.status, problem["detail"] or problem["title"])


class Inbox:
    """Events, for a program that looks at them between two pieces of work."""

    def __init__(self, events: Iterator[Event]):
        self._queue: queue.Queue[Union[Event, TaskError, None]] = queue.Queue(_MOST_WAITING)
        self._has_ended = False
        threading.Thread(target=self._read, args=(events,), daemon=True).start()

    def poll(self) -> Optional[Event]:
        """The next event, if there is one by now. Raises Gone, once."""
        return self._take(0)

    def wait(self, longest: Optional[float] = None) -> Optional[Event]:
        """Waits for the next event, at most so many seconds if said. None after Stop. Raises Gone,
        once."""
        return self._take(longest)

    def _read(self, events: Iterator[Event]) -> None:
        try:
            for event in events:
                self._queue.put(event)
            self._queue.put(None)
        except TaskError as error:
            self._queue.put(error)

    def _take(self, longest: Optional[float]) -> Optional[Event]:
        if self._has_ended:
            return None
        try:
            event = self._queue.get(timeout=longest) if longest != 0 else self._queue.get_nowait()
        except queue.Empty:
            return None
        self._has_ended = event is None or isinstance(event, TaskError)
        if isinstance(event, TaskError):
            raise event
        return event


class Part:
    """What one rank stores for a checkpoint: files, then an acknowledgement."""

    def __init__(self, task: Task, number: Optional[int]):
        self._task, self._number = task, number
        self._files: Dict[str, StoredFile] = {}

    def put(self, name: str, content: Union[bytes, BinaryIO]) -> StoredFile:
        """Stores a file: these bytes, or the rest of this file, which must be able to seek. When it
        returns, the file is durable. The same name again replaces it. Names have 1 to 128 letters,
        digits, `.`, `_` and `-`, and do not begin with a dot.

        While the blobs are out it waits, and then sends from the beginning. Raises NotPending (the
        checkpoint is aborted by now: go on), Refused, Gone.
        """
        place = "final" if self._number is None else str(self._number)
        path = f"/v1/checkpoints/{place}/{_escaped(name)}"
        try:
            told = self._task._json("PUT", path, content, "application/octet-stream")
        except Refused as refused:
            raise self._of_number(refused) from None
        self._files[name] = StoredFile(name, told.get("size", 0), told.get("sha256", ""))
        return self._files[name]

    def ack(self) -> None:
        """Acknowledges the checkpoint with the files that were put; of Task.last, says `finish`.
        Raises NotPending (the checkpoint is aborted by now: go on), Refused, Gone."""
        if self._number is None:
            return self._task.finish()
        body = json.dumps({"files": list(self._files)}).encode()
        try:
            self._task._done("POST", f"/v1/checkpoints/{self._number}/ack", body, "application/json")
        except Refused as refused:
            raise self._of_number(refused) from None

    def _of_number(self, refused: Refused) -> TaskError:
        if refused.status == 409 and self._number is not None:
            return NotPending(self._number, refused.why)
        return refused


class Restore:
    """What a task starts from: the parts of all ranks of the attempt that made the checkpoint."""

    number: int
    """The number of the checkpoint."""
    tasks: int
    """How many tasks the attempt had that made it. It may be another number than now."""
    ranks: Tuple[RestoredRank, ...]
    """The parts, by rank."""

    def __init__(self, task: Task, told: Dict[str, Any]):
        self._task = task
        self.number, self.tasks = told["number"], told["tasks"]
        self.ranks = tuple(
            RestoredRank(
                rank["rank"],
                bool(rank.get("is_finished")),
                tuple(
                    StoredFile(file["name"], file["size"], file["sha256"])
                    for file in rank.get("files", [])
                ),
            )
            for rank in told["ranks"]
        )

    def open(self, rank: int, name: str) -> BinaryIO:
        """Reads a file of a rank, piece by piece. If it is altered, reading it to its end raises an
        http.client.IncompleteRead. Raises NotRestored if it is gone, Gone. An outage of the blobs
        is waited out."""
        try:
            return self._task._ask("GET", f"/v1/restore/{int(rank)}/{_escaped(name)}")  # type: ignore[return-value]
        except Refused as refused:
            raise NotRestored(refused.why) from None

    def read(self, rank: int, name: str) -> bytes:
        """A whole file of a rank. Raises NotRestored, also if it is altered; Gone."""
        for _ in range(_TRIES):
            try:
                with self.open(rank, name) as file:
                    return file.read()
            except (OSError, http.client.HTTPException) as error:
                broken = error
                time.sleep(_PAUSE)
        raise NotRestored(f"{name} of rank {rank} could not be read to its end") from broken

    def all(self, name: str) -> List[Tuple[int, bytes]]:
        """The files with this name of all ranks that have one, with the rank of each. Raises
        NotRestored, Gone."""
        return [
            (rank.rank, self.read(rank.rank, name))
            for rank in self.ranks
            if any(file.name == name for file in rank.files)
        ]


class FileSink:
    """Output in files of a directory that all machines share. Files appear when the checkpoint is
    committed that they were staged for, whole and once, whatever was killed meanwhile.

    `write` to it; `stage` when a checkpoint is asked for, and store what it returns with the state,
    as JSON; `committed` when told so; and `recover` first of all, before Task.ready. Each rank has
    one. What is published has the name that the *state* says, so it does not matter which attempt
    publishes it, or how often.

    The file system must have hard links. Files may be taken away once a *later* checkpoint is
    committed: until then, a restart looks for them.
    """

    def __init__(self, task: Task, directory: str, name: str):
        """A sink of this name, 1 to 64 letters, digits, `-` and `_`, into this directory, which is
        made if it is not there."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise ValueError(f"{name!r} cannot be the name of a sink: 1 to 64 letters, digits, - and _")
        os.makedirs(directory, exist_ok=True)
        self._task, self._name = task, name
        # The state names it, and another attempt has another working directory.
        self._dir = os.path.realpath(directory)
        self._opened = 0
        self._open: Optional[BinaryIO] = None
        self._hidden = ""
        self._staged: List[Dict[str, Any]] = []
        # The last number that something was staged for. What stands is told again, and an end that
        # is staged now is not in it.
        self._number = task.restore_number or 0

    def write(self, content: bytes) -> None:
        """Writes to the present file, which no one sees yet."""
        if not content:
            return
        while self._open is None:
            self._opened += 1
            task = self._task
            self._hidden = f".{self._name}-{task.job}-{task.attempt}-{task.rank}-{self._opened}"
            try:
                self._open = open(os.path.join(self._dir, self._hidden), "xb")
            except FileExistsError:
                pass  # Of a job that had this id before: never write into what may be published.
        self._open.write(content)

    def recover(self, staged: List[Dict[str, Any]]) -> None:
        """Publishes what the restored states of *all* ranks say is staged, or this rank's share of
        it, and removes what attempts before this one have left. Call it before Task.ready, also
        with nothing if the task starts with nothing. Several sinks may all be given all that is
        staged. Raises Taken, Lost, OSError: exit with a failure."""
        task = self._task
        self._publish([one for at, one in enumerate(staged) if at % task.tasks == task.rank])
        if task.rank == 0:
            self._remove_litter({one["hidden"] for one in staged})

    def stage(self, number: int) -> List[Dict[str, Any]]:
        """Ends the present file, if something was written, and makes it durable: it belongs to this
        checkpoint. Returns all that is staged and not known to be committed: store it with the
        state. Raises OSError: do not acknowledge; exit with a failure."""
        self._number = number
        return self._stage_as(number, f"part-{self._name}-{self._task.rank}-{number}")

    def stage_last(self) -> List[Dict[str, Any]]:
        """The same for the end of the input, to be stored with Task.last."""
        # Another attempt may have last files too, of another number of tasks, and no number of a
        # checkpoint tells them apart. Nor those of a job that starts from this one's checkpoint.
        task = self._task
        job = task.job[:_JOB_DIGITS]
        published = f"part-{self._name}-{task.rank}-last-{job}-{task.attempt}"
        return self._stage_as(self._number + 1, published)

    def committed(self, number: int) -> None:
        """Publishes what is staged up to this checkpoint. May be called again. Raises Taken, Lost,
        OSError: exit with a failure; the next attempt publishes it."""
        self._publish([one for one in self._staged if one["from"] <= number])
        self._staged = [one for one in self._staged if one["from"] > number]

    def _stage_as(self, number: int, published: str) -> List[Dict[str, Any]]:
        if self._open is not None:
            self._open.flush()
            os.fsync(self._open.fileno())
            self._open.close()
            self._open = None
            _sync(self._dir)
            one = {"from": number, "job": self._task.job, "dir": self._dir}
            self._staged.append({**one, "hidden": self._hidden, "published": published})
        return list(self._staged)

    def _publish(self, staged: List[Dict[str, Any]]) -> None:
        """Links each to its name, makes the names durable, and only then takes the hidden ones
        away."""
        for one in staged:
            hidden = os.path.join(one["dir"], one["hidden"])
            published = os.path.join(one["dir"], one["published"])
            try:
                os.link(hidden, published)
            except FileExistsError:
                try:
                    is_same = os.path.samefile(hidden, published)
                except FileNotFoundError:
                    # Another process of this job has published it just now.
                    is_same = os.path.exists(published)
                if not is_same:
                    raise Taken(
                        f"{published} is there already, and is not of this job: use another "
                        "directory for the output"
                    ) from None
            except FileNotFoundError:
                # No one takes a hidden name away before the file is published. Of another job,
                # which may have ended long ago, it may have been taken away since.
                if one["job"] == self._task.job and not os.path.exists(published):
                    raise Lost(
                        f"{published} is neither staged nor published: the directory has to be the "
                        "same on all machines, and output must not be taken away before a later "
                        "checkpoint is committed"
                    ) from None
        for directory in {one["dir"] for one in staged}:
            if os.path.isdir(directory):
                _sync(directory)
        for one in staged:
            _remove(os.path.join(one["dir"], one["hidden"]))

    def _remove_litter(self, kept: set) -> None:
        """Removes what lower attempts have staged and no state names. They can commit nothing any
        more, since this one has begun."""
        prefix = f".{self._name}-{self._task.job}-"
        for name in os.listdir(self._dir):
            if not name.startswith(prefix) or name in kept:
                continue
            attempt = name[len(prefix):].split("-", 1)[0]
            if attempt.isdigit() and int(attempt) < self._task.attempt:
                _remove(os.path.join(self._dir, name))


# What can be sent, and sent again.
_Source = Union[bytes, BinaryIO, None]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("task")
        self._path = path

    def connect(self) -> None:
        if self.sock is None:
            connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connected.connect(self._path)
            except OSError:
                connected.close()
                raise
            self.sock = connected


def _extent(source: Optional[BinaryIO]) -> Tuple[int, int]:
    """Where a source is, and how much is left of it."""
    if source is None:
        return 0, 0
    start = source.tell()
    return start, max(source.seek(0, os.SEEK_END) - start, 0)


def _exchange(
    connection: _UnixConnection, method: str, path: str, source: Optional[BinaryIO], start: int,
    length: int, kind: str,
) -> http.client.HTTPResponse:
    headers = {"Connection": "close"}
    if source is not None:
        headers.update({"Content-Type": kind, "Content-Length": str(length)})
    elif method != "GET":
        headers["Content-Length"] = "0"
    try:
        connection.request(method, path, _pieces(source, start, length), headers)
    except (BrokenPipeError, ConnectionResetError):
        pass  # A body that is refused is answered before it has been read; so look.
    answer = connection.getresponse()
    if connection.sock is not None:
        # It is closed when the answer is: that reads from it by a file of its own.
        connection.sock.close()
    return answer


def _pieces(source: Optional[BinaryIO], start: int, length: int) -> Any:
    if source is None:
        return None

    def pieces() -> Iterator[bytes]:
        source.seek(start)
        left = length
        while left > 0:
            piece = source.read(min(left, _PIECE))
            if not piece:
                raise TaskError("the file that is being stored became shorter")
            left -= len(piece)
            yield piece

    return pieces()


def _problem(answer: http.client.HTTPResponse) -> Dict[str, str]:
    try:
        text = answer.read(8192).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        text = ""
    finally:
        answer.close()
    try:
        problem = json.loads(text)
        return {name: str(problem.get(name) or "") for name in ("type", "title", "detail")}
    except (ValueError, AttributeError):
        return {"type": "", "title": text.strip(), "detail": ""}


def _query(line: bytes) -> Optional[Query]:
    """A query. None if it is of a later version."""
    try:
        told = json.loads(line)
        if told.get("list") is True:
            return Query(told["id"])
        if "key" in told:
            return Query(told["id"], told["state"], told["key"])
        of = told["range"]
        return Query(told["id"], told["state"], None, of.get("from"), of.get("to"), int(of["limit"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _retry_after(answer: http.client.HTTPResponse) -> float:
    try:
        return float(answer.getheader("Retry-After") or _USUAL_WAIT)
    except ValueError:
        return _USUAL_WAIT


def _escaped(name: str) -> str:
    """A name as a part of a path. Bad ones are for the server to refuse; they must only not become
    another request."""
    return "%2E" * len(name) if not name.strip(".") else quote(name, safe="")


def _sync(directory: str) -> None:
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except FileNotFoundError:
        pass
