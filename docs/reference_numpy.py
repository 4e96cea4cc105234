"""Names of NumPy 2, and what to write for those that build no graph."""

from __future__ import annotations

NUMPY = [
    (
        "Elementwise",
        "",
        """add subtract multiply divide true_divide floor_divide remainder mod fmod divmod
        power float_power negative positive absolute abs fabs sign exp exp2 expm1 log log2
        log10 log1p sqrt cbrt square reciprocal sin cos tan arcsin arccos arctan arctan2
        asin acos atan atan2 hypot sinh cosh tanh arcsinh arccosh arctanh asinh acosh atanh
        deg2rad rad2deg degrees radians maximum minimum fmax fmin clip ceil floor trunc rint
        round around logaddexp logaddexp2 heaviside sinc i0 equal not_equal less less_equal
        greater greater_equal logical_and logical_or logical_xor logical_not bitwise_and
        bitwise_or bitwise_xor invert bitwise_not left_shift right_shift isnan isinf
        isfinite isclose allclose signbit copysign nextafter spacing modf frexp ldexp gcd
        lcm where real imag conj conjugate angle nan_to_num astype""",
    ),
    (
        "Reductions",
        "",
        """sum prod mean std var max min amax amin argmax argmin any all ptp cumsum cumprod
        average median percentile quantile nansum nanmean nanmax nanmin count_nonzero sort
        argsort partition argpartition unique bincount histogram searchsorted digitize diff
        gradient trapezoid cov corrcoef""",
    ),
    (
        "Shapes and axes",
        "",
        """shape size ndim reshape ravel transpose permute_dims matrix_transpose swapaxes
        moveaxis rollaxis squeeze expand_dims broadcast_to broadcast_arrays atleast_1d
        atleast_2d atleast_3d concatenate concat stack hstack vstack dstack column_stack
        split array_split hsplit vsplit tile repeat roll flip fliplr flipud rot90 pad resize
        append insert delete copy""",
    ),
    (
        "Making arrays",
        "",
        """array asarray zeros ones empty full zeros_like ones_like empty_like full_like eye
        identity arange linspace logspace geomspace meshgrid mgrid ogrid indices tri tril
        triu diag diagflat diagonal fromfunction vander""",
    ),
    (
        "Indexing",
        "",
        """take take_along_axis put put_along_axis choose select nonzero flatnonzero argwhere
        compress extract unravel_index ravel_multi_index fill_diagonal ix_ triu_indices
        tril_indices""",
    ),
    (
        "Products",
        "",
        """dot vdot inner outer matmul tensordot einsum kron trace cross convolve correlate
        interp polyval""",
    ),
    (
        "Linear algebra",
        "linalg.",
        """inv pinv det slogdet solve lstsq cholesky qr svd svdvals eig eigh eigvals eigvalsh
        norm matrix_power matrix_rank multi_dot cond tensorinv tensorsolve outer vecdot
        matrix_norm vector_norm trace diagonal""",
    ),
    ("Fourier transforms", "fft.", "fft ifft rfft irfft fft2 fftn"),
    ("Random numbers", "random.", "default_rng normal uniform binomial permutation shuffle seed"),
]
"""Title, path below ``numpy``, and the names, by subject."""

CONSTRUCTORS = set(NUMPY[3][2].split()) - {
    *("zeros_like", "ones_like", "empty_like", "full_like", "diag", "diagonal", "tril", "triu"),
}
"""What makes arrays of numbers: NumPy's own are given no expressions."""

_COMPLEX = "no complex numbers"
_SORTED = "`T.sort(x)`, and indices into it"

NUMPY_NOTES = {
    "abs": "`np.abs`, `abs(x)`",
    "mod": "`np.mod`, `x % y`",
    "array": "`T.stack([...])` of expressions; `T.constant` of numbers",
    "asarray": "`T.as_tensor_variable`",
    "astype": "`x.astype(dtype)`, `T.cast`",
    "split": "`np.split(x, places)`, `T.split(x, sizes, n_splits, axis)`",
    "where": "`np.where(c, x, y)`, `T.switch`",
    "linalg.multi_dot": "`np.linalg.multi_dot`",
    "random.default_rng": "`graphc.random.RandomStreams(seed)`",
    "random.normal": "`streams.normal(size)`",
    "random.uniform": "`streams.uniform(size)`",
    "random.binomial": "`streams.binomial(size, n, p)`",
    "random.permutation": "`streams.permutation(n=n)`",
    "random.shuffle": "`x[streams.permutation(n=n)]`",
    "random.seed": "`streams.seed(seed)`",
    "atleast_3d": "`T.atleast_3d`, which puts new axes first",
    "linalg.diagonal": "`T.diagonal(x, 0, -2, -1)`",
    "append": "`T.concatenate([x, y])`",
    "insert": "`T.concatenate([x[:i], y, x[i:]])`",
    "delete": "`T.concatenate([x[:i], x[i + 1:]])`",
    "put": "`T.set_subtensor(x[i], y)`",
    "array_split": "`x[a:b]`",
    "hsplit": "`x[:, a:b]`",
    "vsplit": "`x[a:b]`",
    "fliplr": "`x[:, ::-1]`",
    "flipud": "`x[::-1]`",
    "count_nonzero": "`T.neq(x, 0).sum()`",
    "argwhere": "`T.stack(x.nonzero(), axis=1)`",
    "identity": "`T.eye(n)`",
    "empty": "`T.zeros(shape)`",
    "nansum": "`T.switch(T.isnan(x), 0, x).sum()`",
    "nan_to_num": "`T.switch(T.isnan(x), 0, x)`",
    "cross": "by components: `x[1] * y[2] - x[2] * y[1]`",
    "linalg.vecdot": "`(x * y).sum(axis=-1)`",
    "linalg.vector_norm": "`T.sqrt((x**2).sum(axis))`",
    "linalg.matrix_norm": "`T.sqrt((x**2).sum())`",
    "vander": "`x[:, None] ** np.arange(n)`",
    "polyval": "by Horner: `(a * x + b) * x + c`",
    "hypot": "`T.sqrt(x**2 + y**2)`",
    "cbrt": "`T.sgn(x) * abs(x) ** (1 / 3)`",
    "isfinite": "`abs(x) < np.inf`",
    "heaviside": "`T.switch(x > 0, 1, T.switch(T.eq(x, 0), h, 0))`",
    "logaddexp2": "`T.logaddexp(x * c, y * c) / c` with c = log(2)",
    "fmax": "`T.switch(T.isnan(x), y, T.maximum(x, y))`",
    "fmin": "`T.switch(T.isnan(x), y, T.minimum(x, y))`",
    "copysign": "`abs(x) * T.switch(y < 0, -1, 1)`",
    "signbit": "`x < 0`",
    "dstack": "`T.stack([x, y], axis=2)`",
    "trapezoid": "`((y[1:] + y[:-1]) / 2).sum() * dx`",
}
"""What to write, where looking does not find it."""

_LATER = """unique bincount searchsorted diff tile repeat roll flip pad linspace meshgrid mgrid
    ogrid tri tril triu diag diagonal compress unravel_index ravel_multi_index fill_diagonal
    trace linalg.inv linalg.pinv linalg.det linalg.slogdet linalg.solve linalg.cholesky
    linalg.qr linalg.svd linalg.eigh linalg.matrix_power linalg.trace linalg.diagonal"""

NUMPY_LATER = set(_LATER.split())
"""What is not there yet; whoever adds one of these need not come here, as looking comes first."""

NUMPY_UNSUPPORTED = {
    **dict.fromkeys(("angle", "linalg.eig", "linalg.eigvals"), _COMPLEX),
    **dict.fromkeys((f"fft.{n}" for n in NUMPY[-2][2].split()), _COMPLEX),
    **dict.fromkeys(("median", "percentile", "quantile", "partition", "argpartition"), _SORTED),
    **dict.fromkeys(("nanmean", "nanmax", "nanmin"), "mask by `T.switch(T.isnan(x), ...)`"),
    **dict.fromkeys(("histogram", "digitize"), "`T.searchsorted` and `T.bincount`"),
    **dict.fromkeys(("nextafter", "spacing"), "what it looks at is not what floats stand for"),
    **dict.fromkeys(("modf", "frexp", "ldexp"), "parts of floats are not numbers to compute with"),
    **dict.fromkeys(("gcd", "lcm"), "a loop of its own for each element"),
    **dict.fromkeys(("resize", "select", "diagflat"), "made of what is here"),
    **dict.fromkeys(("logspace", "geomspace"), "`base ** T.linspace(...)`"),
    **dict.fromkeys(("triu_indices", "tril_indices", "ix_", "indices"), "these are arrays; index"),
    **dict.fromkeys(("cov", "corrcoef"), "`T.dot(x, x.T)` of what is centred"),
    **dict.fromkeys(("convolve", "correlate"), "`T.nnet.conv2d`"),
    "fmod": "`x % y` has the sign of y; C's has that of x",
    "broadcast_arrays": "operands broadcast by themselves where that is declared",
    "rollaxis": "`np.moveaxis`",
    "rot90": "`x.T[::-1]`",
    "concat": "`np.concatenate`",
    "fromfunction": "expressions are functions already",
    "gradient": "for derivatives of expressions see `T.grad`",
    "interp": "made of `T.searchsorted` and indexing",
    "linalg.cond": "made of `svd`",
    "linalg.lstsq": "`T.nlinalg.pinv`, or `solve` of the normal equations",
    "linalg.matrix_rank": "made of `svd`",
    "linalg.svdvals": "`svd(x, compute_uv=False)`",
    "linalg.tensorinv": "`inv` of a reshaped array",
    "linalg.tensorsolve": "`solve` of reshaped arrays",
    "linalg.eigvalsh": "`eigh(x)[0]`",
    "sinc": "`T.sin(np.pi * x) / (np.pi * x)` away from 0",
    "take_along_axis": "`x[T.arange(n), i]`",
    "put_along_axis": "`T.set_subtensor(x[T.arange(n), i], y)`",
    "extract": "`x[condition]`",
}
"""Why, and what instead."""
