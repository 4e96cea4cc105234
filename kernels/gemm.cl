/* Matrix products: C = alpha * A B + beta * C for each matrix of a batch.
 *
 * A is (m, k), B is (k, n), C is (m, n). Each has an offset, a stride from one matrix of the batch to
 * the next, one from row to row and one from column to column, all in elements and all arbitrary: a
 * transposition is a swap of two strides, a broadcast a stride of 0. Sizes need not fit any tile.
 * With beta == 0 the old C is not read, so nan in it does no harm.
 *
 *   gemm_panels   CPUs: a work-item owns a tile of C, packs the part of B it needs into contiguous
 *                 panels, and multiplies in registers with explicit vectors
 *   gemm_tiles    GPUs: a work-group owns a tile of C and reads both operands through local memory
 *   gemm_plain    one work-item per element of C: integers, and devices with small work-groups
 */
#ifndef T
#define T float
#endif
#ifdef NEEDS_FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

#define MATRIX_SIZES const long m, const long n, const long k
#define STRIDES(x) const long x##_offset, const long x##_batch, const long x##_row, const long x##_col

#ifndef ONLY
#define PANELS
#define TILES
#define PLAIN
#endif

#ifdef PANELS
/* V elements of a vector, MR rows by NV vectors of C in registers, MC by NC elements of C and KC steps
 * of k for a work-item. KC * NC elements of B stay in the second cache. */
#ifndef V
#define V 8
#define VT float8
#define MR 4
#define NV 3
#define MC 120
#define NC 96
#define KC 256
#endif
#define NR (NV * V)
/* Vectors as aligned as one element. PoCL calls a function for each vloadn, and so keeps no
 * accumulator in a register: a factor of four and more. Nor fma(), which costs a factor of ten. */
typedef VT VU __attribute__((aligned(sizeof(T))));
#define AT(space, type, p, i) (*(space type *)((p) + (i) * V))

/* B[k0 : k0 + steps, j : j + NR] to `panel`, one row of NR after the other, filled up with 0. */
static inline void pack(local T *panel, global const T *b, const int steps, const long cols,
                        const long b_row, const long b_col) {
    if (b_col == 1 && cols >= NR) {
        for (int p = 0; p < steps; ++p) {
#pragma unroll
            for (int v = 0; v < NV; ++v) {
                AT(local, VT, panel + p * NR, v) = AT(global const, VU, b + p * b_row, v);
            }
        }
        return;
    }
    for (int p = 0; p < steps; ++p) {
        for (int j = 0; j < NR; ++j) {
            panel[p * NR + j] = j < cols ? b[p * b_row + j * b_col] : (T)0;
        }
    }
}

/* One row of the tile in registers to C. `first` says that no part of the sum is in C yet. */
static inline void store(global T *c, const VT *row, const long cols, const long c_col,
                         const T alpha, const T beta, const bool first) {
    if (c_col == 1 && cols >= NR) {
#pragma unroll
        for (int v = 0; v < NV; ++v) {
            VT x = alpha * row[v];
            if (!first) {
                x += AT(global const, VU, c, v);
            } else if (beta != 0) {
                x += beta * AT(global const, VU, c, v);
            }
            AT(global, VU, c, v) = x;
        }
        return;
    }
    T lanes[NR] __attribute__((aligned(64)));
#pragma unroll
    for (int v = 0; v < NV; ++v) AT(private, VT, lanes, v) = alpha * row[v];
    for (int j = 0; j < NR && j < cols; ++j) {
        T x = lanes[j];
        if (!first) {
            x += c[j * c_col];
        } else if (beta != 0) {
            x += beta * c[j * c_col];
        }
        c[j * c_col] = x;
    }
}

/* The sum over `steps`; COLUMN is the stride of A from step to step. */
#define MULTIPLY(COLUMN)                                                                         \
    for (int p = 0; p < steps; ++p) {                                                            \
        VT right[NV];                                                                            \
        _Pragma("unroll") for (int v = 0; v < NV; ++v) {                                         \
            right[v] = AT(local const, VT, panel + p * NR, v);                                   \
        }                                                                                        \
        _Pragma("unroll") for (int r = 0; r < MR; ++r) {                                         \
            const VT left = (VT)(rows[r][p * (COLUMN)]);                                         \
            _Pragma("unroll") for (int v = 0; v < NV; ++v) { sum[r][v] += left * right[v]; }     \
        }                                                                                        \
    }

/* Global size: (ceil(m / MC), ceil(n / NC), batch), local size 1. */
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void gemm_panels(global const T *a, global const T *b, global T *c, MATRIX_SIZES, STRIDES(a),
                        STRIDES(b), STRIDES(c), const T alpha, const T beta) {
    local T packed[KC * NC] __attribute__((aligned(64)));
    const long i0 = get_global_id(0) * MC, j0 = get_global_id(1) * NC, z = get_global_id(2);
    const int height = (int)min((long)MC, m - i0), width = (int)min((long)NC, n - j0);
    for (long k0 = 0; k0 < k; k0 += KC) {
        const int steps = (int)min((long)KC, k - k0);
        global const T *b0 = b + b_offset + z * b_batch + k0 * b_row + j0 * b_col;
        for (int j = 0; j < width; j += NR) {
            pack(packed + j * KC, b0 + j * b_col, steps, width - j, b_row, b_col);
        }
        for (int j = 0; j < width; j += NR) {
            local const T *panel = packed + j * KC;
            for (int i = 0; i < height; i += MR) {
                VT sum[MR][NV];
                global const T *rows[MR];
#pragma unroll
                for (int r = 0; r < MR; ++r) {
                    /* Rows past the edge repeat the last one, and are not stored. */
                    const long row = i0 + min(i + r, height - 1);
                    rows[r] = a + a_offset + z * a_batch + row * a_row + k0 * a_col;
#pragma unroll
                    for (int v = 0; v < NV; ++v) sum[r][v] = (VT)(0);
                }
                if (a_col == 1) {
                    MULTIPLY(1)
                } else {
                    MULTIPLY(a_col)
                }
#pragma unroll
                for (int r = 0; r < MR; ++r) {
                    if (i + r < height) {
                        store(c + c_offset + z * c_batch + (i0 + i + r) * c_row + (j0 + j) * c_col,
                              sum[r], width - j, c_col, alpha, beta, k0 == 0);
                    }
                }
            }
        }
    }
}
#endif

#ifdef TILES
/* A tile of TM by TN elements of C, TK steps of k at a time, RM by RN elements for a work-item: the
 * elements of one work-item lie TM / RM apart, so that neighbours read neighbouring banks. */
#ifndef TM
#define TM 64
#define TN 64
#define TK 16
#define RM 4
#define RN 4
#endif
#define GM (TM / RM)
#define GN (TN / RN)
#define ITEMS (GM * GN)

/* Global size: (ceil(n / TN) * GN, ceil(m / TM) * GM, batch); local size (GN, GM, 1). */
__attribute__((reqd_work_group_size(GN, GM, 1)))
kernel void gemm_tiles(global const T *a, global const T *b, global T *c, MATRIX_SIZES, STRIDES(a),
                       STRIDES(b), STRIDES(c), const T alpha, const T beta) {
    local T left[TK][TM + 1], right[TK][TN + 1];
    const int x = get_local_id(0), y = get_local_id(1), item = y * GN + x;
    const long i0 = get_group_id(1) * TM, j0 = get_group_id(0) * TN, z = get_global_id(2);
    a += a_offset + z * a_batch;
    b += b_offset + z * b_batch;
    T sum[RM][RN];
#pragma unroll
    for (int r = 0; r < RM; ++r) {
#pragma unroll
        for (int s = 0; s < RN; ++s) sum[r][s] = 0;
    }
    for (long k0 = 0; k0 < k; k0 += TK) {
        /* Neighbouring work-items read along whichever axis is contiguous. */
        for (int e = item; e < TM * TK; e += ITEMS) {
            const int p = a_col == 1 ? e % TK : e / TM, i = a_col == 1 ? e / TK : e % TM;
            left[p][i] = (i0 + i < m && k0 + p < k) ? a[(i0 + i) * a_row + (k0 + p) * a_col] : (T)0;
        }
        for (int e = item; e < TN * TK; e += ITEMS) {
            const int p = b_row == 1 ? e % TK : e / TN, j = b_row == 1 ? e / TK : e % TN;
            right[p][j] = (j0 + j < n && k0 + p < k) ? b[(k0 + p) * b_row + (j0 + j) * b_col] : (T)0;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int p = 0; p < TK; ++p) {
            T row[RM], col[RN];
#pragma unroll
            for (int r = 0; r < RM; ++r) row[r] = left[p][y + r * GM];
#pragma unroll
            for (int s = 0; s < RN; ++s) col[s] = right[p][x + s * GN];
#pragma unroll
            for (int r = 0; r < RM; ++r) {
#pragma unroll
                for (int s = 0; s < RN; ++s) sum[r][s] += row[r] * col[s];
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    c += c_offset + z * c_batch;
#pragma unroll
    for (int r = 0; r < RM; ++r) {
        const long i = i0 + y + r * GM;
#pragma unroll
        for (int s = 0; s < RN; ++s) {
            const long j = j0 + x + s * GN;
            if (i < m && j < n) {
                const long at = i * c_row + j * c_col;
                c[at] = beta == 0 ? alpha * sum[r][s] : alpha * sum[r][s] + beta * c[at];
            }
        }
    }
}
#endif

#ifdef PLAIN
/* Global size: (n, m, batch). */
kernel void gemm_plain(global const T *a, global const T *b, global T *c, MATRIX_SIZES, STRIDES(a),
                       STRIDES(b), STRIDES(c), const T alpha, const T beta) {
    const long j = get_global_id(0), i = get_global_id(1), z = get_global_id(2);
    if (i >= m || j >= n) return;
    a += a_offset + z * a_batch + i * a_row;
    b += b_offset + z * b_batch + j * b_col;
    c += c_offset + z * c_batch + i * c_row + j * c_col;
    T sum = 0;
    for (long p = 0; p < k; ++p) sum += a[p * a_col] * b[p * b_row];
    *c = beta == 0 ? alpha * sum : alpha * sum + beta * *c;
}
#endif
