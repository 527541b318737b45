"""Where stored rows lie while a run trains: on its device where they fit, else in files the system pages in as rows are asked for.

Stated sizes: a table stays on the device up to 8 GiB and a quarter of its free memory (CUDA), or up to 1 GiB (CPU). Past that, rows of a
step are gathered on the host from the memory-mapped files, and copied from pinned memory without waiting (CUDA).
"""

from __future__ import annotations

import torch

from dalr_bench.data.shards import Numbers, Table
from dalr_bench.sending import sent

GIB = 1 << 30
HOST_BYTES, DEVICE_BYTES = GIB, 8 * GIB


def fits(nbytes: int, device: torch.device) -> bool:
    """Whether a table of that many bytes is kept on the device as a whole."""
    if device.type != "cuda":
        return nbytes <= HOST_BYTES
    free, _ = torch.cuda.mem_get_info(device)
    return nbytes <= min(DEVICE_BYTES, free // 4)


class Paged:
    """A table that stays in its files. Indexed like a tensor on the device, by row numbers the host knows."""

    def __init__(self, table: Table, device: torch.device) -> None:
        self.table, self.device = table, device

    def rows(self, numbers: Numbers) -> torch.Tensor:
        """[k, T] on the device, in the order asked."""
        return sent(torch.from_numpy(self.table.take(numbers)), self.device)


def placed(table: Table, device: torch.device) -> torch.Tensor | Paged:
    """The table on its device, or where it is."""
    if not fits(table.nbytes, device):
        return Paged(table, device)
    return torch.from_numpy(table.whole()).to(device)
