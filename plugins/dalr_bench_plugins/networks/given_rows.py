"""A sentence-transformers model that encodes nothing: it hands on rows that are there already."""

from __future__ import annotations

import enum
import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dalr_bench import SuiteError
from dalr_bench.errors import nearest

# Losses that do more with a model than ask it for rows, and what that is.
REFUSED: Mapping[str, str] = {
    "AdaptiveLayerLoss": "looks into the layers of the model",
    "CachedGISTEmbedLoss": "calls the model again in pieces, and another one beside it",
    "CachedMultipleNegativesRankingLoss": "calls the model again in pieces (`train: {pieces: ...}` and "
    "MultipleNegativesRankingLoss give the same)",
    "CachedMultipleNegativesSymmetricRankingLoss": "calls the model again in pieces",
    "ContrastiveTensionLoss": "trains a copy of the model",
    "ContrastiveTensionLossInBatchNegatives": "trains a copy of the model",
    "DenoisingAutoEncoderLoss": "needs the model's tokens and a decoder of its own",
    "GISTEmbedLoss": "calls another model on the texts",
    "Matryoshka2dLoss": "looks into the layers of the model",
    "MegaBatchMarginLoss": "calls the model again in pieces",
    "MatryoshkaLoss": "wraps another loss around the model's forward",
}


class GivenRows(nn.Module):
    """What losses see as their model: `forward` gives back the features, whose `sentence_embedding` is there."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """The features as they are."""
        return features

    def get_embedding_dimension(self) -> int:
        """The student's width."""
        return self.width

    @property
    def device(self) -> torch.device:
        """Where parts are made; the harness moves them."""
        return torch.device("cpu")


def open_loss(name: str, options: Mapping[str, Any], width: int) -> nn.Module:
    """The loss of that name over given rows.

    Raises SuiteError: an unknown loss, one that must call the model itself, an option it does not have.
    """
    from sentence_transformers.sentence_transformer import losses

    known = [loss for loss in losses.__all__ if loss.endswith("Loss") and loss not in REFUSED]
    if name in REFUSED:
        raise SuiteError(
            f"st_loss: {name} {REFUSED[name]}; a loss here sees rows, never the model. {nearest(name, known)}"
        )
    if name not in known:
        raise SuiteError(f"st_loss: sentence-transformers has no loss '{name}'. {nearest(name, known)}")
    kind = getattr(losses, name)
    taken = [parameter for parameter in inspect.signature(kind).parameters.values() if parameter.name != "model"]
    given = dict(options)
    if name == "SoftmaxLoss":
        given = {"embedding_dimension": width, "num_labels": 2, **given}
    wrong = sorted(set(given) - {parameter.name for parameter in taken})
    if wrong:
        raise SuiteError(
            f"st_loss: {name} has no option '{wrong[0]}'. {nearest(wrong[0], [one.name for one in taken])}"
        )
    values = {one.name: _meant(name, one, given[one.name], losses) for one in taken if one.name in given}
    return _built(kind, name, GivenRows(width), values)


def _built(kind: Any, name: str, model: nn.Module, values: Mapping[str, Any]) -> nn.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the library's advice to who writes Python
            made: nn.Module = kind(model=model, **values)
    except (TypeError, ValueError) as error:
        raise SuiteError(f"st_loss: {name} cannot be built: {' '.join(str(error).split())}") from None
    return made


def _meant(name: str, parameter: inspect.Parameter, value: Any, losses: Any) -> Any:
    """A text stands for a function or a member of a list of distances where the option takes one."""
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, str) or isinstance(parameter.default, str) or parameter.name == "similarity":
        return value
    if not callable(parameter.default) and not isinstance(parameter.default, enum.Enum):
        return value
    from sentence_transformers import util

    distances = ("SiameseDistanceMetric", "TripletDistanceMetric", "BatchHardTripletLossDistanceFunction")
    places = [util, *(getattr(losses, place) for place in distances)]
    found = [getattr(place, value) for place in places if not value.startswith("_") and hasattr(place, value)]
    if isinstance(parameter.default, enum.Enum):
        found = [one for one in found if isinstance(one, type(parameter.default))]
    if not found or not (callable(found[0]) or isinstance(found[0], enum.Enum)):
        raise SuiteError(
            f"st_loss: {name} knows no {parameter.name} '{value}' (a function such as cos_sim or dot_score)"
        )
    return found[0]


def features(columns: Sequence[Tensor]) -> list[dict[str, Tensor]]:
    """Columns of rows as the features of sentences."""
    return [{"sentence_embedding": rows} for rows in columns]
