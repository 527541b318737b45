"""One side of a race: `python -m dalr_bench.racing.worker SETTING SIDE`, orders on stdin, reports on stdout."""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import torch

from dalr_bench.racing import ours
from dalr_bench.racing.gate import Gate
from dalr_bench.racing.setting import BARE, COMPILED, OURS, Setting, read
from dalr_bench.racing.work import RATE, matmul_rate, needed
from dalr_bench.train.device import choose


def main(path: str, side: str) -> None:
    """Open the side, say so, and step when told to."""
    reports, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints is no report
    warnings.simplefilter("ignore")
    setting = read(Path(path))
    torch.set_num_threads(setting.wish.threads)
    plain = replace(setting, wish=replace(setting.wish, compile="none"))
    gate = Gate(choose(setting.wish.device), reports=reports)
    print(json.dumps({"ready": side}), file=reports, flush=True)
    if side == RATE:
        _rate(setting, gate)
    elif side == OURS:
        ours.run(plain, gate)
    elif side == COMPILED:
        ours.run(setting, gate)
    elif side == BARE:
        info = dict(list(setting.losses.items())[:1])
        ours.run(replace(plain, teachers=(), losses=info), gate)
    else:
        import_module(setting.rivals[side]).run(setting, gate)


def _rate(setting: Setting, gate: Gate) -> None:
    """Every turn: the machine's rate of matrix products in the form of this model."""
    account = needed(setting)
    while True:
        order = gate.orders.readline().strip()
        if order != "go":
            raise SystemExit(0)
        row = {"rate": matmul_rate(account, setting.wish.precision, gate.device), "work": vars(account)}
        print(json.dumps(row), file=gate.reports, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
