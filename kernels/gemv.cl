/* Matrix times vector, inner and outer products. Offsets and strides are in elements and arbitrary;
 * A transposed is A with its strides swapped.
 *
 *   gemv_rows      y = alpha * A x + beta * y where rows of A are contiguous (or nothing is): a
 *                  work-group of GROUP per row and part, meeting in a tree
 *   gemv_columns   the same where columns are contiguous: WIDTH rows for a work-item, which walks
 *                  along x
 *   gemv_finish    adds up the parts, when k was cut into several
 *   outer          C = alpha * x y^T + beta * C
 *
 * The inner product of two vectors is gemv_rows with one row. T is the type of the elements, WIDTH
 * that of vectors (CPUs), GROUP a power of two (1 on CPUs). */
#ifndef T
#define T float
#endif
#ifndef WIDTH
#define WIDTH 1
#endif
#ifndef GROUP
#define GROUP 1
#endif
#ifdef NEEDS_FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

#if WIDTH == 1
typedef T VT;
#define SUM_LANES(v) (v)
#else
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
typedef JOIN(T, WIDTH) VT;
#if WIDTH == 4
#define SUM_LANES(v) (((v).s0 + (v).s1) + ((v).s2 + (v).s3))
#else
#define SUM_LANES(v)                                                                             \
    ((((v).s0 + (v).s1) + ((v).s2 + (v).s3)) + (((v).s4 + (v).s5) + ((v).s6 + (v).s7)))
#endif
#endif
/* As aligned as one element: see gemm.cl. */
typedef VT VU __attribute__((aligned(sizeof(T))));
#define LOAD(p) (*(global const VU *)(p))
#define STORE(v, p) (*(global VU *)(p) = (v))

/* Global size: rows * splits * GROUP exactly where GROUP > 1, for no work-item may leave before a
 * barrier. With splits > 1, y is the array (rows, splits) of parts. */
kernel void gemv_rows(global const T *a, global const T *x, global T *y, const long rows,
                      const long k, const long a_offset, const long a_row, const long a_col,
                      const long x_offset, const long x_step, const long y_offset,
                      const long y_step, const T alpha, const T beta, const long splits,
                      const long chunk) {
#if GROUP == 1
    const int lane = 0;
    const long at = get_global_id(0), row = at / splits;
    if (row >= rows) return;
#else
    const int lane = get_local_id(0);
    const long at = get_group_id(0), row = at / splits;
#endif
    const long first = (at - row * splits) * chunk, last = min(first + chunk, k);
    global const T *left = a + a_offset + row * a_row;
    global const T *right = x + x_offset;
    T sum = 0;
    long p = first + lane;
#if GROUP == 1 && WIDTH > 1
    if (a_col == 1 && x_step == 1) {
        /* Four sums at once: each waits for its own last addition only. */
        VT s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (; p + 4 * WIDTH <= last; p += 4 * WIDTH) {
            s0 += LOAD(left + p) * LOAD(right + p);
            s1 += LOAD(left + p + WIDTH) * LOAD(right + p + WIDTH);
            s2 += LOAD(left + p + 2 * WIDTH) * LOAD(right + p + 2 * WIDTH);
            s3 += LOAD(left + p + 3 * WIDTH) * LOAD(right + p + 3 * WIDTH);
        }
        for (; p + WIDTH <= last; p += WIDTH) s0 += LOAD(left + p) * LOAD(right + p);
        s0 = (s0 + s1) + (s2 + s3);
        sum = SUM_LANES(s0);
    }
#endif
    for (; p < last; p += GROUP) sum += left[p * a_col] * right[p * x_step];
#if GROUP > 1
    local T parts[GROUP];
    parts[lane] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_group = GROUP / 2; half_group > 0; half_group /= 2) {
        if (lane < half_group) parts[lane] += parts[lane + half_group];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    sum = parts[0];
#endif
    if (lane != 0) return;
    if (splits > 1) {
        y[at] = sum;
        return;
    }
    y += y_offset + row * y_step;
    *y = beta == 0 ? alpha * sum : alpha * sum + beta * *y;
}

/* Global size: ceil(rows / WIDTH) * splits; needs a_row == 1 where WIDTH > 1. With splits > 1, y is
 * the array (splits, rows) of parts. */
kernel void gemv_columns(global const T *a, global const T *x, global T *y, const long rows,
                         const long k, const long a_offset, const long a_row, const long a_col,
                         const long x_offset, const long x_step, const long y_offset,
                         const long y_step, const T alpha, const T beta, const long splits,
                         const long chunk) {
    const long blocks = (rows + WIDTH - 1) / WIDTH, item = get_global_id(0), part = item / blocks;
    if (part >= splits) return;
    const long i0 = (item - part * blocks) * WIDTH;
    const long first = part * chunk, last = min(first + chunk, k);
    const long end = min(i0 + WIDTH, rows);
    const bool final = splits == 1;
    global T *out = final ? y + y_offset : y + part * rows;
    const long step = final ? y_step : 1;
    x += x_offset;
    a += a_offset;
#if WIDTH > 1
    if (end - i0 == WIDTH) {
        VT s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        global const T *left = a + i0;
        long p = first;
        for (; p + 4 <= last; p += 4) {
            s0 += LOAD(left + p * a_col) * x[p * x_step];
            s1 += LOAD(left + (p + 1) * a_col) * x[(p + 1) * x_step];
            s2 += LOAD(left + (p + 2) * a_col) * x[(p + 2) * x_step];
            s3 += LOAD(left + (p + 3) * a_col) * x[(p + 3) * x_step];
        }
        for (; p < last; ++p) s0 += LOAD(left + p * a_col) * x[p * x_step];
        VT sum = (s0 + s1) + (s2 + s3);
        if (final) sum *= alpha;
        if (step == 1) {
            if (final && beta != 0) sum += beta * LOAD(out + i0);
            STORE(sum, out + i0);
            return;
        }
        T lanes[WIDTH];
        *(private VU *)lanes = sum;
        for (int l = 0; l < WIDTH; ++l) {
            global T *at = out + (i0 + l) * step;
            *at = final && beta != 0 ? lanes[l] + beta * *at : lanes[l];
        }
        return;
    }
#endif
    for (long i = i0; i < end; ++i) {
        T sum = 0;
        for (long p = first; p < last; ++p) sum += a[i * a_row + p * a_col] * x[p * x_step];
        global T *at = out + i * step;
        *at = !final ? sum : (beta == 0 ? alpha * sum : alpha * sum + beta * *at);
    }
}

/* Global size: rows. `parts` is read at row * part_row + s * part_step. */
kernel void gemv_finish(global const T *parts, global T *y, const long rows, const long splits,
                        const long part_row, const long part_step, const long y_offset,
                        const long y_step, const T alpha, const T beta) {
    const long row = get_global_id(0);
    if (row >= rows) return;
    T sum = 0;
    for (long s = 0; s < splits; ++s) sum += parts[row * part_row + s * part_step];
    y += y_offset + row * y_step;
    *y = beta == 0 ? alpha * sum : alpha * sum + beta * *y;
}

/* Global size: (n, m). */
kernel void outer(global const T *x, global const T *y, global T *c, const long m, const long n,
                  const long x_offset, const long x_step, const long y_offset, const long y_step,
                  const long c_offset, const long c_row, const long c_col, const T alpha,
                  const T beta) {
    const long j = get_global_id(0), i = get_global_id(1);
    if (i >= m || j >= n) return;
    const T product = alpha * (x[x_offset + i * x_step] * y[y_offset + j * y_step]);
    c += c_offset + i * c_row + j * c_col;
    *c = beta == 0 ? product : product + beta * *c;
}
