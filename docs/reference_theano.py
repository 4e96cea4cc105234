"""Names of Theano 1.0.5 that programs use, and what became of those that are elsewhere."""

from __future__ import annotations

THEANO = [
    (
        "theano",
        "",
        """function shared config grad scan map reduce foldl foldr clone In Out Param Mode
        Variable pp dot gof gradient printing tensor compile ifelse.ifelse predefined_modes
        OpFromGraph version __version__ test sparse gpuarray d3viz misc typed_list""",
    ),
    (
        "theano.compile",
        "compile.",
        """SharedVariable function shared In Out Mode get_mode get_default_mode SymbolicInput
        io.In io.Out sharedvalue.SharedVariable mode.Mode mode.get_mode
        mode.get_default_mode function_module.Function debugmode.DebugMode
        nanguardmode.NanGuardMode MonitorMode ProfileStats ops.as_op as_op ViewOp DeepCopyOp""",
    ),
    (
        "Settings",
        "config.",
        """floatX device mode optimizer linker cxx blas.ldflags openmp openmp_elemwise_minsize
        allow_gc profile profile_memory profile_optimizer compute_test_value
        print_test_value exception_verbosity on_unused_input cast_policy int_division
        warn_float64 warn.subtensor_merge_bug warn.ignore_bug_before base_compiledir
        compiledir gcc.cxxflags nvcc.flags lib.cnmem gpuarray.preallocate dnn.enabled
        force_device assert_no_cpu_op scan.allow_gc scan.allow_output_prealloc
        traceback.limit reoptimize_unpickled_function experimental.unpickle_gpu_on_cpu
        optimizer_including optimizer_excluding optimizer_verbose NanGuardMode.nan_is_error
        DebugMode.check_strides numpy.seterr_all gradient.disconnected_inputs maxdtype seed""",
    ),
    (
        "Variables",
        "tensor.",
        """scalar vector matrix row col tensor3 tensor4 tensor5 scalars vectors matrices rows
        cols tensor3s tensor4s bscalar wscalar iscalar lscalar fscalar dscalar cscalar
        zscalar bvector wvector ivector lvector fvector dvector bmatrix wmatrix imatrix
        lmatrix fmatrix dmatrix brow irow lrow frow drow bcol icol lcol fcol dcol btensor3
        itensor3 ltensor3 ftensor3 dtensor3 btensor4 itensor4 ltensor4 ftensor4 dtensor4
        dscalars dvectors dmatrices fvectors fmatrices iscalars ivectors imatrices lscalars
        lvectors TensorType TensorVariable TensorConstant Constant Variable constant
        as_tensor_variable as_tensor TensorSharedVariable tensor""",
    ),
    (
        "Elementwise functions",
        "tensor.",
        """add sub mul true_div int_div floor_div mod pow neg abs_ sgn ceil floor round
        round_half_to_even round_half_away_from_zero iround trunc exp exp2 expm1 log log2
        log10 log1p sqr square sqrt inv sin cos tan arcsin arccos arctan arctan2 sinh cosh
        tanh arcsinh arccosh arctanh deg2rad rad2deg erf erfc erfcx erfinv erfcinv gamma
        gammaln psi tri_gamma chi2sf j0 j1 jv i0 i1 iv maximum minimum clip switch where eq
        neq lt le gt ge isclose allclose isnan isinf and_ or_ xor invert bitwise_and
        bitwise_or bitwise_xor bitwise_not cast real imag conj angle complex
        complex_from_polar identity tensor_copy copy second fill erf nnet.sigmoid
        xlogx.xlogx xlogx.xlogy0 logaddexp logsumexp""",
    ),
    (
        "Reductions",
        "tensor.",
        """sum prod prod.no_zeros_in_input mean var std max min argmax argmin max_and_argmax
        any all ptp norm cumsum cumprod sort argsort topk argtopk topk_and_argtopk""",
    ),
    (
        "Shapes and axes",
        "tensor.",
        """shape shape_padleft shape_padright shape_padaxis reshape flatten dimshuffle swapaxes
        transpose squeeze addbroadcast unbroadcast patternbroadcast repeat tile roll
        concatenate join stack split stacklists horizontal_stack vertical_stack basic.join
        specify_shape extra_ops.squeeze extra_ops.repeat extra_ops.broadcast_shape
        Rebroadcast is_flat atleast_Nd atleast_3d nonzero_values""",
    ),
    (
        "Making arrays",
        "tensor.",
        """zeros ones zeros_like ones_like full_like alloc empty eye identity_like arange mgrid
        ogrid diag diagonal tri tril triu linspace AllocDiag ExtractDiag basic.zeros_like""",
    ),
    (
        "Indexing",
        "tensor.",
        """set_subtensor inc_subtensor take choose nonzero flatnonzero permute_row_elements
        extra_ops.cumsum extra_ops.cumprod extra_ops.bincount extra_ops.diff
        extra_ops.searchsorted extra_ops.fill_diagonal extra_ops.fill_diagonal_offset
        extra_ops.to_one_hot extra_ops.Unique extra_ops.compress extra_ops.unravel_index
        extra_ops.ravel_multi_index compress inverse_permutation batched_dot.__doc__
        advanced_subtensor""",
    ),
    (
        "Linear algebra",
        "tensor.",
        """dot tensordot batched_dot batched_tensordot outer nlinalg.trace nlinalg.det
        nlinalg.matrix_inverse nlinalg.pinv nlinalg.svd nlinalg.qr nlinalg.eigh nlinalg.eig
        nlinalg.norm nlinalg.matrix_power nlinalg.matrix_dot nlinalg.diag nlinalg.lstsq
        nlinalg.tensorinv nlinalg.tensorsolve nlinalg.AllocDiag nlinalg.ExtractDiag
        nlinalg.numpy_norm slinalg.cholesky slinalg.solve slinalg.solve_lower_triangular
        slinalg.solve_upper_triangular slinalg.kron slinalg.expm slinalg.eigvalsh
        slinalg.cholesky_solve blas.gemm fft.rfft fft.irfft fourier.fft""",
    ),
    (
        "Neural networks",
        "tensor.nnet.",
        """sigmoid ultra_fast_sigmoid hard_sigmoid softplus softsign relu elu selu softmax
        logsoftmax softmax_with_bias categorical_crossentropy binary_crossentropy
        sigmoid_binary_crossentropy crossentropy_categorical_1hot
        crossentropy_softmax_argmax_1hot_with_bias crossentropy_softmax_1hot
        crossentropy_softmax_1hot_with_bias confusion_matrix h_softmax conv2d conv3d
        conv2d_transpose conv.conv2d conv2d_grad_wrt_inputs conv3d2d.conv3d
        conv2d_grad_wrt_weights abstract_conv.conv2d abstract_conv.conv2d_grad_wrt_inputs
        abstract_conv.AbstractConv2d_gradInputs abstract_conv.AbstractConv2d_gradWeights
        abstract_conv.AbstractConv3d_gradInputs abstract_conv.bilinear_upsampling
        corr.CorrMM bn.batch_normalization bn.batch_normalization_train
        bn.batch_normalization_test batch_normalization batch_normalization_train
        batch_normalization_test neighbours.images2neibs neighbours.neibs2images
        nnet.softsign nnet.relu nnet.softmax ctc blocksparse separable_conv2d causal_conv1d""",
    ),
    (
        "Signals",
        "tensor.signal.",
        """pool.pool_2d pool.pool_3d pool.max_pool_2d_same_size
        downsample.max_pool_2d conv.conv2d""",
    ),
    (
        "Random numbers",
        "",
        """tensor.shared_randomstreams.RandomStreams tensor.raw_random.random_integers
        sandbox.rng_mrg.MRG_RandomStreams""",
    ),
    (
        "Loops and branches",
        "",
        """scan_module.until scan_module.scan_utils.until scan_module.scan_utils.equal_computations
        scan_utils.until ifelse.IfElse updates.OrderedUpdates""",
    ),
    (
        "Gradients",
        "",
        """tensor.grad tensor.Lop tensor.Rop tensor.jacobian tensor.hessian tensor.verify_grad
        gradient.grad gradient.Lop gradient.Rop gradient.jacobian gradient.hessian
        gradient.subgraph_grad gradient.disconnected_grad gradient.zero_grad
        gradient.consider_constant gradient.undefined_grad gradient.grad_clip
        gradient.grad_scale gradient.grad_undefined gradient.grad_not_implemented
        gradient.DisconnectedType gradient.DisconnectedInputError gradient.NullTypeGradError
        gradient.numeric_grad gradient.verify_grad gradient.hessian_vector_product
        tensor.grad_not_implemented tensor.consider_constant tensor.numeric_grad
        tensor.disconnected_grad""",
    ),
    (
        "Printing",
        "printing.",
        """pp pprint debugprint pydotprint Print min_informative_str var_descriptor""",
    ),
    (
        "Graphs",
        "gof.",
        """Variable Apply Op graph.inputs graph.ancestors graph.variables graph.is_same_graph
        graph.io_toposort graph.clone graph.Constant graph.Variable FunctionGraph
        toolbox.Feature local_optimizer EquilibriumOptimizer COp CLinker Type Container""",
    ),
    (
        "Elsewhere",
        "",
        """sandbox.softsign.softsign sandbox.cuda.cuda_enabled sandbox.cuda.use
        sandbox.gpuarray.pygpu_activated sandbox.linalg.kron misc.pkl_utils.dump
        misc.pkl_utils.load scalar.upcast scalar.Scalar sparse.csr_matrix d3viz.d3viz
        tests.unittest_tools.verify_grad""",
    ),
]
"""Title, path below ``theano``, and the names, by subject."""

_GPU = 'there is no CUDA here; `backend="opencl"` runs on any OpenCL device'
_COMPLEX = "no complex numbers"
_SPARSE = "no sparse matrices"
_GRAPH = "graphs never change here, so there is nothing to listen to or to optimise in place"

_CNN = """selu sigmoid_binary_crossentropy crossentropy_categorical_1hot
    crossentropy_softmax_argmax_1hot_with_bias crossentropy_softmax_1hot
    crossentropy_softmax_1hot_with_bias confusion_matrix conv2d conv3d conv2d_transpose
    conv.conv2d conv2d_grad_wrt_inputs conv3d2d.conv3d conv2d_grad_wrt_weights
    abstract_conv.* bn.* batch_normalization batch_normalization_train
    batch_normalization_test neighbours.* separable_conv2d causal_conv1d"""
_ARRAYS = """logsumexp cumsum cumprod sort argsort topk argtopk topk_and_argtopk repeat tile roll
    split stacklists specify_shape extra_ops.* empty mgrid ogrid diag diagonal tri tril triu
    linspace AllocDiag ExtractDiag permute_row_elements compress inverse_permutation
    nlinalg.* slinalg.* signal.* grad_not_implemented"""

LATER = {
    *(f"tensor.{name}" for name in _ARRAYS.split()),
    *(f"tensor.nnet.{name}" for name in _CNN.split()),
    "scan_module.scan_utils.equal_computations",
}
"""What is not there yet; whoever adds one of these need not come here, as looking comes first."""

RENAMED = {
    "Param": "`graphc.In`",
    "pp": "graphc.pp",
    "dot": "graphc.tensor.dot",
    "version": "`graphc.__version__`",
    "predefined_modes": "`mode=` of `graphc.function`: `'FAST_RUN'`, `'FAST_COMPILE'`",
    "compile.function": "graphc.function",
    "compile.shared": "graphc.shared",
    "compile.SharedVariable": "graphc.SharedVariable",
    "compile.In": "graphc.In",
    "compile.Out": "graphc.Out",
    "compile.Mode": "graphc.Mode",
    "compile.io.In": "graphc.In",
    "compile.io.Out": "graphc.Out",
    "compile.SymbolicInput": "graphc.In",
    "compile.sharedvalue.SharedVariable": "graphc.SharedVariable",
    "compile.function_module.Function": "graphc.CompiledFunction",
    "compile.get_mode": "graphc.compile.mode.get_mode",
    "compile.get_default_mode": "graphc.compile.mode.get_default_mode",
    "tensor.floor_div": "graphc.tensor.int_div",
    "tensor.imag": "`T.zeros_like(x)`: there are no complex numbers",
    "tensor.identity": "`x` itself",
    "tensor.second": "graphc.tensor.fill",
    "tensor.tensor_copy": "`x.copy()`",
    "tensor.TensorSharedVariable": "graphc.SharedVariable",
    "tensor.tensor": "graphc.tensor.TensorType",
    "tensor.as_tensor": "graphc.tensor.as_tensor_variable",
    "tensor.prod.no_zeros_in_input": "`T.prod`, which is right with zeros and without",
    "tensor.basic.join": "graphc.tensor.join",
    "tensor.basic.zeros_like": "graphc.tensor.zeros_like",
    "tensor.batched_dot.__doc__": "graphc.tensor.batched_dot",
    "tensor.advanced_subtensor": "`x[i, j]`",
    "tensor.Rebroadcast": "graphc.tensor.patternbroadcast",
    "tensor.nonzero_values": "`x[x.nonzero()]`",
    "tensor.AllocDiag": "graphc.tensor.diag",
    "tensor.ExtractDiag": "graphc.tensor.diagonal",
    "tensor.nlinalg.AllocDiag": "graphc.tensor.diag",
    "tensor.nlinalg.ExtractDiag": "graphc.tensor.diagonal",
    "tensor.nlinalg.diag": "graphc.tensor.diag",
    "tensor.nlinalg.numpy_norm": "graphc.tensor.norm",
    "tensor.extra_ops.Unique": "graphc.tensor.unique",
    "tensor.extra_ops.squeeze": "graphc.tensor.squeeze",
    "tensor.extra_ops.repeat": "graphc.tensor.repeat",
    "tensor.extra_ops.cumsum": "graphc.tensor.cumsum",
    "tensor.extra_ops.cumprod": "graphc.tensor.cumprod",
    "tensor.nnet.nnet.softsign": "graphc.tensor.nnet.softsign",
    "tensor.nnet.nnet.relu": "graphc.tensor.nnet.relu",
    "tensor.nnet.nnet.softmax": "graphc.tensor.nnet.softmax",
    "tensor.nnet.softmax_with_bias": "`softmax(x + b)`",
    "tensor.xlogx.xlogx": "graphc.tensor.xlogx",
    "tensor.xlogx.xlogy0": "graphc.tensor.xlogy0",
    "tensor.raw_random.random_integers": "`RandomStreams(seed).random_integers`",
    "tensor.blas.gemm": "`beta * c + alpha * dot(a, b)`",
    "tensor.disconnected_grad": "graphc.gradient.disconnected_grad",
    "tensor.consider_constant": "graphc.gradient.consider_constant",
    "tensor.numeric_grad": "graphc.gradient.numeric_grad",
    "tensor.round_half_to_even": "graphc.tensor.round",
    "tensor.sandbox.softsign": "graphc.tensor.nnet.softsign",
    "ifelse.ifelse": "graphc.ifelse",
    "scan_utils.until": "graphc.until",
    "updates.OrderedUpdates": "graphc.OrderedUpdates",
    "sandbox.softsign.softsign": "graphc.tensor.nnet.softsign",
    "misc.pkl_utils.dump": "`graphc.save`, or `pickle`",
    "misc.pkl_utils.load": "`graphc.load`, or `pickle`",
    "gof.Variable": "graphc.Variable",
    "gof.graph.Variable": "graphc.Variable",
    "gof.graph.Constant": "graphc.tensor.Constant",
    "gof.graph.clone": "graphc.clone",
    "gof.Type": "graphc.tensor.TensorType",
    "gof.Apply": "`x` itself: a node has `op`, `inputs` and `type`",
    "gof.Op": "`graphc.custom_grad`, `graphc.OpFromGraph`; an op is a row of a table",
    "gof.local_optimizer": "`@rule`: see [design](design.md)",
    "gof.Container": "graphc.compile.shared.Container",
    "scalar.upcast": "`numpy.promote_types`",
    "gradient.DisconnectedInputError": "graphc.errors.DisconnectedInputError",
    "tests.unittest_tools.verify_grad": "graphc.gradient.verify_grad",
    "d3viz.d3viz": "`f.svg(path)`, `graphc.draw(x)`",
    "config.linker": "`graphc.Mode(linker=...)` is checked and has no meaning",
}
"""Other paths, or a few words."""

UNSUPPORTED = {
    "test": "the tests are not in the package",
    "sparse": _SPARSE,
    "sparse.*": _SPARSE,
    "gpuarray": _GPU,
    "sandbox.cuda.*": _GPU,
    "sandbox.gpuarray.*": _GPU,
    "sandbox.linalg.*": "see `theano.tensor.slinalg`",
    "d3viz": "`f.svg()` draws",
    "misc": "`graphc.save` and `graphc.load` store functions",
    "typed_list": "values are arrays",
    "scalar.*": "scalars are arrays without axes",
    "compile.debugmode.*": '`mode="FAST_COMPILE"` computes what was written, to compare with',
    "compile.nanguardmode.*": "return `T.isnan(x).any()`",
    "compile.MonitorMode": "return the expression as an output",
    "compile.ProfileStats": "`f.explain()` shows steps and traffic",
    "compile.ops.*": "an op needs a gradient and code for each backend",
    "compile.ViewOp": "views are found when a program is lowered",
    "compile.DeepCopyOp": "`x.copy()`",
    "gof.*": _GRAPH,
    "printing.min_informative_str": "`str(x)` is short",
    "printing.var_descriptor": "`str(x)` is short",
    "tensor.cscalar": _COMPLEX,
    "tensor.zscalar": _COMPLEX,
    "tensor.angle": _COMPLEX,
    "tensor.complex": _COMPLEX,
    "tensor.complex_from_polar": _COMPLEX,
    "tensor.nlinalg.eig": _COMPLEX,
    "tensor.fft.*": _COMPLEX,
    "tensor.fourier.*": _COMPLEX,
    "tensor.round_half_away_from_zero": "`T.round` rounds half to even, as NumPy",
    "tensor.iround": '`T.cast(T.round(x), "int64")`',
    "tensor.chi2sf": "see SciPy, by a function of your own",
    "tensor.jv": "see SciPy, by a function of your own",
    "tensor.iv": "see SciPy, by a function of your own",
    "tensor.j0": "see SciPy, by a function of your own",
    "tensor.j1": "see SciPy, by a function of your own",
    "tensor.is_flat": "`x.ndim == 1`",
    "tensor.atleast_Nd": "`T.shape_padleft(x, n)`",
    "tensor.atleast_3d": "`T.shape_padleft(x, n)`",
    "tensor.horizontal_stack": "`np.hstack`",
    "tensor.vertical_stack": "`np.vstack`",
    "tensor.nnet.h_softmax": "made of indexing and softmax",
    "tensor.nnet.ctc": "no connectionist temporal classification",
    "tensor.nnet.blocksparse": _SPARSE,
    "tensor.nnet.corr.*": "`T.nnet.conv2d`",
    "gradient.DisconnectedType": "no dependence is `None` in a gradient rule",
    "gradient.NullTypeGradError": "`graphc.errors`",
    "ifelse.IfElse": "`graphc.ifelse`",
    "config.*": "a setting of parts that graphc does not have",
}
"""Why a name, or all below it, is not here."""

_METHODS = """shape ndim dtype broadcastable type name tag owner T size sum mean max min prod
    var std argmax argmin any all ptp norm dot dimshuffle reshape flatten ravel transpose swapaxes
    squeeze astype clip round ceil floor trunc nonzero nonzero_values take choose sort
    argsort cumsum cumprod repeat diagonal trace fill copy conj real imag eval zeros_like
    __getitem__ __len__ __iter__ get_value set_value get_scalar_constant_value
    default_update container zero clone type_ context_name auto_name set_subtensor
    inc_subtensor"""

METHODS = dict.fromkeys(_METHODS.split(), "")
METHODS.update(
    type_="`x.type`",
    owner="not supported: a node is its own application: `x.op`, `x.inputs`",
    nonzero_values="`x[x.nonzero()]`",
    real="`x` itself: there are no complex numbers",
    imag="`T.zeros_like(x)`: there are no complex numbers",
    zeros_like="`T.zeros_like(x)`",
    get_scalar_constant_value="`float(x)` or `int(x)`, of a constant",
    context_name="not supported: there are no contexts; `device=` of `graphc.function`",
    auto_name="not supported: a name is the user's, or none",
    set_subtensor="`T.set_subtensor(x[i], y)`",
    inc_subtensor="`T.inc_subtensor(x[i], y)`",
    __getitem__="`x[...]`",
    __len__="`len(x)`, of a size known before the call; `x.shape[0]`",
    __iter__="`for row in x`, of a size known before the call",
)
"""Methods and attributes of variables; an empty text is found by looking."""
