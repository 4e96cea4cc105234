/* Sums and products of all that comes before, and recurrences, along an axis of a contiguous array
 * (outer, length, inner).
 *
 *   totals    what each chunk of the axis does to the value it begins with
 *   carries   the value each chunk begins with; replaces the totals
 *   scan      every value
 *
 * A value h becomes h + x with SUM, h * x with PRODUCT, and x + c * h otherwise, where ADJOINT goes
 * back from the end and takes the c of the place before. A chunk takes h to total + factor * h. */
#ifdef NEEDS_FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
#ifndef T
#define T float
#endif

#if defined(SUM)
#define FIRST ((T)0)
#define OTHER
#define NEXT(h, k) ((T)((h) + x[AT(k)]))
#define FACTOR(f, k) (f)
#elif defined(PRODUCT)
#define FIRST ((T)1)
#define OTHER
#define NEXT(h, k) ((T)((h) * x[AT(k)]))
#define FACTOR(f, k) ((T)((f) * x[AT(k)]))
#else
#define FIRST ((T)0)
#define OTHER global const T *c,
#ifdef ADJOINT
#define GIVEN(k) ((k) == 0 ? (T)0 : c[AT((k) - 1)])
#else
#define GIVEN(k) ((k) == 0 ? (T)0 : c[AT(k)])
#endif
#define NEXT(h, k) ((T)(x[AT(k)] + GIVEN(k) * (h)))
#define FACTOR(f, k) ((T)(GIVEN(k) * (f)))
#endif

/* Where the k-th element of the row of this work-item lies. */
#ifdef ADJOINT
#define AT(k) ((o * length + length - 1 - (k)) * inner + i)
#else
#define AT(k) ((o * length + (k)) * inner + i)
#endif

/* Global size: (inner, chunks, outer). A product has no total but 0: its factor says all. */
kernel void totals(global const T *x, OTHER global T *total, global T *factor, const long length,
                   const long inner, const long chunk) {
    const long i = get_global_id(0), part = get_global_id(1), o = get_global_id(2);
    if (i >= inner) return;
    const long end = min((part + 1) * chunk, length);
    T h = 0, f = 1;
    for (long k = part * chunk; k < end; ++k) {
        h = NEXT(h, k);
        f = FACTOR(f, k);
    }
    const long at = (o * get_global_size(1) + part) * inner + i;
    total[at] = h;
    factor[at] = f;
}

/* Global size: (inner, outer). */
kernel void carries(global T *total, global const T *factor, const long inner, const long chunks) {
    const long i = get_global_id(0), o = get_global_id(1);
    if (i >= inner) return;
    T h = FIRST;
    for (long part = 0; part < chunks; ++part) {
        const long at = (o * chunks + part) * inner + i;
#ifdef PRODUCT
        const T next = factor[at] * h;
#else
        const T next = h == 0 ? total[at] : total[at] + factor[at] * h; /* a factor may be infinite */
#endif
        total[at] = h;
        h = next;
    }
}

/* Global size: (inner, chunks, outer). */
kernel void scan(global const T *x, OTHER global T *out, global const T *carry, const long length,
                 const long inner, const long chunk) {
    const long i = get_global_id(0), part = get_global_id(1), o = get_global_id(2);
    if (i >= inner) return;
    const long end = min((part + 1) * chunk, length);
    T h = part == 0 ? FIRST : carry[(o * get_global_size(1) + part) * inner + i];
    for (long k = part * chunk; k < end; ++k) {
        h = NEXT(h, k);
        out[AT(k)] = h;
    }
}
