"""The crops that training draws from: a rolling pool whose content at every step follows from the step alone.

Chunks of crops are numbered, and chunk k is a function of (seed, k). They form lanes: chunk k belongs to lane k % lanes,
and a batch takes an equal part from every lane, so that each of several processes makes the crops of its own lanes only
and yet draws its slice of the batch that a single process would draw. The pool at step s holds the last rounds (one
chunk per lane each) of those that are due at s; a run that resumes makes them again and goes on to the bit.
"""
import os
import queue
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.multiprocessing as multiprocessing

FIRST_CROPS = 2048


@dataclass(frozen=True)
class PoolPlan:
    """The arithmetic of the pool."""
    seed: int
    batch: int
    reuse: float        # how often a crop is drawn on average
    pool: int           # crops kept, over all lanes
    lanes: int = 8
    chunk: int = 64

    def __post_init__(self):
        if self.batch % self.lanes:
            raise ValueError(f"a batch of {self.batch} cannot be drawn equally from {self.lanes} lanes")

    @property
    def round_size(self):
        return self.lanes * self.chunk

    @property
    def kept(self):
        """Rounds in a full pool."""
        return max(1, self.pool // self.round_size)

    def due(self, step):
        """How many rounds exist when step `step` (from 0) is drawn."""
        first = max(1, min(self.kept, FIRST_CROPS // self.round_size))
        return first + int(step * self.batch / (self.reuse * self.round_size))

    def first(self, step):
        """The oldest round in the pool at that step."""
        return max(0, self.due(step) - self.kept)

    def own_lanes(self, rank, world):
        if self.lanes % world:
            raise ValueError(f"{self.lanes} lanes of crops cannot be shared equally among {world} processes")
        each = self.lanes // world
        return range(rank * each, (rank + 1) * each)

    def random(self, step):
        """The generator of everything drawn at a step."""
        return np.random.default_rng([self.seed, 3, step])


class LocalSource:
    """Makes chunks when they are asked for, in this process."""

    def __init__(self, make):
        self.make = make

    def take(self, number):
        return self.make(number)

    def close(self):
        pass


def _produce(make_maker, arguments, numbers, channel, stop):
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    os.nice(1)
    make = make_maker(arguments)
    for number in numbers:
        made = make(number)
        while not stop.is_set():
            try:
                channel.put((number, *made), timeout=1)
                break
            except queue.Full:
                pass
        if stop.is_set():
            return


@dataclass(frozen=True)
class Numbers:
    """The chunk numbers of producer `part` of `parts`, without end: the lanes' chunks from round `first` on."""
    first: int
    lanes: range
    all_lanes: int
    part: int
    parts: int

    def __iter__(self):
        position = self.part
        while True:
            round_, lane = divmod(position, len(self.lanes))
            yield (self.first + round_) * self.all_lanes + self.lanes[lane]
            position += self.parts


class ProcessSource:
    """Chunks made ahead by other processes. `make_maker(arguments)` runs there and returns the function number -> chunk."""

    def __init__(self, make_maker, arguments, plan, first, lanes, processes):
        context = multiprocessing.get_context("spawn")
        self.stop, self.at = context.Event(), 0
        ahead = max(2, 2 * len(lanes) // processes)
        self.channels = [context.Queue(ahead) for _ in range(processes)]
        self.processes = [
            context.Process(target=_produce, daemon=True,
                            args=(make_maker, arguments, Numbers(first, lanes, plan.lanes, k, processes), channel, self.stop))
            for k, channel in enumerate(self.channels)]
        for p in self.processes:
            p.start()

    def take(self, number):
        turn, self.at = self.at, (self.at + 1) % len(self.channels)
        while True:
            try:
                found, images, labels = self.channels[turn].get(timeout=5)
                break
            except queue.Empty:
                if not self.processes[turn].is_alive():
                    raise RuntimeError("a process that makes crops has ended; its message is above") from None
        if found != number:
            raise RuntimeError(f"chunk {number} was due, {found} came")
        return images, labels

    def close(self):
        self.stop.set()
        for channel in self.channels:      # what lies in a channel would keep its process from ending
            channel.cancel_join_thread()
        for p in self.processes:
            p.terminate()
            p.join(10)


class CropPool:
    """The rank's part of the pool.

    make_source(first round, lanes) -> a source; its chunks are (images [chunk,S,S,3] uint8, labels [chunk,L] float32).
    """

    def __init__(self, plan, make_source, step=0, rank=0, world=1):
        self.plan, self.rank, self.world = plan, rank, world
        self.lanes = plan.own_lanes(rank, world)
        self.next = plan.first(step)
        self.source = make_source(self.next, self.lanes)
        self.images = self.labels = None

    def _receive(self):
        plan = self.plan
        at = slice(self.next % plan.kept * plan.chunk, (self.next % plan.kept + 1) * plan.chunk)
        for k, lane in enumerate(self.lanes):
            images, labels = self.source.take(self.next * plan.lanes + lane)
            if self.images is None:
                shape = (len(self.lanes), plan.kept * plan.chunk)
                self.images = np.zeros((*shape, *images.shape[1:]), images.dtype)
                self.labels = np.zeros((*shape, *labels.shape[1:]), labels.dtype)
            self.images[k, at], self.labels[k, at] = images, labels
        self.next += 1

    def advance(self, step):
        """Bring the pool to the state of a step; steps only go up."""
        while self.next < self.plan.due(step):
            self._receive()

    def draw(self, step, rng):
        """This rank's slice of the step's batch: (images [b,S,S,3], labels [b,L]), copies."""
        self.advance(step)
        plan, first = self.plan, self.plan.first(step)
        picked = rng.integers(0, (plan.due(step) - first) * plan.chunk, plan.batch).reshape(plan.lanes, -1)
        picked = picked[self.lanes.start:self.lanes.stop]
        at = (first + picked // plan.chunk) % plan.kept * plan.chunk + picked % plan.chunk
        lane = np.arange(len(self.lanes))[:, None]
        return (self.images[lane, at].reshape(-1, *self.images.shape[2:]),
                self.labels[lane, at].reshape(-1, self.labels.shape[2]))

    def present_labels(self, step):
        """Labels in the pool at a step, [own lanes, crops, L]: the ranks' joined along the first axis are the whole pool's."""
        self.advance(step)
        return self.labels[:, :min(self.plan.due(step), self.plan.kept) * self.plan.chunk]

    def close(self):
        self.source.close()
