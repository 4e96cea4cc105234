"""Mistakes that show when an expression is built, with the exact messages."""

from __future__ import annotations

from typing import NamedTuple


class Mistake(NamedTuple):
    """A program whose last line fails, and what it is told."""

    title: str
    program: str
    error: str
    message: str


MISTAKES = [
    Mistake(
        "known sizes differ",
        """
x = T.TensorType("float64", (None, 3))("x")
w = T.TensorType("float64", (4,))("w")
p = T.dot(x, w) + 1
""",
        "ShapeError",
        """
dot: sizes 3 and 4 differ
    x : float64[?, 3]   from train.py:1
    w : float64[4]      from train.py:2
  train.py:3
    p = T.dot(x, w) + 1
  the last axis of the first operand meets the first axis of the second
""",
    ),
    Mistake(
        "known sizes do not broadcast",
        """
a = T.constant(np.zeros((2, 3)))
b = T.constant(np.zeros((2, 4)))
c = a + b
""",
        "ShapeError",
        """
add: sizes 3 and 4 of axis 1 differ
    <float64[2, 3] constant> : float64[2, 3]
    <float64[2, 4] constant> : float64[2, 4]
  train.py:3
    c = a + b
""",
    ),
    Mistake(
        "bits of floats",
        """
x = T.dvector("x")
y = x & 1
""",
        "DTypeError",
        """
and_ is defined for bool and integers, not for float64
    x : float64[?]   from train.py:1
    1 : int64
  train.py:2
    y = x & 1
""",
    ),
    Mistake(
        "a difference of conditions",
        """
b = T.TensorType("bool", (None,))("b")
c = b - b
""",
        "DTypeError",
        """
sub is not defined for bool; cast to an integer, or use T.xor
    b : bool[?]   from train.py:1
    b : bool[?]   from train.py:1
  train.py:2
    c = b - b
""",
    ),
    Mistake(
        "a number that does not fit",
        """
i = T.bvector("i")
j = i + 1000
""",
        "DTypeError",
        """
the Python number 1000 does not fit int8, the dtype beside it
  train.py:2
    j = i + 1000
  cast the other operand to a wider dtype first
""",
    ),
    Mistake(
        "complex numbers",
        """
x = T.TensorType("complex64", (None,))("x")
""",
        "NotSupportedError",
        """
complex numbers are not supported
  train.py:1
    x = T.TensorType("complex64", (None,))("x")
  there are bool, int8, int16, int32, int64,
  uint8, uint16, uint32, uint64, float16, float32, float64
""",
    ),
    Mistake(
        "a product over axes that are not pairs",
        """
x = T.dtensor3("x")
y = T.tensordot(x, T.dmatrix("m"), [[1, 2], [0]])
""",
        "GraphcValueError",
        """
tensordot: [1, 2] and [0] are not pairs
    x : float64[?, ?, ?]   from train.py:1
    m : float64[?, ?]      from train.py:2
  train.py:2
    y = T.tensordot(x, T.dmatrix("m"), [[1, 2], [0]])
""",
    ),
    Mistake(
        "joining different ranks",
        """
x, v = T.dmatrix("x"), T.dvector("v")
y = T.concatenate([x, v])
""",
        "GraphcTypeError",
        """
join: operands of different ranks
    x : float64[?, ?]   from train.py:1
    v : float64[?]      from train.py:1
  train.py:2
    y = T.concatenate([x, v])
""",
    ),
    Mistake(
        "an axis that is not there",
        """
x = T.dmatrix("x")
y = T.sum(x, axis=2)
""",
        "GraphcValueError",
        """
sum: axis 2 is out of range for 2 axes
    x : float64[?, ?]   from train.py:1
  train.py:2
    y = T.sum(x, axis=2)
""",
    ),
    Mistake(
        "if of an expression",
        """
x = T.dscalar("x")
if x > 0:
    y = x
""",
        "GraphcTypeError",
        """
a symbolic expression has no truth value before the call
    x > 0 : bool   from train.py:2
  train.py:2
    if x > 0:
  use T.switch(condition, a, b), which chooses at every point;
  T.and_, T.or_ and T.eq in place of and, or and ==
""",
    ),
    Mistake(
        "an element is assigned",
        """
x = T.dvector("x")
x[0] = 1.0
""",
        "GraphcTypeError",
        """
an expression does not change: there is no x[index] = value
    x : float64[?]   from train.py:1
  train.py:2
    x[0] = 1.0
  use x = T.set_subtensor(x[index], value), or T.inc_subtensor
""",
    ),
    Mistake(
        "if there is an expression",
        """
x = T.dmatrix("x")
if not x:
    x = T.dmatrix("other")
""",
        "GraphcTypeError",
        """
a symbolic expression has no truth value before the call
    x : float64[?, ?]   from train.py:1
  train.py:2
    if not x:
  use T.switch(condition, a, b), which chooses at every point;
  T.and_, T.or_ and T.eq in place of and, or and ==;
  x is not None, to ask whether there is an expression
""",
    ),
    Mistake(
        "and of expressions",
        """
x = T.dscalar("x")
y = (x > 0) and (x < 1)
""",
        "GraphcTypeError",
        """
a symbolic expression has no truth value before the call
    x > 0 : bool   from train.py:2
  train.py:2
    y = (x > 0) and (x < 1)
  use T.switch(condition, a, b), which chooses at every point;
  T.and_, T.or_ and T.eq in place of and, or and ==
""",
    ),
    Mistake(
        "iteration over an unknown length",
        """
x = T.dvector("x")
for one in x:
    pass
""",
        "GraphcTypeError",
        """
cannot iterate over an axis whose length is not known before the call
    x : float64[?]   from train.py:1
  train.py:2
    for one in x:
  use x.sum(axis=0) and the like for all of it at once, or declare its length
""",
    ),
    Mistake(
        "an unknown length",
        """
x = T.dmatrix("x")
n = len(x)
""",
        "GraphcTypeError",
        """
its length is not known before the call
    x : float64[?, ?]   from train.py:1
  train.py:2
    n = len(x)
  use x.shape[0]
""",
    ),
    Mistake(
        "a number of an expression",
        """
x = T.dscalar("x")
y = float(x)
""",
        "GraphcTypeError",
        """
a symbolic expression cannot become float before the call
    x : float64   from train.py:1
  train.py:2
    y = float(x)
  use graphc.function([...], x) to compute it, or x.eval({...})
""",
    ),
    Mistake(
        "an index outside of a known size",
        """
x = T.TensorType("float64", (3,))("x")
y = x[3]
""",
        "GraphcIndexError",
        """
index 3 is out of range for axis 0 of size 3
    x : float64[3]   from train.py:1
  train.py:2
    y = x[3]
""",
    ),
    Mistake(
        "an array of floats as index",
        """
x, i = T.dvector("x"), T.dvector("i")
y = x[i]
""",
        "GraphcTypeError",
        """
an index is an array of integers or a condition, not of float64
    x : float64[?]   from train.py:1
    i : float64[?]   from train.py:1
  train.py:2
    y = x[i]
  cast it with T.cast(i, 'int64')
""",
    ),
    Mistake(
        "a condition that does not fit",
        """
x = T.TensorType("float64", (3,))("x")
y = x[[True, False]]
""",
        "GraphcIndexError",
        """
a condition of size 2 does not fit axis 0 of size 3
    x              : float64[3]   from train.py:1
    [ True, False] : bool[2]
  train.py:2
    y = x[[True, False]]
""",
    ),
    Mistake(
        "replacing what is no part",
        """
x = T.dvector("x")
y = T.set_subtensor(x, 0)
""",
        "GraphcTypeError",
        """
set_subtensor: the first operand is not part of an array
    x : float64[?]   from train.py:1
  train.py:2
    y = T.set_subtensor(x, 0)
  write set_subtensor(a[index], y); for the whole array, T.fill(a, y) or a + y
""",
    ),
    Mistake(
        "the gradient of something else",
        """
x, y = T.dvectors("x y")
cost = T.sum(x * 2)
g = T.grad(cost, y)
""",
        "DisconnectedInputError",
        """
grad: the cost does not depend on y
    y : float64[?]   from train.py:1
  train.py:3
    g = T.grad(cost, y)
  it depends on x
  pass disconnected_inputs='ignore' to get zeros instead
""",
    ),
    Mistake(
        "a gradient that does not pass",
        """
x = T.dvector("x")
cost = T.sum(T.cast(x > 0, "float64"))
g = T.grad(cost, x)
""",
        "DisconnectedInputError",
        """
grad: no gradient passes from the cost to x
    x     : float64[?]   from train.py:1
    x > 0 : bool[?]      from train.py:2
  train.py:3
    g = T.grad(cost, x)
  x > 0 is bool, and only floats pass gradients
  pass disconnected_inputs='ignore' to get zeros instead
""",
    ),
    Mistake(
        "the gradient of an array",
        """
x = T.dvector("x")
g = T.grad(x * 2, x)
""",
        "GraphcTypeError",
        """
grad: the cost is an array, and only a scalar has a gradient
    x * 2 : float64[?]   from train.py:2
  train.py:2
    g = T.grad(x * 2, x)
  reduce it first, with .sum() or .mean()
""",
    ),
    Mistake(
        "the gradient by integers",
        """
i = T.lvector("i")
g = T.grad(T.sum(i * 0.5), i)
""",
        "GraphcTypeError",
        """
grad: i is int64, and only floats have gradients
    i : int64[?]   from train.py:1
  train.py:2
    g = T.grad(T.sum(i * 0.5), i)
  declare it as a float, or write the cost with xf = T.cast(i, 'float64') and differentiate by xf
""",
    ),
    Mistake(
        "a function of NumPy's that builds nothing",
        """
x = T.dvector("x")
y = np.nextafter(x, 1)
""",
        "NotSupportedError",
        """
numpy.nextafter of an expression builds no graph
    x : float64[?]   from train.py:1
  train.py:2
    y = np.nextafter(x, 1)
  the functions of graphc.tensor do; x.eval({...}) gives an array to call it with
""",
    ),
]
