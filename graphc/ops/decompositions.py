"""Linear systems, determinants and decompositions: rows that LAPACK computes.

Each row works on the last two axes; axes before them are a stack of matrices. Floats of 32 and 64
bits keep their dtype, integers become floatX. Where a routine reads one triangle only, gradients go
to that triangle only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import DTypeError, GraphcTypeError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, apply, as_node, operand
from graphc.ir.op import Domain, Kind, Op, Undefined, register
from graphc.ir.shapes import Dim, as_size_node, at_most, sizes
from graphc.ir.source import here
from graphc.ir.types import Attrs, TensorType, TupleType
from graphc.ops.elementwise import eq, neq, where
from graphc.ops.family import to_dtype
from graphc.ops.linalg import dot, matmul
from graphc.ops.linalg import swapped as mt
from graphc.ops.movement import dimshuffle, expand, fill
from graphc.ops.parts import iota, join, slice_axes
from graphc.ops.results import get

HOST = "LAPACK has no routine on devices"

# -- what rows share ------------------------------------------------------------------------------


def _prepare(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    nodes = [as_node(arg) for arg in args]
    common = dtypes.floating(*[node.type.dtype for node in nodes])
    if common == "float16":
        raise DTypeError(
            message(f"{op.name}: LAPACK has no float16", map(operand, nodes), here(), "cast it")
        )
    for node in nodes:
        if node.type.ndim < 2 or node.type.ndim != nodes[0].type.ndim:
            raise GraphcTypeError(
                message(f"{op.name} needs matrices, or stacks of them", map(operand, nodes), here())
            )
    return tuple(to_dtype(node, common) for node in nodes)


def _need_square(what: str, x: Node) -> int | None:
    """Return the size of square matrices; raise an error where it is known that they are not."""
    rows, columns = x.type.shape[-2:]
    if rows is not None and columns is not None and rows != columns:
        raise ShapeError(
            message(f"{what}: the matrix is {rows} by {columns}", [operand(x)], here())
        )
    return rows if columns is None else columns


def _square_checks(node: Node) -> list[tuple[Dim, Dim]]:
    own = sizes(node.inputs[0])
    return [(own[-2], own[-1])]


def mm(a: Node, b: Node) -> Node:
    """Return products of matrices, or of those of two stacks."""
    return (dot if a.type.ndim == 2 else matmul)(a, b)  # type: ignore[no-any-return]


def _row(name: str, **fields: Any) -> Op:
    given: dict[str, Any] = {"prepare": _prepare, "checks": _square_checks, "weight": 200}
    given |= {"kind": Kind.CALL, "details": {"host": HOST}, **fields}
    return register(Op(name=name, **given))


def _index(x: Node, axis: int) -> Node:
    """Return the places along one of the last two axes, to compare over a matrix."""
    rank = x.type.ndim
    pattern: list[Any] = ["x"] * rank
    pattern[rank + axis] = 0
    return dimshuffle(iota(as_size_node(sizes(x)[axis])), pattern)  # type: ignore[no-any-return]


def on_diagonal(x: Node) -> Node:
    """Return, over the last two axes, where the diagonal is."""
    return eq(_index(x, -2), _index(x, -1))  # type: ignore[no-any-return]


def lower_part(x: Node, strict: bool = False) -> Node:
    """Return matrices with zeros above the diagonal, or from it on."""
    rows, columns = _index(x, -2), _index(x, -1)
    return where(rows > columns if strict else rows >= columns, x, 0)  # type: ignore[no-any-return]


def upper_part(x: Node) -> Node:
    """Return matrices with zeros below the diagonal."""
    return where(_index(x, -2) <= _index(x, -1), x, 0)  # type: ignore[no-any-return]


def diagonals(values: Node) -> Node:
    """Return diagonal matrices of the last axis."""
    rank = values.type.ndim
    rows = dimshuffle(values, (*range(rank), "x"))
    count = sizes(values)[-1]
    return where(on_diagonal(expand(rows, (*sizes(values), count))), rows, 0)  # type: ignore[no-any-return]


def as_rows(values: Node) -> Node:
    """Return values along the last axis as factors of columns: a matrix of one row."""
    rank = values.type.ndim
    return dimshuffle(values, (*range(rank - 1), "x", rank - 1))  # type: ignore[no-any-return]


def as_columns(values: Node) -> Node:
    """Return values along the last axis as factors of rows: a matrix of one column."""
    return dimshuffle(values, (*range(values.type.ndim), "x"))  # type: ignore[no-any-return]


def _scalars(values: Node) -> Node:
    """Return a value for each matrix of a stack, to multiply the matrices with."""
    return dimshuffle(values, (*range(values.type.ndim), "x", "x"))  # type: ignore[no-any-return]


def _folded_symmetric(x: Node) -> Node:
    """Return the gradient of the lower triangle of a symmetric matrix, from that of all of it."""
    both = lower_part(x, strict=True) + lower_part(mt(x), strict=True)
    return both + where(on_diagonal(x), x, 0)  # type: ignore[no-any-return]


# -- systems --------------------------------------------------------------------------------------

STRUCTURES = {"general": "general", "lower": "upper", "upper": "lower"}
"""What is known of the matrix of a system, and what it becomes when that is transposed."""


def _infer_solve(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    a, b = inputs
    size, rows = _need_square("solve", a), b.type.shape[-2]
    if size is not None and rows is not None and size != rows:
        raise ShapeError(
            message(f"solve: sizes {size} and {rows} differ", map(operand, inputs), here())
        )
    return b.type


def _solve_checks(node: Node) -> list[tuple[Dim, Dim]]:
    a, b = (sizes(child) for child in node.inputs)
    return [(a[-2], a[-1]), (a[-1], b[-2]), *zip(a[:-2], b[:-2], strict=True)]


def _solve_vjp(g: Node, out: Node, a: Node, b: Node) -> list[Node]:
    structure = out.attrs["structure"]
    back = solve(mt(a), g, STRUCTURES[structure])
    by_a = -mm(back, mt(out))
    part = {"lower": lower_part, "upper": upper_part}.get(structure)
    return [by_a if part is None else part(by_a), back]


def _solve_reference(a: Any, b: Any, structure: str) -> Any:
    kept = {"general": a, "lower": np.tril(a), "upper": np.triu(a)}[structure]
    return np.linalg.solve(kept, b)


_solve = _row(
    "solve",
    attrs=("structure",),
    infer=_infer_solve,
    dims=lambda node: sizes(node.inputs[1]),
    checks=_solve_checks,
    vjp=_solve_vjp,
    reference=_solve_reference,
    doc="The x for which a @ x is b; of a triangular a the other triangle is not read.",
)


def solve(a: Any, b: Any, structure: str = "general") -> Any:
    """Return x with ``a @ x == b``, for matrices or stacks of the same sizes."""
    return apply(_solve, a, b, structure=structure)


def _infer_square(name: str) -> Callable[[tuple[Node, ...], Attrs], TensorType]:
    def infer(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
        (x,) = inputs
        size = _need_square(name, x)
        return x.type.with_shape((*x.type.shape[:-2], size, size))

    return infer


def _square_dims(node: Node) -> tuple[Dim, ...]:
    return sizes(node.inputs[0])


_inv = _row(
    "inv",
    infer=_infer_square("inv"),
    dims=_square_dims,
    vjp=lambda g, out, x: [-mm(mt(out), mm(g, mt(out)))],
    reference=np.linalg.inv,
    doc="The inverse of a square matrix.",
)


def inv(x: Any) -> Any:
    """Return the inverse of square matrices."""
    return apply(_inv, x)


def _pinv_vjp(g: Node, out: Node, x: Node) -> list[Node]:
    # Golub and Pereyra 1973, for matrices whose rank does not change near x
    p, pt, gt = out, mt(out), mt(g)
    outside = mm(gt, mm(p, pt))
    inside = mm(mm(pt, p), gt)
    return [-mm(pt, mm(g, pt)) + outside - mm(x, mm(p, outside)) + inside - mm(inside, mm(p, x))]


_pinv = _row(
    "pinv",
    infer=lambda inputs, attrs: inputs[0].type.with_shape(_turned(inputs[0].type.shape)),
    dims=lambda node: _turned(sizes(node.inputs[0])),
    checks=lambda node: [],
    vjp=_pinv_vjp,
    reference=np.linalg.pinv,
    doc="The pseudo-inverse of Moore and Penrose; gradients are those of matrices of one rank.",
)


def _turned(shape: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*shape[:-2], shape[-1], shape[-2])


def pinv(x: Any) -> Any:
    """Return the pseudo-inverse of matrices."""
    return apply(_pinv, x)


# -- determinants ---------------------------------------------------------------------------------


def _infer_stack(name: str) -> Callable[[tuple[Node, ...], Attrs], TensorType]:
    def infer(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
        _need_square(name, inputs[0])
        return inputs[0].type.with_shape(inputs[0].type.shape[:-2])

    return infer


_det = _row(
    "det",
    infer=_infer_stack("det"),
    dims=lambda node: sizes(node.inputs[0])[:-2],
    vjp=lambda g, out, x: [_scalars(g * out) * mt(inv(x))],
    reference=np.linalg.det,
    doc="The determinant of a square matrix; its gradient needs the inverse.",
)


def det(x: Any) -> Any:
    """Return the determinants of square matrices."""
    return apply(_det, x)


def _infer_slogdet(inputs: tuple[Node, ...], attrs: Attrs) -> TupleType:
    one = _infer_stack("slogdet")(inputs, attrs)
    return TupleType((one, one))


def _slogdet_vjp(g: Sequence[Node | None], out: Node, x: Node) -> list[Node | None]:
    return [None if g[1] is None else _scalars(g[1]) * mt(inv(x))]


_slogdet = _row(
    "slogdet",
    infer=_infer_slogdet,
    dims=lambda node: (sizes(node.inputs[0])[:-2],) * 2,
    vjp=_slogdet_vjp,
    reference=lambda x: tuple(np.linalg.slogdet(x)),
    doc="The sign of the determinant of a square matrix, and the logarithm of its size.",
)


def slogdet(x: Any) -> tuple[Any, Any]:
    """Return the sign of determinants and the logarithm of their size."""
    node = apply(_slogdet, x)
    return get(node, 0), get(node, 1)


# -- decompositions -------------------------------------------------------------------------------


def _cholesky_vjp(g: Node, out: Node, x: Node) -> list[Node]:
    # Murray 2016, "Differentiation of the Cholesky decomposition"
    inner = lower_part(mm(mt(out), g))
    inner = where(on_diagonal(inner), inner * 0.5, inner)
    right = mt(solve(mt(out), mt(inner), "upper"))
    whole = solve(mt(out), right, "upper")
    return [_folded_symmetric(whole)]


_cholesky = _row(
    "cholesky",
    attrs=("on_error",),
    infer=_infer_square("cholesky"),
    dims=_square_dims,
    vjp=_cholesky_vjp,
    reference=lambda x, on_error: np.linalg.cholesky(x),
    doc="The lower triangle whose product with its transpose is a positive definite matrix.",
)


def cholesky(x: Any, on_error: str = "raise") -> Any:
    """Return the lower triangular root of matrices, of which the lower triangle is read."""
    return apply(_cholesky, x, on_error=on_error)


def _smaller(shape: Sequence[int | None]) -> int | None:
    rows, columns = shape[-2:]
    return None if rows is None or columns is None else min(rows, columns)


def _infer_qr(inputs: tuple[Node, ...], attrs: Attrs) -> TupleType:
    kind = inputs[0].type
    *stack, rows, columns = kind.shape
    inner = _smaller(kind.shape) if attrs["mode"] == "reduced" else rows
    return TupleType(
        (kind.with_shape((*stack, rows, inner)), kind.with_shape((*stack, inner, columns)))
    )


def _qr_dims(node: Node) -> tuple[tuple[Dim, ...], ...]:
    *stack, rows, columns = sizes(node.inputs[0])
    inner = at_most(rows, columns) if node.attrs["mode"] == "reduced" else rows
    return (*stack, rows, inner), (*stack, inner, columns)


def _qr_vjp(g: Sequence[Node | None], out: Node, x: Node) -> list[Any]:
    # Walter and Lehmann 2013, for full rank and no fewer rows than columns
    q, r = get(out, 0), get(out, 1)
    if x.type.shape[-2] is not None and x.type.shape[-1] is not None:
        if x.type.shape[-2] < x.type.shape[-1]:
            return [Undefined("qr has no gradient for more columns than rows")]
        if out.attrs["mode"] == "complete" and x.type.shape[-2] != x.type.shape[-1]:
            return [Undefined("qr has no gradient for a complete basis")]
    elif out.attrs["mode"] == "complete":
        return [Undefined("qr has no gradient for a complete basis")]
    terms = [mm(r, mt(g[1]))] if g[1] is not None else []
    if g[0] is not None:
        terms.append(-mm(mt(g[0]), q))
    middle = terms[0] if len(terms) == 1 else terms[0] + terms[1]
    both = lower_part(middle, strict=True)
    symmetric = both + mt(both) + where(on_diagonal(middle), middle, 0)
    whole = mm(q, symmetric) if g[0] is None else g[0] + mm(q, symmetric)
    return [mt(solve(r, mt(whole), "upper"))]


_qr = _row(
    "qr",
    attrs=("mode",),
    infer=_infer_qr,
    dims=_qr_dims,
    checks=lambda node: [],
    vjp=_qr_vjp,
    reference=lambda x, mode: tuple(np.linalg.qr(x, mode)),
    doc="An orthonormal basis of the columns of a matrix, and the triangle that makes it of them.",
)


def qr(x: Any, mode: str = "reduced") -> tuple[Any, Any]:
    """Return ``q`` and ``r`` of matrices: ``"reduced"``, or with a ``"complete"`` basis."""
    node = apply(_qr, x, mode=mode)
    return get(node, 0), get(node, 1)


def _infer_svd(inputs: tuple[Node, ...], attrs: Attrs) -> TupleType:
    kind = inputs[0].type
    *stack, rows, columns = kind.shape
    inner = _smaller(kind.shape)
    left, right = (rows, columns) if attrs["full"] else (inner, inner)
    shapes = ((*stack, rows, left), (*stack, inner), (*stack, right, columns))
    return TupleType(tuple(kind.with_shape(shape) for shape in shapes))


def _svd_dims(node: Node) -> tuple[tuple[Dim, ...], ...]:
    *stack, rows, columns = sizes(node.inputs[0])
    inner = at_most(rows, columns)
    left, right = (rows, columns) if node.attrs["full"] else (inner, inner)
    return (*stack, rows, left), (*stack, inner), (*stack, right, columns)


def _gaps(values: Node) -> Node:
    """Return 1 / (values[j] - values[i]) for each pair, 0 on the diagonal."""
    gaps = as_rows(values) - as_columns(values)
    other = neq(_index(gaps, -2), _index(gaps, -1))
    return where(other, 1 / where(other, gaps, 1), 0)  # type: ignore[no-any-return]


def _svd_vjp(g: Sequence[Node | None], out: Node, x: Node) -> list[Any]:
    # Townsend 2016, "Differentiating the singular value decomposition"
    if out.attrs["full"] and (g[0] is not None or g[2] is not None):
        return [Undefined("svd has no gradient for full bases; pass full_matrices=False")]
    u, s, vt = get(out, 0), get(out, 1), get(out, 2)
    if out.attrs["full"]:
        u, s, vt = svd(x)
    terms = []
    if g[1] is not None:
        terms.append(mm(u * as_rows(g[1]), vt))
    gaps = _gaps(s * s)
    if g[0] is not None:
        inner = mm(mt(u), g[0])
        turned = gaps * (inner - mt(inner)) * as_rows(s)
        beyond = (g[0] - mm(u, inner)) / as_rows(s)
        terms.append(mm(mm(u, turned) + beyond, vt))
    if g[2] is not None:
        inner = mm(vt, mt(g[2]))
        turned = gaps * (inner - mt(inner)) * as_columns(s)
        beyond = (g[2] - mm(mt(inner), vt)) / as_columns(s)
        terms.append(mm(u, mm(turned, vt) + beyond))
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return [total]


_svd = _row(
    "svd",
    attrs=("full",),
    infer=_infer_svd,
    dims=_svd_dims,
    checks=lambda node: [],
    vjp=_svd_vjp,
    reference=lambda x, full: tuple(np.linalg.svd(x, full)),
    doc="Singular values of a matrix, the largest first, between the bases on either side.",
)


def svd(x: Any, full: bool = False) -> tuple[Any, Any, Any]:
    """Return ``u``, ``s`` and ``vt`` of matrices, with full bases or those of the values."""
    node = apply(_svd, x, full=full)
    return get(node, 0), get(node, 1), get(node, 2)


def _infer_eigh(inputs: tuple[Node, ...], attrs: Attrs) -> TupleType:
    whole = _infer_square("eigh")(inputs, attrs)
    return TupleType((whole.with_shape(whole.shape[:-1]), whole))


def _eigh_dims(node: Node) -> tuple[tuple[Dim, ...], ...]:
    whole = sizes(node.inputs[0])
    return whole[:-1], whole


def _eigh_vjp(g: Sequence[Node | None], out: Node, x: Node) -> list[Node]:
    w, v = get(out, 0), get(out, 1)
    inner = None if g[1] is None else _gaps(w) * mm(mt(v), g[1])
    if g[0] is not None:
        inner = diagonals(g[0]) if inner is None else inner + diagonals(g[0])
    assert inner is not None
    return [_folded_symmetric(mm(v, mm(inner, mt(v))))]


_eigh = _row(
    "eigh",
    infer=_infer_eigh,
    dims=_eigh_dims,
    vjp=_eigh_vjp,
    reference=lambda x: tuple(np.linalg.eigh(x)),
    doc="Eigenvalues of a symmetric matrix in ascending order, and its eigenvectors as columns.",
)


def eigh(x: Any) -> tuple[Any, Any]:
    """Return eigenvalues and eigenvectors of matrices, of which the lower triangle is read."""
    node = apply(_eigh, x)
    return get(node, 0), get(node, 1)


# -- functions of matrices ------------------------------------------------------------------------


def _expm_vjp(g: Node, out: Node, x: Node) -> list[Node]:
    # the derivative is a block of the exponential of a larger matrix: Van Loan 1978
    n, rank = sizes(x)[-1], x.type.ndim
    turned = mt(x)
    above = join(rank - 1, [turned, g])
    below = join(rank - 1, [fill(turned, 0), turned])
    large = expm(join(rank - 2, [above, below]))
    return [slice_axes(large, [rank - 2, rank - 1], [0, n], [n, n], [1, 1])]


def _expm_reference(x: Any) -> Any:
    from scipy.linalg import expm

    return expm(np.asarray(x))


_expm = _row(
    "expm",
    infer=_infer_square("expm"),
    dims=_square_dims,
    vjp=_expm_vjp,
    reference=_expm_reference,
    domain=(Domain(-1.0, 1.0),),
    weight=400,
    doc="The exponential of a square matrix.",
)


def expm(x: Any) -> Any:
    """Return the exponentials of square matrices."""
    return apply(_expm, x)


ROWS = (_solve, _inv, _pinv, _det, _slogdet, _cholesky, _qr, _svd, _eigh, _expm)
