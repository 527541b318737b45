"""Never answers."""

from __future__ import annotations

import time

import torch

from dalr_bench import hookimpl


class Teacher:
    """Never answers."""

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        while True:
            time.sleep(60)


@hookimpl
def register_teachers(register):
    register("hangs", Teacher)
