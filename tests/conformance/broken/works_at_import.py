"""Does at import what belongs in a constructor."""

import tempfile
import threading

import torch

from dalr_bench import hookimpl

threading.Thread(target=threading.Event().wait, name="idler", daemon=True).start()
with tempfile.TemporaryFile() as file:
    file.write(bytes(torch.ones(3).tolist().__len__()))


class Teacher:
    """Length of a sentence."""

    def encode_text(self, sentences: list[str]) -> torch.Tensor:
        return torch.tensor([[float(len(one)), 1.0] for one in sentences])


@hookimpl
def register_teachers(register):
    register("works_at_import", Teacher)
