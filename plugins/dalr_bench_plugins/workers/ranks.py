"""What `executor: torchrun` starts: torchrun's agent with the processes of a run, ending as the process ended that ended first.

torchrun's own command ends with 1 whatever happened; who started it must tell a killed process from a failed one.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from tempfile import TemporaryDirectory

from dalr_bench.errors import EXIT_INTERRUPTED

SECONDS_TO_LEAVE = 60


def launch(processes: int, line: Sequence[str]) -> int:
    """Run `python LINE` in so many processes; the exit code of the first that failed, negative for a signal, or 0."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # The last words in the log are those of the process that failed.
    logging.getLogger("torch.distributed.elastic.multiprocessing.api").setLevel(logging.CRITICAL)
    with TemporaryDirectory(prefix="dalr-bench-ranks-") as logs:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=f"dalr-bench-{os.getpid()}",
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=logs),
            shutdown_timeout=SECONDS_TO_LEAVE,
        )
        try:
            elastic_launch(config, sys.executable)(*line)
        except ChildFailedError as error:
            return int(error.get_first_failure()[1].exitcode)
        except SignalException:
            return EXIT_INTERRUPTED
    return 0


if __name__ == "__main__":
    code = launch(int(sys.argv[1]), sys.argv[2:])
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    sys.exit(code)
