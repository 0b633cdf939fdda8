/* What is done to pictures on a processor, each one pass over memory: their blocks of 2x2 pixels,
   and a step along a gradient.

   Pictures are planes (N, 3, H, W). Compiled on the machine that runs it (see pictures.py), it
   shares torch's own threads. */

#include <math.h>
#include <stdint.h>
#include <string.h>

/* A block has two rows of each colour, and a pair of pixels in each. */
enum { COLOURS = 3, PLANES = 2 * COLOURS, PAIR = 2 };

/* A pair of a row that begins at x, where that lies in the row; outside it is zeros. */
static inline void pair(const float *row, int x, int width, float *out) {
    for (int each = 0; each < PAIR; each++)
        out[each] = row && x + each >= 0 && x + each < width ? row[x + each] : 0;
}

/* out (N, OH, OW, channels) are the blocks of pictures in planes (N, 3, H, W) that begin `top` and
   `left` outside; what is outside is zeros. */
void in_blocks(const float *in, float *out, int count, int height, int width, int out_height,
               int out_width, int channels, int top, int left, int threads) {
#pragma omp parallel for collapse(2) num_threads(threads)
    for (int picture = 0; picture < count; picture++)
        for (int down = 0; down < out_height; down++) {
            const float *rows[PLANES];
            for (int plane = 0; plane < PLANES; plane++) {
                int y = 2 * down + plane % 2 - top;
                int64_t row = ((int64_t)picture * COLOURS + plane / 2) * height + y;
                rows[plane] = y >= 0 && y < height ? in + row * width : NULL;
            }
            float *to = out + ((int64_t)picture * out_height + down) * out_width * channels;
            for (int block = 0; block < out_width; block++, to += channels) {
                int x = 2 * block - left, inside = x >= 0 && x + PAIR <= width;
                for (int plane = 0; plane < PLANES; plane++)
                    if (inside && rows[plane])
                        memcpy(to + PAIR * plane, rows[plane] + x, sizeof(float) * PAIR);
                    else
                        pair(rows[plane], x, width, to + PAIR * plane);
                memset(to + PAIR * PLANES, 0, sizeof(float) * (channels - PAIR * PLANES));
            }
        }
}

/* The pictures of blocks: the inverse of `in_blocks`, and its gradient. */
void out_of_blocks(const float *in, float *out, int count, int height, int width, int blocks_down,
                   int blocks_across, int channels, int top, int left, int threads) {
#pragma omp parallel for collapse(2) num_threads(threads)
    for (int picture = 0; picture < count; picture++)
        for (int y = 0; y < height; y++) {
            int64_t row = (int64_t)picture * blocks_down + (y + top) / 2;
            for (int colour = 0; colour < COLOURS; colour++) {
                const float *from = in + row * blocks_across * channels +
                                    PAIR * (2 * colour + (y + top) % 2);
                float *to = out + (((int64_t)picture * COLOURS + colour) * height + y) * width;
                for (int block = 0; block < blocks_across; block++, from += channels) {
                    int x = 2 * block - left;
                    if (x >= 0 && x + PAIR <= width)
                        memcpy(to + x, from, sizeof(float) * PAIR);
                    else
                        for (int each = 0; each < PAIR; each++)
                            if (x + each >= 0 && x + each < width)
                                to[x + each] = from[each];
                }
            }
        }
}

/* Sums that are made side by side. */
enum { BESIDE = 16 };

/* The sum of the sizes of the numbers of each row. */
void sizes(const float *in, double *out, int rows, int width, int threads) {
#pragma omp parallel for num_threads(threads)
    for (int64_t row = 0; row < rows; row++) {
        const float *from = in + row * width;
        float part[BESIDE] = {0};
        int x = 0;
        for (; x + BESIDE <= width; x += BESIDE)
            for (int each = 0; each < BESIDE; each++)
                part[each] += fabsf(from[x + each]);
        double sum = 0;
        for (int each = 0; each < BESIDE; each++)
            sum += part[each];
        for (; x < width; x++)
            sum += fabsf(from[x]);
        out[row] = sum;
    }
}

/* Where pictures are after a step along a gradient of them as they were rolled, `down` and `right`,
   divided by `mean`, one for each picture. A picture whose mean is no number stays as it is.
   `step` is one number, or one for each place; low and high are three each, or none. */
void moved(const float *image, const float *gradient, float *out, const float *mean,
           const float *step, const float *low, const float *high, int count, int height, int width,
           int down, int right, int by_place, int threads) {
#pragma omp parallel for collapse(2) num_threads(threads)
    for (int plane = 0; plane < count * COLOURS; plane++)
        for (int y = 0; y < height; y++) {
            int64_t row = ((int64_t)plane * height + y) * width;
            const float *along = gradient + ((int64_t)plane * height + (y + down) % height) * width;
            const float *far = by_place ? step + (int64_t)y * width : step;
            float size = mean[plane / COLOURS];
            float least = low ? low[plane % COLOURS] : -INFINITY;
            float most = high ? high[plane % COLOURS] : INFINITY;
            if (!isfinite(size)) {
                memcpy(out + row, image + row, sizeof(float) * width);
                continue;
            }
            for (int part = 0; part < 2; part++) {
                int first = part ? width - right : 0, last = part ? width : width - right;
                const float *rolled = along + (part ? right - width : right);
                for (int x = first; x < last; x++) {
                    float to = image[row + x] + far[by_place ? x : 0] * (rolled[x] / size);
                    to = to < least ? least : to;
                    out[row + x] = to > most ? most : to;
                }
            }
        }
}
