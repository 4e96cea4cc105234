/* Sorting the rows of a contiguous array, stable, NaN last.
 *
 *   sort_runs    each run of a few elements by insertion
 *   merge_runs   pairs of sorted runs into runs of twice the length: every element finds its place by
 *                a binary search in the other run of its pair
 *
 * With WITH_PLACES the place that each element came from is moved along with it. */
#ifdef NEEDS_FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
#ifndef T
#define T float
#define IS_FLOAT
#endif

#ifdef WITH_PLACES
#define PLACES(...) __VA_ARGS__
#else
#define PLACES(...)
#endif

#ifdef IS_FLOAT
#define LESS(a, b) ((a) < (b) || (isnan(b) && !isnan(a)))
#else
#define LESS(a, b) ((a) < (b))
#endif

/* Global size: (runs of a row, rows). */
kernel void sort_runs(global T *x, PLACES(global long *p, ) const long length, const long run) {
    const long start = (long)get_global_id(0) * run, end = min(start + run, length);
    x += (long)get_global_id(1) * length;
    PLACES(p += (long)get_global_id(1) * length;)
    PLACES(for (long i = start; i < end; ++i) p[i] = i;)
    for (long i = start + 1; i < end; ++i) {
        const T value = x[i];
        long k = i;
        for (; k > start && LESS(value, x[k - 1]); --k) {
            x[k] = x[k - 1];
            PLACES(p[k] = p[k - 1];)
        }
        x[k] = value;
        PLACES(p[k] = i;)
    }
}

/* Global size: (length, rows). */
kernel void merge_runs(global const T *x, global T *y,
                       PLACES(global const long *p, global long *q, ) const long length,
                       const long run) {
    const long i = get_global_id(0), row = (long)get_global_id(1) * length;
    if (i >= length) return;
    x += row;
    const long first = i / (2 * run) * (2 * run);
    const long middle = min(first + run, length);
    const bool left = i < middle;
    const T value = x[i];
    long low = left ? middle : first, high = left ? min(first + 2 * run, length) : middle;
    while (low < high) {
        const long at = low + (high - low) / 2;
        const T other = x[at];
        /* of equal ones, those of the left run come first */
        if (left ? LESS(other, value) : !LESS(value, other))
            low = at + 1;
        else
            high = at;
    }
    const long to = row + (left ? i + low - middle : i - middle + low);
    y[to] = value;
    PLACES(q[to] = p[row + i];)
}
