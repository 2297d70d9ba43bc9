"""A task that counts, with checkpoints: for the tests.

Each counter of 0 to 7 goes to LIMIT, belongs to one rank, and has a line of output a step:
"COUNTER NUMBER". The state is kept by counter, so that any number of ranks can go on with it.
"""

import json
import os
import sys
import threading

sys.path.insert(0, os.environ["SDK"])
from incumbent_task import Checkpoint, Committed, FileSink, NotPending, Stop, Task  # noqa: E402

LIMIT, PACE = int(os.environ["LIMIT"]), float(os.environ["PACE"])
# A rank that never acknowledges.
DEAF = os.environ.get("DEAF", "")

task = Task.from_env()
sink = FileSink(task, os.path.join(os.environ["OUTPUT"], task.job), "counts")

counters, staged = {str(counter): 0 for counter in range(8)}, []
restore = task.restore()
if restore is not None:
    for _, content in restore.all("state"):
        state = json.loads(content)
        counters.update(state["counters"])
        staged += state["staged"]
    print(f"restored {restore.number} of {restore.tasks} tasks", flush=True)
sink.recover(staged)
counters = {c: at for c, at in counters.items() if int(c) % task.tasks == task.rank}


def store(part, staged):
    part.put("state", json.dumps({"counters": counters, "staged": staged}).encode())
    part.ack()


def answer_queries():
    """Its counters can be looked at: state `counters`, whose keys are strings."""
    for query in task.queries():
        if query.state is None:
            task.answer(query, states=["counters"])
        elif query.state != "counters":
            task.answer(query, refused="unknown-state", states=["counters"])
        elif query.limit is None and not isinstance(query.key, str):
            task.answer(query, refused="bad-key", detail="keys are strings")
        elif query.limit is None:
            found = [(c, at) for c, at in list(counters.items()) if c == query.key]
            task.answer(query, found, is_owner=bool(found))
        else:
            found = sorted((c, at) for c, at in list(counters.items())
                           if c >= (query.start or "") and (query.end is None or c < query.end))
            task.answer(query, found[:query.limit], more=len(found) > query.limit)


threading.Thread(target=answer_queries, daemon=True).start()
task.ready()
task.metrics(f"# TYPE counted gauge\ncounted {sum(counters.values())}\n# EOF\n")
inbox, has_finished = task.inbox(), False
while True:
    unfinished = [c for c, at in counters.items() if at < LIMIT]
    for counter in unfinished:
        counters[counter] += 1
        sink.write(f"{counter} {counters[counter]}\n".encode())
    if not unfinished and not has_finished:
        store(task.last(), sink.stage_last())
        has_finished = True
    event = inbox.wait() if has_finished else inbox.wait(PACE)
    if isinstance(event, Checkpoint) and not has_finished and str(task.rank) != DEAF:
        try:
            store(task.checkpoint(event.number), sink.stage(event.number))
        except NotPending:
            pass  # What was staged belongs to the next one.
        task.progress(f"counted to {max(counters.values(), default=0)}")
    elif isinstance(event, Committed):
        sink.committed(event.number)
    elif isinstance(event, Stop):
        break
