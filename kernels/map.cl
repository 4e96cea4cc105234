/* The frame of an elementwise kernel, and what indices are computed with.
 *
 * The frame has four marked words. Here they are macros that make the file a program of its own; the
 * code generator replaces them by the text of a fused body:
 *
 *   NAME     the kernel's name
 *   PARAMS   its buffers and numbers, each followed by a comma
 *   VECTOR   computes and stores the WIDTH elements that begin at i
 *   SCALAR   computes and stores element i
 *
 * i counts the elements of the space in row-major order. */
#ifndef WIDTH
#define WIDTH 1
#endif

/* a / b for numbers that are not negative. Nearly always both are small, and a division of 32 bits
 * takes a fraction of the time of one of 64. */
static inline long quotient(const long a, const long b) {
    return ((a | b) >> 31) == 0 ? (long)((uint)a / (uint)b) : a / b;
}

#ifndef FRAMES_ONLY
#define T float
#define NAME twice
#define PARAMS global const T *x, global T *out,
#define VECTOR
#define SCALAR out[i] = 2 * x[i]
#endif
/* Global size: at least n / WIDTH, rounded up. */
/* frame map */
kernel void NAME(PARAMS const long n) {
#if WIDTH > 1
    const long first = (long)get_global_id(0) * WIDTH;
    if (first + WIDTH <= n) {
        const long i = first;
        VECTOR;
        return;
    }
    for (long i = first; i < n; ++i) {
        SCALAR;
    }
#else
    const long i = get_global_id(0);
    if (i >= n) return;
    SCALAR;
#endif
}
/* end frame */
