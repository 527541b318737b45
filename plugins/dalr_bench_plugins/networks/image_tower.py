"""A small convolutional tower: pictures to rows, trained from scratch."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from dalr_bench import SuiteError

_PATCH = 4  # the first layer cuts the picture into patches: the cheapest way down from pixels
_KERNEL = 3


class ImageTower(nn.Module):
    """uint8 pictures [N, 3, P, P] → [N, out]: patches of 4, one convolution at that size, then one per channel count
    that halves the edge; each with BatchNorm and ReLU; one Linear over what is left of the picture, so that places
    count.
    """

    def __init__(self, pixels: int, channels: Sequence[int], out: int) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        width, edge = 3, pixels
        for layer, next_width in enumerate(channels):
            kernel, stride, padding = _shape(layer)
            steps.append(nn.Conv2d(width, next_width, kernel, stride, padding, bias=False))
            steps += [nn.BatchNorm2d(next_width), nn.ReLU()]
            width, edge = next_width, (edge + 2 * padding - kernel) // stride + 1
        if not channels or edge < 1:
            raise SuiteError(f"pictures of {pixels} pixels are too small for {len(channels)} layers of convolution")
        self.steps = nn.Sequential(*steps)
        self.out = nn.Linear(width * edge * edge, out)

    def forward(self, pixels_NCPP: Tensor) -> Tensor:
        rows: Tensor = self.out(self.steps(pixels_NCPP.to(self.out.weight.dtype) / 127.5 - 1).flatten(1))
        return rows


def _shape(layer: int) -> tuple[int, int, int]:
    """Kernel, stride and padding of a layer."""
    return (_PATCH, _PATCH, 0) if layer == 0 else (_KERNEL, 1 if layer == 1 else 2, 1)
