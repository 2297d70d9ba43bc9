"""A training loop in the manner of torchrun, without PyTorch: see examples/jobs/torchrun.toml.

The processes know their RANK and WORLD_SIZE and meet at MASTER_ADDR:MASTER_PORT, as those of
torch.distributed do. Each has its part of the data, computes its gradient, and the mean of all
gradients moves the model, which is therefore the same everywhere: a line, y = 3 x + 2. With PyTorch,
the class Gang becomes torch.distributed with the backend gloo or nccl; what is said to the
TaskManager stays.

The model is the whole state, so rank 0 stores it, and the others acknowledge without files. The
number of tasks may change between two attempts.
"""

import json
import os
import random
import socket
import struct
import sys
import time

from incumbent_task import Checkpoint, NotPending, Stop, Task

SAMPLES, LEARNING_RATE = 1024, 0.1
# Longest for the others to come, and for a stop that another rank has heard of before, in seconds.
PATIENCE = 60


class Gang:
    """All ranks, connected to rank 0."""

    def __init__(self, rank, size, address):
        self.rank, self.size = rank, size
        if rank == 0:
            with socket.create_server(("", address[1]), backlog=size) as server:
                self.others = [server.accept()[0] for _ in range(size - 1)]
        else:
            self.others = [connected(address)]

    def mean(self, numbers):
        """The mean of what all ranks have: an all-reduce."""
        if self.rank != 0:
            send(self.others[0], numbers)
            return receive(self.others[0], len(numbers))
        total = list(numbers)
        for other in self.others:
            for at, number in enumerate(receive(other, len(numbers))):
                total[at] += number
        total = [number / self.size for number in total]
        for other in self.others:
            send(other, total)
        return total


def connected(address):
    """Rank 0 may not listen yet."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(address, timeout=PATIENCE)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def send(to, numbers):
    to.sendall(struct.pack(f"!{len(numbers)}d", *numbers))


def receive(source, count):
    received = b""
    while len(received) < 8 * count:
        piece = source.recv(8 * count - len(received))
        if not piece:
            raise ConnectionError("another rank is gone")
        received += piece
    return struct.unpack(f"!{count}d", received)


def gradient(model, samples):
    """Of the mean square error."""
    slope, offset = model
    errors = [(slope * x + offset - y, x) for x, y in samples]
    return [2 * sum(e * x for e, x in errors) / len(samples), 2 * sum(e for e, _ in errors) / len(samples)]


def main():
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    steps, pause = int(os.environ.get("STEPS", 300)), float(os.environ.get("PAUSE", 0))

    task = Task.from_env()
    restore = task.restore()
    state = {"step": 0, "model": [0.0, 0.0]}
    if restore is not None:
        state = json.loads(restore.read(0, "model"))
    # The same data in each attempt, whatever the number of ranks.
    drawn = random.Random(1)
    points = [drawn.uniform(-1, 1) for _ in range(SAMPLES)]
    samples = [(x, 3 * x + 2) for x in points][rank::size]

    task.ready()
    gang, inbox = Gang(rank, size, address), task.inbox()
    try:
        while state["step"] < steps:
            mean = gang.mean(gradient(state["model"], samples))
            state["model"] = [w - LEARNING_RATE * g for w, g in zip(state["model"], mean)]
            state["step"] += 1
            event = inbox.wait(pause) if pause else inbox.poll()
            if isinstance(event, Stop):
                return 0
            if isinstance(event, Checkpoint):
                part = task.checkpoint(event.number)
                try:
                    store(part, rank, state)
                except NotPending:
                    pass
                task.progress(f"step {state['step']} of {steps}")
    except OSError:
        # Ranks hear of a stop at different steps. Otherwise one has failed, and so has the gang.
        event = inbox.wait(PATIENCE)
        while event is not None and not isinstance(event, Stop):
            event = inbox.wait(PATIENCE)
        if isinstance(event, Stop):
            return 0
        raise

    store(task.last(), rank, state)
    slope, offset = state["model"]
    print(f"step {state['step']}: y = {slope:.2f} x + {offset:.2f}", flush=True)
    while not isinstance(inbox.wait(), Stop):
        pass
    return 0


def store(part, rank, state):
    if rank == 0:
        part.put("model", json.dumps(state).encode())
    part.ack()


if __name__ == "__main__":
    sys.exit(main())
