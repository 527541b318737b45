"""From entries to a corpus: order, choice, checks, lazy photos, and a fingerprint of the content."""

from __future__ import annotations

from pathlib import Path

import pytest
from photos import captions_of, fault_of, write_photos

from dalr_bench_plugins.reading import pairs
from dalr_bench_plugins.reading.pairs import Choice, Entry, Photos, fingerprint, paired_corpus


def entries_in(folder: Path, count: int = 3) -> list[Entry]:
    names = write_photos(folder, count)
    return [Entry(folder / name, captions_of(name, 2), "list.txt", line) for line, name in enumerate(names, 1)]


def test_all_captions_in_order(tmp_path: Path) -> None:
    corpus = paired_corpus(entries_in(tmp_path), Choice())
    assert list(corpus.sentences[:3]) == ["Photo 100, said 0.", "Photo 100, said 1.", "Photo 101, said 0."]
    assert list(corpus.image_of or ()) == [0, 0, 1, 1, 2, 2]
    assert corpus.images is not None
    assert [corpus.images[row].size for row in range(len(corpus.images))] == [(8, 6), (9, 6), (10, 6)]
    assert corpus.images[2].mode == "RGB"


def test_one_caption_a_photo_by_seed(tmp_path: Path) -> None:
    entries = entries_in(tmp_path, 4) * 8
    drawn = {seed: tuple(paired_corpus(entries, Choice("one", seed)).sentences) for seed in (0, 0, 1)}
    assert len(drawn[0]) == 32
    assert drawn[0] != drawn[1]
    assert set(drawn[0]) == {caption for entry in entries for caption in entry.captions}
    assert drawn[0][:8] == tuple(paired_corpus(entries, Choice("one", 0, limit=8)).sentences)


def test_limit_counts_photos(tmp_path: Path) -> None:
    corpus = paired_corpus(entries_in(tmp_path), Choice(limit=2))
    assert (len(corpus.sentences), len(corpus.images or ())) == (4, 2)


def test_photos_are_opened_only_when_asked(tmp_path: Path) -> None:
    entries = entries_in(tmp_path)
    (tmp_path / "101.jpg").write_bytes(b"no picture")
    corpus = paired_corpus(entries, Choice())
    assert corpus.images is not None
    assert corpus.images[0].getpixel((0, 0)) != corpus.images[2].getpixel((0, 0))
    said = fault_of(lambda: corpus.images and corpus.images[1])
    assert said.startswith(f"{tmp_path}/101.jpg: this photo cannot be opened")


def test_cut_photo(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "noise.png"
    Image.effect_noise((64, 64), 90).save(path)
    path.write_bytes(path.read_bytes()[:800])
    assert "cannot be opened" in fault_of(lambda: Photos([path])[0])


def test_grey_and_transparent_photos_become_rgb(tmp_path: Path) -> None:
    from PIL import Image

    for mode in ("L", "RGBA", "P"):
        Image.new(mode, (4, 4)).save(tmp_path / f"{mode}.png")
        assert Photos([tmp_path / f"{mode}.png"])[0].mode == "RGB"


@pytest.mark.parametrize(
    ("captions", "choice", "said"),
    [
        ([], Choice(), "a photo without a caption"),
        (["ok", "  "], Choice(), "caption 2 is empty"),
        (["ok", "a \ud83d"], Choice(), r"caption 2 holds half of a surrogate pair, which is no text: 'a \ud83d'"),
        (["a", "b", "c"], Choice(per_image=5), "3 captions, expected 5"),
        (["a", 3], Choice(), "caption 2 is not text: 3"),
    ],
)
def test_faults_name_file_and_line(captions: list[str], choice: Choice, said: str) -> None:
    entry = Entry(None, captions, "list.jsonl", 7)
    assert fault_of(lambda: paired_corpus([entry], choice)) == f"list.jsonl:7: {said}"


def test_missing_photo_names_the_line_of_its_caption(tmp_path: Path) -> None:
    entries = entries_in(tmp_path)
    (tmp_path / "101.jpg").unlink()
    assert fault_of(lambda: paired_corpus(entries, Choice())) == f"list.txt:2: no photo at {tmp_path}/101.jpg"


def test_fault_of_a_json_entry_finds_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{\n"x.jpg": 1,\n"y.jpg": 2}')
    said = fault_of(lambda: paired_corpus([Entry(None, [""], str(path), name="y.jpg")], Choice()))
    assert said == f"{path}:3: y.jpg: caption 1 is empty"


def test_no_entry_and_half_the_photos(tmp_path: Path) -> None:
    assert fault_of(lambda: paired_corpus([], Choice())) == "there is no captioned photo"
    mixed = [*entries_in(tmp_path, 1), Entry(None, ["a"], "list.txt", 2)]
    assert fault_of(lambda: paired_corpus(mixed, Choice())) == "list.txt:2: 2 captioned entries, but 1 photo"


def test_fingerprint_follows_content_not_place(tmp_path: Path) -> None:
    first = paired_corpus(entries_in(tmp_path / "a"), Choice()).fingerprint
    assert first == paired_corpus(entries_in(tmp_path / "b"), Choice()).fingerprint
    assert first != paired_corpus(entries_in(tmp_path / "b", 2), Choice()).fingerprint
    assert first != paired_corpus(entries_in(tmp_path / "b"), Choice("one")).fingerprint
    write_photos(tmp_path / "c", 4)
    entries = entries_in(tmp_path / "b")
    (tmp_path / "b" / "101.jpg").write_bytes((tmp_path / "c" / "103.jpg").read_bytes())
    assert first != paired_corpus(entries, Choice()).fingerprint


def test_fingerprint_tells_which_sentences_share_a_photo() -> None:
    assert fingerprint(["a", "b"], [0, 0]) != fingerprint(["a", "b"], [0, 1]) != fingerprint(["a", "b"])
    assert fingerprint(["a b"]) != fingerprint(["a", "b"])


def test_a_large_set_is_named_by_names_and_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"12345")
    whole = fingerprint(["a"], [0], [path])
    monkeypatch.setattr(pairs, "HASHED_BYTES", 4)
    by_size = fingerprint(["a"], [0], [path])
    path.write_bytes(b"54321")
    assert by_size == fingerprint(["a"], [0], [path]) != whole
    path.write_bytes(b"543210")
    assert by_size != fingerprint(["a"], [0], [path])
