"""What looking costs: CPU seconds of a step without accounting, with it, and with the terms' gradients, in turn.

    DALR_BENCH_DATA=../shared/data python tools/looking_cost.py suites/bench/growth.yaml "teachers 4" --rounds 5

Each round makes ten steps of each way, so that the default (each tenth step is timed) is met once in it; another way begins each
round. `--set train.micro_batch=16` measures the same in pieces.
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import median

import torch

from dalr_bench.growth.measure import Side
from dalr_bench.growth.points import Point
from dalr_bench.plugin.manager import load as load_plugins
from dalr_bench.suite import expand, load
from dalr_bench.train.account import Account
from dalr_bench.train.conflict import Conflict
from dalr_bench.train.device import keep_pages
from dalr_bench.train.looks import Looks
from dalr_bench.workshop import Workshop

_STEPS = 10


def ways() -> dict[str, Looks]:
    """How a run may be looked at."""
    return {
        "unseen": Looks(Account(0), Conflict(0)),
        "account_every: 10": Looks(Account(10), Conflict(0)),
        "account_every: 1": Looks(Account(1), Conflict(0)),
        "gradients_every: 10": Looks(Account(0), Conflict(10)),
    }


def main() -> None:
    """Print medians and ratios to the unseen step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite")
    parser.add_argument("variant")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    given = parser.parse_args()
    torch.set_num_threads(1)
    plugins = load_plugins()
    (run,) = expand(load(given.suite, given.settings), plugins.catalogue, [given.variant]).runs
    workshop = Workshop(plugins, torch.device("cpu"), os.environ.get("DALR_BENCH_DATA"))
    sides = {name: Side.of(Point(name, 0, run.config), workshop) for name in ways()}
    for name, looks in ways().items():
        sides[name].engine.looks = looks
    found: dict[str, list[float]] = {name: [] for name in sides}
    keep_pages(torch.device("cpu"))
    for number in range(given.rounds + 1):
        shift = number % len(sides)
        for name, side in [*list(sides.items())[shift:], *list(sides.items())[:shift]]:
            start = time.process_time()
            for step in range(_STEPS):
                side.engine.update(number * _STEPS + step, side.adam)
            found[name].append((time.process_time() - start) / _STEPS)
    warm = {name: seconds[1:] for name, seconds in found.items()}  # the first round also warms up and weighs
    for name, seconds in warm.items():
        ratios = [mine / plain for mine, plain in zip(seconds, warm["unseen"], strict=True)]
        print(
            f"{name:<22}{1e3 * median(seconds):10.2f} ms a step   ratio {median(ratios):.4f} ({min(ratios):.4f} to {max(ratios):.4f})"
        )


if __name__ == "__main__":
    main()
