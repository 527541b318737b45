"""The figures of a report in their order, and what is said where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dalr_bench.report import cost_charts, score_charts, training_charts
from dalr_bench.report.figures import Figure
from dalr_bench.report.model import Report


@dataclass(frozen=True)
class Section:
    """A heading of the page with its figures; `absent` says for each that is not there why it is not."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    absent: tuple[str, ...]


_Draw = Callable[[Report], Figure | None]
_UNSCORED = "No finished run has a score yet."
_UNPAIRED = "There is no baseline with seeds in common: nothing to take differences to."
_SECTIONS: tuple[tuple[str, str, tuple[tuple[_Draw, str], ...]], ...] = (
    ("effects", "Component effects", ((score_charts.effects, _UNPAIRED),)),
    ("seeds", "Seed distributions", ((score_charts.seeds, _UNSCORED),)),
    ("training", "Training curves", ((training_charts.training, "No run logged a step: nothing was trained."),)),
    (
        "agreement",
        "Gradient conflict",
        (
            (
                training_charts.agreement,
                "The cosines between the loss terms’ gradients were not recorded in these runs.",
            ),
        ),
    ),
    (
        "cost",
        "Cost",
        (
            (cost_charts.parts, "No finished run recorded its seconds."),
            (cost_charts.step, "No finished run recorded what the parts of a step cost."),
            (cost_charts.memory, "No finished run recorded its peak memory."),
        ),
    ),
    ("tasks", "Tasks against the baseline", ((score_charts.tasks, _UNPAIRED),)),
    ("tradeoff", "Score against cost", ((cost_charts.tradeoff, "No finished run has both a score and its seconds."),)),
    ("others", "Diagnostics", ((score_charts.others, "Nothing was scored beside the table’s columns."),)),
)


def sections(report: Report) -> list[Section]:
    """All sections, empty ones too: a page that leaves something out says so."""
    out = []
    for name, title, drawn in _SECTIONS:
        made = [(draw(report), why) for draw, why in drawn]
        figures = tuple(figure for figure, _ in made if figure is not None)
        out.append(Section(name, title, figures, tuple(why for figure, why in made if figure is None)))
    return out
