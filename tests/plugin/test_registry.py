"""The signature is the schema: closed, typed, bounded; what is injected is never an option."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from dalr_bench import PluginError, TeacherImage, TeacherText
from dalr_bench.plugin.registry import Catalogue, field_bounds, references
from dalr_bench.types import Part


class Margin:
    """A made-up loss."""

    def __init__(
        self,
        teacher: TeacherText,
        margin: Annotated[float, Field(ge=0, lt=1)] = 0.2,
        side: Literal["rows", "columns"] = "rows",
        others: list[TeacherImage] | None = None,
        *,
        dims: Any = None,
    ) -> None:
        self.values = (teacher, margin, side, others, dims)


@pytest.fixture
def catalogue() -> Catalogue:
    made = Catalogue()
    made.add("loss", "margin", Margin, "acme", "1.2")
    return made


def test_defaults_are_filled_in_and_injected_values_given(catalogue: Catalogue) -> None:
    options, faults = catalogue.validate("loss", Part("margin", {"teacher": "t"}))
    assert not faults
    assert options == {"teacher": "t", "margin": 0.2, "side": "rows", "others": None}
    built = catalogue.build(
        "loss", Part("margin", {"teacher": "t", "margin": 0}), dims="widths", device="not asked for"
    )
    assert built.values == ("t", 0.0, "rows", None, "widths")


@pytest.mark.parametrize(
    ("options", "path", "what"),
    [
        ({"teacher": "t", "margn": 0.1}, "margn", "Did you mean 'margin'? Known: margin, others, side, teacher."),
        ({"teacher": "t", "margin": "0.1"}, "margin", "valid number, got '0.1'"),
        ({"teacher": "t", "margin": 1}, "margin", "less than 1, got 1"),
        ({"teacher": "t", "side": "row"}, "side", "'rows' or 'columns', got 'row'"),
        ({}, "teacher", "required"),
        ({"teacher": "t", "dims": 3}, "dims", "no such option"),
    ],
)
def test_faults_name_the_option_and_what_is_known(
    catalogue: Catalogue, options: dict[str, Any], path: str, what: str
) -> None:
    _, faults = catalogue.validate("loss", Part("margin", options))
    assert [fault[0] for fault in faults] == [path]
    assert what in faults[0][1]
    with pytest.raises(PluginError):
        catalogue.build("loss", Part("margin", options))


def test_unknown_names_get_the_nearest_known_one(catalogue: Catalogue) -> None:
    catalogue.broken["stranger of strange 0.1"] = "ImportError: no module named x"
    with pytest.raises(
        PluginError,
        match=r"no loss is called 'margn'. Did you mean 'margin'\? .* Set aside .*stranger of strange 0.1 \(ImportError",
    ):
        catalogue.get("loss", "margn")
    with pytest.raises(PluginError, match=r"no teacher is called 'x'\. None is known here"):
        Catalogue().get("teacher", "x")


def test_references_are_found_in_lists_and_behind_none(catalogue: Catalogue) -> None:
    found = catalogue.get("loss", "margin")
    refs = references(found, {"teacher": "rank", "margin": 0.1, "side": "rows", "others": ["clip", "vit"]})
    assert [(option, ref.side, name) for option, ref, name in refs] == [
        ("teacher", "text", "rank"),
        ("others", "image", "clip"),
        ("others", "image", "vit"),
    ]
    assert len(references(found, {"teacher": "rank", "others": None})) == 1


def test_a_name_is_given_once_per_kind(catalogue: Catalogue) -> None:
    catalogue.add("teacher", "margin", Margin, "acme", "1.2")
    with pytest.raises(PluginError, match="already registered by acme"):
        catalogue.add("loss", "margin", Margin, "copycat", "0.1")


def test_a_signature_that_cannot_be_a_schema_is_refused() -> None:
    class Untyped:
        def __init__(self, scale=1.0) -> None:  # type: ignore[no-untyped-def]
            self.scale = scale

    class Open:
        def __init__(self, **options: float) -> None:
            self.options = options

    with pytest.raises(PluginError, match="'scale' has no type"):
        Catalogue().add("loss", "untyped", Untyped, "a", "1")
    with pytest.raises(PluginError, match="named one by one"):
        Catalogue().add("loss", "open", Open, "a", "1")


def test_a_function_and_a_class_without_options_are_components() -> None:
    class Bare:
        """Nothing to set."""

    def make(scale: int = 2) -> int:
        """Twice."""
        return scale * 2

    catalogue = Catalogue()
    catalogue.add("loss", "bare", Bare, "a", "1")
    catalogue.add("loss", "make", make, "a", "1")
    assert isinstance(catalogue.build("loss", Part("bare")), Bare)
    assert catalogue.build("loss", Part("make", {"scale": 4})) == 8
    assert catalogue.get("loss", "make").summary == "Twice."
    assert catalogue.validate("loss", Part("bare", {"x": 1}))[1]


def test_bounds_are_told(catalogue: Catalogue) -> None:
    assert field_bounds(catalogue.get("loss", "margin").schema.model_fields["margin"]) == "ge=0, lt=1"
