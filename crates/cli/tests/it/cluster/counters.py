"""A task that counts, with checkpoints: for the tests.

Each counter of 0 to 7 goes to LIMIT, belongs to one rank, and has a line of output a step:
"COUNTER NUMBER". The state is kept by counter, so that any number of ranks can go on with it.
"""

import json
import os
import sys

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
