/* Writing at places. The host has sorted the writes by place, keeping their order: `order` holds their
 * numbers, those at place u are order[k] for first[u] <= k < first[u + 1], and place[u] is where.
 * A work-item has an element to itself, so the result is the same in every run.
 *
 *   scatter_at      of several writes at one place the last one stays
 *   scatter_add_at  they are added, in order; of truth values: whether any is true
 *
 * The target y is contiguous: `size` places, each `width` elements wide, for each index before.
 * Global size: (width, count, before); WHOLE, where a work-item has all that lies behind its place:
 * (count, 1, before). Strides are in elements. */
#ifndef T
#define T float
#endif
#ifdef NEEDS_FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
#ifndef SUM
#define SUM(a, b) ((a) + (b))
#endif
#ifdef WHOLE
#define U 0
#define EACH(r) for (long r = 0; r < width; ++r)
#else
#define U 1
#define EACH(r) const long r = get_global_id(0); if (r < width)
#endif

kernel void scatter_at(global const T *x, global T *y, global const long *order,
                       global const long *first, global const long *place, const long width,
                       const long count, const long size, const long x_offset,
                       const long before_stride, const long write_stride, const long stride) {
    const long u = get_global_id(U), a = get_global_id(2);
    if (u >= count) return;
    global const T *from =
        x + x_offset + a * before_stride + order[first[u + 1] - 1] * write_stride;
    global T *to = y + (a * size + place[u]) * width;
    EACH(r) to[r] = from[r * stride];
}

kernel void scatter_add_at(global const T *x, global T *y, global const long *order,
                           global const long *first, global const long *place, const long width,
                           const long count, const long size, const long x_offset,
                           const long before_stride, const long write_stride, const long stride) {
    const long u = get_global_id(U), a = get_global_id(2);
    if (u >= count) return;
    global T *to = y + (a * size + place[u]) * width;
    for (long k = first[u]; k < first[u + 1]; ++k) {
        global const T *from = x + x_offset + a * before_stride + order[k] * write_stride;
        if (stride == 1) {
            EACH(r) to[r] = SUM(to[r], from[r]);
        } else {
            EACH(r) to[r] = SUM(to[r], from[r * stride]);
        }
    }
}
