"""The peers: a module each, with functions `build(workload, task) -> Training`.

Each is written as its own users would for speed: one thread, float32, no loss fetched from the
device, no data loader. They get the same samples, initial weights and order of batches. Three are
bounds: the matrix products alone (GEMM, JAX products), and one network by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchmarks.workloads import Task, Workload

ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@dataclass(frozen=True)
class Training:
    """A network in training: `train(n)` takes n steps and returns when they are done.

    `parameters()` are its trained arrays by the names of `Workload.shapes`, as NumPy arrays.
    """

    train: Callable[[int], None]
    parameters: Callable[[], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Peer:
    """The source of a column of the tables; `needs` is the required package."""

    module: str
    function: str = "build"
    needs: str = "numpy"
    normalizes: bool = True  # whether it has batch normalization and dropout

    def absent(self, workload: Workload | None = None) -> str:
        """Why there is no number; an empty string if there is one."""
        if find_spec(self.needs) is None:
            return f"{self.needs} not installed"
        if workload is not None and workload.batch_norm and not self.normalizes:
            return "–"
        return ""

    def build(self, workload: Workload, task: Task) -> Training:
        """The training of a workload, ready for its first step."""
        build: Callable[[Workload, Task], Training] = getattr(
            import_module(f"benchmarks.peers.{self.module}"), self.function
        )
        return build(workload, task)


PEERS = {
    "GEMM": Peer("gemm", needs="dlexp"),
    "NumPy by hand": Peer("by_hand"),
    "dlexp": Peer("with_dlexp", needs="dlexp"),
    "dlexp, no Hydra": Peer("with_dlexp", "composed_by_hand", "dlexp"),
    "JAX scan": Peer("with_jax", "scan", "jax"),
    "JAX products": Peer("with_jax", "products", "jax"),
    "JAX step": Peer("with_jax", "step", "jax"),
    "PyTorch fused": Peer("with_torch", "fused", "torch"),
    "PyTorch foreach": Peer("with_torch", "foreach", "torch"),
    "torch.compile": Peer("with_torch", "compiled", "torch"),
    "scikit-learn": Peer("with_sklearn", needs="sklearn", normalizes=False),
}
