/* Copies between arrays of any strides, and fills. Sizes and strides are in elements; a stride may be
 * negative, and 0 in the source. T is any type of that size: what is moved is bits.
 *
 *   copy_4     up to four axes; more axes are merged or looped over by the host
 *   copy_flat  one piece to another, both contiguous
 *   fill_4     one value
 *
 * Joining arrays is one copy_4 per piece, at its offset in the result. */
#ifndef T
#define T float
#endif
#ifdef NEEDS_FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

/* Global size: (n3, n2, n0 * n1), innermost axis first, so that neighbours write neighbours. */
kernel void copy_4(global const T *x, global T *y, const long n1, const long n2, const long n3,
                   const long x_offset, const long x0, const long x1, const long x2, const long x3,
                   const long y_offset, const long y0, const long y1, const long y2,
                   const long y3) {
    const long i3 = get_global_id(0), i2 = get_global_id(1);
    if (i3 >= n3 || i2 >= n2) return;
    const long i0 = get_global_id(2) / n1, i1 = get_global_id(2) - i0 * n1;
    y[y_offset + i0 * y0 + i1 * y1 + i2 * y2 + i3 * y3] =
        x[x_offset + i0 * x0 + i1 * x1 + i2 * x2 + i3 * x3];
}

/* Global size: at least count. */
kernel void copy_flat(global const T *x, global T *y, const long count, const long x_offset,
                      const long y_offset) {
    const long i = get_global_id(0);
    if (i < count) y[y_offset + i] = x[x_offset + i];
}

/* Global size: (n3, n2, n0 * n1). */
kernel void fill_4(global T *y, const long n1, const long n2, const long n3, const long y_offset,
                   const long y0, const long y1, const long y2, const long y3, const T value) {
    const long i3 = get_global_id(0), i2 = get_global_id(1);
    if (i3 >= n3 || i2 >= n2) return;
    const long i0 = get_global_id(2) / n1, i1 = get_global_id(2) - i0 * n1;
    y[y_offset + i0 * y0 + i1 * y1 + i2 * y2 + i3 * y3] = value;
}
