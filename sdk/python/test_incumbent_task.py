"""incumbent_task.py against a small double of the task socket.

Run by the tests of crates/cluster/task, or by hand: python3 -I sdk/python/test_incumbent_task.py
"""

import io
import json
import os
import socketserver
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import incumbent_task as sdk  # noqa: E402
from incumbent_task import Aborted, Checkpoint, Committed, FileSink, Stop, Task  # noqa: E402

END = object()


class Fake:
    """A socket with a TaskManager behind it: one rank, and answers that tests steer."""

    def __init__(self, test, attempt=1, rank=0, tasks=1, restore=None, job="1"):
        self.identity = {
            "job": job * 32, "name": "x", "attempt": attempt, "rank": rank, "tasks": tasks,
            "peers": ["a:1"], "is_checkpointing": True, "restore": restore, "later": True,
        }
        self.heard, self.bodies, self.files, self.first, self.cut = [], {}, {}, {}, set()
        self.events, self.cuts, self.changed = [], 0, threading.Condition()
        self.queries = []
        directory = tempfile.TemporaryDirectory(prefix="task-")
        self.path = os.path.join(directory.name, "socket")
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                fake.serve(self)

            do_PUT = do_POST = do_GET

            def address_string(self):
                return "task"

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            block_on_close = False

        self.server = Server(self.path, Handler)
        serve = self.server.serve_forever
        threading.Thread(target=serve, args=(0.01,), daemon=True).start()
        test.addCleanup(directory.cleanup)
        test.addCleanup(self.server.server_close)
        test.addCleanup(self.server.shutdown)

    def task(self):
        return Task(self.path)

    def tell(self, line):
        with self.changed:
            self.events.append(line)
            self.changed.notify_all()

    def ask(self, line):
        with self.changed:
            self.queries.append(line)
            self.changed.notify_all()

    def cut_events(self):
        with self.changed:
            self.cuts += 1
            self.changed.notify_all()

    def serve(self, to):
        request = f"{to.command} {to.path}"
        meets = self.first.get(request)
        if meets:
            met = meets.pop(0)
            to.close_connection = True
            if met is not END:
                self.answer(to, *met)
            return
        body = to.rfile.read(int(to.headers.get("Content-Length", 0)))
        self.heard.append(request)
        self.bodies[to.path] = body
        if request == "GET /v1/events":
            return self.serve_lines(to, self.events)
        if request == "GET /v1/queries":
            return self.serve_lines(to, self.queries)
        if request == "GET /v1/task":
            return self.answer(to, 200, self.identity)
        if request == "POST /v1/ready":
            return self.answer(to, 200, {"peers": ["a:1", "b:2"]})
        if to.command == "GET":
            found = self.files.get(to.path)
            if found is None:
                return self.answer(to, 404, {"title": "not found", "detail": "it is not there"})
            return self.answer(to, 200, found)
        if to.command == "PUT" and to.path.startswith("/v1/checkpoints/"):
            return self.answer(to, 201, {"name": "", "size": len(body), "sha256": "00"})
        return self.answer(to, 200, b"")

    def answer(self, to, status, body, **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        to.send_response(status)
        to.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            to.send_header(name.replace("_", "-"), value)
        to.end_headers()
        if to.path in self.cut:
            body, to.close_connection = body[:-1], True
        to.wfile.write(body)

    def serve_lines(self, to, lines):
        to.send_response(200)
        to.send_header("Transfer-Encoding", "chunked")
        to.end_headers()
        to.close_connection = True
        told = 0
        with self.changed:
            cuts = self.cuts
            while self.cuts == cuts:
                for line in lines[told:]:
                    text = line if isinstance(line, str) else json.dumps(line)
                    text = text.encode() + b"\n"
                    # In two chunks, as it may come.
                    for part in (text[:3], text[3:]):
                        if part:
                            to.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                told = len(lines)
                to.wfile.flush()
                self.changed.wait()



class Queries(unittest.TestCase):
    def test_queries_are_read_and_answered_also_after_a_lost_connection(self):
        fake = Fake(self)
        task = fake.task()
        fake.ask({"id": "1", "state": "totals", "key": None})
        fake.ask({"id": "2", "of": "a later version"})
        fake.ask({"id": "3", "state": "totals", "range": {"from": [1, "a"], "limit": 2}})
        queries = task.queries()
        key, of = next(queries), next(queries)
        self.assertEqual(key, sdk.Query("1", "totals", None))
        self.assertEqual(of, sdk.Query("3", "totals", None, [1, "a"], None, 2))
        task.answer(key, [(None, {"n": 3})], is_owner=True)
        task.answer(of, [([1, "a"], 1)], more=True)
        fake.cut_events()
        fake.ask({"id": "4", "list": True})
        again = [next(queries), next(queries), next(queries)]
        self.assertEqual(again, [key, of, sdk.Query("4")])
        task.answer(again[2], states=["totals"])
        task.answer(key, refused="bad-key", detail="it is a string")
        answers = {id: json.loads(fake.bodies[f"/v1/queries/{id}"]) for id in "134"}
        self.assertEqual(answers["3"]["entries"], [{"key": [1, "a"], "value": 1}])
        self.assertTrue(answers["3"]["more"])
        self.assertEqual(answers["4"]["states"], ["totals"])
        self.assertEqual(answers["1"]["refused"], "bad-key")

    def test_an_answer_that_nobody_waits_for_is_no_error_and_one_that_is_too_large_is(self):
        fake = Fake(self)
        task = fake.task()
        fake.ask({"id": "1", "state": "x", "key": 1})
        query = next(task.queries())
        fake.first["POST /v1/queries/1"] = [(404, {"title": "no"}), (413, {"title": "no"})]
        task.answer(query)
        with self.assertRaises(sdk.Refused):
            task.answer(query)


class Contract(unittest.TestCase):
    def test_a_task_knows_who_it_is(self):
        task = Fake(self, attempt=3, rank=1, tasks=2).task()
        self.assertEqual((task.attempt, task.rank, task.tasks), (3, 1, 2))
        self.assertEqual((task.job, task.restore_number), ("1" * 32, None))
        self.assertEqual(task.ready(), ["a:1", "b:2"])

    def test_a_program_that_is_no_task_is_told_so(self):
        os.environ.pop("INCUMBENT_TASK_SOCKET", None)
        self.assertRaises(sdk.NotATask, Task.from_env)
        self.assertRaises(sdk.Gone, Task, "/no/such/socket")

    def test_files_are_stored_and_named_in_the_acknowledgement(self):
        fake = Fake(self)
        part = fake.task().checkpoint(7)
        self.assertEqual(part.put("state", b"abc").size, 3)
        large = io.BytesIO(b"x" * 1_000_001)
        large.read(1)
        part.put("large", large)
        part.put("state", b"abcd")
        part.ack()
        self.assertEqual(fake.bodies["/v1/checkpoints/7/state"], b"abcd")
        self.assertEqual(fake.bodies["/v1/checkpoints/7/large"], b"x" * 1_000_000)
        acked = json.loads(fake.bodies["/v1/checkpoints/7/ack"])
        self.assertEqual(sorted(acked["files"]), ["large", "state"])

    def test_last_files_are_stored_before_the_finish(self):
        fake = Fake(self)
        last = fake.task().last()
        last.put("state", b"end")
        last.ack()
        self.assertEqual(fake.bodies["/v1/checkpoints/final/state"], b"end")
        self.assertEqual(fake.heard[-1], "POST /v1/finish")

    def test_outages_are_waited_out_and_broken_connections_repeated(self):
        fake = Fake(self)
        task = fake.task()
        outage = (503, b"")
        being_stored = (409, {"type": "urn:x:being-stored", "title": "", "detail": ""})
        sdk._USUAL_WAIT, usual = 0.01, sdk._USUAL_WAIT
        self.addCleanup(setattr, sdk, "_USUAL_WAIT", usual)
        fake.first["PUT /v1/checkpoints/7/state"] = [outage, END, being_stored, outage]
        fake.first["POST /v1/checkpoints/7/ack"] = [END, outage, END]
        fake.first["POST /v1/ready"] = [outage]
        task.ready()
        part = task.checkpoint(7)
        # More than a socket takes at once, so it is refused while it is being sent.
        part.put("state", b"x" * 3_000_000)
        part.ack()
        self.assertEqual(len(fake.bodies["/v1/checkpoints/7/state"]), 3_000_000)

    def test_a_connection_that_always_breaks_is_a_task_manager_that_is_gone(self):
        fake = Fake(self)
        task = fake.task()
        fake.first["POST /v1/finish"] = [END, END, END]
        self.assertRaises(sdk.Gone, task.finish)

    def test_an_aborted_checkpoint_is_no_failure_of_the_task(self):
        fake = Fake(self)
        part = fake.task().checkpoint(7)
        no = (409, {"type": "urn:x:aborted", "title": "no", "detail": "7 was aborted"})
        fake.first["PUT /v1/checkpoints/7/state"] = [no]
        fake.first["POST /v1/checkpoints/7/ack"] = [no]
        with self.assertRaisesRegex(sdk.NotPending, "7 was aborted"):
            part.put("state", b"x")
        self.assertRaises(sdk.NotPending, part.ack)

    def test_a_fault_of_the_program_is_told_with_what_its_task_manager_says(self):
        fake = Fake(self)
        task = fake.task()
        too_long = {"title": "too long", "detail": ""}
        fake.first["PUT /v1/progress"] = [(400, too_long), (500, b"no JSON")]
        with self.assertRaisesRegex(sdk.Refused, "refused with 400: too long"):
            task.progress("x")
        with self.assertRaisesRegex(sdk.Refused, "refused with 500: no JSON"):
            task.progress("x")
        task.progress("x")
        task.metrics("x 1\n# EOF\n")
        self.assertEqual(fake.bodies["/v1/metrics"], b"x 1\n# EOF\n")

    def test_no_name_becomes_another_request(self):
        self.assertEqual(sdk._escaped("state-7.bin"), "state-7.bin")
        self.assertEqual(sdk._escaped("../x y\r\n"), "..%2Fx%20y%0D%0A")
        self.assertEqual(sdk._escaped(".."), "%2E%2E")

    def test_a_task_starts_with_nothing_or_with_the_files_of_all_ranks(self):
        fake = Fake(self)
        task = fake.task()
        self.assertIsNone(task.restore())

        def file(name):
            return {"name": name, "size": 1, "sha256": "00"}

        fake.files["/v1/restore"] = {
            "number": 7, "tasks": 2, "ranks": [
                {"rank": 0, "is_finished": False, "files": [file("state")]},
                {"rank": 1, "is_finished": True, "files": [file("state"), file("gone")]},
            ],
        }
        fake.files["/v1/restore/0/state"] = b"abc"
        fake.files["/v1/restore/1/state"] = b"d"
        restore = task.restore()
        self.assertEqual((restore.number, restore.tasks), (7, 2))
        self.assertTrue(restore.ranks[1].is_finished)
        self.assertEqual(restore.all("state"), [(0, b"abc"), (1, b"d")])
        with self.assertRaisesRegex(sdk.NotRestored, "it is not there"):
            restore.read(1, "gone")

    def test_an_altered_file_is_never_taken_for_a_whole_one(self):
        fake = Fake(self)
        fake.files["/v1/restore"] = {"number": 7, "tasks": 1, "ranks": []}
        fake.files["/v1/restore/0/state"] = b"abc"
        fake.cut.add("/v1/restore/0/state")
        self.assertRaises(sdk.NotRestored, fake.task().restore().read, 0, "state")

    def test_events_come_in_order_and_once_although_the_stream_breaks(self):
        fake = Fake(self)
        events = fake.task().events()
        fake.tell({"event": "checkpoint", "number": 7})
        self.assertEqual(next(events), Checkpoint(7))
        fake.tell({"event": "committed", "number": 7})
        self.assertEqual(next(events), Committed(7))
        fake.cut_events()
        fake.tell("")
        fake.tell({"event": "something of a later version", "number": "x"})
        fake.tell({"event": "checkpoint", "number": 8, "savepoint": True})
        fake.tell({"event": "aborted", "number": 8})
        fake.tell({"event": "stop"})
        rest = [Checkpoint(8, True), Aborted(8), Stop()]
        self.assertEqual(list(events), rest)

    def test_an_inbox_is_looked_at_between_two_pieces_of_work(self):
        fake = Fake(self)
        inbox = fake.task().inbox()
        self.assertIsNone(inbox.poll())
        fake.tell({"event": "committed", "number": 1})
        self.assertEqual(inbox.wait(), Committed(1))
        fake.tell({"event": "stop"})
        self.assertEqual(inbox.wait(), Stop())
        self.assertIsNone(inbox.wait())
        self.assertIsNone(inbox.poll())


class Sink(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = directory.name

    def sink(self, attempt=1, rank=0, tasks=1, restore=None, job="1"):
        return FileSink(Fake(self, attempt, rank, tasks, restore, job).task(), self.dir, "out")

    def staged(self, sink, text, number):
        sink.write(text.encode())
        return json.loads(json.dumps(sink.stage(number)))

    def shown(self):
        """What people see, and how much is hidden."""
        names = sorted(os.listdir(self.dir))
        shown = [name for name in names if not name.startswith(".")]
        contents = {}
        for name in shown:
            with open(os.path.join(self.dir, name), encoding="ascii") as file:
                contents[name] = file.read()
        return contents, len(names) - len(shown)

    def test_output_appears_when_its_checkpoint_is_committed_and_not_before(self):
        sink = self.sink()
        self.staged(sink, "one", 1)
        self.assertEqual(self.shown(), ({}, 1))
        sink.write(b"two")
        sink.committed(1)
        sink.committed(1)
        self.assertEqual(self.shown(), ({"part-out-0-1": "one"}, 1))
        self.assertEqual(len(sink.stage(2)), 1)
        self.assertEqual(len(sink.stage(3)), 1)
        sink.committed(3)
        self.assertEqual(self.shown(), ({"part-out-0-1": "one", "part-out-0-2": "two"}, 0))

    def test_the_last_output_waits_for_a_checkpoint_that_it_counts_in(self):
        sink = self.sink(attempt=2, restore=1)
        sink.write(b"end")
        sink.stage_last()
        sink.committed(1)
        self.assertEqual(self.shown(), ({}, 1))
        sink.committed(2)
        self.assertEqual(self.shown(), ({"part-out-0-last-11111111-2": "end"}, 0))

    def test_a_job_that_goes_on_from_another_one_has_an_end_of_its_own(self):
        for job in "12":
            sink = self.sink(job=job)
            sink.write(job.encode())
            sink.stage_last()
            sink.committed(1)
        both = {"part-out-0-last-11111111-1": "1", "part-out-0-last-22222222-1": "2"}
        self.assertEqual(self.shown(), (both, 0))

    def test_another_attempt_with_another_number_of_ranks_publishes_what_was_promised(self):
        promised = []
        for rank in range(3):
            promised += self.staged(self.sink(1, rank, 3), "x", 5)
        self.staged(self.sink(1, 3, 4), "lost", 6)
        one = promised[1]
        os.link(os.path.join(self.dir, one["hidden"]), os.path.join(self.dir, one["published"]))
        for rank in (1, 0, 1, 0):
            self.sink(2, rank, 2).recover(promised)
        self.assertEqual(self.shown(), ({f"part-out-{rank}-5": "x" for rank in range(3)}, 0))

    def test_a_process_that_should_be_dead_changes_nothing(self):
        zombie = self.sink(1)
        promised = self.staged(zombie, "one", 1)
        self.staged(zombie, "two of the zombie", 2)
        living = self.sink(2)
        living.recover(promised)
        self.staged(living, "two", 2)
        living.committed(2)
        zombie.committed(1)
        self.staged(zombie, "three of the zombie", 3)
        self.staged(living, "three", 3)
        living.committed(3)
        expected = {"part-out-0-1": "one", "part-out-0-2": "two", "part-out-0-3": "three"}
        self.assertEqual(self.shown()[0], expected)

    def test_nothing_of_another_job_is_replaced(self):
        with open(os.path.join(self.dir, "part-out-0-1"), "w", encoding="ascii") as file:
            file.write("of another job")
        sink = self.sink()
        self.staged(sink, "one", 1)
        self.assertRaises(sdk.Taken, sink.committed, 1)
        self.assertEqual(self.shown()[0], {"part-out-0-1": "of another job"})

    def test_a_promise_that_cannot_be_kept_stops_the_task(self):
        promised = self.staged(self.sink(), "one", 1)
        os.remove(os.path.join(self.dir, promised[0]["hidden"]))
        self.assertRaises(sdk.Lost, self.sink(2).recover, promised)
        # Of another job, which may have ended long ago, it was published and taken away.
        self.sink(2).recover([{**promised[0], "job": "2" * 32}])

    def test_names_that_could_lead_elsewhere_are_refused(self):
        task = Fake(self).task()
        for name in ("", "a/b", "..", "a.b", "ä", "x" * 65, "a\n"):
            self.assertRaises(ValueError, FileSink, task, self.dir, name)


class Example(unittest.TestCase):
    def test_the_example_of_the_documentation_does_what_it_says(self):
        lines = iter(sdk.__doc__.split("\n"))
        for line in lines:
            if line.endswith("::"):
                break
        code = []
        for line in lines:
            if line and not line.startswith("    "):
                break
            code.append(line[4:])
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        fake = Fake(self, tasks=2)
        os.environ["INCUMBENT_TASK_SOCKET"] = fake.path
        self.addCleanup(os.environ.pop, "INCUMBENT_TASK_SOCKET")
        finished = threading.Event()
        tell = fake.answer

        def answer(to, status, body, **headers):
            if to.path == "/v1/finish":
                fake.tell({"event": "committed", "number": 2})
                fake.tell({"event": "stop"})
                finished.set()
            tell(to, status, body, **headers)

        fake.answer = answer
        fake.tell({"event": "checkpoint", "number": 1})
        exec("\n".join(code).replace("/mnt/output", directory.name), {})
        self.assertTrue(finished.is_set())
        found = []
        for name in os.listdir(directory.name):
            self.assertTrue(name.startswith("part-numbers-0-"), name)
            with open(os.path.join(directory.name, name), encoding="ascii") as file:
                found += file.read().split("\n")[:-1]
        expected = [f"{counter} {at}" for counter in (0, 2, 4, 6) for at in range(1, 1001)]
        self.assertEqual(sorted(found), sorted(expected))
        stored = json.loads(fake.bodies["/v1/checkpoints/final/state"])
        self.assertEqual(stored["counters"], {str(counter): 1000 for counter in (0, 2, 4, 6)})


if __name__ == "__main__":
    unittest.main()
