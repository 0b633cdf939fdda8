/* The largest parts of a turbo network's decoder, each in one walk through memory.

   Pictures lie in memory as (H, W, C), so the three columns of a 3x3 kernel are one run of numbers,
   and a place of a result is a sum, over three such runs, of products of numbers and rows of
   weights. Six places and two vectors of channels are summed at once, in registers. Compiled on the
   machine that runs it (see native.py), it shares torch's own threads. */

#include <stdint.h>
#include <string.h>

typedef float vector __attribute__((vector_size(32), aligned(4)));
typedef int32_t integers __attribute__((vector_size(32), aligned(4)));
enum { LANES = 8, PANEL = 2 * LANES, PLACES = 6 };

/* Sums of six places of a result. */
typedef struct {
    vector low[PLACES], high[PLACES];
} sums;

static inline vector positive(vector x) {
    return (vector)((integers)x & ~(x < 0.0f)); /* what is no number stays none */
}

/* The sums of a panel of channels, for six places that are `apart` numbers from each other. `rows`
   are where the run of the first place begins in three rows, `run` is its length. */
static inline sums summed(const float *const rows[3], int apart, int run, const float *weights,
                          const float *bias) {
    sums sum;
#pragma GCC unroll 6
    for (int place = 0; place < PLACES; place++) {
        sum.low[place] = *(const vector *)bias;
        sum.high[place] = *(const vector *)(bias + LANES);
    }
    for (int row = 0; row < 3; row++) {
        const float *from = rows[row];
        for (int number = 0; number < run; number++, weights += PANEL) {
            vector low = *(const vector *)weights, high = *(const vector *)(weights + LANES);
#pragma GCC unroll 6
            for (int place = 0; place < PLACES; place++) {
                float value = from[place * apart + number];
                sum.low[place] += value * low;
                sum.high[place] += value * high;
            }
        }
    }
    return sum;
}

/* Sizes at half of the picture's: of what comes out of `tail` there. Widths are multiples of
   PANEL. */
struct sizes {
    int32_t count, height, width, half, filters, quarter_apart;
};

/* Each has (panels, 3 rows, run, PANEL) weights, and biases. */
struct weights {
    const float *seen, *seen_bias, *enlarge, *enlarge_bias, *leave, *leave_bias;
};

/* One row at half the size: `half` channels, which are the enlarged ones plus colours of the
   picture, above 0, and `filters` of the picture, raised. `row` has one more place at either end. */
static void middle_row(const struct sizes *size, const struct weights *weights, const float *blocks,
                   const float *small, const float *raised, int y, float *row, float *large) {
    int width = size->width, half = size->half, channels = half + size->filters;
    int quarter = width / 2, run = 3 * half;
    int64_t small_row = (int64_t)(quarter + 2) * half, block_row = (int64_t)(width + 2) * 12;
    const float *from[3], *read[3];
    for (int side = 0; side < 2; side++)
        for (int start = 0; start < quarter; start += PLACES) {
            int x = start < quarter - PLACES ? start : quarter - PLACES;
            for (int tap = 0; tap < 3; tap++)
                from[tap] = small + (y / 2 + tap) * small_row + (int64_t)x * half;
            for (int panel = 0; panel < half / PANEL; panel++) {
                int which = ((y % 2) * 2 + side) * (half / PANEL) + panel;
                sums sum = summed(from, half, run, weights->enlarge + (int64_t)which * 3 * run * PANEL,
                                  weights->enlarge_bias + which * PANEL);
                for (int place = 0; place < PLACES; place++) {
                    float *to = large + (2 * (x + place) + side) * half + panel * PANEL;
                    *(vector *)to = sum.low[place];
                    *(vector *)(to + LANES) = sum.high[place];
                }
            }
        }
    for (int start = 0; start < width; start += PLACES) {
        int x = start < width - PLACES ? start : width - PLACES;
        for (int tap = 0; tap < 3; tap++)
            read[tap] = blocks + (y + tap) * block_row + (int64_t)x * 12;
        for (int panel = 0; panel < channels / PANEL; panel++) {
            sums sum = summed(read, 12, 36, weights->seen + (int64_t)panel * 108 * PANEL,
                              weights->seen_bias + panel * PANEL);
            for (int place = 0; place < PLACES; place++) {
                float *to = row + (int64_t)(x + place + 1) * channels + panel * PANEL;
                vector low = sum.low[place], high = sum.high[place];
                if (panel < half / PANEL) {
                    const float *more = large + (x + place) * half + panel * PANEL;
                    low = positive(low + *(const vector *)more);
                    high = positive(high + *(const vector *)(more + LANES));
                } else {
                    int64_t at = (int64_t)(y / 2) * quarter + (x + place) / 2;
                    const float *by = raised + at * size->quarter_apart + panel * PANEL - half;
                    low *= *(const vector *)by;
                    high *= *(const vector *)(by + LANES);
                }
                *(vector *)to = low;
                *(vector *)(to + LANES) = high;
            }
        }
    }
    memcpy(row, row + channels, sizeof(float) * channels);
    memcpy(row + (int64_t)(width + 1) * channels, row + (int64_t)width * channels,
           sizeof(float) * channels);
}

/* One row at half the size becomes two of the picture, of three colours. */
static void leave_row(const struct sizes *size, const struct weights *weights,
                 const float *const rows[3], int y, float *out) {
    int width = size->width, channels = size->half + size->filters;
    int64_t colour = (int64_t)4 * size->height * width;
    for (int start = 0; start < width; start += PLACES) {
        int x = start < width - PLACES ? start : width - PLACES;
        const float *from[3];
        for (int tap = 0; tap < 3; tap++)
            from[tap] = rows[tap] + (int64_t)x * channels;
        sums sum = summed(from, channels, 3 * channels, weights->leave, weights->leave_bias);
        for (int place = 0; place < PLACES; place++) {
            float found[PANEL];
            *(vector *)found = sum.low[place];
            *(vector *)(found + LANES) = sum.high[place];
            float *to = out + (int64_t)4 * y * width + 2 * (x + place);
            for (int each = 0; each < 6; each++)
                memcpy(to + each / 2 * colour + each % 2 * 2 * width, found + 2 * each,
                       sizeof(float) * 2);
        }
    }
}

/* The decoder's last part: from a quarter of the picture's size to all of it.

   blocks: the picture in blocks of 2x2, each a place of 12 channels, and one more place around.
   small: (H/4 + 2, W/4 + 2, half), what is enlarged.
   raised: (H/4, W/4, filters), places `quarter_apart` from each other.
   out: (3, H, W).
   kept: memory for (strips, 3, W/2 + 2, half + filters) and (strips, W/2, half). */
void tail(const struct sizes *size, const struct weights *weights, const float *blocks,
          const float *small, const float *raised, float *out, float *kept, int strips,
          int threads) {
    int height = size->height, width = size->width, channels = size->half + size->filters;
    int64_t row = (int64_t)(width + 2) * channels, each = 3 * row + (int64_t)width * size->half;
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int strip = 0; strip < strips; strip++)
        for (int picture = 0; picture < size->count; picture++) {
            int first = (int64_t)height * strip / strips;
            int stop = (int64_t)height * (strip + 1) / strips;
            float *ring = kept + strip * each, *large = ring + 3 * row;
            int64_t quarters = (int64_t)(height / 2) * (width / 2);
            const float *seen = blocks + (int64_t)picture * (height + 2) * (width + 2) * 12;
            const float *deeper =
                small + (int64_t)picture * (height / 2 + 2) * (width / 2 + 2) * size->half;
            const float *by = raised + picture * quarters * size->quarter_apart;
            float *to = out + (int64_t)picture * 12 * height * width;
            int next = first ? first - 1 : 0;
            for (int y = first; y < stop; y++) {
                for (; next <= y + 1 && next < height; next++)
                    middle_row(size, weights, seen, deeper, by, next, ring + next % 3 * row, large);
                int above = y ? y - 1 : 0, below = y + 1 < height ? y + 1 : y;
                const float *rows[3] = {ring + above % 3 * row, ring + y % 3 * row,
                                        ring + below % 3 * row};
                leave_row(size, weights, rows, y, to);
            }
        }
}

/* out (N, 2h, 2w, channels) = ReLU of what comes from deeper (N, h, w, channels), each place to four
   alike, plus `near`, plus what is raised there times what raises it. Their places are apart. */
void meet(int count, int height, int width, int channels, int deep_apart, int near_apart,
          const float *deep, const float *raised, const float *near, const float *raising,
          float *out, int threads) {
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int line = 0; line < 2 * count * height; line++)
        for (int x = 0; x < 2 * width; x++) {
            int64_t from = ((int64_t)(line / 2) * width + x / 2) * deep_apart;
            int64_t at = (int64_t)line * 2 * width + x;
            const float *sum = near + at * near_apart, *times = raising + at * near_apart;
            for (int channel = 0; channel < channels; channel++) {
                float value = deep[from + channel] + sum[channel];
                value += raised[from + channel] * times[channel];
                out[at * channels + channel] = value < 0.0f ? 0.0f : value;
            }
        }
}
