"""Another simulator in an environment of its own: products asked for and answered through a pipe.

The parent starts a script that calls `serve`; both speak in lines of JSON with arrays behind them.
Processor time is measured in the worker, around programming and around each product.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np
from peer_tiles import Circuit

Product = Callable[[str, np.ndarray], np.ndarray]
Programmed = tuple[str, Product]
"""The simulator's name and version, and its products: layer, inputs (n, K) -> (n, N)."""


class WorkerProducts:
    """The products of a simulator that runs in a process of its own.

    Attributes:
        name: what the worker calls itself.
        programming: processor seconds until it was ready for the first product.
        seconds: processor seconds of its products so far.
    """

    def __init__(
        self,
        command: list[str],
        matrices: Mapping[str, np.ndarray],
        circuit: Circuit,
        x_max: Mapping[str, float],
    ) -> None:
        """Start `command` with one more argument, the request.

        Args:
            command: interpreter, script and its own options.
            matrices: weights (K, N) by layer.
            circuit: of every array.
            x_max: by layer, the largest magnitude of an input.
        """
        self.seconds = 0.0
        self._script = " ".join(Path(word).name for word in command)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "matrices.npz"
            np.savez(file, **{str(at): matrices[name] for at, name in enumerate(matrices)})
            asked = {
                "file": str(file),
                "layers": list(matrices),
                "circuit": asdict(circuit),
                "x_max": dict(x_max),
            }
            self._process = subprocess.Popen(
                [*command, json.dumps(asked)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            ready = self._told()
        self.name, self.programming = str(ready["name"]), float(ready["seconds"])

    def __call__(self, layer: str, inputs: np.ndarray) -> np.ndarray:
        """Return the products (n, N) of a layer with input vectors (n, K)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        _tell(self._process.stdin, {"layer": layer, "shape": inputs.shape}, inputs)
        told = self._told()
        self.seconds += float(told["seconds"])
        return _array(self._process.stdout, told["shape"])

    def close(self) -> None:
        """Let the worker end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _told(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._script} ended early, with {self._process.wait()}")
        return json.loads(line)


def serve(
    program: Callable[[Mapping[str, np.ndarray], Circuit, Mapping[str, float]], Programmed],
) -> None:
    """Answer the parent until it closes the pipe; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asked = json.loads(sys.argv[-1])
    with np.load(asked["file"]) as stored:
        matrices = {name: stored[str(at)] for at, name in enumerate(asked["layers"])}
    start = time.process_time()
    name, product = program(matrices, Circuit(**asked["circuit"]), asked["x_max"])
    _tell(answers, {"name": name, "seconds": time.process_time() - start})
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        inputs = _array(sys.stdin.buffer, request["shape"])
        start = time.process_time()
        result = product(request["layer"], inputs)
        seconds = time.process_time() - start
        _tell(answers, {"seconds": seconds, "shape": result.shape}, result)


def _tell(pipe: IO[bytes], message: Mapping[str, Any], array: np.ndarray | None = None) -> None:
    """Write a line, and behind it the values of an array as float64."""
    pipe.write(json.dumps(message).encode() + b"\n")
    if array is not None:
        pipe.write(np.ascontiguousarray(array, dtype=np.float64).tobytes())
    pipe.flush()


def _array(pipe: IO[bytes], shape: Sequence[int]) -> np.ndarray:
    """Read the values of an array that follow a line."""
    return np.frombuffer(pipe.read(8 * math.prod(shape))).reshape(shape)
