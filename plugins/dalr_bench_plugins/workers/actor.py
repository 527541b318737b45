"""The process at the other end of a Ray cluster: a folder's name comes in, lines of JSON go back."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from queue import SimpleQueue
from typing import Any


class Actor:
    """Runs folders in a worker process of Ray; ours are only strings, on the way there and back.

    A run has a thread of its own so that its events can be streamed while it works.
    """

    def __init__(self, device: str, folder: str) -> None:
        from dalr_bench.working import Hand

        if os.path.isdir(folder):
            os.chdir(folder)  # a suite may name models by paths relative to where it was started
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._hand = Hand(device, self._tell)

    def _tell(self, event: Mapping[str, Any]) -> None:
        self._lines.put(json.dumps(dict(event)))

    def run(self, folder: str) -> Iterator[str]:
        """Run one folder; its events as they come, `end` last."""
        thread = threading.Thread(target=self._run, args=(folder,))
        thread.start()
        while (line := self._lines.get()) is not None:
            yield line
        thread.join()

    def _run(self, folder: str) -> None:
        try:
            self._hand.run(folder)
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
            self._tell({"event": "end", "status": "failed", "error": told, "trouble": "bug"})
        finally:
            self._lines.put(None)
