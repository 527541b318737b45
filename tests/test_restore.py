"""A run's joint spaces, looked at while it is there: the rows of the opened run, and nothing disturbed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from dalr_bench import SuiteError
from dalr_bench.cli.main import main
from dalr_bench.looked_at import LookedAt
from dalr_bench.plugin.manager import load
from dalr_bench.record.store import read_config
from dalr_bench.restore import Opener, open_run
from dalr_bench.train import weights
from dalr_bench.workshop import Workshop
from dalr_bench_plugins.sources.scenes import Scenes

TINY = Path(__file__).parent / "suites" / "tiny.yaml"
CORPUS = Scenes(scenes=5, captions=2, seed=77).load()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DALR_BENCH_CACHE", str(results / "cache"))
        arguments = ["run", str(TINY), "--only", "ranked", "--seed", "0", "--executor", "inline"]
        with pytest.raises(SystemExit) as left:
            main([*arguments, "--results", str(results)])
    assert left.value.code == 0
    return results / "tiny"


def opener(folder: Path, workshop: Workshop) -> Opener:
    config = read_config(folder)
    return Opener(folder.parent, workshop, config["needs"], config["seed"])


def test_spaces_of_a_run_are_those_of_the_opened_run(done: Path) -> None:
    folder = next(done.glob("ranked*"))
    workshop = Workshop(load(), torch.device("cpu"))
    config = read_config(folder)
    built = workshop.build(config, opener(folder, workshop))
    weights.load(folder, built.student, built.objective)
    built.student.train()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    subject = LookedAt(config, built, workshop, opener(folder, workshop)).subject(lambda pace: None)
    assert set(subject.spaces) == {"grounding"}
    space = subject.spaces["grounding"]
    text, image = space.text(CORPUS.sentences), space.image(CORPUS)
    assert (text.shape, image.shape) == ((10, 8), (5, 8))
    assert (text.dtype, image.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(np.linalg.norm(text, axis=1), 1, rtol=1e-5)
    # Looking changed nothing: training mode and random state are as they were.
    assert built.student.training
    assert torch.equal(torch.get_rng_state(), before)
    # The second way: the run opened from its folder, and the teacher's run opened by hand.
    opened = open_run(folder, workshop)
    np.testing.assert_allclose(text, opened.encode_text(CORPUS.sentences, "grounding").numpy(), atol=1e-6)
    assert CORPUS.images is not None
    teacher = open_run(next(done.glob("picture_teacher*")), workshop)
    rows = teacher.encode_image([CORPUS.images[row] for row in range(5)], "clip")
    np.testing.assert_allclose(subject.pictures("clip", CORPUS), rows.numpy(), atol=1e-6)
    with torch.no_grad():
        projected = opened.objective.spaces["grounding"].project_image(rows)
    np.testing.assert_allclose(image, projected.numpy(), atol=1e-6)


def test_a_space_on_pixels_sees_the_pictures(done: Path) -> None:
    folder = next(done.glob("picture_teacher*"))
    workshop = Workshop(load(), torch.device("cpu"))
    config = read_config(folder)
    built = workshop.build(config, opener(folder, workshop))
    weights.load(folder, built.student, built.objective)
    assert CORPUS.images is not None
    found = (
        LookedAt(config, built, workshop, opener(folder, workshop))
        .subject(lambda pace: None)
        .spaces["clip"]
        .image(CORPUS)
    )
    opened = open_run(folder, workshop).encode_image([CORPUS.images[row] for row in range(5)], "clip")
    np.testing.assert_allclose(found, opened.numpy(), atol=1e-6)
    assert "DALR_BENCH_CACHE" in os.environ  # what was stored went to this test's own folder


def test_a_teacher_without_pictures_is_a_fault(done: Path) -> None:
    folder = next(done.glob("ranked*"))
    workshop = Workshop(load(), torch.device("cpu"))
    with pytest.raises(SuiteError, match="pictures only in a joint space"):
        workshop.pictures(read_config(folder), "text", CORPUS, opener(folder, workshop))


READINGS = f"""extends: {TINY}
suite: readings
seeds: [0]
base:
  teachers: null
  losses: {{grounding: null}}
  train: {{steps: 2, keep: last, dev: null}}
support: null
ablate:
  untrained: null
  baseline: null
  ranked: null
  plain: {{}}
  kept: {{backbone.keep_head: true}}
  short: {{backbone.max_length: 5}}
  mean: {{backbone.pooling: mean, train.steps: 0}}
  first: {{backbone.pooling: cls_before_pooler, train.steps: 0}}
"""


def test_runs_of_equal_weights_that_are_read_otherwise_are_two_teachers(tmp_path: Path) -> None:
    """Stores of rows go by a teacher's fingerprint: two that give other rows may not share one."""
    suite = tmp_path / "readings.yaml"
    suite.write_text(READINGS)
    with pytest.raises(SystemExit) as left:
        main(["run", str(suite), "--executor", "inline", "--results", str(tmp_path)])
    assert left.value.code == 0
    folders = {path.name.partition("-")[0]: path for path in (tmp_path / "readings").glob("*-s0-*")}
    workshop = Workshop(load(), torch.device("cpu"))
    for one, other in (("plain", "kept"), ("mean", "first")):
        assert weights.digest(folders[one]) == weights.digest(folders[other])
        mine, theirs = open_run(folders[one], workshop), open_run(folders[other], workshop)
        assert not torch.allclose(mine.encode_text(CORPUS.sentences), theirs.encode_text(CORPUS.sentences), atol=1e-3)
        assert mine.fingerprint != theirs.fingerprint
    assert open_run(folders["plain"], workshop).fingerprint == open_run(folders["plain"], workshop).fingerprint
    assert len({open_run(folder, workshop).fingerprint for folder in folders.values()}) == 5
