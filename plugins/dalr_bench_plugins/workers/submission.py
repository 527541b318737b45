"""What SLURM runs for a task: a command line in a child process, asked to leave in time when the node is wanted back."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

# SLURM gives a job between the warning and the end what `slurm` asks for (signal delay); the child needs less.
SECONDS_TO_LEAVE = 60
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class RunFolder:
    """Called by submitit in the job. All that submitit carries there are these strings.

    `events` is a file that the run's events are appended to.
    """

    folder: str
    device: str
    events: str

    def __call__(self) -> int:
        """Run the folder; the command's exit code. The record is in the folder."""
        command = [sys.executable, "-m", "dalr_bench", "work", "--device", self.device, self.folder]
        with open(self.events, "ab") as events, subprocess.Popen(command, stdout=events) as child:
            _children.append(child)
            return child.wait()

    def checkpoint(self) -> Any:
        """submitit asks before a preemption or timeout: let the run write its checkpoint, then come again with the same folder."""
        from submitit.helpers import DelayedSubmission

        for child in _children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
                try:
                    child.wait(timeout=SECONDS_TO_LEAVE)
                except subprocess.TimeoutExpired:
                    child.kill()  # what it wrote before is whole, and is where the next try starts
        return DelayedSubmission(self)
