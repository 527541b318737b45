"""Runs on a Ray cluster: one that is there already, by its address, or one started here for the grid."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from dalr_bench import PluginError, Queue, Report, Task, hookimpl
from dalr_bench.plugin.spec import Register
from dalr_bench_plugins.workers.actor import Actor
from dalr_bench_plugins.workers.devices import cores

# Variables workers on other machines must be told; everything else there is theirs.
_TOLD = ("DALR_BENCH_", "HF_", "TRANSFORMERS_", "MTEB_", "PYTHONPATH")


class Ray:
    """Runs on a Ray cluster, each an actor with the resources of a run: `cpus`, `gpus` (one where there are any), `memory_gb`.

    `address` joins a running cluster (`auto`, HOST:PORT or ray://...), whose nodes must see the results, the data and the
    caches under the same paths; without it a cluster is started on this machine and ended with the grid, with no
    dashboard and a small object store (`store_mb`), for nothing but names and lines of text pass through it. A worker
    that is lost has its run given out again.

    Source: own work on Ray's actors, https://docs.ray.io/en/latest/ray-core/actors.html.
    """

    def __init__(
        self,
        address: str | None = None,
        cpus: Annotated[float, Field(gt=0)] = 1,
        gpus: Annotated[float, Field(ge=0)] | None = None,
        memory_gb: Annotated[float, Field(gt=0)] | None = None,
        store_mb: Annotated[int, Field(ge=80)] = 100,
        *,
        jobs: int | None = None,
        device: str = "auto",
    ) -> None:
        self._address, self._jobs, self._device, self._store_mb = address, jobs, device, store_mb
        self._needs: dict[str, Any] = {
            "num_cpus": cpus,
            "num_gpus": gpus,
            "memory": memory_gb and int(memory_gb * 2**30),
        }

    def execute(self, queue: Queue, report: Report) -> None:
        """Keep as many actors busy as the cluster has room for."""
        with self._cluster() as ray:
            needs = self._wanted(ray.cluster_resources())
            crew = Crew(
                ray, ray.remote(Actor).options(**needs), self._room(ray.cluster_resources(), needs), self._device
            )
            while not queue.done():
                crew.hand_out(queue)
                if not crew.working:
                    raise PluginError("the queue has tasks left, but none may start: their needs form a ring")
                crew.listen(queue, report)

    @contextmanager
    def _cluster(self) -> Iterator[Any]:
        if self._address is None:
            # Ray would write a token into the home folder, and tell its makers that it was used.
            os.environ.setdefault("RAY_AUTH_MODE", "disabled")
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ImportError as error:
            raise PluginError("the executor 'ray' needs Ray: pip install 'dalr-bench[ray]'") from error
        own = {
            "num_cpus": self._jobs or cores(),
            "object_store_memory": self._store_mb << 20,
            "include_dashboard": False,
        }
        where = own if self._address is None else {"address": self._address}
        try:
            ray.init(**where, runtime_env=self._environment(), log_to_driver=False, logging_level="error")
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise PluginError(f"the Ray cluster '{self._address or 'local'}' cannot be used: {error}") from error
        try:
            yield ray
        finally:
            ray.shutdown()

    def _environment(self) -> dict[str, Any]:
        told = {name: value for name, value in os.environ.items() if name.startswith(_TOLD)}
        threads = str(max(1, int(self._needs["num_cpus"])))
        told |= {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"}
        return {"env_vars": told, "worker_process_setup_hook": "dalr_bench.imports.repair_torchvision"}

    def _wanted(self, there: Mapping[str, float]) -> dict[str, Any]:
        gpus = self._needs["num_gpus"]
        if gpus is None:
            gpus = 1 if there.get("GPU") and self._device != "cpu" else 0
        return {key: value for key, value in {**self._needs, "num_gpus": gpus}.items() if value is not None}

    def _room(self, there: Mapping[str, float], needs: Mapping[str, float]) -> int:
        """How many actors fit the cluster as it is. Raises PluginError where it has no room for one."""
        named = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
        room = {named[key]: int(there.get(named[key], 0) / value) for key, value in needs.items() if value}
        short = [key for key, count in room.items() if count < 1]
        if short:
            listed = ", ".join(f"{key} {there.get(key, 0):g}" for key in short)
            raise PluginError(f"the Ray cluster has no room for one run: it has {listed}; a run asks for {dict(needs)}")
        return min([*room.values(), *([self._jobs] if self._jobs else [])])


@dataclass
class Crew:
    """Actors and the runs they are at. `kind` makes an actor."""

    ray: Any
    kind: Any
    room: int
    device: str
    idle: list[Any] = field(default_factory=list)
    working: dict[Any, tuple[Task, Any]] = field(default_factory=dict)

    def hand_out(self, queue: Queue) -> None:
        """Give every task that may start to an actor, as far as there is room."""
        while self.idle or len(self.working) < self.room:
            task = queue.take()
            if task is None:
                return
            actor = self.idle.pop() if self.idle else self.kind.remote(self.device, os.getcwd())
            stream = actor.run.options(num_returns="streaming").remote(os.path.abspath(task.folder))
            self.working[stream] = (task, actor)

    def listen(self, queue: Queue, report: Report) -> None:
        """Wait for one event and act on it. An actor that is gone is not used again; another is made where needed."""
        (stream,), _ = self.ray.wait(list(self.working), num_returns=1, fetch_local=False)
        task, actor = self.working[stream]
        try:
            event = json.loads(self.ray.get(next(stream)))
        except StopIteration:
            event = {"event": "end", "status": "failed", "error": "it ended without a word", "trouble": "lost"}
        except self.ray.exceptions.RayError as error:
            del self.working[stream]
            queue.end(task.run_id, "failed", f"its Ray worker is gone: {_first_line(error)}", self._trouble(error))
            return
        if event["event"] != "end":
            report(event)
            return
        del self.working[stream]
        self.idle.append(actor)
        queue.end(task.run_id, event["status"], event.get("error"), event.get("trouble"))

    def _trouble(self, error: Exception) -> Any:
        known = self.ray.exceptions
        if isinstance(error, known.OutOfMemoryError):
            return "memory"
        if isinstance(error, known.RayTaskError):
            return "bug"
        return "preempted" if getattr(error, "preempted", False) else "lost"


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: " + next((line.strip() for line in str(error).splitlines() if line.strip()), "")


@hookimpl
def register_executors(register: Register) -> None:
    register("ray", Ray)
