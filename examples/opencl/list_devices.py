"""The OpenCL devices of this machine: by hand with pyopencl, and as graphc sees them.

python examples/opencl/list_devices.py
"""

from __future__ import annotations

import pyopencl as cl

from graphc.backends.opencl.choice import list_devices


def by_hand() -> list[str]:
    """Ask every platform for its devices."""
    lines = []
    for platform in cl.get_platforms():
        lines.append(f"{platform.name}, {platform.version}")
        for device in platform.get_devices():
            kind = cl.device_type.to_string(device.type)
            lines.append(
                f"    {device.name}: {kind}, {device.max_compute_units} units at "
                f"{device.max_clock_frequency} MHz, {device.global_mem_size >> 20} MiB, "
                f"{device.local_mem_size >> 10} KiB local"
            )
    return lines


def by_graphc() -> list[str]:
    """Say what graphc knows besides: its names for devices, and which one it takes and why."""
    return [
        f"{'*' if device.picked else ' '} {device.number[0]}:{device.number[1]} {device.label}, "
        f"float64: {'yes' if device.limits.fp64 else 'no'}, "
        f"memory: {'the host' if device.limits.shares_memory else 'its own'}"
        + (f"\n  taken: {device.why}" if device.picked else "")
        for device in list_devices()
    ]


def main() -> None:
    """Print both lists."""
    print(*by_hand(), "", *by_graphc(), sep="\n")


if __name__ == "__main__":
    main()
