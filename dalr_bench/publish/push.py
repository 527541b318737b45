"""An exported folder to a repository of the Hugging Face hub, where the user is logged in."""

from __future__ import annotations

import os
from pathlib import Path

from dalr_bench.errors import DataError


def check_login(repository: str) -> None:
    """Before anything is written: raises DataError where the hub is off, nobody is logged in, or the name is none."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise DataError(f"--push {repository}: {error}") from None
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise DataError(f"--push {repository}: HF_HUB_OFFLINE is set, so nothing is sent; unset it")
    if get_token() is None:
        raise DataError(f"--push {repository}: nobody is logged in; `hf auth login` or HF_TOKEN does it")


def push(folder: Path, repository: str) -> str:
    """Create the repository if it is not there and send the folder; returns its address.

    Raises DataError where the hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        address = api.create_repo(repository, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=str(folder), commit_message="Export of dalr-bench")
    except Exception as error:  # the library lets its own, its transport's and the system's errors through
        reason = " ".join(str(error).split())[:300]
        raise DataError(f"--push {repository}: the hub refused or was not reached: {reason}") from error
    return str(address)
