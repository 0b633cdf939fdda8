/* Convolutions of small pictures on a processor, where a library's fixed cost for each call is more
   than the work.

   A place of the result is a sum, over the taps of the kernel, of products of a row of channels and
   a matrix. Several places and two vectors of channels are summed at once, in registers. A tap
   outside the picture reads zeros. Where a processor multiplies pairs of bfloat16 and adds them in
   float, it takes two channels at once. Compiled on the machine that runs it (see compiled.py), it
   shares torch's own threads. */

#include "vectors.h"

#ifdef BFLOAT16
#ifndef __AVX512BF16__
#error this processor has no products of bfloat16
#endif
#include <immintrin.h>
typedef bfloat weight;
/* Of each sum, twice as many are on their way as of one of floats. */
enum { STEP = 2, PLACES = 2 * ROWS, TILES = 8 };
#define EACH_PLACE(DO) EACH_ROW(DO) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
typedef __m512bh factors;
static inline factors factors_at(const weight *from) { return (factors)_mm512_loadu_si512(from); }
static inline vector added(vector sum, const number *from, factors by) {
    int32_t pair;
    memcpy(&pair, from, sizeof(pair));
    return (vector)_mm512_dpbf16_ps((__m512)sum, (factors)_mm512_set1_epi32(pair), by);
}
#else
typedef float weight;
enum { STEP = 1, PLACES = ROWS, TILES = 16 };
#define EACH_PLACE EACH_ROW
typedef vector factors;
static inline factors factors_at(const weight *from) { return *(const unaligned *)from; }
static inline vector added(vector sum, const number *from, factors by) { return sum + *from * by; }
#endif

/* As in compiled.py. */
enum { MOST_CHANNELS = 4096, MOST_TAPS = 64 };

/* How many channels of the result the weights hold together; the last ones are filled up with 0. */
int panel(void) { return PANEL; }

/* How many channels that are read are multiplied at once: their weights lie beside each other. */
int step(void) { return STEP; }

static const number zeros[MOST_CHANNELS];

/* Where the taps of some places read. At the end there may be fewer; the last one then stands for
   those that are missing. */
static inline void sources(const struct layout *size, const number *in, int64_t first,
                           int64_t places, const number *from[MOST_TAPS][PLACES]) {
    int x = first % size->out_width, y = first / size->out_width % size->out_height;
    int64_t picture = first / size->out_width / size->out_height;
    for (int row = 0; row < PLACES; row++) {
        const number *start = in + picture * size->height * size->width * size->apart;
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
#define READ(row) const number *from##row = from[tap][row];
#define ADD(row)                                                                                   \
    low##row = added(low##row, from##row + channel, low);                                          \
    high##row = added(high##row, from##row + channel, high);
#define FINISH(row)                                                                                \
    if (first + row < places) {                                                                    \
        made *to = out + (first + row) * size->out_apart + start;                                  \
        made *also = active + (first + row) * size->active_apart + start;                          \
        finished(low##row, to, also, mode, many);                                                  \
        finished(high##row, to + LANES, also + LANES, mode, many - LANES);                         \
    }

/* out is the convolution of `in`, with a bias, where there is one; for `mode` see `finished`.
   `weights` are (panels, taps, channels / STEP, PANEL, STEP). No room is needed. */
void convolve(const struct layout *size, const number *in, const weight *weights, const float *bias,
              made *out, made *active, float *rooms, int mode, int threads) {
    (void)rooms;
    int64_t places = (int64_t)size->count * size->out_height * size->out_width;
    int64_t blocks = (places + PLACES * TILES - 1) / (PLACES * TILES);
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
            int64_t end = (block + 1) * PLACES * TILES;
            for (int64_t first = block * PLACES * TILES; first < end && first < places;
                 first += PLACES) {
                const number *from[MOST_TAPS][PLACES];
                const weight *by = weights + which * each;
                sources(size, in, first, places, from);
                EACH_PLACE(BEGIN)
                for (int tap = 0; tap < taps; tap++) {
                    EACH_PLACE(READ)
                    for (int channel = 0; channel < size->channels;
                         channel += STEP, by += PANEL * STEP) {
                        factors low = factors_at(by), high = factors_at(by + LANES * STEP);
                        EACH_PLACE(ADD)
                    }
                }
                EACH_PLACE(FINISH)
            }
        }
}
