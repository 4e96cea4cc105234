"""Mistakes that show when a function is compiled or called, with the exact messages."""

from __future__ import annotations

from mistakes_in_expressions import Mistake

MISTAKES = [
    Mistake(
        "sizes of a product differ at the call",
        """
x, w = T.dmatrix("x"), T.dvector("w")
p = T.dot(x, w)
f = graphc.function([x, w], p)
f(np.zeros((2, 3)), np.zeros(4))
""",
        "ShapeError",
        """
dot: sizes 3 and 4 differ
    x : float64[?, ?]   from train.py:1
    w : float64[?]      from train.py:1
  train.py:2
    p = T.dot(x, w)
""",
    ),
    Mistake(
        "sizes of a sum differ at the call",
        """
x, y = T.dvectors("x y")
f = graphc.function([x, y], T.exp(x) + y)
f(np.zeros(3), np.zeros(4))
""",
        "ShapeError",
        """
add: sizes 3 and 4 differ
    exp(x) : float64[?]   from train.py:2
    y      : float64[?]   from train.py:1
  train.py:2
    f = graphc.function([x, y], T.exp(x) + y)
""",
    ),
    Mistake(
        "an unknown size of 1 does not broadcast",
        """
x, y = T.dmatrices("x y")
f = graphc.function([x, y], x * y)
f(np.zeros((2, 3)), np.zeros((1, 3)))
""",
        "ShapeError",
        """
mul: sizes 2 and 1 differ
    x : float64[?, ?]   from train.py:1
    y : float64[?, ?]   from train.py:1
  train.py:2
    f = graphc.function([x, y], x * y)
  a size of 1 broadcasts only where it was declared: T.row, T.col,
  TensorType(dtype, shape=(None, 1)), or shared(..., broadcastable=(False, True))
""",
    ),
    Mistake(
        "a reshape to another number of elements",
        """
x = T.dvector("x")
f = graphc.function([x], x.reshape((2, 3)))
f(np.zeros(7))
""",
        "ShapeError",
        """
reshape: sizes 7 and 6 differ
    x : float64[?]   from train.py:1
  train.py:2
    f = graphc.function([x], x.reshape((2, 3)))
""",
    ),
    Mistake(
        "a maximum of nothing",
        """
x = T.dvector("x")
f = graphc.function([x], T.max(x))
f(np.zeros(0))
""",
        "GraphcValueError",
        """
max over no elements has no value
    x : float64[?]   from train.py:1
  train.py:2
    f = graphc.function([x], T.max(x))
""",
    ),
    Mistake(
        "an argument of another kind",
        """
i = T.ivector("i")
f = graphc.function([i], i + 1)
f(np.array([0.5, 1.5]))
""",
        "DTypeError",
        """
f: i would lose digits: float64 to int32
    i               : int32[?]     from train.py:1
    the value given : float64[2]
  train.py:3
    f(np.array([0.5, 1.5]))
  convert it with numpy.asarray(value, 'int32'), or allow it for this function
  with allow_input_downcast=True
""",
    ),
    Mistake(
        "an argument of more digits",
        """
x = T.fvector("x")
f = graphc.function([x], x + 1)
f(np.array([0.5, 1.5]))
""",
        "DTypeError",
        """
f: x would lose digits: float64 to float32
    x               : float32[?]   from train.py:1
    the value given : float64[2]
  train.py:3
    f(np.array([0.5, 1.5]))
  convert it with numpy.asarray(value, 'float32'), or allow it for this function
  with allow_input_downcast=True
""",
    ),
    Mistake(
        "an update of more digits",
        """
n = graphc.shared(np.zeros(3, "float32"), "n")
f = graphc.function([], updates=[(n, n + np.ones(3))])
""",
        "DTypeError",
        """
the update of n is float64, which float32 cannot hold without rounding
    n                         : float32[?]   from train.py:1
    float64(n) + [1., 1., 1.] : float64[3]   from train.py:2
  train.py:2
    f = graphc.function([], updates=[(n, n + np.ones(3))])
  cast it: T.cast(new, 'float32'); a float32 program stays float32 if its
  data, shared variables and graphc.config.floatX are
""",
    ),
    Mistake(
        "a value of more digits",
        """
n = graphc.shared(np.zeros(3, "float32"), "n")
n.set_value(np.zeros(3) + 0.1)
""",
        "DTypeError",
        """
cannot set n to a value of dtype float64 without rounding
    n         : float32[?]   from train.py:1
    the value : float64[3]
  train.py:2
    n.set_value(np.zeros(3) + 0.1)
  convert it first: value.astype('float32')
""",
    ),
    Mistake(
        "an argument of another rank",
        """
x = T.dvector("x")
f = graphc.function([x], x + 1)
f(np.zeros((2, 2)))
""",
        "GraphcTypeError",
        """
f: x has 2 axes, 1 were declared
    x               : float64[?]      from train.py:1
    the value given : float64[2, 2]
  train.py:3
    f(np.zeros((2, 2)))
""",
    ),
    Mistake(
        "an argument of another size",
        """
x = T.TensorType("float64", (3,))("x")
f = graphc.function([x], x + 1, name="shift")
f(np.zeros(4))
""",
        "ShapeError",
        """
shift: axis 0 of x has size 4, not 3
    x               : float64[3]   from train.py:1
    the value given : float64[4]
  train.py:3
    f(np.zeros(4))
""",
    ),
    Mistake(
        "an argument that is no array",
        """
x = T.dvector("x")
f = graphc.function([x], x + 1)
f("hello")
""",
        "GraphcTypeError",
        """
f: x is not an array of numbers
    x               : float64[?]    from train.py:1
    the value given : str 'hello'
  train.py:3
    f("hello")
""",
    ),
    Mistake(
        "an expression as argument",
        """
x = T.dvector("x")
f = graphc.function([x], x + 1)
f(x)
""",
        "GraphcTypeError",
        """
f: x is a symbolic expression; a call needs its value
    x               : float64[?]   from train.py:1
    the value given : float64[?]
  train.py:3
    f(x)
  call x.eval({...}), or put the expression into the function's graph by givens
""",
    ),
    Mistake(
        "an update of another rank",
        """
n = graphc.shared(np.zeros(3), "n")
f = graphc.function([], updates=[(n, T.sum(n))])
""",
        "ShapeError",
        """
the update has 0 axes, not 1
    n      : float64[?]   from train.py:1
    sum(n) : float64      from train.py:2
  train.py:2
    f = graphc.function([], updates=[(n, T.sum(n))])
""",
    ),
    Mistake(
        "an argument of an unknown name",
        """
x = T.dvector("x")
f = graphc.function([x], x + 1)
f(y=np.zeros(3))
""",
        "GraphcTypeError",
        """
f has no input named 'y'
    x : float64[?]   from train.py:1
  train.py:3
    f(y=np.zeros(3))
""",
    ),
    Mistake(
        "too many arguments",
        """
x = T.dvector("x")
f = graphc.function([x], x + 1)
f(np.zeros(3), np.zeros(3))
""",
        "GraphcTypeError",
        """
f takes 1 inputs, got 2
    x : float64[?]   from train.py:1
  train.py:3
    f(np.zeros(3), np.zeros(3))
""",
    ),
    Mistake(
        "a missing argument",
        """
x, y = T.dvectors("x y")
f = graphc.function([x, y], x + y)
f(np.zeros(3))
""",
        "GraphcTypeError",
        """
f is missing 1 of its 2 inputs
    y : float64[?]   from train.py:1
  train.py:3
    f(np.zeros(3))
""",
    ),
    Mistake(
        "two values for an input",
        """
x, y = T.dvectors("x y")
f = graphc.function([x, y], x + y)
f(np.zeros(3), x=np.zeros(3))
""",
        "GraphcTypeError",
        """
f got two values for its input 'x'
  train.py:3
    f(np.zeros(3), x=np.zeros(3))
""",
    ),
    Mistake(
        "an input that is not listed",
        """
x, y = T.dvectors("x y")
z = x * y
f = graphc.function([x], z)
""",
        "MissingInputError",
        """
the outputs need inputs that are not listed
    y : float64[?]   from train.py:1
  train.py:3
    f = graphc.function([x], z)
  add them to the inputs, or replace them by givens
""",
    ),
    Mistake(
        "an input that is not used",
        """
x, y = T.dvectors("x y")
f = graphc.function([x, y], x + 1)
""",
        "UnusedInputError",
        """
inputs that no output and no update needs
    y : float64[?]   from train.py:1
  train.py:2
    f = graphc.function([x, y], x + 1)
  leave them out, or pass on_unused_input='ignore'
""",
    ),
    Mistake(
        "an input listed twice",
        """
x = T.dvector("x")
f = graphc.function([x, x], x + 1)
""",
        "GraphcValueError",
        """
an input is listed twice
    x : float64[?]   from train.py:1
  train.py:2
    f = graphc.function([x, x], x + 1)
""",
    ),
    Mistake(
        "a shared variable as input",
        """
n = graphc.shared(np.zeros(3), "n")
f = graphc.function([n], n + 1)
""",
        "GraphcTypeError",
        """
a shared variable is not an input: functions read it by themselves
    n : float64[?]   from train.py:1
  train.py:2
    f = graphc.function([n], n + 1)
  leave it out of the inputs; use givens to put another value in its place
""",
    ),
    Mistake(
        "an index outside at the call",
        """
x = T.dvector("x")
y = x[3] + 1
f = graphc.function([x], y)
f(np.zeros(3))
""",
        "GraphcIndexError",
        """
index 3 is out of range for an axis of size 3
    x : float64[?]   from train.py:1
  train.py:2
    y = x[3] + 1
""",
    ),
    Mistake(
        "a negative index outside at the call",
        """
x = T.dvector("x")
y = x[-4] + 1
f = graphc.function([x], y)
f(np.zeros(3))
""",
        "GraphcIndexError",
        """
index -4 is out of range for an axis of size 3
    x : float64[?]   from train.py:1
  train.py:2
    y = x[-4] + 1
""",
    ),
    Mistake(
        "an output that is not there",
        """
x = T.dvector("x")
f = graphc.function([x], [x + 1, x.sum()])
f(np.ones(3), output_subset=[2])
""",
        "GraphcValueError",
        """
f has no output 2: it has [0, 1]
    x + 1  : float64[?]   from train.py:2
    sum(x) : float64      from train.py:2
  train.py:3
    f(np.ones(3), output_subset=[2])
""",
    ),
    Mistake(
        "a shared variable swapped for one of another type",
        """
w, n = graphc.shared(np.zeros(3), "w"), graphc.shared(0, "n")
f = graphc.function([], w + 1)
f.copy(swap={w: n})
""",
        "GraphcTypeError",
        """
a shared variable is swapped for one of its type
    w : float64[?]   from train.py:1
    n : int64        from train.py:1
  train.py:3
    f.copy(swap={w: n})
""",
    ),
    Mistake(
        "the value of an input that has none",
        """
x = T.dscalar("x")
f = graphc.function([x], x + 1)
f["x"]
""",
        "GraphcValueError",
        """
f holds no value for its input x
  train.py:3
    f["x"]
  declare it as In(variable, value=...)
""",
    ),
    Mistake(
        "an update without a value to begin with",
        """
n = T.lscalar("n")
f = graphc.function([graphc.In(n, update=n + 1)], n)
""",
        "GraphcValueError",
        """
an input with an update needs a value to begin with
    n : int64   from train.py:1
  train.py:2
    f = graphc.function([graphc.In(n, update=n + 1)], n)
""",
    ),
    Mistake(
        "an index array that reaches too far",
        """
table, i = T.dmatrix("table"), T.lvector("i")
f = graphc.function([table, i], table[i].sum())
f(np.zeros((3, 2)), [0, 3])
""",
        "GraphcIndexError",
        """
gather: index 3 is out of range for an axis of size 3
    table : float64[?, ?]   from train.py:1
    i     : int64[?]        from train.py:1
  train.py:2
    f = graphc.function([table, i], table[i].sum())
""",
    ),
    Mistake(
        "a condition of another size than its axis",
        """
x, c = T.dvector("x"), T.vector("c", dtype="bool")
f = graphc.function([x, c], x[c])
f([1.0, 2.0], [True, False, True])
""",
        "ShapeError",
        """
expand: sizes 3 and 2 differ
    c : bool[?]   from train.py:1
  train.py:2
    f = graphc.function([x, c], x[c])
""",
    ),
    Mistake(
        "a replacement of another type",
        """
x, n = T.dvector("x"), T.lscalar("n")
graphc.clone(x + 1, replace={x: n})
""",
        "GraphcTypeError",
        """
a replacement is of another type
    x : float64[?]   from train.py:1
    n : int64        from train.py:1
  train.py:2
    graphc.clone(x + 1, replace={x: n})
  strict=False casts it, where nothing is lost
""",
    ),
    Mistake(
        "an array that NumPy should write into",
        """
x, total = T.dvector("x"), np.zeros(3)
total += x
""",
        "NotSupportedError",
        """
numpy.add of an expression takes no out=
    x : float64[?]   from train.py:1
  train.py:2
    total += x
  an expression has no memory to write to: use what is returned; x += y on an array
  asks for out=, too: write x = x + y
""",
    ),
    Mistake(
        "a mode of Theano's that is not there",
        """
x = T.dvector("x")
graphc.function([x], x, mode="DebugMode")
""",
        "NotSupportedError",
        """
graphc has no mode 'DebugMode'
  train.py:2
    graphc.function([x], x, mode="DebugMode")
  graphc.check(f, inputs) compares what runs with what was written, node by node;
  mode='FAST_COMPILE' computes what was written
""",
    ),
]
