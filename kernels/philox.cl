/* Random numbers by Philox 4x64-10 (Salmon, Moraes, Dror, Shaw 2011): each block of four words is a
 * function of its counter alone, and the same one that NumPy computes.
 *
 *   random_bits     elements of type T, ulong or uint
 *   random_uniform  of type T, double or float, in [0, 1)
 *   random_normal   of type T, by pairs: Box and Muller
 *
 * LANES: elements in a block, 4 or 8 (an element of 32 bits takes half a word, the low half first).
 * state: the seed of the stream, the number of the draw, the number of the call. step: one number. */
#ifdef NEEDS_FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
#pragma OPENCL FP_CONTRACT OFF

/* The upper half of a product. CPUs have an instruction for it, which mul_hi is not compiled to. */
#if defined(ON_CPU) && defined(__SIZEOF_INT128__)
#define UPPER(a, b) (ulong)(((unsigned __int128)(a) * (b)) >> 64)
#else
#define UPPER(a, b) mul_hi((ulong)(a), (ulong)(b))
#endif

inline ulong4 philox(ulong4 c, ulong k0, ulong k1) {
    for (int turn = 0; turn < 10; ++turn) {
        const ulong high0 = UPPER(c.s0, 0xD2E7470EE14C6C93UL), low0 = c.s0 * 0xD2E7470EE14C6C93UL;
        const ulong high1 = UPPER(c.s2, 0xCA5A826395121157UL), low1 = c.s2 * 0xCA5A826395121157UL;
        c = (ulong4)(high1 ^ c.s1 ^ k0, low1, high0 ^ c.s3 ^ k1, low0);
        k0 += 0x9E3779B97F4A7C15UL;
        k1 += 0xBB67AE8584CAA73BUL;
    }
    return c;
}

/* The words of block i as elements of U, an unsigned type of LANES to a block. */
#if LANES == 4
typedef ulong U;
#define SPLIT(w, x) x[0] = w.s0; x[1] = w.s1; x[2] = w.s2; x[3] = w.s3
#else
typedef uint U;
#define SPLIT(w, x)                                                                              \
    x[0] = (uint)w.s0; x[1] = (uint)(w.s0 >> 32); x[2] = (uint)w.s1; x[3] = (uint)(w.s1 >> 32);  \
    x[4] = (uint)w.s2; x[5] = (uint)(w.s2 >> 32); x[6] = (uint)w.s3; x[7] = (uint)(w.s3 >> 32)
#endif

inline void words(U *x, global const ulong *state, global const ulong *step, long part, long i) {
    const ulong4 w = philox((ulong4)(i + 1, step[0], state[2], part), state[0], state[1]);
    SPLIT(w, x);
}

inline void store(global T *out, const T *x, long i, long n) {
    if ((i + 1) * LANES <= n) {
#pragma unroll
        for (int k = 0; k < LANES; ++k) out[i * LANES + k] = x[k];
        return;
    }
    for (int k = 0; i * LANES + k < n; ++k) out[i * LANES + k] = x[k];
}

/* Global size of all kernels: the number of blocks. */
#ifdef BITS
kernel void random_bits(global const ulong *state, global const ulong *step, global T *out,
                        const long part, const long n) {
    U x[LANES];
    words(x, state, step, part, get_global_id(0));
    store(out, x, get_global_id(0), n);
}
#else
#if LANES == 4
#define UNIT(x) ((T)((x) >> 11) * 0x1p-53)
#define TURN 6.283185307179586
#else
#define UNIT(x) ((T)((x) >> 8) * 0x1p-24f)
#define TURN 6.2831855f
#endif

kernel void random_uniform(global const ulong *state, global const ulong *step, global T *out,
                           const long part, const long n) {
    U x[LANES];
    T u[LANES];
    words(x, state, step, part, get_global_id(0));
    for (int k = 0; k < LANES; ++k) u[k] = UNIT(x[k]);
    store(out, u, get_global_id(0), n);
}

kernel void random_normal(global const ulong *state, global const ulong *step, global T *out,
                          const long part, const long n) {
    U x[LANES];
    T z[LANES];
    words(x, state, step, part, get_global_id(0));
    for (int k = 0; k < LANES; k += 2) {
        const T radius = sqrt((T)(-2) * log((T)(1) - UNIT(x[k])));
        const T angle = UNIT(x[k + 1]) * TURN;
        z[k] = radius * cos(angle);
        z[k + 1] = radius * sin(angle);
    }
    store(out, z, get_global_id(0), n);
}
#endif
