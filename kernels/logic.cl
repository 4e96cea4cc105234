/* The product of matrices of truth values: whether any pair of elements is true on both sides.
 * Sizes, offsets and strides are in elements; a vector is a matrix of one row or one column. */

/* Global size: (n, m). */
kernel void dot_any(global const uchar *a, global const uchar *b, global uchar *c, const long k,
                    const long a_offset, const long a_row, const long a_col, const long b_offset,
                    const long b_row, const long b_col, const long c_offset, const long c_row) {
    const long i = get_global_id(1), j = get_global_id(0);
    uchar found = 0;
    for (long p = 0; p < k && !found; ++p)
        found = a[a_offset + i * a_row + p * a_col] & b[b_offset + p * b_row + j * b_col];
    c[c_offset + i * c_row + j] = found;
}
