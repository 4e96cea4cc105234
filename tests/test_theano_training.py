"""Training in the manner of the Deep Learning Tutorials: several functions share their state."""

from __future__ import annotations

import numpy as np
import pytest

import graphc
from test_theano_programs import run

LSTM = """
import theano
import theano.tensor as T
from collections import OrderedDict
from theano.tensor.shared_randomstreams import RandomStreams

floatX = theano.config.floatX

config = theano.config

def numpy_floatX(data):
    return np.asarray(data, dtype=config.floatX)

def _p(pp, name):
    return "%s_%s" % (pp, name)

def ortho_weight(ndim):
    W = np.random.RandomState(0).randn(ndim, ndim)
    u, s, v = np.linalg.svd(W)
    return u.astype(config.floatX)

SEED = 123
trng = RandomStreams(SEED)
dim = 8
n_words = 30
ydim = 2
rng = np.random.RandomState(0)
params = OrderedDict()
params["Wemb"] = (0.01 * rng.rand(n_words, dim)).astype(floatX)
params["lstm_W"] = np.concatenate([ortho_weight(dim)] * 4, axis=1)
params["lstm_U"] = np.concatenate([ortho_weight(dim)] * 4, axis=1)
params["lstm_b"] = np.zeros((4 * dim,)).astype(floatX)
params["U"] = 0.01 * rng.randn(dim, ydim).astype(floatX)
params["b"] = np.zeros((ydim,)).astype(floatX)
tparams = OrderedDict()
for kk, pp in params.items():
    tparams[kk] = theano.shared(params[kk], name=kk)

def dropout_layer(state_before, use_noise, trng):
    proj = T.switch(
        use_noise,
        (state_before * trng.binomial(state_before.shape, p=0.5, n=1, dtype=state_before.dtype)),
        state_before * 0.5,
    )
    return proj

def lstm_layer(tparams, state_below, prefix="lstm", mask=None):
    nsteps = state_below.shape[0]
    if state_below.ndim == 3:
        n_samples = state_below.shape[1]
    else:
        n_samples = 1
    assert mask is not None

    def _slice(_x, n, dim):
        if _x.ndim == 3:
            return _x[:, :, n * dim : (n + 1) * dim]
        return _x[:, n * dim : (n + 1) * dim]

    def _step(m_, x_, h_, c_):
        preact = T.dot(h_, tparams[_p(prefix, "U")])
        preact += x_
        i = T.nnet.sigmoid(_slice(preact, 0, dim))
        f = T.nnet.sigmoid(_slice(preact, 1, dim))
        o = T.nnet.sigmoid(_slice(preact, 2, dim))
        c = T.tanh(_slice(preact, 3, dim))
        c = f * c_ + i * c
        c = m_[:, None] * c + (1.0 - m_)[:, None] * c_
        h = o * T.tanh(c)
        h = m_[:, None] * h + (1.0 - m_)[:, None] * h_
        return h, c

    state_below = T.dot(state_below, tparams[_p(prefix, "W")]) + tparams[_p(prefix, "b")]
    rval, updates = theano.scan(
        _step,
        sequences=[mask, state_below],
        outputs_info=[
            T.alloc(numpy_floatX(0.0), n_samples, dim),
            T.alloc(numpy_floatX(0.0), n_samples, dim),
        ],
        name=_p(prefix, "_layers"),
        n_steps=nsteps,
    )
    return rval[0]

use_noise = theano.shared(numpy_floatX(0.0))
x = T.matrix("x", dtype="int64")
mask = T.matrix("mask", dtype=config.floatX)
y = T.vector("y", dtype="int64")
n_timesteps = x.shape[0]
n_samples = x.shape[1]
emb = tparams["Wemb"][x.flatten()].reshape([n_timesteps, n_samples, dim])
proj = lstm_layer(tparams, emb, mask=mask)
proj = (proj * mask[:, :, None]).sum(axis=0)
proj = proj / mask.sum(axis=0)[:, None]
proj = dropout_layer(proj, use_noise, trng)
pred = T.nnet.softmax(T.dot(proj, tparams["U"]) + tparams["b"])
f_pred_prob = theano.function([x, mask], pred, name="f_pred_prob")
f_pred = theano.function([x, mask], pred.argmax(axis=1), name="f_pred")
off = 1e-8
if pred.dtype == "float16":
    off = 1e-6
cost = -T.log(pred[T.arange(n_samples), y] + off).mean()
decay_c = theano.shared(numpy_floatX(1e-4), name="decay_c")
weight_decay = 0.0
weight_decay += (tparams["U"] ** 2).sum()
weight_decay *= decay_c
cost += weight_decay
grads = T.grad(cost, wrt=list(tparams.values()))

def adadelta(lr, tparams, grads, x, mask, y, cost):
    zipped_grads = [
        theano.shared(p.get_value() * numpy_floatX(0.0), name="%s_grad" % k)
        for k, p in tparams.items()
    ]
    running_up2 = [
        theano.shared(p.get_value() * numpy_floatX(0.0), name="%s_rup2" % k)
        for k, p in tparams.items()
    ]
    running_grads2 = [
        theano.shared(p.get_value() * numpy_floatX(0.0), name="%s_rgrad2" % k)
        for k, p in tparams.items()
    ]
    zgup = [(zg, g) for zg, g in zip(zipped_grads, grads)]
    rg2up = [(rg2, 0.95 * rg2 + 0.05 * (g**2)) for rg2, g in zip(running_grads2, grads)]
    f_grad_shared = theano.function(
        [x, mask, y], cost, updates=zgup + rg2up, name="adadelta_f_grad_shared"
    )
    updir = [
        -T.sqrt(ru2 + 1e-6) / T.sqrt(rg2 + 1e-6) * zg
        for zg, ru2, rg2 in zip(zipped_grads, running_up2, running_grads2)
    ]
    ru2up = [(ru2, 0.95 * ru2 + 0.05 * (ud**2)) for ru2, ud in zip(running_up2, updir)]
    param_up = [(p, p + ud) for p, ud in zip(tparams.values(), updir)]
    f_update = theano.function(
        [lr], [], updates=ru2up + param_up, on_unused_input="ignore", name="adadelta_f_update"
    )
    return f_grad_shared, f_update

def rmsprop(lr, tparams, grads, x, mask, y, cost):
    z = lambda s: [
        theano.shared(p.get_value() * numpy_floatX(0.0), name=s % k) for k, p in tparams.items()
    ]
    zipped_grads = z("%s_grad")
    running_grads = z("%s_rgrad")
    running_grads2 = z("%s_rgrad2")
    zgup = [(zg, g) for zg, g in zip(zipped_grads, grads)]
    rgup = [(rg, 0.95 * rg + 0.05 * g) for rg, g in zip(running_grads, grads)]
    rg2up = [(rg2, 0.95 * rg2 + 0.05 * (g**2)) for rg2, g in zip(running_grads2, grads)]
    f_grad_shared = theano.function(
        [x, mask, y], cost, updates=zgup + rgup + rg2up, name="rmsprop_f_grad_shared"
    )
    updir = z("%s_updir")
    updir_new = [
        (ud, 0.9 * ud - 1e-2 * zg / T.sqrt(rg2 - rg**2 + 1e-4))
        for ud, zg, rg, rg2 in zip(updir, zipped_grads, running_grads, running_grads2)
    ]
    param_up = [(p, p + udn[1]) for p, udn in zip(tparams.values(), updir_new)]
    f_update = theano.function(
        [lr], [], updates=updir_new + param_up, on_unused_input="ignore", name="rmsprop_f_update"
    )
    return f_grad_shared, f_update

lr = T.scalar(name="lr")
data = rng.randint(0, n_words, (7, 24))
lens = rng.randint(2, 8, 24)
m = (np.arange(7)[:, None] < lens).astype(floatX)
lab = ((data < 10) * m).sum(0) > (m.sum(0) / 3)
allcosts = []
for opt in (adadelta, rmsprop):
    f_grad_shared, f_update = opt(lr, tparams, grads, x, mask, y, cost)
    use_noise.set_value(1.0)
    cs = []
    for i in range(60):
        cs.append(float(f_grad_shared(data, m, lab.astype("int64"))))
        f_update(numpy_floatX(0.05))
    allcosts.append(cs)
use_noise.set_value(0.0)
costs = allcosts[0] + allcosts[1]
acc = (f_pred(data, m) == lab).mean()
assert f_pred_prob(data, m).shape == (24, 2)
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sentiments_of_sentences(dtype: str) -> None:
    """Masked sentences, noise that is switched off, adadelta and rmsprop in two functions each."""
    with graphc.config.set(floatX=dtype):
        found = run(LSTM)
    assert np.mean(found["allcosts"][0][-9:]) < found["costs"][0]  # adadelta starts slowly
    assert found["costs"][-1] < 0.5 * found["costs"][0] and found["acc"] > 0.9
    assert {p.get_value().dtype for p in found["tparams"].values()} == {np.dtype(dtype)}


AUTOENCODERS = """
import theano
import theano.tensor as T
from theano.tensor.shared_randomstreams import RandomStreams

floatX = theano.config.floatX

class dA(object):
    def __init__(
        self,
        numpy_rng,
        theano_rng=None,
        input=None,
        n_visible=784,
        n_hidden=500,
        W=None,
        bhid=None,
        bvis=None,
    ):
        self.n_visible = n_visible
        self.n_hidden = n_hidden
        if not theano_rng:
            theano_rng = RandomStreams(numpy_rng.randint(2**30))
        if not W:
            W = theano.shared(
                value=np.asarray(
                    numpy_rng.uniform(low=-0.5, high=0.5, size=(n_visible, n_hidden)),
                    dtype=theano.config.floatX,
                ),
                name="W",
                borrow=True,
            )
        if not bvis:
            bvis = theano.shared(value=np.zeros(n_visible, dtype=theano.config.floatX), borrow=True)
        if not bhid:
            bhid = theano.shared(
                value=np.zeros(n_hidden, dtype=theano.config.floatX), name="b", borrow=True
            )
        self.W = W
        self.b = bhid
        self.b_prime = bvis
        self.W_prime = self.W.T
        self.theano_rng = theano_rng
        if input is None:
            self.x = T.dmatrix(name="input")
        else:
            self.x = input
        self.params = [self.W, self.b, self.b_prime]

    def get_corrupted_input(self, input, corruption_level):
        return (
            self.theano_rng.binomial(
                size=input.shape, n=1, p=1 - corruption_level, dtype=theano.config.floatX
            )
            * input
        )

    def get_cost_updates(self, corruption_level, learning_rate):
        tilde_x = self.get_corrupted_input(self.x, corruption_level)
        y = T.nnet.sigmoid(T.dot(tilde_x, self.W) + self.b)
        z = T.nnet.sigmoid(T.dot(y, self.W_prime) + self.b_prime)
        L = -T.sum(self.x * T.log(z) + (1 - self.x) * T.log(1 - z), axis=1)
        cost = T.mean(L)
        gparams = T.grad(cost, self.params)
        updates = [
            (param, param - learning_rate * gparam) for param, gparam in zip(self.params, gparams)
        ]
        return (cost, updates)

class SdA(object):
    def __init__(self, numpy_rng, theano_rng=None, n_ins=20, hidden=[12, 8], n_outs=2):
        self.dA_layers = []
        self.params = []
        self.sig = []
        if not theano_rng:
            theano_rng = RandomStreams(numpy_rng.randint(2**30))
        self.x = T.matrix("x")
        self.y = T.ivector("y")
        inp = self.x
        n = n_ins
        for h in hidden:
            d = dA(numpy_rng, theano_rng, input=inp, n_visible=n, n_hidden=h)
            self.dA_layers.append(d)
            self.params += [d.W, d.b]
            inp = T.nnet.sigmoid(T.dot(inp, d.W) + d.b)
            n = h
        Wl = theano.shared(np.zeros((n, n_outs), dtype=floatX))
        bl = theano.shared(np.zeros(n_outs, dtype=floatX))
        self.params += [Wl, bl]
        p = T.nnet.softmax(T.dot(inp, Wl) + bl)
        self.finetune_cost = -T.mean(T.log(p)[T.arange(self.y.shape[0]), self.y])
        self.errors = T.mean(T.neq(T.argmax(p, axis=1), self.y))

    def pretraining_functions(self, train_set_x, batch_size):
        index = T.lscalar("index")
        corruption_level = T.scalar("corruption")
        learning_rate = T.scalar("lr")
        batch_begin = index * batch_size
        batch_end = batch_begin + batch_size
        fns = []
        for d in self.dA_layers:
            cost, updates = d.get_cost_updates(corruption_level, learning_rate)
            fn = theano.function(
                inputs=[
                    index,
                    theano.In(corruption_level, value=0.2),
                    theano.In(learning_rate, value=0.1),
                ],
                outputs=cost,
                updates=updates,
                givens={self.x: train_set_x[batch_begin:batch_end]},
            )
            fns.append(fn)
        return fns

rng = np.random.RandomState(1)
proto = rng.rand(2, 20) > 0.5
Y = rng.randint(0, 2, 40).astype("int32")
X = np.abs(proto[Y] * 1.0 - (rng.rand(40, 20) < 0.05)) * 0.9 + 0.05
sx = theano.shared(np.asarray(X, dtype=floatX), borrow=True)
sda = SdA(rng)
fns = sda.pretraining_functions(sx, 10)
costs = []
for i in range(2):
    cs = []
    for epoch in range(25):
        cs.append(float(np.mean([fns[i](index=b, corruption=0.1, lr=0.2) for b in range(4)])))
    costs.append(cs)
g = T.grad(sda.finetune_cost, sda.params)
ft = theano.function(
    [sda.x, sda.y],
    [sda.finetune_cost, sda.errors],
    updates=[(p, p - 0.5 * q) for p, q in zip(sda.params, g)],
    allow_input_downcast=True,
)
f = [ft(X, Y) for _ in range(60)]
assert costs[0][-1] < 0.8 * costs[0][0], costs
costs = [float(v[0]) for v in f]
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stacked_autoencoders(dtype: str) -> None:
    """Layers are trained one by one on corrupted inputs, and then all of them on classes."""
    with graphc.config.set(floatX=dtype):
        found = run(AUTOENCODERS)
    assert found["costs"][-1] < 0.2 * found["costs"][0]
