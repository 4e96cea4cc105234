"""What can go wrong around a process: forks, homes, terminals. Each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from graphc.backends.opencl.device import Device

pytestmark = pytest.mark.usefixtures("device")

USE = """
    import numpy as np
    from graphc.backends.opencl.device import get_device
    def use():
        device = get_device()
        x = device.to_device(np.arange(4, dtype="float32"))
        source = "kernel void twice(global float *x) { x[get_global_id(0)] *= 2; }"
        device.kernel(source, "twice", [None]).set(x).launch((4,))
        return device.to_host(x, (4,), "float32").tolist()
"""


def python(program: str, **environment: str | None) -> str:
    """Run a program in a new process without input, and return what it printed."""
    changed = {**os.environ, **environment}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(USE) + textwrap.dedent(program)],
        env={key: value for key, value in changed.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_creates_nothing() -> None:
    assert python("import sys; print('pyopencl' in sys.modules)") == "False\n"


def test_fork_after_use_is_an_error_in_the_child() -> None:
    out = python("""
        import os, signal
        from graphc.errors import DeviceError
        use()
        buffer = get_device().alloc(64)
        device = get_device()
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # ends a child that hangs
            said = []
            for attempt in (get_device, lambda: device.alloc(8), device.finish,
                            lambda: device.to_host(buffer, (1,), "u1"),
                            lambda: device.to_device(np.ones(3))):
                try:
                    attempt()
                except DeviceError as error:
                    said.append("spawn" in str(error))
            print(said, flush=True)
            os._exit(0)
        print(os.waitpid(child, 0)[1], use(), flush=True)
    """)
    assert out == "[True, True, True, True, True]\n0 [0.0, 2.0, 4.0, 6.0]\n"


def test_fork_before_use_and_spawn_work(tmp_path: os.PathLike[str]) -> None:
    out = python("""
        import os
        child = os.fork()
        if child == 0:
            print(use(), flush=True)
            os._exit(0)
        print(os.waitpid(child, 0)[1], use(), flush=True)
    """)
    assert out == "[0.0, 2.0, 4.0, 6.0]\n0 [0.0, 2.0, 4.0, 6.0]\n"


def test_unwritable_home() -> None:
    environment = dict.fromkeys(("POCL_CACHE_DIR", "PYOPENCL_NO_CACHE", "XDG_CACHE_HOME"))
    out = python(
        """
        import os
        print(use(), os.environ["PYOPENCL_NO_CACHE"], os.path.isdir(os.environ["POCL_CACHE_DIR"]))
        """,
        HOME="/dev/null/home",
        **environment,
    )
    assert out == "[0.0, 2.0, 4.0, 6.0] 1 True\n"


def test_own_cache_settings_are_kept(tmp_path: os.PathLike[str]) -> None:
    out = python(
        "import os; use(); print(os.environ['POCL_CACHE_DIR'])",
        HOME="/dev/null/home",
        POCL_CACHE_DIR=str(tmp_path),
    )
    assert out == f"{tmp_path}\n"


def test_two_threads_open_one_device() -> None:
    out = python("""
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(use) for _ in range(8)]
            print({tuple(f.result()) for f in futures}, get_device() is get_device())
    """)
    assert out == "{(0.0, 2.0, 4.0, 6.0)} True\n"


def test_environment_chooses(device: Device) -> None:
    platform, number = device.info.number
    out = python("print(get_device().info.why)", GRAPHC_DEVICE=f"{platform}:{number}")
    assert out == f"GRAPHC_DEVICE is '{platform}:{number}'\n"
