"""The counting job: how often each key occurs in a file of JSON lines, whatever is killed.

    incumbent job run examples/jobs/count.toml

Each task reads the whole file and counts the keys of its key groups. What it knows is kept by
group, so that any number of tasks can go on with it. Two kinds of files come out: counts-*, what
was added to each key between two checkpoints, and totals-*, what each key comes to in the end.

    python3 examples/jobs/counter --check /tmp/incumbent-count/JOB

compares them with the input: nothing is missing, and nothing is there twice.
"""

import argparse
import json
import os
import sys
import threading
from collections import Counter

from incumbent_task import Checkpoint, Committed, FileSink, NotPending, Stop, Task

# Keys are shared out in so many groups; so many tasks can have something to do.
GROUPS = 128
# So often a second a paced task looks at what it is told; at full speed, after so many records.
LOOKS, BATCH = 50, 1000


def group_of(key):
    """The group of a key: FNV-1a, the same in every process."""
    number = 0xCBF29CE484222325
    for byte in key.encode():
        number = (number ^ byte) * 0x100000001B3 % 2**64
    return number % GROUPS


class Groups:
    """What a task knows: for each of its groups, up to which byte of the input it is counted, what
    was counted, and whether the totals are staged."""

    def __init__(self, restored, rank, tasks):
        self.of = {group: {"offset": 0, "counts": {}, "is_done": False} for group in range(GROUPS)}
        for state in restored:
            self.of.update({int(group): content for group, content in state["groups"].items()})
        self.of = {group: content for group, content in self.of.items() if group % tasks == rank}
        self.known = {}

    def start(self):
        """From where the input has to be read; None if there is nothing more to read. Groups that
        other ranks had may be further than others."""
        return min((one["offset"] for one in self.of.values() if not one["is_done"]), default=None)

    def count(self, key, start, end):
        """Counts the record at these bytes, if it is ours and not counted yet."""
        if key not in self.known:
            self.known[key] = self.of.get(group_of(key))
        group = self.known[key]
        if group is None or start < group["offset"]:
            return False
        group["counts"][key] = group["counts"].get(key, 0) + 1
        group["offset"] = end
        return True

    def read_up_to(self, offset):
        """All that comes before this byte is counted."""
        for group in self.of.values():
            group["offset"] = max(group["offset"], offset)


def answer_queries(task, groups):
    """Answers what people ask of the counts, beside the work: `incumbent job state count counts k0001`."""
    for query in task.queries():
        if query.state is None:
            task.answer(query, states=["counts"])
        elif query.state != "counts":
            task.answer(query, refused="unknown-state", states=["counts"])
        elif query.limit is None and not isinstance(query.key, str):
            task.answer(query, refused="bad-key", detail="keys are strings")
        elif query.limit is None:
            group = groups.of.get(group_of(query.key))
            total = group and group["counts"].get(query.key)
            entries = [] if total is None else [(query.key, total)]
            task.answer(query, entries, is_owner=group is not None)
        else:
            # A copy of each: the work goes on meanwhile.
            found = [entry for one in groups.of.values() for entry in list(one["counts"].items())]
            start, end = query.start or "", query.end
            found = sorted(e for e in found if e[0] >= start and (end is None or e[0] < end))
            task.answer(query, found[:query.limit], more=len(found) > query.limit)


class Counting:
    def __init__(self, task, args):
        self.task, self.args = task, args
        output = args.output or os.path.join(args.directory, task.job)
        self.counts = FileSink(task, output, "counts")
        self.totals = FileSink(task, output, "totals")
        # What all ranks had, of whatever number; what was promised is published.
        restore = task.restore()
        parts = restore.all("state") if restore is not None else []
        restored = [json.loads(content) for _, content in parts]
        staged = [one for state in restored for one in state["staged"]]
        self.counts.recover(staged)
        self.totals.recover(staged)
        self.groups = Groups(restored, task.rank, task.tasks)
        # What was counted since the last checkpoint, and is not in the output yet.
        self.fresh = Counter()
        self.input = open(args.input, "rb")
        start = self.groups.start()
        self.at = self.input.seek(0, os.SEEK_END) if start is None else self.input.seek(start)
        self.has_finished = False

    def work(self):
        rate = self.args.rate
        batch = BATCH if rate == 0 else -(-rate // LOOKS)
        inbox = self.task.inbox()
        while True:
            if self.has_finished:
                event = inbox.wait()
            elif not self.read(batch):
                self.finish()
                continue
            else:
                event = inbox.poll() if rate == 0 else inbox.wait(1 / LOOKS)
            # Aborted is nothing to do: what is staged waits for the next checkpoint.
            if isinstance(event, Checkpoint) and not self.has_finished:
                self.checkpoint(event.number)
            elif isinstance(event, Committed):
                self.counts.committed(event.number)
                self.totals.committed(event.number)
            elif isinstance(event, Stop):
                return

    def read(self, records):
        """Counts some records. False at the end of the input."""
        for _ in range(records):
            line = self.input.readline()
            if not line:
                return False
            key, end = json.loads(line)["key"], self.at + len(line)
            if self.groups.count(key, self.at, end):
                self.fresh[key] += 1
            self.at = end
        return True

    def checkpoint(self, number):
        self.write_fresh()
        staged = self.counts.stage(number) + self.totals.stage(number)
        try:
            self.store(self.task.checkpoint(number), staged)
        except NotPending:
            pass  # What was staged for it belongs to the next one.
        self.task.progress(f"{self.at} bytes of the input are read")

    def finish(self):
        """The input has ended: the last output, with the totals, and the last state."""
        self.write_fresh()
        for group in self.groups.of.values():
            if not group["is_done"]:
                for key, total in sorted(group["counts"].items()):
                    self.totals.write(json.dumps({"key": key, "total": total}).encode() + b"\n")
                group["is_done"] = True
        self.store(self.task.last(), self.counts.stage_last() + self.totals.stage_last())
        self.has_finished = True
        print(f"all {self.at} bytes are read", flush=True)

    def store(self, part, staged):
        self.groups.read_up_to(self.at)
        state = {"groups": self.groups.of, "staged": staged}
        part.put("state", json.dumps(state).encode())
        part.ack()

    def write_fresh(self):
        for key, add in sorted(self.fresh.items()):
            self.counts.write(json.dumps({"key": key, "add": add}).encode() + b"\n")
        self.fresh.clear()


def make_input(args):
    """Makes the input, if it is not there: the same for the same seed. Any number of processes may
    do so at once: each makes the same file, and it appears whole."""
    if os.path.exists(args.input):
        return
    os.makedirs(os.path.dirname(os.path.abspath(args.input)), exist_ok=True)
    fresh, state = f"{args.input}.{os.getpid()}.new", args.seed
    with open(fresh, "w", encoding="ascii") as file:
        for number in range(args.records):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            key = (state >> 33) % args.keys
            file.write(f'{{"key":"k{key:04}","number":{number}}}\n')
    os.rename(fresh, args.input)


def check(args):
    """Compares the output with the input."""
    with open(args.input, "rb") as file:
        expected = Counter(json.loads(line)["key"] for line in file)
    counts, totals, twice = Counter(), {}, []
    for name in sorted(os.listdir(args.check)):
        with open(os.path.join(args.check, name), "rb") as file:
            for line in file if name.startswith("part-") else ():
                found = json.loads(line)
                if name.startswith("part-counts-"):
                    counts[found["key"]] += found["add"]
                else:
                    twice += [found["key"]] if found["key"] in totals else []
                    totals[found["key"]] = found["total"]
    wrong = [key for key in expected if counts[key] != expected[key]]
    print(f"counts: {sum(counts.values())} of {sum(expected.values())} records, {len(wrong)} keys differ")
    missing = [key for key in expected if totals.get(key) != expected[key]]
    print(f"totals: {len(totals)} of {len(expected)} keys, {len(missing)} missing or wrong, {len(twice)} twice")
    return 0 if counts == expected and totals == expected and not twice else 1


def main():
    parser = argparse.ArgumentParser(description="counts the keys of a file of JSON lines")
    parser.add_argument("--directory", default="/tmp/incumbent-count", help="of input and output")
    parser.add_argument("--input", help="made if it is not there; else DIRECTORY/input-….ndjson")
    parser.add_argument("--output", help="a directory; else DIRECTORY and the id of the job")
    parser.add_argument("--records", type=int, default=120_000, help="of an input that is made")
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=0, help="records a second; 0: all it can")
    parser.add_argument("--check", metavar="OUTPUT", help="compares the output with the input")
    args = parser.parse_args()
    usual = f"input-{args.records}-{args.keys}-{args.seed}.ndjson"
    args.input = args.input or os.path.join(args.directory, usual)
    if args.check:
        return check(args)
    make_input(args)
    task = Task.from_env()
    counting = Counting(task, args)
    threading.Thread(target=answer_queries, args=(task, counting.groups), daemon=True).start()
    task.ready()
    counting.work()
    return 0


if __name__ == "__main__":
    sys.exit(main())
