/* Finding places: of what is not zero in a vector, and of values in a sorted one.
 *
 *   count_nonzero  how many there are in each chunk
 *   sum_before     the sum of what comes before each chunk; a single work-item
 *   find_nonzero   the places, from where the chunk's begin
 *   search         how many elements of a sorted vector lie before a value */
#ifdef NEEDS_FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
#ifndef T
#define T float
#endif

/* Global size: chunks. */
kernel void count_nonzero(global const T *x, global long *counts, const long n, const long chunk,
                          const long offset, const long stride) {
    const long c = get_global_id(0), end = min(n, (c + 1) * chunk);
    long found = 0;
    for (long i = c * chunk; i < end; ++i) found += x[offset + i * stride] != 0;
    counts[c] = found;
}

/* Global size: 1. */
kernel void sum_before(global long *counts, const long chunks) {
    long before = 0;
    for (long c = 0; c < chunks; ++c) {
        const long own = counts[c];
        counts[c] = before;
        before += own;
    }
}

/* Global size: chunks. No more than `room` places are written. */
kernel void find_nonzero(global const T *x, global const long *before, global long *places,
                         const long n, const long chunk, const long offset, const long stride,
                         const long room) {
    const long c = get_global_id(0), end = min(n, (c + 1) * chunk);
    long k = before[c];
    for (long i = c * chunk; i < end; ++i)
        if (x[offset + i * stride] != 0 && k < room) places[k++] = i;
}

/* NaN comes after every number, as in a sorted array. */
#ifdef IS_FLOAT
#define LESS(a, b) ((a) < (b) || (isnan(b) && !isnan(a)))
#else
#define LESS(a, b) ((a) < (b))
#endif

/* Global size: at least count. Both arrays are contiguous. */
kernel void search(global const T *sorted, global const T *values, global long *places, const long n,
                   const long count, const long from_right) {
    const long i = get_global_id(0);
    if (i >= count) return;
    const T value = values[i];
    long low = 0, high = n;
    while (low < high) {
        const long middle = low + (high - low) / 2;
        const T found = sorted[middle];
        if (from_right ? !LESS(value, found) : LESS(found, value))
            low = middle + 1;
        else
            high = middle;
    }
    places[i] = low;
}
