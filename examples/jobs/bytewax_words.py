"""The dataflow of bytewax.toml: counts words, and writes each count as it rises.

There is nothing of the cluster in it: Bytewax reads where the other processes are from its own
variables, and keeps its state in its own recovery store.
"""

import os
import random
import time
from pathlib import Path

import bytewax.operators as op
from bytewax.connectors.files import DirSink, DirSource
from bytewax.dataflow import Dataflow

PLACE = Path(os.environ["WORDS"])
FILES, LINES = 2, int(os.environ.get("LINES", 2000))
# Seconds for each line of a file.
PAUSE = float(os.environ.get("PAUSE", 0.01))


def make_input():
    """The same each time, and it appears whole, whichever process is first."""
    if (PLACE / "input").exists():
        return
    fresh = PLACE / f"input-{os.getpid()}"
    fresh.mkdir(parents=True)
    drawn = random.Random(1)
    for number in range(FILES):
        lines = (f"word{drawn.randrange(50):02}\n" for _ in range(LINES))
        (fresh / f"{number}.txt").write_text("".join(lines))
    try:
        fresh.rename(PLACE / "input")
    except OSError:
        pass  # Another one was first.


def paced(line):
    time.sleep(PAUSE)
    return line, None


def counted(state, _):
    state = (state or 0) + 1
    return state, state


make_input()
(PLACE / "output").mkdir(exist_ok=True)

flow = Dataflow("words")
lines = op.input("lines", flow, DirSource(PLACE / "input", glob_pat="*.txt", batch_size=1))
words = op.map("pace", lines, paced)
counts = op.stateful_map("count", words, counted)
shown = op.map("show", counts, lambda one: (one[0], f"{one[0]} {one[1]}"))
op.output("output", shown, DirSink(PLACE / "output", file_count=FILES))
