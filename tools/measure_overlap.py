"""Whether summing gradients during the backward pass (DistributedDataParallel) pays over summing them after it, on this machine.

`torchrun --nproc-per-node 2 tools/measure_overlap.py [LAYERS WIDTH HEADS FEED_FORWARD] [--rows 16] [--rounds 5]`: one encoder in each
process, random tokens of length 32, forward and backward, in three ways one round after another: no sum, sums after the
backward pass (what the engine does), DistributedDataParallel. Medians over rounds, of the first process: wall and processor seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from dalr_bench.train.distributed import join, own_device


def main() -> None:
    """Print one JSON document."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("shape", nargs="*", type=int, default=[6, 384, 12, 1536])
    asked.add_argument("--rows", type=int, default=16)
    asked.add_argument("--rounds", type=int, default=5)
    chosen = asked.parse_args()
    device = own_device(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    group = join(device)
    layers, width, heads, feed = chosen.shape
    block = nn.TransformerEncoderLayer(width, heads, feed, batch_first=True, activation="gelu")
    stack = nn.TransformerEncoder(block, layers, enable_nested_tensor=False)
    model = nn.Sequential(nn.Embedding(30522, width), stack).to(device)
    ids = torch.randint(30522, (chosen.rows, 32), device=device)
    wrapped = DistributedDataParallel(model, find_unused_parameters=True)

    def summed(inner: Callable[[], nn.Module], after: bool) -> Callable[[], None]:
        def step() -> None:
            inner()(ids)[:, 0].square().mean().backward()
            if after:
                group.reduce(model, nn.Module())
            model.zero_grad(set_to_none=True)

        return step

    ways = {
        "no sum": summed(lambda: model, False),
        "sums after": summed(lambda: model, True),
        "DistributedDataParallel": summed(lambda: wrapped, False),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(chosen.rounds + 1):
        for name, step in ways.items():
            dist.barrier()
            took = timed(step, device)
            if number:  # the first round warms up
                found[name].append(took)
    if group.rank == 0:
        weights = sum(weight.numel() for weight in model.parameters())
        told = {
            name: {"wall": median(w for w, _ in each), "cpu": median(c for _, c in each)}
            for name, each in found.items()
        }
        print(json.dumps({"weights": weights, "rows": chosen.rows, "processes": group.size, "seconds": told}, indent=1))
    dist.destroy_process_group()


def timed(step: Callable[[], None], device: torch.device) -> tuple[float, float]:
    """Wall and processor seconds of one step."""
    wall, used = time.perf_counter(), time.process_time()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - used


if __name__ == "__main__":
    main()
