"""`comity sim`: replay a seed, try many, or measure a big cluster."""

import argparse
import sys
import time
from collections.abc import Sequence

from comity.core.errors import UserError
from comity.sim import many, runs, scale
from comity.sim.telling import Telltale

_EXAMPLES = """examples:
  comity sim --seeds 1-2000              try two thousand seeds on all cores
  comity sim --seed 42                   replay one; the same seed does the same every time
  comity sim --seed 42 --trace | less    with every input of every machine
  comity sim --agents 10000              how fast a big cluster lives, and fails over

exit codes:
  0  nothing found
  1  correctness: something happened that must never happen
  3  liveness: the cluster did not converge after the faults had stopped
  4  crash: a machine raised an error
"""

EXIT_CODES = {"": 0, "correctness": 1, "liveness": 3, "crash": 4}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="comity sim",
        description="Run the real master and agents in a simulated cluster, under faults.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seed", type=int, help="the seed to replay")
    what.add_argument("--seeds", type=_span, metavar="A-B", help="the seeds to try")
    what.add_argument("--agents", type=int, metavar="N", help="measure a cluster of N agents")
    parser.add_argument("--tasks", type=int, help="its tasks (ten for each agent)")
    parser.add_argument("--trace", action="store_true", help="print what happens (with --seed)")
    parser.add_argument("--jobs", type=int, default=0, help="processes to use (one per core)")
    return parser


def _span(given: str) -> range:
    first, dash, last = given.partition("-")
    if not dash or not first.isdigit() or not last.isdigit() or int(last) < int(first):
        raise argparse.ArgumentTypeError(f"{given!r} is no range of seeds; write 1-2000")
    return range(int(first), int(last) + 1)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_args(argv)
    if args.agents is not None:
        return _measure(args.agents, args.tasks if args.tasks is not None else 10 * args.agents)
    if args.seed is not None:
        return _replay(args.seed, tracing=args.trace)
    return _try(args.seeds, args.jobs)


def _measure(agents: int, tasks: int) -> int:
    if agents < 1 or not 1 <= tasks <= 100 * agents:
        raise UserError("--agents must be 1 or more, --tasks from 1 to a hundred for each agent")
    telltale = Telltale()
    for line in scale.measure(agents, tasks, telltale.tell):
        telltale.clear()
        print(line, flush=True)
    return 0


def _replay(seed: int, *, tracing: bool) -> int:
    verdict, world = runs.run(seed, tracing=tracing)
    for line in world.lines:
        print(line)
    print(runs.described(verdict))
    return EXIT_CODES[verdict.fault]


def _try(seeds: range, jobs: int) -> int:
    began = time.monotonic()
    codes = [0]
    inputs = tasks = 0
    simulated_s = 0.0
    telltale = Telltale()
    for count, verdict in enumerate(many.run(seeds, jobs), 1):
        inputs += verdict.inputs
        tasks += verdict.tasks
        simulated_s += verdict.simulated_s
        if verdict.fault:
            codes.append(EXIT_CODES[verdict.fault])
            telltale.clear()
            print(runs.described(verdict), flush=True)
        telltale.tell(f"{count} of {len(seeds)} seeds, {len(codes) - 1} failed")
    telltale.clear()
    took_s = time.monotonic() - began
    print(
        f"{len(seeds)} seeds, {len(codes) - 1} failed: {simulated_s / 3600:.0f} simulated hours, "
        f"{inputs} inputs, {tasks} tasks in {took_s:.1f} s"
    )
    return max(codes[1:], default=0)


if __name__ == "__main__":
    sys.exit(main())
