/* Frames of reductions. The space is (rows, length), or (outer, length, inner), and `length` goes.
 *
 * A frame is a kernel with six marked words. Here they are macros that make the file a program of
 * its own, a plain sum; the code generator replaces them by the text of a fused body:
 *
 *   NAME     the kernel's name
 *   PARAMS   its buffers and numbers, each followed by a comma
 *   START    declares the accumulators, and their scratch in local memory
 *   VECTOR   combines what lies at r (rows) or c (columns) and the WIDTH - 1 places after it
 *   SCALAR   combines one element into the accumulators
 *   FINISH   stores the accumulators at index `at`, if `lane` is 0
 *
 * Work is split into `splits` parts of `chunk` along `length`. With one part the results are
 * final; otherwise the same frames fold the parts again. GROUP work-items share one part and meet in
 * a tree: a power of two on GPUs, 1 on CPUs, where a barrier costs more than it gains. */
#ifndef GROUP
#define GROUP 1
#endif
#ifndef WIDTH
#define WIDTH 1
#endif

/* How two partial results become one. The functions are prelude.cl's. */
#define FOLD_ADD(a, b) ((a) + (b))
#define FOLD_MUL(a, b) ((a) * (b))
#define FOLD_MAX(a, b) max_nan(a, b)
#define FOLD_MIN(a, b) min_nan(a, b)
#define FOLD_ANY(a, b) ((a) | (b))
#define FOLD_ALL(a, b) ((a) & (b))

/* Whether value a at place p goes before b at q: nan first, then the larger (the smaller), then the
 * place. It does not depend on the order in which elements are met. */
#define ARG_FIRST(a, p, b, q, OVER)                                                              \
    (((a) != (a)) ? (((b) == (b)) || (p) < (q))                                                  \
                  : ((b) == (b) && ((a)OVER(b) || ((a) == (b) && (p) < (q)))))
#define ARGMAX_FIRST(a, p, b, q) ARG_FIRST(a, p, b, q, >)
#define ARGMIN_FIRST(a, p, b, q) ARG_FIRST(a, p, b, q, <)
#define ARG_STEP(FIRST, value, place, best, at_best)                                             \
    if (FIRST(value, place, best, at_best)) {                                                    \
        best = value;                                                                            \
        at_best = place;                                                                         \
    }

/* The tree: afterwards r of lane 0 holds the result of the work-group. */
#if GROUP == 1
#define SCRATCH(T, name)
#define GROUP_TREE(r, name, COMBINE)
#define GROUP_TREE_ARG(r, place, name, name_at, FIRST)
#else
#define SCRATCH(T, name) local T name[GROUP]
#define GROUP_TREE(r, name, COMBINE)                                                             \
    name[lane] = r;                                                                              \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                \
    for (int half_group = GROUP / 2; half_group > 0; half_group /= 2) {                          \
        if (lane < half_group) name[lane] = COMBINE(name[lane], name[lane + half_group]);        \
        barrier(CLK_LOCAL_MEM_FENCE);                                                            \
    }                                                                                            \
    r = name[0];
#define GROUP_TREE_ARG(r, place, name, name_at, FIRST)                                           \
    name[lane] = r;                                                                              \
    name_at[lane] = place;                                                                       \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                \
    for (int half_group = GROUP / 2; half_group > 0; half_group /= 2) {                          \
        if (lane < half_group) {                                                                 \
            ARG_STEP(FIRST, name[lane + half_group], name_at[lane + half_group], name[lane],     \
                     name_at[lane])                                                              \
        }                                                                                        \
        barrier(CLK_LOCAL_MEM_FENCE);                                                            \
    }                                                                                            \
    r = name[0];                                                                                 \
    place = name_at[0];
#endif

#ifndef FRAMES_ONLY
#define T float
#define PARAMS global const T *x, global T *out,
#define START T r0 = 0; SCRATCH(T, s0)
#define VECTOR
#define FINISH                                                                                   \
    GROUP_TREE(r0, s0, FOLD_ADD)                                                                 \
    if (lane == 0) out[at] = r0;
#endif

/* One row, or a part of one, for each work-group. Global size: rows * splits * GROUP exactly,
 * for no work-item may leave before a barrier. */
#ifndef FRAMES_ONLY
#define NAME sum_rows
#define SCALAR r0 += x[o * length + r];
#endif
/* frame rows */
kernel void NAME(PARAMS const long rows, const long length, const long splits, const long chunk) {
#if GROUP == 1
    const int lane = 0;
    const long at = get_global_id(0);
    if (at >= rows * splits) return;
#else
    const int lane = get_local_id(0);
    const long at = get_group_id(0);
#endif
    const long o = at / splits;
    const long first = (at - o * splits) * chunk;
    const long last = min(first + chunk, length);
    START;
    long r = first + (long)lane * WIDTH;
#if WIDTH > 1
    for (; r + WIDTH <= last; r += GROUP * WIDTH) {
        VECTOR;
    }
#endif
    /* With vectors, the lane that holds the ragged end takes it element by element. */
    for (long end = WIDTH > 1 ? min(r + WIDTH, last) : last; r < end; r += WIDTH > 1 ? 1 : GROUP) {
        SCALAR;
    }
    FINISH;
}
/* end frame */
#undef NAME
#undef SCALAR

/* WIDTH columns, or a part of their length, for each work-item: neighbours read neighbours.
 * Global size: splits * outer * ceil(inner / WIDTH). Results are stored as (splits, outer, inner). */
#ifndef FRAMES_ONLY
#define NAME sum_columns
#define SCALAR r0 += x[(o * length + r) * inner + c];
#define FINISH_VECTOR
#endif
/* frame columns */
kernel void NAME(PARAMS const long outer, const long length, const long inner, const long splits,
                 const long chunk) {
    const int lane = 0;
    const long blocks = (inner + WIDTH - 1) / WIDTH;
    const long item = get_global_id(0);
    if (item >= splits * outer * blocks) return;
    const long part = item / (outer * blocks);
    const long o = item / blocks - part * outer;
    const long first = part * chunk;
    const long last = min(first + chunk, length);
    const long left = (item % blocks) * WIDTH;
#if WIDTH > 1
    if (left + WIDTH <= inner) {
        const long c = left, at = (part * outer + o) * inner + c;
        START_VECTOR;
        for (long r = first; r < last; ++r) {
            VECTOR;
        }
        FINISH_VECTOR;
        return;
    }
#endif
    for (long c = left; c < min(left + WIDTH, inner); ++c) {
        const long at = (part * outer + o) * inner + c;
        START;
        for (long r = first; r < last; ++r) {
            SCALAR;
        }
        FINISH;
    }
}
/* end frame */
#undef NAME
#undef SCALAR
