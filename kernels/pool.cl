/* The largest number in each window of an image, and what its gradients need.
 *
 * Images are (count, height, width), windows (count, out_rows, out_columns), all contiguous. A window
 * whose largest pixel is NaN has no largest pixel: nothing equals NaN.
 *
 *   pool_max      the largest number
 *   pool_share    what belongs to a window, divided by the number of its largest pixels
 *   pool_spread   the shares of the windows a pixel is largest in, summed by the pixel
 *   pool_pick     the mean over the largest pixels of a window
 *
 * Global size: at least `count`: of windows, for pool_spread of pixels. */
#ifndef T
#define T float
#endif
#ifdef NEEDS_FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

#define PLACES                                                                                   \
    const long count, const long height, const long width, const long out_rows,                  \
        const long out_columns, const long window_rows, const long window_columns,               \
        const long row_stride, const long column_stride
/* Where the window of a work-item begins, and how much of it lies inside of the image. */
#define CORNER                                                                                   \
    const long row = item / out_columns % out_rows * row_stride;                                 \
    const long column = item % out_columns * column_stride;                                      \
    const long rows = min(window_rows, height - row);                                            \
    const long columns = min(window_columns, width - column);                                    \
    const long corner = (item / (out_rows * out_columns) * height + row) * width + column
#define WINDOW                                                                                   \
    for (long i = 0; i < rows; ++i)                                                              \
        for (long j = 0; j < columns; ++j)

kernel void pool_max(global const T *x, global T *y, PLACES) {
    const long item = get_global_id(0);
    if (item >= count) return;
    CORNER;
    x += corner;
    T top = *x;
    WINDOW {
        const T value = x[i * width + j];
        top = (top >= value) | (top != top) ? top : value;
    }
    y[item] = top;
}

kernel void pool_share(global const T *x, global const T *top, global const T *g, global T *y,
                       PLACES) {
    const long item = get_global_id(0);
    if (item >= count) return;
    CORNER;
    x += corner;
    int hits = 0;
    WINDOW hits += x[i * width + j] == top[item];
    y[item] = g[item] / (T)max(hits, 1);
}

kernel void pool_spread(global const T *x, global const T *top, global const T *share, global T *y,
                        PLACES) {
    const long item = get_global_id(0);
    if (item >= count) return;
    const long column = item % width, row = item / width % height;
    const long windows = item / (width * height) * out_rows;
    const long low = row < window_rows ? 0 : (row - window_rows) / row_stride + 1;
    const long left = column < window_columns ? 0 : (column - window_columns) / column_stride + 1;
    T sum = 0;
    for (long a = low; a < out_rows && a * row_stride <= row; ++a) {
        for (long b = left; b < out_columns && b * column_stride <= column; ++b) {
            const long window = (windows + a) * out_columns + b;
            if (x[item] == top[window]) sum += share[window];
        }
    }
    y[item] = sum;
}

kernel void pool_pick(global const T *x, global const T *top, global const T *v, global T *y,
                      PLACES) {
    const long item = get_global_id(0);
    if (item >= count) return;
    CORNER;
    int hits = 0;
    T sum = 0;
    WINDOW {
        const long at = corner + i * width + j;
        if (x[at] == top[item]) {
            ++hits;
            sum += v[at];
        }
    }
    y[item] = sum / (T)max(hits, 1);
}
