/* Sorting the rows of a contiguous array, stable, NaN last.
 *
 *   sort_runs    each run of a few elements by insertion
 *   merge_runs   pairs of sorted runs into runs of twice the length
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

/* Global size: (parts of a row, rows). Each work-item writes `part` elements of a merged pair: where
 * they begin in both runs is found by bisection (the merge path of Odeh, Green, Mwassi, Shmueli and
 * Birk, 2012), and from there on the runs are read in order. `part` divides 2 * run. */
kernel void merge_runs(global const T *x, global T *y,
                       PLACES(global const long *p, global long *q, ) const long length,
                       const long run, const long part) {
    const long start = (long)get_global_id(0) * part, row = (long)get_global_id(1) * length;
    const long first = start / (2 * run) * (2 * run);
    const long middle = min(first + run, length), end = min(first + 2 * run, length);
    const long left = middle - first, right = end - middle, k = start - first;
    const long a = row + first, b = row + middle;
    long low = max((long)0, k - right), high = min(k, left);
    while (low < high) {
        const long at = low + (high - low) / 2;
        /* of equal ones, those of the left run come first */
        if (LESS(x[b + k - at - 1], x[a + at]))
            high = at;
        else
            low = at + 1;
    }
    long i = low, j = k - low;
    for (long to = start; to < min(start + part, end); ++to) {
        const bool from_left = i < left && (j >= right || !LESS(x[b + j], x[a + i]));
        const long from = from_left ? a + i++ : b + j++;
        y[row + to] = x[from];
        PLACES(q[row + to] = p[from];)
    }
}
