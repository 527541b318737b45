"""What components that read pretrained models require from outside, for `dalr-bench prefetch`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dalr_bench import MODEL_FILES, Requirement

_PICKLES = ("*.bin",)
_OPEN_CLIP_FILES = ("open_clip_model*.safetensors", "open_clip_model*.safetensors.index.json", "*.json", "*.txt")


def model_requirement(options: Mapping[str, Any], option: str = "model") -> list[Requirement]:
    """The Hugging Face model an option names, pickles only where they are allowed; nothing where it names none."""
    name = options.get(option)
    if name is None:
        return []
    patterns = MODEL_FILES + (_PICKLES if options.get("allow_pickle") else ())
    how = "a model of this name on the hub, or the path of a folder that holds it"
    return [Requirement("model", str(name), how, patterns, options.get("revision"))]


def open_clip_requirements(options: Mapping[str, Any]) -> list[Requirement]:
    """Weights, and the tokenizer where it is the hub's own. Nothing for random weights of a known architecture."""
    model, pretrained = str(options["model"]), options.get("pretrained")
    patterns = _OPEN_CLIP_FILES + (_PICKLES if options.get("allow_pickle") else ())
    if model.startswith("local-dir:"):
        return [Requirement("model", model.removeprefix("local-dir:"), "a folder as open_clip's hub models have it")]
    if model.startswith("hf-hub:"):
        return [Requirement("model", model.removeprefix("hf-hub:"), "an open_clip model of the hub", patterns)]
    tokenizer = _tokenizer(model)
    if pretrained is None or Path(pretrained).is_file():
        return [*([Requirement("model", str(pretrained))] if pretrained else []), *tokenizer]
    return [_tagged(model, str(pretrained), patterns), *tokenizer]


def _tagged(model: str, tag: str, patterns: tuple[str, ...]) -> Requirement:
    import open_clip

    found = open_clip.get_pretrained_cfg(model, tag) or {}
    if found.get("hf_hub"):
        how = f"open_clip's {model} {tag}; or name a local weights file in `pretrained`"
        name, _, file = found["hf_hub"].rpartition("/")
        return Requirement("model", name, how, (file, *patterns) if file else patterns)
    if found.get("url"):
        kept = Path("~/.cache/clip").expanduser() / found["url"].rpartition("/")[2]
        return Requirement("model", str(kept), f"fetch {found['url']} there, or name a local file in `pretrained`")
    return Requirement("model", tag, f"neither a file nor a tag of {model}: see open_clip.list_pretrained()", ())


def _tokenizer(model: str) -> list[Requirement]:
    import open_clip

    config = open_clip.get_model_config(model) or {}
    name = config.get("text_cfg", {}).get("hf_tokenizer_name")
    return [Requirement("model", name, "", ("*.json", "*.txt", "*.model"))] if name else []
