"""The seam between running a decoding step and replaying it as a captured CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

_WARM_UPS = 3  # before a capture: libraries choose their kernels and allocate on the first runs


class StepRunner(Protocol):
    """Runs a step that reads and writes the same tensors each time. Equal ``key``: same tensors, same shapes."""

    is_captured: bool

    def __call__(self, key: Hashable, step: Callable[[], None]) -> None: ...


class EagerSteps:
    """Runs the step."""

    is_captured = False

    def __call__(self, key: Hashable, step: Callable[[], None]) -> None:  # noqa: ARG002  # nothing to tell apart
        step()


class GraphedSteps:
    """Captures a step when its key is new, replays it ever after: one launch instead of about a hundred and fifty.

    Args:
        state: tensors that a step advances; they are put back after the warm-ups.
    """

    is_captured = True

    def __init__(self, device: torch.device, state: Sequence[Tensor]) -> None:
        self._device = device
        self._state = tuple(state)
        self._graphs: dict[Hashable, torch.cuda.CUDAGraph] = {}
        self._pool: Any = None  # torch names the type only privately

    def __call__(self, key: Hashable, step: Callable[[], None]) -> None:
        graph = self._graphs.get(key)
        if graph is None:
            graph = self._graphs[key] = self._capture(step)
        graph.replay()

    def _capture(self, step: Callable[[], None]) -> torch.cuda.CUDAGraph:
        saved = [tensor.clone() for tensor in self._state]
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # torch's is untyped
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                self._restore(saved)
                step()
            self._restore(saved)
        torch.cuda.current_stream(self._device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # "thread_local": another thread of the server may use the same card meanwhile, for embedding.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            step()
        self._pool = self._pool or graph.pool()  # graphs never run at once, so they may share their scratch memory
        return graph

    def _restore(self, saved: Sequence[Tensor]) -> None:
        for tensor, before in zip(self._state, saved, strict=True):
            tensor.copy_(before)
