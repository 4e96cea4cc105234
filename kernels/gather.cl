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

/* A work-item has one element, or with WHOLE all that lies behind one place: CPUs like long loops, and
 * where nothing lies behind, places are the first axis. */
#ifdef WHOLE
#define J 0
#define EACH(r) for (long r = 0; r < width; ++r)
#else
#define J 1
#define EACH(r) const long r = get_global_id(0); if (r < width)
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

/* Global size: (width, count, before); WHOLE: (count, 1, before). y is contiguous. */
kernel void gather_at(global const T *x, global T *y, global const long *place, const long width,
                      const long count, const long x_offset, const long before_stride,
                      const long stride) {
    const long j = get_global_id(J), a = get_global_id(2);
    if (j >= count) return;
    global const T *from = x + x_offset + a * before_stride + place[j];
    global T *to = y + (a * count + j) * width;
    if (stride == 1) {
        EACH(r) to[r] = from[r];
    } else {
        EACH(r) to[r] = from[r * stride];
    }
}
