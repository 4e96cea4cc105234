/* Writing at places. The host has sorted the writes by place, keeping their order: `order` holds their
 * numbers, those at place u are order[k] for first[u] <= k < first[u + 1], and place[u] is where.
 * A work-item has an element to itself, so the result is the same in every run.
 *
 *   scatter_at      of several writes at one place the last one stays
 *   scatter_add_at  they are added, in order; of truth values: whether any is true
 *
 * The target y is contiguous: `size` places, each `width` elements wide, for each index before.
 * Global size: (width, count, before), or (count, width, before). Strides are in elements. */
#ifndef T
#define T float
#endif
#ifdef NEEDS_FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
#ifndef SUM
#define SUM(a, b) ((a) + (b))
#endif
#ifdef BY_PLACE
#define R 1
#define U 0
#else
#define R 0
#define U 1
#endif

kernel void scatter_at(global const T *x, global T *y, global const long *order,
                       global const long *first, global const long *place, const long width,
                       const long count, const long size, const long x_offset,
                       const long before_stride, const long write_stride, const long stride) {
    const long r = get_global_id(R), u = get_global_id(U), a = get_global_id(2);
    if (r >= width || u >= count) return;
    const long k = order[first[u + 1] - 1];
    y[(a * size + place[u]) * width + r] =
        x[x_offset + a * before_stride + k * write_stride + r * stride];
}

kernel void scatter_add_at(global const T *x, global T *y, global const long *order,
                           global const long *first, global const long *place, const long width,
                           const long count, const long size, const long x_offset,
                           const long before_stride, const long write_stride, const long stride) {
    const long r = get_global_id(R), u = get_global_id(U), a = get_global_id(2);
    if (r >= width || u >= count) return;
    const long at = (a * size + place[u]) * width + r;
    const long from = x_offset + a * before_stride + r * stride;
    T sum = y[at];
    for (long k = first[u]; k < first[u + 1]; ++k)
        sum = SUM(sum, x[from + order[k] * write_stride]);
    y[at] = sum;
}
