"""Many seeds over all cores; verdicts come in the order in which they are reached."""

import multiprocessing
import os
from collections.abc import Iterator

from comity.sim.runs import Verdict
from comity.sim.runs import run as run_one


def _verdict(seed: int) -> Verdict:
    return run_one(seed)[0]


def run(seeds: range, jobs: int = 0) -> Iterator[Verdict]:
    """Yield the verdict of every seed."""
    count = min(jobs or os.cpu_count() or 1, len(seeds))
    if count <= 1:
        yield from map(_verdict, seeds)
        return
    with multiprocessing.get_context("fork").Pool(count) as pool:
        yield from pool.imap_unordered(_verdict, seeds, chunksize=4)
