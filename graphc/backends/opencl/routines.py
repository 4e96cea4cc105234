"""What generated host functions call for library routines: products, copies and fills of views."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from graphc.backends.opencl import products, random, softmax, windows
from graphc.backends.opencl.arrays import DeviceArray, Memory
from graphc.backends.opencl.device import Device
from graphc.backends.opencl.kernel_files import read
from graphc.backends.opencl.pool import plain_array
from graphc.backends.opencl.products import Matrix, Vector
from graphc.ir.node import Node


class ArrayView(NamedTuple):
    """Part of an array on a device, in another order; strides and offset count elements."""

    buffer: Any
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    dtype: np.dtype[Any]

    @property
    def in_order(self) -> bool:
        """Whether the elements lie one after the other."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True

    @property
    def as_view(self) -> products.View:
        """The same for copies."""
        return products.View(self.buffer, self.strides, self.offset)

    @property
    def as_vector(self) -> Vector:
        """The same for products."""
        return Vector(self.buffer, self.shape[0], self.strides[0], self.offset)

    @property
    def as_matrix(self) -> Matrix:
        """The same for products."""
        rows, columns = self.shape
        return Matrix(self.buffer, rows, columns, self.strides[0], self.strides[1], self.offset)


class Routines:
    """The routines on one device."""

    def __init__(self, device: Device) -> None:
        self.device = device

    @staticmethod
    def view(
        array: DeviceArray, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
    ) -> ArrayView:
        """Return a view of an array."""
        return ArrayView(array.buffer, shape, strides, offset, array.dtype)

    def dot(self, a: Any, b: Any, out: DeviceArray) -> None:
        """Queue the product of vectors and matrices."""
        a, b, into = as_view(a), as_view(b), as_view(out)
        device, dtype = self.device, out.dtype
        if dtype == np.bool_:
            self._dot_any(a, b, into)
        elif len(a.shape) == 2 and len(b.shape) == 2:
            products.gemm(device, dtype, a.as_matrix, b.as_matrix, into.as_matrix)
        elif len(a.shape) == 2:
            products.gemv(device, dtype, a.as_matrix, b.as_vector, into.as_vector)
        elif len(b.shape) == 2:
            products.gemv(device, dtype, b.as_matrix.T, a.as_vector, into.as_vector)
        else:
            products.dot(device, dtype, a.as_vector, b.as_vector, Vector(out.buffer, 1))

    def matmul(self, a: Any, b: Any, out: DeviceArray) -> None:
        """Queue the products of stacks of matrices; axes of size 1 of a stack are repeated."""
        a, b, into = as_view(a), as_view(b), as_view(out)
        shape = into.shape[:-2]
        for count, steps, starts in products.batches(
            shape, [_stretched(one, shape) for one in (a, b, into)]
        ):
            parts = [
                one._replace(
                    offset=one.offset + start, shape=one.shape[-2:], strides=one.strides[-2:]
                )
                for one, start in zip((a, b, into), starts, strict=True)
            ]
            if out.dtype == np.bool_:
                for i in range(count):
                    moved = [
                        p._replace(offset=p.offset + i * s)
                        for p, s in zip(parts, steps, strict=True)
                    ]
                    self._dot_any(*moved)
                continue
            matrices = [
                replace(part.as_matrix, batch_stride=step)
                for part, step in zip(parts, steps, strict=True)
            ]
            products.gemm(self.device, out.dtype, *matrices, batch=count)

    def _dot_any(self, a: ArrayView, b: ArrayView, out: ArrayView) -> None:
        """Queue the product of truth values."""
        rows, inner = a.shape if len(a.shape) == 2 else (1, *a.shape)
        a_strides = a.strides if len(a.shape) == 2 else (0, *a.strides)
        columns = b.shape[1] if len(b.shape) == 2 else 1
        b_strides = b.strides if len(b.shape) == 2 else (*b.strides, 0)
        kernel = self.device.kernel(read("logic.cl"), "dot_any", [None] * 3 + [np.int64] * 9)
        numbers = (inner, a.offset, *a_strides, b.offset, *b_strides, out.offset, columns)
        if rows and columns:
            kernel.run((a.buffer, b.buffer, out.buffer, *numbers), (columns, rows), (1, 1))

    def draw(self, name: str, state: Any, step: Any, part: int, out: DeviceArray) -> None:
        """Queue a random draw."""
        random.draw(self.device, name, state, step, part, out)

    def in_order(self, source: ArrayView) -> DeviceArray:
        """Queue a copy of a view, and return it."""
        made = Memory(self.device).empty(source.shape, source.dtype)
        self.copy_view(source, made)
        return made

    def copy_view(self, source: Any, target: Any) -> None:
        """Queue a copy; axes of size 1 in the source are repeated."""
        source, target = as_view(source), as_view(target)
        if source.shape == target.shape and source.in_order and target.in_order:
            size = target.dtype.itemsize
            self.device.copy_buffer(
                source.buffer,
                target.buffer,
                prod(target.shape) * size,
                source_offset=source.offset * size,
                target_offset=target.offset * size,
            )
            return
        strides = tuple(
            0 if have == 1 else stride
            for have, stride in zip(source.shape, source.strides, strict=True)
        )
        source = source._replace(strides=strides)
        products.copy(self.device, target.dtype, target.shape, source.as_view, target.as_view)

    def along_rows(self, name: str, x: DeviceArray, axes: int, out: DeviceArray) -> None:
        """Queue a kernel of `softmax` over the last axes."""
        softmax.run(self.device, name, x, axes, out)

    def slide(self, name: str, *operands: Any) -> None:
        """Queue a routine of `windows`: arrays, the result, and where the windows lie."""
        windows.ROUTINES[name](self.device, *operands)

    def fill_view(self, target: Any, value: float) -> None:
        """Queue one value for all elements."""
        target = as_view(target)
        if target.in_order:
            size = target.dtype.itemsize
            plain = plain_array(np.array([value], target.dtype))
            self.device.fill_buffer(
                target.buffer, plain, prod(target.shape) * size, target.offset * size
            )
            return
        products.fill(self.device, target.dtype, target.shape, target.as_view, value)

    def fetch(self, source: Any) -> np.ndarray:
        """Wait for what is queued, and return an array or a view of one on the host."""
        source = as_view(source)
        if not source.in_order:
            copied = self._like(source.shape, source.dtype)
            self.copy_view(source, copied)
            return copied.to_host()
        return self.device.to_host(source.buffer, source.shape, source.dtype, offset=source.offset)

    def upload(self, value: np.ndarray, target: DeviceArray) -> None:
        """Copy an array of the host's into one on the device."""
        sent = DeviceArray(self.device, self.device.to_device(value), value.shape, value.dtype)
        self.device.copy_buffer(sent.buffer, target.buffer, target.nbytes)

    def _like(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> DeviceArray:
        buffer = self.device.alloc(prod(shape) * dtype.itemsize)
        return DeviceArray(self.device, buffer, shape, dtype)


def prepare(device: Device, node: Node) -> None:
    """Build what the routine of a node will launch."""
    if node.op.name.startswith("random_"):
        random.prepare(device, node.type.dtype, node.op.name)
    elif node.op.name in softmax.NAMES:
        softmax.prepare(device, node.type.dtype, node.op.name)
    elif node.op.name in windows.ROUTINES:
        windows.prepare(device, node.op.name, node.type.dtype)
    elif node.op.name not in ("dot", "matmul"):
        products.prepare(device, node.type.dtype, "copy")
    elif node.type.dtype != "bool":
        matrices = all(child.type.ndim == 2 for child in node.inputs)
        products.prepare(device, node.type.dtype, "gemm" if matrices else "gemv")


def as_view(array: Any) -> ArrayView:
    """Return an array, or a view of one, as a view."""
    if isinstance(array, ArrayView):
        return array
    shape = array.shape
    if len(shape) == 2:
        return ArrayView(array.buffer, shape, (shape[1], 1), 0, array.dtype)
    strides = tuple([prod(shape[axis + 1 :]) for axis in range(len(shape))])
    return ArrayView(array.buffer, shape, strides, 0, array.dtype)


def _stretched(view: ArrayView, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a stack along a shape: 0 where it is repeated."""
    known = zip(view.shape[:-2], shape, view.strides, strict=False)
    return tuple(0 if own != wanted else stride for own, wanted, stride in known)
