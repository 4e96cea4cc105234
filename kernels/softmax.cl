/* Softmax and its logarithm along rows, in one kernel: the row is read thrice, while it is near.
 *
 * It comes after prelude.cl and the first part of reduce.cl. GROUP work-items share a row and meet
 * in trees: a power of two on GPUs, 1 on CPUs. As in the expressions that it stands for, a largest
 * element that is infinite is not subtracted, and nan makes the whole row nan. */
#ifndef T
#define T float
#endif

#define ROW_SWEEP(VECTOR, SCALAR)                                                                \
    {                                                                                            \
        long r = (long)lane * WIDTH;                                                             \
        for (; r + WIDTH <= length; r += (long)GROUP * WIDTH) {                                  \
            VECTOR;                                                                              \
        }                                                                                        \
        for (long end = min(r + WIDTH, length); r < end; ++r) {                                  \
            SCALAR;                                                                              \
        }                                                                                        \
    }

#if GROUP == 1
#define ROW_OF(rows)                                                                             \
    const int lane = 0;                                                                          \
    const long row = get_global_id(0);                                                           \
    if (row >= rows) return;
#define ROW_TREE(name, COMBINE)
#else
#define ROW_OF(rows)                                                                             \
    const int lane = get_local_id(0);                                                            \
    const long row = get_group_id(0);                                                            \
    local T scratch[GROUP];
#define ROW_TREE(name, COMBINE)                                                                  \
    GROUP_TREE(name, scratch, COMBINE)                                                           \
    barrier(CLK_LOCAL_MEM_FENCE);
#endif

/* The largest element of the row, and 0 for an infinite one. */
#define ROW_TOP                                                                                  \
    x += row * length;                                                                           \
    out += row * length;                                                                         \
    T top = -INFINITY;                                                                           \
    VEC(T) tops = (VEC(T))(-INFINITY);                                                           \
    ROW_SWEEP(tops = max_nan(tops, VLOAD(T, x + r)), top = max_nan(top, x[r]))                   \
    top = max_nan(top, LANES(FOLD_MAX, tops));                                                   \
    ROW_TREE(top, FOLD_MAX)                                                                      \
    top = isinf(top) ? (T)0 : top;

/* Global size: rows, or rows * GROUP exactly, for no work-item may leave before a barrier. */
kernel void softmax(global const T *x, global T *out, const long rows, const long length) {
    ROW_OF(rows)
    ROW_TOP
    T sum = 0;
    VEC(T) sums = (VEC(T))(0);
    ROW_SWEEP(const VEC(T) e = exp(VLOAD(T, x + r) - top); VSTORE(T, e, out + r); sums += e,
              const T e = exp(x[r] - top); out[r] = e; sum += e)
    sum += LANES(FOLD_ADD, sums);
    ROW_TREE(sum, FOLD_ADD)
    ROW_SWEEP(VSTORE(T, VLOAD(T, out + r) / sum, out + r), out[r] /= sum)
}

/* The largest elements add exactly 1 each, which would swallow the last digits of the others: they
 * are counted. */
kernel void log_softmax(global const T *x, global T *out, const long rows, const long length) {
    ROW_OF(rows)
    ROW_TOP
    T rest = 0, count = 0;
    VEC(T) rests = (VEC(T))(0), counts = (VEC(T))(0);
    ROW_SWEEP(const VEC(T) u = VLOAD(T, x + r) - top;
              rests += where(eq(u, (VEC(T))(0)), (VEC(T))(0), exp(u));
              counts += where(eq(u, (VEC(T))(0)), (VEC(T))(1), (VEC(T))(0)),
              const T u = x[r] - top;
              rest += u == 0 ? (T)0 : exp(u); count += u == 0 ? (T)1 : (T)0)
    rest += LANES(FOLD_ADD, rests);
    count += LANES(FOLD_ADD, counts);
    ROW_TREE(rest, FOLD_ADD)
    ROW_TREE(count, FOLD_ADD)
    const T log_sum = log1p(rest + (count - 1));
    ROW_SWEEP(VSTORE(T, (VLOAD(T, x + r) - top) - log_sum, out + r),
              out[r] = (x[r] - top) - log_sum)
}
