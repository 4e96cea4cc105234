"""From a program to an executable that runs on an OpenCL device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.backends.base import Executable
from graphc.backends.opencl import along, indexing, softmax
from graphc.backends.opencl.along import AlongRoutines
from graphc.backends.opencl.arrays import Memory
from graphc.backends.opencl.backend import HELPERS, MEMORY, ROUTINE_NAMES, OpenCLBackend
from graphc.backends.opencl.device import Device, get_device
from graphc.backends.opencl.indexing import IndexRoutines
from graphc.backends.opencl.programs import Programs
from graphc.backends.opencl.recording import bandwidth, recording
from graphc.backends.opencl.routines import Routines, prepare
from graphc.emit.host import HostFunction
from graphc.emit.writer import Names, names_of
from graphc.errors import DeviceError, message
from graphc.ir.dtypes import DTYPES
from graphc.ir.node import Node, is_tuple, operand
from graphc.ir.op import Kind
from graphc.lower.halves import computes_in_half
from graphc.lower.program import Call, Check, Choose, Host, Limits, Loop, Program

MEMBERS = 300
Build = Callable[[Program, "str | tuple[str, ...]"], Executable]


def for_device(name: str | None = None) -> tuple[Limits, Build]:
    """Return the limits of a device for lowering, and what builds programs for it.

    Parameters
    ----------
    name : str, optional
        As for `device.get_device`.

    Raises
    ------
    DeviceError
        If there is no such device.
    """
    device = get_device(name)
    # An array takes its pointer, often the sizes of its axes, and there are results besides.
    limits = Limits(
        backend="opencl",
        members=MEMBERS,
        operands=max(8, device.limits.max_parameter_size // 16),
        device_scalars=True,
        row_writes=frozenset({Kind.ELEMENTWISE}),
        halves=False,
        host_products=tuple(device.choices.host_from.items()),
        whole=frozenset(softmax.NAMES),
    )

    def build(program: Program, form: str | tuple[str, ...]) -> Executable:
        return build_on(device, program, form)

    return limits, build


def build_on(device: Device, program: Program, form: str | tuple[str, ...]) -> Executable:
    """Return the executable of a program.

    Parameters
    ----------
    form : str or tuple of str
        ``"one"`` result, a ``"list"`` of them, or the keys of a dict.
    """
    _check_dtypes(device, program)
    memory = Memory(device)
    backend = OpenCLBackend(device, memory, program)
    host = HostFunction(program, backend, form, names=_names(program))
    text, origin = host.emit()
    programs = Programs(device, backend.plans)
    for step in program.every_step:
        if isinstance(step, (Loop, Choose)):
            for node in step.writes:
                prepare(device, node)
        elif isinstance(step, Call) and not is_tuple(step.node):
            prepare(device, step.node)
    namespace = dict(host.namespace)
    namespace.update({name: getattr(memory, name) for name in MEMORY})
    routines = Routines(device)
    namespace.update({name: getattr(routines, name) for name in ROUTINE_NAMES})
    of_places = IndexRoutines(routines)
    namespace.update({name: getattr(of_places, name) for name in indexing.NAMES})
    of_axes = AlongRoutines(routines)
    namespace.update({name: getattr(of_axes, name) for name in along.NAMES})
    namespace.update(programs.launches())
    namespace["pool"] = device.pool
    return Executable(
        backend="opencl",
        program=program,
        host_source=text,
        source=text + programs.text(),
        origin=origin,
        names=host.names,
        quiet=any(isinstance(step, Host) for step in program.every_step),
        namespace=namespace,
        scalar_argument=_scalar,
        recording=lambda: recording(device),
        bandwidth=lambda: bandwidth(device),
        device_argument=memory.argument,
        device=device,
    )


def _names(program: Program) -> Names:
    """Return the names of a program, clear of those that the text uses for itself."""
    numbers = range(1, len(program.every_step) + 1)
    kernels = [f"k{place}" for place in numbers]  # and their parts, k1_0
    own = ["np", "inf", "nan", "ndarray", "pool", "guard_error", "bool_", "special", *DTYPES]
    own += ["at_step", "locals"]
    helpers = [name for names in HELPERS.values() for name in names]
    called = [*helpers, *MEMORY, *ROUTINE_NAMES, *indexing.NAMES, *along.NAMES]
    return names_of(program, [*own, *called, *kernels])


def _scalar(array: Any) -> Any:
    return array.item() if array.dtype in ("float64", "bool") else array[()]


def _check_dtypes(device: Device, program: Program) -> None:
    """Raise if the program computes with floats that the device does not have."""
    nodes = _on_device(program)
    halves = [node for node in nodes if computes_in_half(node)]  # of ops that have but this form
    doubles = [node for node in nodes if node.type.dtype == "float64"]
    if doubles and not device.limits.fp64:
        raise DeviceError(_lacks(device, "float64", doubles))
    if halves:
        raise DeviceError(_lacks(device, "float16", halves))


def _on_device(program: Program) -> list[Node]:
    """Return the values that lie on the device."""
    found: dict[Node, None] = {}
    for step in program.every_step:
        if not isinstance(step, (Host, Check)):
            found.update(dict.fromkeys(n for n in step.reads if not is_tuple(n) and n.type.ndim))
            found.update(dict.fromkeys(n for n in step.nodes if not is_tuple(n)))
            found.update(dict.fromkeys(step.writes))
    found.update(dict.fromkeys(program.shared))
    return list(found)


def _lacks(device: Device, dtype: str, nodes: Sequence[Node]) -> str:
    listed = [operand(node) for node in nodes[:SHOWN]]
    more = f"\n... and {len(nodes) - SHOWN} more" if len(nodes) > SHOWN else ""
    where = next((node.where for node in nodes if node.where is not None), None)
    remedy = "graphc.config.floatX = 'float32' before the graph is built, and float32 data"
    return message(
        f"{device.info.label} has no {dtype}, and these are {dtype}:",
        listed,
        where,
        f"compute in float32: {remedy};\nor on NumPy: backend='numpy'{more}",
    )


SHOWN = 12
