"""Models in the manner of old libraries: a tagger, layers, a backend; only imports are changed."""

from __future__ import annotations

import numpy as np
import pytest

import graphc
from test_theano_programs import run

TAGGER = """
import theano
import theano.tensor as T
from collections import OrderedDict

floatX = theano.config.floatX

nh, nc, ne, de, cs = 6, 3, 20, 5, 3
rng = np.random.RandomState(0)
emb = theano.shared(
    name="embeddings", value=0.2 * rng.uniform(-1.0, 1.0, (ne + 1, de)).astype(theano.config.floatX)
)
wx = theano.shared(name="wx", value=0.2 * rng.uniform(-1.0, 1.0, (de * cs, nh)).astype(floatX))
wh = theano.shared(name="wh", value=0.2 * rng.uniform(-1.0, 1.0, (nh, nh)).astype(floatX))
w = theano.shared(name="w", value=0.2 * rng.uniform(-1.0, 1.0, (nh, nc)).astype(floatX))
bh = theano.shared(name="bh", value=np.zeros(nh, dtype=floatX))
b = theano.shared(name="b", value=np.zeros(nc, dtype=floatX))
h0 = theano.shared(name="h0", value=np.zeros(nh, dtype=floatX))
params = [emb, wx, wh, w, bh, b, h0]
idxs = T.imatrix()
x = emb[idxs].reshape((idxs.shape[0], de * cs))
y_sentence = T.ivector("y_sentence")

def recurrence(x_t, h_tm1):
    h_t = T.nnet.sigmoid(T.dot(x_t, wx) + T.dot(h_tm1, wh) + bh)
    s_t = T.nnet.softmax(T.dot(h_t, w) + b)
    return [h_t, s_t]

[h, s], _ = theano.scan(fn=recurrence, sequences=x, outputs_info=[h0, None], n_steps=x.shape[0])
p_y_given_x_sentence = s[:, 0, :]
y_pred = T.argmax(p_y_given_x_sentence, axis=1)
lr = T.scalar("lr")
nll = -T.mean(T.log(p_y_given_x_sentence)[T.arange(x.shape[0]), y_sentence])
grads = T.grad(nll, params)
updates = OrderedDict((p, p - lr * g) for p, g in zip(params, grads))
classify = theano.function(inputs=[idxs], outputs=y_pred, allow_input_downcast=True)
train = theano.function(
    inputs=[idxs, y_sentence, lr], outputs=nll, updates=updates, allow_input_downcast=True
)
normalize = theano.function(
    inputs=[], updates={emb: emb / T.sqrt((emb**2).sum(axis=1)).dimshuffle(0, "x")}
)
words = rng.randint(0, ne, 12)
y = words % nc
ctx = np.stack([np.r_[ne, words[:-1]], words, np.r_[words[1:], ne]], 1)
costs = []
for e in range(120):
    costs.append(float(train(ctx, y, 0.5)))
    normalize()
i = T.ivector("i")
sub = emb[i]
c2 = (sub**2).sum()
g2 = T.grad(c2, sub)
f2 = theano.function(
    [i], c2, updates=[(emb, T.inc_subtensor(sub, -0.1 * g2))], allow_input_downcast=True
)
before = emb.get_value().copy()
f2([1, 1, 3])
after = emb.get_value()
np.testing.assert_allclose(after[1], 0.6 * before[1], rtol=1e-5)
np.testing.assert_allclose(after[3], 0.8 * before[3], rtol=1e-5)
np.testing.assert_allclose(after[0], before[0])
f3 = theano.function(
    [i], [], updates=[(emb, T.set_subtensor(emb[i, 1:3], 0))], allow_input_downcast=True
)
f3([2, 5])
assert (emb.get_value()[[2, 5], 1:3] == 0).all()
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_tagger_of_words(dtype: str) -> None:
    """Embeddings, a loop of which only an output is used, and updates of parts of a matrix."""
    with graphc.config.set(floatX=dtype):
        found = run(TAGGER)
    assert found["costs"][-1] < 0.5 * found["costs"][0]
    assert found["emb"].get_value().dtype == dtype


LAYERS = """
import theano
import theano.tensor as T
from collections import OrderedDict
from theano.tensor.nnet import conv2d
from theano.tensor.shared_randomstreams import RandomStreams
from theano.tensor.signal import pool

floatX = theano.config.floatX

_srng = RandomStreams(42)

class BatchNorm(object):
    def __init__(self, shape, axes):
        self.axes = axes
        self.gamma = theano.shared(np.ones(shape, dtype=floatX))
        self.beta = theano.shared(np.zeros(shape, dtype=floatX))
        self.mean = theano.shared(np.zeros(shape, dtype=floatX), name="mean")
        self.inv_std = theano.shared(np.ones(shape, dtype=floatX), name="inv_std")
        self.alpha = 0.1
        self.epsilon = 1e-4

    def get_output_for(self, input, deterministic=False):
        input_mean = input.mean(self.axes)
        input_inv_std = T.inv(T.sqrt(input.var(self.axes) + self.epsilon))
        if deterministic:
            mean, inv_std = self.mean, self.inv_std
        else:
            mean, inv_std = input_mean, input_inv_std
            running_mean = theano.clone(self.mean, share_inputs=False)
            running_inv_std = theano.clone(self.inv_std, share_inputs=False)
            running_mean.default_update = (1 - self.alpha) * running_mean + self.alpha * input_mean
            running_inv_std.default_update = (
                1 - self.alpha
            ) * running_inv_std + self.alpha * input_inv_std
            mean += 0 * running_mean
            inv_std += 0 * running_inv_std
        param_axes = iter(range(input.ndim - len(self.axes)))
        pattern = ["x" if ax in self.axes else next(param_axes) for ax in range(input.ndim)]
        beta = self.beta.dimshuffle(pattern)
        gamma = self.gamma.dimshuffle(pattern)
        return (input - mean.dimshuffle(pattern)) * (gamma * inv_std.dimshuffle(pattern)) + beta

def dropout(input, p=0.2):
    one = T.constant(1)
    retain_prob = one - p
    input /= retain_prob
    mask_shape = list(input.shape)
    mask_shape = tuple(mask_shape[:2]) + (1,) * (input.ndim - 2)
    mask = _srng.binomial(mask_shape, p=retain_prob, dtype=input.dtype)
    bcast = (
        tuple(bool(s == 1) for s in mask_shape[:0]) + (False, False) + (True,) * (input.ndim - 2)
    )
    mask = T.patternbroadcast(mask, bcast)
    return input * mask

def norm_constraint(tensor_var, max_norm, epsilon=1e-7):
    ndim = tensor_var.ndim
    sum_over = (0,) if ndim == 2 else tuple(range(1, ndim))
    dtype = np.dtype(theano.config.floatX).type
    norms = T.sqrt(T.sum(T.sqr(tensor_var), axis=sum_over, keepdims=True))
    target_norms = T.clip(norms, 0, dtype(max_norm))
    return tensor_var * (target_norms / (dtype(epsilon) + norms))

def total_norm_constraint(tensor_vars, max_norm, epsilon=1e-7, return_norm=False):
    norm = T.sqrt(sum(T.sum(tensor**2) for tensor in tensor_vars))
    dtype = np.dtype(theano.config.floatX).type
    target_norm = T.clip(norm, 0, dtype(max_norm))
    multiplier = target_norm / (dtype(epsilon) + norm)
    return [step * multiplier for step in tensor_vars]

def adamax(loss, params, learning_rate=0.02, beta1=0.9, beta2=0.999, epsilon=1e-8):
    all_grads = total_norm_constraint(theano.grad(loss, params), 5)
    t_prev = theano.shared(np.asarray(0.0, dtype=floatX))
    updates = OrderedDict()
    one = T.constant(1)
    t = t_prev + 1
    a_t = learning_rate / (one - beta1**t)
    for param, g_t in zip(params, all_grads):
        value = param.get_value(borrow=True)
        m_prev = theano.shared(
            np.zeros(value.shape, dtype=value.dtype), broadcastable=param.broadcastable
        )
        u_prev = theano.shared(
            np.zeros(value.shape, dtype=value.dtype), broadcastable=param.broadcastable
        )
        m_t = beta1 * m_prev + (one - beta1) * g_t
        u_t = T.maximum(beta2 * u_prev, abs(g_t))
        updates[m_prev] = m_t
        updates[u_prev] = u_t
        updates[param] = param - a_t * m_t / (u_t + epsilon)
    updates[t_prev] = t
    return updates

rng = np.random.RandomState(0)
X4 = T.tensor4("X")
target = T.ivector("t")
Wc = theano.shared((rng.randn(4, 1, 3, 3) * 0.3).astype(floatX), "Wc")
bnl = BatchNorm(4, (0, 2, 3))
nh = 5
Wi = theano.shared((rng.randn(24, 3 * nh) * 0.3).astype(floatX))
Wh = theano.shared((rng.randn(nh, 3 * nh) * 0.3).astype(floatX))
b = theano.shared(np.zeros(3 * nh, dtype=floatX))
h0 = theano.shared(np.zeros((1, nh), dtype=floatX), broadcastable=(True, False))
Wo = theano.shared((rng.randn(nh, 2) * 0.3).astype(floatX))

def net(det):
    c = T.nnet.conv2d(
        X4,
        Wc,
        input_shape=(None, 1, 6, 6),
        filter_shape=(4, 1, 3, 3),
        border_mode="half",
        subsample=(1, 1),
        filter_flip=False,
    )
    c = T.nnet.elu(bnl.get_output_for(c, det))
    if not det:
        c = dropout(c)
    p = pool.pool_2d(
        c, ws=(1, 2), stride=(1, 2), ignore_border=True, pad=(0, 0), mode="average_exc_pad"
    )
    p = T.concatenate([p, pool.pool_2d(c, ws=(1, 2), ignore_border=True, mode="max")], axis=1)
    seq = p.dimshuffle(2, 0, 1, 3).flatten(ndim=3)
    n_t, n_b = seq.shape[0], seq.shape[1]
    pre = T.dot(seq, Wi) + b

    def step(x_n, h_prev, Wh_):
        hi = T.dot(h_prev, Wh_)
        hi = theano.gradient.grad_clip(hi, -10, 10)
        r = T.nnet.sigmoid(x_n[:, :nh] + hi[:, :nh])
        u = T.nnet.sigmoid(x_n[:, nh : 2 * nh] + hi[:, nh : 2 * nh])
        cc = T.tanh(x_n[:, 2 * nh :] + r * hi[:, 2 * nh :])
        return (1 - u) * h_prev + u * cc

    ones = T.ones((n_b, 1), dtype=floatX)
    hid = theano.scan(
        fn=step,
        sequences=pre,
        go_backwards=False,
        outputs_info=[T.dot(ones, h0)],
        non_sequences=[Wh],
        truncate_gradient=-1,
        strict=True,
    )[0]
    return T.nnet.softmax(T.dot(hid[-1], Wo))

params = [Wc, bnl.gamma, bnl.beta, Wi, Wh, b, h0, Wo]
pt = net(False)
loss = T.nnet.categorical_crossentropy(pt, target).mean()
ups = adamax(loss, params)
ups[Wi] = norm_constraint(ups[Wi], 3.0)
train = theano.function([X4, target], loss, updates=ups, allow_input_downcast=True)
pd = net(True)
val = theano.function(
    [X4, target],
    [
        T.nnet.categorical_crossentropy(pd, target).mean(),
        T.mean(T.eq(T.argmax(pd, axis=1), target), dtype=theano.config.floatX),
    ],
    allow_input_downcast=True,
)
X = rng.randn(24, 1, 6, 6)
t = X[:, 0, :, :3].sum((1, 2)) > X[:, 0, :, 3:].sum((1, 2))
costs = [float(train(X, t)) for _ in range(80)]
l, acc = val(X, t)
assert acc > 0.8, acc
assert abs(bnl.mean.get_value()).sum() > 0
xa = T.tensor4("xa")
We = theano.shared((rng.randn(3, 1, 2, 2) * 0.3).astype(floatX))
enc = T.tanh(conv2d(xa, We, subsample=(2, 2), filter_flip=False))
op = T.nnet.abstract_conv.AbstractConv2d_gradInputs(
    imshp=(None, 1, 6, 6),
    kshp=(3, 1, 2, 2),
    subsample=(2, 2),
    border_mode="valid",
    filter_flip=False,
)
dec = op(We, enc, (6, 6))
la = T.mean(T.sqr(dec - xa))
fa = theano.function([xa], la, updates=[(We, We - 0.5 * T.grad(la, We))], allow_input_downcast=True)
ca = [float(fa(X)) for _ in range(50)]
assert ca[-1] < 0.9 * ca[0], ca
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_of_a_library(dtype: str) -> None:
    """Convolution, normalisation by clones, dropout, a gated loop, adamax, a decoder."""
    with graphc.config.set(floatX=dtype):
        found = run(LAYERS)
    assert found["costs"][-1] < 0.2 * found["costs"][0]
    assert {p.get_value().dtype for p in found["params"]} == {np.dtype(dtype)}


BACKEND = """
import theano
import theano.tensor as T
from theano.tensor.shared_randomstreams import RandomStreams

floatX = theano.config.floatX

_FLOATX = floatX
_EPSILON = 1e-7
learning_phase = T.scalar(dtype="uint8", name="keras_learning_phase")

def variable(value, dtype=_FLOATX, name=None):
    return theano.shared(value=np.asarray(value, dtype=dtype), name=name, strict=False)

def placeholder(ndim, dtype=_FLOATX, name=None):
    broadcast = (False,) * ndim
    return T.TensorType(dtype, broadcast)(name)

def in_train_phase(x, alt):
    r = theano.ifelse.ifelse(learning_phase, x, alt)
    r._uses_learning_phase = True
    return r

def dropout(x, level, seed=None):
    rng = RandomStreams(seed=seed)
    retain_prob = 1.0 - level
    x *= rng.binomial(x.shape, p=retain_prob, dtype=x.dtype)
    x /= retain_prob
    return x

def normalize_batch_in_training(x, gamma, beta, reduction_axes, epsilon=1e-3):
    var = x.var(reduction_axes)
    mean = x.mean(reduction_axes)
    target_shape = []
    for axis in range(x.ndim):
        if axis in reduction_axes:
            target_shape.append(1)
        else:
            target_shape.append(x.shape[axis])
    target_shape = T.stack(target_shape)
    bm = T.reshape(mean, target_shape, ndim=x.ndim)
    bv = T.reshape(var, target_shape, ndim=x.ndim)
    bb = T.reshape(beta, target_shape, ndim=x.ndim)
    bg = T.reshape(gamma, target_shape, ndim=x.ndim)
    bm, bv, bb, bg = [T.patternbroadcast(q, (True, False)) for q in (bm, bv, bb, bg)]
    return (
        T.nnet.bn.batch_normalization(x, bg, bb, bm, T.sqrt(bv + epsilon), mode="high_mem"),
        mean,
        var,
    )

def categorical_crossentropy(output, target):
    output = output / output.sum(axis=-1, keepdims=True)
    output = T.clip(output, _EPSILON, 1.0 - _EPSILON)
    return T.nnet.categorical_crossentropy(output, target)

def int_shape(x):
    return x._keras_shape if hasattr(x, "_keras_shape") else None

class Optimizer(object):
    def __init__(self, clipnorm=1.0):
        self.updates = []
        self.clipnorm = clipnorm

    def get_gradients(self, loss, params):
        grads = T.grad(loss, params)
        norm = T.sqrt(sum([T.sum(T.square(g)) for g in grads]))
        return [T.switch(norm >= self.clipnorm, g * self.clipnorm / norm, g) for g in grads]

class Nadam(Optimizer):
    def get_updates(self, params, loss, lr=0.02, beta_1=0.9, beta_2=0.999, schedule_decay=0.004):
        grads = self.get_gradients(loss, params)
        it = variable(0.0)
        m_schedule = variable(1.0)
        self.updates.append((it, it + 1))
        t = it + 1
        mc_t = beta_1 * (1.0 - 0.5 * (T.pow(0.96, t * schedule_decay)))
        mc_t1 = beta_1 * (1.0 - 0.5 * (T.pow(0.96, (t + 1) * schedule_decay)))
        msn = m_schedule * mc_t
        msx = msn * mc_t1
        self.updates.append((m_schedule, msn))
        for p, g in zip(params, grads):
            m = variable(np.zeros(p.get_value(borrow=True, return_internal_type=True).shape))
            v = variable(np.zeros(p.get_value().shape))
            gp = g / (1.0 - msn)
            mt = beta_1 * m + (1.0 - beta_1) * g
            mp = mt / (1.0 - msx)
            vt = beta_2 * v + (1.0 - beta_2) * T.square(g)
            vp = vt / (1.0 - T.pow(beta_2, t))
            mb = (1.0 - mc_t) * gp + mc_t1 * mp
            self.updates += [(m, mt), (v, vt), (p, p - lr * mb / (T.sqrt(vp) + 1e-8))]
        return self.updates

x = placeholder(2, name="x")
y = placeholder(2, name="y")
x._keras_shape = (None, 6)
x._uses_learning_phase = False
assert int_shape(x) == (None, 6)
rng = np.random.RandomState(0)
W1 = variable(rng.randn(6, 16) * 0.3)
g1 = variable(np.ones(16))
b1 = variable(np.zeros(16))
W2 = variable(rng.randn(16, 3) * 0.3)
rm, rv = variable(np.zeros(16)), variable(np.ones(16))
h = T.dot(x, W1)
hn, mean, var = normalize_batch_in_training(h, g1, b1, [0])
ht = (h - rm) / T.sqrt(rv + 1e-3) * g1 + b1
z = T.nnet.relu(in_train_phase(hn, ht), alpha=0.1)
z = in_train_phase(dropout(z, 0.2, seed=3), z)
out = T.nnet.softmax(T.dot(z, W2))
loss = T.mean(categorical_crossentropy(out, y)) + 1e-4 * T.sum(T.sqr(W2)) + 1e-5 * T.sum(T.abs_(W1))
ups = Nadam().get_updates([W1, g1, b1, W2], loss) + [
    (rm, 0.9 * rm + 0.1 * mean),
    (rv, 0.9 * rv + 0.1 * var),
]
train = theano.function(
    [x, y, learning_phase],
    loss,
    updates=ups,
    on_unused_input="ignore",
    allow_input_downcast=True,
    name="train",
)
test = theano.function(
    [x, y, learning_phase],
    [loss, T.mean(T.eq(T.argmax(out, -1), T.argmax(y, -1)))],
    on_unused_input="ignore",
    allow_input_downcast=True,
)
X = rng.randn(45, 6)
Y = np.eye(3)[X[:, :3].argmax(1)]
costs = [float(train(X, Y, 1)) for _ in range(120)]
l, acc = test(X, Y, 0)
assert acc > 0.85, acc
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_backend(dtype: str) -> None:
    """A learning phase that is an input, lazy choices, clipped gradients and Nesterov's Adam."""
    with graphc.config.set(floatX=dtype):
        found = run(BACKEND)
    assert found["costs"][-1] < 0.2 * found["costs"][0] and found["acc"] > 0.85
