"""Results as Markdown."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from statistics import median

from benchmarks.harness import Result

HEADER = """# Benchmarks

Every contestant was first checked against a plain NumPy reference. Samples are interleaved (each
contestant once a round, another one first each time), so that a noisy machine disturbs all alike.
*Ratio* is graphc's time divided by the contestant's: below 1, graphc is faster. `numpy` is the
best NumPy that we could write by hand for the task; `benchmarks/cases/` has the text of all."""


def version(name: str) -> str:
    """A package and its version, or that it is absent."""
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name} absent"


def environment(command: str) -> str:
    """Machine, versions and command line, as a list."""
    file = Path("/proc/cpuinfo")
    info = file.read_text() if file.exists() else ""
    model = re.search(r"model name\s*: (.*)", info)
    name = model[1] if model else platform.processor() or platform.machine()
    vectors = next((f" with {f.upper()}" for f in ("avx512f", "avx2") if f in info), "")
    system = f"{platform.system()}, Python {platform.python_version()}"
    versions = ", ".join(map(version, ("graphc", "numpy", "jax", "pytensor", "torch")))
    facts = (
        f"{name}{vectors}, {os.cpu_count()} cores, {system}",
        versions,
        f"`{command}`, {date.today()}",
    )
    return "\n".join(f"- {fact}" for fact in facts)


def duration(seconds: float) -> str:
    """A time in the unit in which it is easiest to read."""
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def section(result: Result) -> str:
    """One case as a heading, its target and a table."""
    case, samples = result.case, result.samples
    title = f"## {case.title}" + (f", {result.series}" if result.series else "")
    lines = [title, "", f"`{case.name}`." + (f" Target: {case.target}." if case.target else ""), ""]
    lines += [
        "| | median | minimum | ratio of medians | ratio of minima |",
        "|---|---|---|---|---|",
    ]
    ours = samples.get("graphc")
    for name, times in samples.items():
        ratios = ["", ""]
        if ours and name != "graphc":
            ratios = [f"{part(ours) / part(times):.3g}" for part in (median, min)]
        cells = [name, duration(median(times)), duration(min(times)), *ratios]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [f"| {name} | {reason} | | | |" for name, reason in result.missing.items()]
    return "\n".join(lines)


def page(results: Sequence[Result], command: str) -> str:
    """The whole page."""
    return "\n\n".join([HEADER, environment(command), *map(section, results)]) + "\n"
