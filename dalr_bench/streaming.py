"""A stream in windows while a run trains: the window that holds a step is opened between steps, the last one dropped before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from dalr_bench.data.windows import Window, Windows
from dalr_bench.evaluate.untouched import forked_rng
from dalr_bench.train.engine import InWindows, Stream


@dataclass
class Streaming:
    """Implements `engine.InWindows`. `opened` asks the frozen teachers of a window and puts it on the device."""

    windows: Windows
    opened: Callable[[Window], Stream]
    _key: tuple[int, int] | None = None
    _window: Window | None = None
    _streams: list[Stream] = field(default_factory=list)

    def at(self, epoch: int, window: int) -> Stream:
        """That window, opened. Whatever is drawn at random for it is given back."""
        key = (0, 0) if self.windows.single else (epoch, window)
        if self._key != key:
            self._turn(key)
        return self._streams[0]

    def _turn(self, key: tuple[int, int]) -> None:
        self.leave()
        found = self._window = self.windows.take(*key)
        with forked_rng():
            self._streams.append(self.opened(found))
        self._key = key
        found.asked()
        if not self.windows.single:
            self.windows.ahead(*((key[0] + 1, 0) if found.last else (key[0], key[1] + 1)))

    def leave(self) -> None:
        """The open window goes. First what reads its files, or the disk would keep them."""
        self._streams.clear()
        if self._window is not None:
            self._window.drop()
        self._key = self._window = None


@contextmanager
def leaving(streams: Mapping[str, Stream | InWindows]) -> Iterator[None]:
    """Windows go when training is over. Of a run that was interrupted the open one stays: it will be asked for again."""
    try:
        yield
    except KeyboardInterrupt:
        close(streams, keep=True)
        raise
    except BaseException:
        close(streams)
        raise
    close(streams)


def close(streams: Mapping[str, Stream | InWindows], keep: bool = False) -> None:
    """No step is made any more: nothing is prepared, and open windows go unless they are to be kept."""
    for stream in streams.values():
        if isinstance(stream, Streaming):
            stream.windows.close()
            if not keep:
                stream.leave()
