/* The pixels under the windows of a correlation as a matrix, and back.
 *
 * The matrix of an image has a row for each pixel of the window and channel, and a column for each
 * place of the window: (channels * window rows * window columns, rows * columns of results). Images
 * and matrices are contiguous and lie one after the other. A correlation is then a product for each
 * image, and so are its gradients.
 *
 *   columns   writes the matrices of images: a copy
 *   fold      adds the elements of matrices to the pixels they belong to, which it reads from there:
 *             so no two work-items write one place
 *
 * Global size: (lanes, rows), of which the first is 1 where neighbouring work-items do not read
 * together, and `rows` rounded up. */
#ifndef T
#define T float
#endif
#ifdef NEEDS_FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

#define PLACES                                                                                   \
    const long channels, const long height, const long width, const long window_rows,            \
        const long window_columns, const long out_rows, const long out_columns,                  \
        const long row_stride, const long column_stride, const long row_step,                    \
        const long column_step

/* A work-item copies what lies under one row of places: count is images * rows of a matrix *
 * out_rows. `first` is the first image. */
kernel void columns(global const T *images, global T *matrices, const long count, const long first,
                    PLACES) {
    const long item = get_global_id(1);
    if (item >= count) return;
    const long a = item % out_rows, row = item / out_rows;
    const long j = row % window_columns, i = row / window_columns % window_rows;
    const long c = row / (window_columns * window_rows);  /* counts through all images */
    global const T *from = images + ((first * channels + c) * height + a * row_stride + i * row_step)
                                        * width + j * column_step;
    global T *to = matrices + item * out_columns;
    if (column_stride == 1) {
        for (long b = get_global_id(0); b < out_columns; b += get_global_size(0)) to[b] = from[b];
    } else {
        for (long b = get_global_id(0); b < out_columns; b += get_global_size(0)) {
            to[b] = from[b * column_stride];
        }
    }
}

/* A work-item computes a row of pixels: count is images * channels * height. */
kernel void fold(global const T *matrices, global T *images, const long count, const long first,
                 PLACES) {
    const long item = get_global_id(1);
    if (item >= count) return;
    const long y = item % height, c = item / height;
    global const T *matrix = matrices + c * window_rows * window_columns * out_rows * out_columns;
    global T *to = images + ((first * channels + c) * height + y) * width;
    for (long x = get_global_id(0); x < width; x += get_global_size(0)) {
        T sum = 0;
        for (long i = 0; i < window_rows; ++i) {
            const long down = y - i * row_step, a = down / row_stride;
            if (down < 0 || a >= out_rows || a * row_stride != down) continue;
            for (long j = 0; j < window_columns; ++j) {
                const long right = x - j * column_step, b = right / column_stride;
                if (right < 0 || b >= out_columns || b * column_stride != right) continue;
                sum += matrix[((i * window_columns + j) * out_rows + a) * out_columns + b];
            }
        }
        to[x] = sum;
    }
}
