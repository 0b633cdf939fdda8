/* Convolutions of small pictures on a processor, where a library's fixed cost for each call is more
   than the work.

   A place of the result is a sum, over the taps of the kernel, of products of a row of channels and
   a matrix. Six places and two vectors of channels are summed at once, in registers. A tap outside
   the picture reads zeros. Compiled on the machine that runs it (see compiled.py), it shares torch's
   own threads. */

#include "vectors.h"

enum { TILES = 16 };
/* As in compiled.py. */
enum { MOST_CHANNELS = 4096, MOST_TAPS = 64 };

/* How many channels of the result the weights hold together; the last ones are filled up with 0. */
int panel(void) { return PANEL; }

static const float zeros[MOST_CHANNELS];

/* Where the taps of six places read. At the end there may be fewer; the last one then stands for
   those that are missing. */
static inline void sources(const struct layout *size, const float *in, int64_t first,
                           int64_t places, const float *from[MOST_TAPS][ROWS]) {
    int x = first % size->out_width, y = first / size->out_width % size->out_height;
    int64_t picture = first / size->out_width / size->out_height;
    for (int row = 0; row < ROWS; row++) {
        const float *start = in + picture * size->height * size->width * size->apart;
        int tap = 0;
        for (int down = y - size->top; down < y - size->top + size->rows; down++)
            for (int right = x - size->left; right < x - size->left + size->columns; right++) {
                int inside = down >= 0 && down < size->height && right >= 0 && right < size->width;
                int64_t place = (int64_t)down * size->width + right;
                from[tap++][row] = inside ? start + place * size->apart : zeros;
            }
        if (first + row + 1 >= places)
            continue;
        if (++x == size->out_width) {
            x = 0;
            if (++y == size->out_height) {
                y = 0;
                picture++;
            }
        }
    }
}

#define BEGIN(row) vector low##row = low_bias, high##row = high_bias;
#define READ(row) const float *from##row = from[tap][row];
#define ADD(row)                                                                                   \
    low##row += from##row[channel] * low;                                                          \
    high##row += from##row[channel] * high;
#define FINISH(row)                                                                                \
    if (first + row < places) {                                                                    \
        made *to = out + (first + row) * size->out_apart + start;                                  \
        made *also = active + (first + row) * size->active_apart + start;                          \
        finished(low##row, to, also, mode, many);                                                  \
        finished(high##row, to + LANES, also + LANES, mode, many - LANES);                         \
    }

/* out is the convolution of `in`, with a bias, where there is one; for `mode` see `finished`.
   `weights` are (panels, taps, channels, PANEL). */
void convolve(const struct layout *size, const float *in, const float *weights, const float *bias,
              made *out, made *active, int mode, int threads) {
    int64_t places = (int64_t)size->count * size->out_height * size->out_width;
    int64_t blocks = (places + ROWS * TILES - 1) / (ROWS * TILES);
    int panels = (size->out_channels + PANEL - 1) / PANEL, taps = size->rows * size->columns;
    int64_t each = (int64_t)taps * size->channels * PANEL;
#pragma omp parallel for collapse(2) num_threads(threads) if (threads > 1)
    for (int which = 0; which < panels; which++)
        for (int64_t block = 0; block < blocks; block++) {
            int start = which * PANEL, many = size->out_channels - start;
            vector low_bias = {0}, high_bias = {0};
            if (bias) {
                low_bias = *(const unaligned *)(bias + start);
                high_bias = *(const unaligned *)(bias + start + LANES);
            }
            int64_t end = (block + 1) * ROWS * TILES;
            for (int64_t first = block * ROWS * TILES; first < end && first < places;
                 first += ROWS) {
                const float *from[MOST_TAPS][ROWS], *weight = weights + which * each;
                sources(size, in, first, places, from);
                EACH_ROW(BEGIN)
                for (int tap = 0; tap < taps; tap++) {
                    EACH_ROW(READ)
                    for (int channel = 0; channel < size->channels; channel++, weight += PANEL) {
                        vector low = *(const unaligned *)weight;
                        vector high = *(const unaligned *)(weight + LANES);
                        EACH_ROW(ADD)
                    }
                }
                EACH_ROW(FINISH)
            }
        }
}
