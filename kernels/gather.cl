/* Indexing with arrays: where indices point, and the elements that stand there.
 * Sizes, offsets and strides are in elements. T is any type of an element's size: bits are moved.
 *
 *   place_at   one index array: checked, counted from 0, added to where the others point
 *   gather_at  the elements at places */
#ifndef T
#define T float
#endif
#ifndef I
#define I long
#endif
#ifdef NEEDS_FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

/* Which of the axes of a launch runs over places, and which over what lies behind them. */
#ifdef BY_PLACE
#define R 1
#define J 0
#else
#define R 0
#define J 1
#endif

/* Global size: at least count. Of the indices that are out of range, the first one is noted in
 * bad[which], which begins as the largest uint; it is read as 0 then. */
kernel void place_at(global const I *index, global long *place, volatile global uint *bad,
                     const long which, const long count, const long lowest, const long size,
                     const long stride) {
    const long i = get_global_id(0);
    if (i >= count) return;
    long at = index[i];
    if (at < lowest || at >= size) {
        atomic_min(bad + which, (uint)min(i, (long)0xfffffffe));
        at = 0;
    }
    if (at < 0) at += size;
    place[i] = (which ? place[i] : 0) + at * stride;
}

/* Global size: (width, count, before), or (count, width, before). y is contiguous. */
kernel void gather_at(global const T *x, global T *y, global const long *place, const long width,
                      const long count, const long x_offset, const long before_stride,
                      const long stride) {
    const long r = get_global_id(R), j = get_global_id(J), a = get_global_id(2);
    if (r >= width || j >= count) return;
    y[(a * count + j) * width + r] = x[x_offset + a * before_stride + place[j] + r * stride];
}
