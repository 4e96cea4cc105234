"""The kernels of one function, put together into programs and built.

Kernels of one vector width share a program, so that a function with many groups is compiled once
or twice. What all kernels need is put before them: `kernels/prelude.cl`, and the macros of
`reduce.cl` and `map.cl`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.backends.opencl import reduce
from graphc.backends.opencl.device import Device
from graphc.backends.opencl.frames import quotients, resolve
from graphc.backends.opencl.groups import KernelPlan
from graphc.backends.opencl.kernel import C_TYPES, Kernel
from graphc.backends.opencl.kernel_files import read
from graphc.backends.opencl.launch import FoldLaunch, FoldResult, MapLaunch
from graphc.backends.opencl.reduce import Fold, split_rows

BY_SIZE = {1: "uint8", 2: "uint16", 4: "float32", 8: "float64"}
UNKNOWN_LENGTH = 64
LONG = 1 << 20


@dataclass(eq=False)
class _Unit:
    """Kernels that are built together: a vector width at most, and the width of trees."""

    dtype: str
    group: int
    plans: list[KernelPlan] = field(default_factory=list)
    source: str = ""
    width: int = 1


class Programs:
    """The kernels of one function on one device.

    Parameters
    ----------
    device : Device
    plans : sequence of KernelPlan
    """

    def __init__(self, device: Device, plans: Sequence[KernelPlan]) -> None:
        self.device = device
        self.plans = list(plans)
        self._units: list[_Unit] = []
        for plan in sorted(self.plans, key=lambda plan: -self._wanted(plan)):
            self._unit_for(plan).plans.append(plan)
        for unit in self._units:
            self._build(unit)

    def text(self) -> str:
        """Return the kernels, for people."""
        parts = [
            _kernel_text(plan, unit, unit.width)
            for plan in self.plans
            for unit in [self._unit_of(plan)]
        ]
        return "".join(f"\n{part}" for part in parts)

    def launches(self) -> dict[str, Any]:
        """Return what the host function calls, by the names of the kernels."""
        return {plan.name: self._launch(plan, self._unit_of(plan)) for plan in self.plans}

    def _unit_of(self, plan: KernelPlan) -> _Unit:
        return next(unit for unit in self._units if plan in unit.plans)

    def _wanted(self, plan: KernelPlan) -> int:
        """Return the vector width a kernel should have."""
        return self.device.vector_width(BY_SIZE[plan.widest]) if plan.may_vectorise else 1

    def _unit_for(self, plan: KernelPlan) -> _Unit:
        width = self._wanted(plan)
        group = self._group(plan)
        for unit in self._units:
            if width in (1, unit.width) and group in (1, unit.group):
                return unit
        unit = _Unit(BY_SIZE[plan.widest], group, width=width)
        self._units.append(unit)
        return unit

    def _group(self, plan: KernelPlan) -> int:
        """Return the width of a kernel's tree: 1 without one."""
        if plan.frame != "rows":
            return 1
        rows, length = plan.sizes
        if isinstance(length, int):
            return split_rows(self.device.info, 1, length).group
        whole = isinstance(rows, int) and rows == 1
        return split_rows(self.device.info, 1, LONG if whole else UNKNOWN_LENGTH).group

    def _build(self, unit: _Unit) -> None:
        if unit.width > 1:
            unit.source, unit.width = self.device.build_widest(
                lambda width: _source(unit, width), unit.dtype
            )
            return
        unit.source = _source(unit, 1)
        while unit.group > 1:  # a kernel may take fewer work-items than the device
            trees = [k for plan in unit.plans if plan.frame == "rows" for k in self._kernels(plan)]
            if unit.group <= min(kernel.work_group_size for kernel in trees):
                return
            unit.group //= 2
            unit.source = _source(unit, 1)
        self.device.build(unit.source)

    def _kernels(self, plan: KernelPlan) -> list[Kernel]:
        """Return the kernel of a plan, and that of the second stage if it folds."""
        source = self._unit_of(plan).source
        given = [None] * len(plan.parameters.arrays)
        given += [_number(p.dtype) for p in plan.parameters.numbers]
        if plan.frame == "map":
            return [self.device.kernel(source, plan.name, [*given, np.int64])]
        outs = [None] * len(reduce.outputs(plan.fold_texts()))
        sizes = [np.int64] * (len(plan.sizes) + 2)
        return [
            self.device.kernel(source, plan.name, [*given, *outs, *sizes]),
            self.device.kernel(source, f"{plan.name}_parts", [*outs, *outs, *sizes]),
        ]

    def _launch(self, plan: KernelPlan, unit: _Unit) -> MapLaunch | FoldLaunch:
        width = unit.width if plan.may_vectorise else 1
        arrays = len(plan.parameters.arrays)
        kernels = self._kernels(plan)
        if plan.frame == "map":
            return MapLaunch(self.device, kernels[0], arrays, width)
        results = [FoldResult(_bytes(fold), fold.is_arg) for fold in plan.fold_texts()]
        group = unit.group if plan.frame == "rows" else 1
        return FoldLaunch(self.device, kernels[0], kernels[1], arrays, width, group, results)


def _number(dtype: str | None) -> Any:
    return np.dtype("uint8" if dtype == "bool" else dtype)


def _bytes(fold: Fold) -> int:
    return next(np.dtype(name).itemsize for name, text in C_TYPES.items() if text == fold.ctype)


def _source(unit: _Unit, width: int) -> str:
    """Return the text of a program."""
    parts = [
        f"#define WIDTH {width}",
        f"#define GROUP {unit.group}",
        read("prelude.cl"),
        reduce.macros(),
        quotients(),
        *map(read, _libraries(unit)),
    ]
    parts += [_kernel_text(plan, unit, width) for plan in unit.plans]
    parts += [resolve(plan.write_second(), 1, unit.group) for plan in unit.plans if plan.folds]
    return "\n".join(parts)


def _libraries(unit: _Unit) -> list[str]:
    """Return the files of functions that the kernels call besides the prelude."""
    members = [node for plan in unit.plans for node in plan.group.members]
    return sorted({node.op.details.get("library") or "" for node in members} - {""})


def _kernel_text(plan: KernelPlan, unit: _Unit, width: int) -> str:
    width = width if plan.may_vectorise else 1
    return resolve(plan.write(width), width, unit.group)
