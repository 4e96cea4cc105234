"""What importing a library costs beyond NumPy, in a fresh process."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import partial

from benchmarks.harness import ROOT, Call, Case

CODE = """
import time, numpy
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""
MODULES = {
    "graphc": "graphc, graphc.tensor",
    "jax": "jax, jax.numpy",
    "pytensor": "pytensor, pytensor.tensor",
    "torch": "torch",
}


def build(name: str) -> Call:
    """Seconds of one import."""
    if importlib.util.find_spec(name) is None:
        raise ImportError(name)
    command = [sys.executable, "-c", CODE.format(module=MODULES[name])]

    def call() -> float:
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        return float(done.stdout)

    return call


def cases(tiny: bool = False) -> list[Case]:
    """The one case."""
    return [
        Case(
            "import_time",
            "Import, beyond `import numpy`",
            {name: partial(build, name) for name in MODULES},
            target="at most 0.1 s",
            mode="own",
            repeats=10,
        )
    ]
