/* The largest parts of a turbo network's decoder, each in one walk through memory.

   Pictures lie in memory as (H, W, C), so the three columns of a 3x3 kernel are one run of numbers,
   and a place of a result is a sum, over three such runs, of products of numbers and rows of
   weights. Six places or more and sixteen channels are summed at once, in registers. Compiled on the
   machine that runs it (see native.py), it shares torch's own threads. */

#include "../../networks/vectors.h"

/* Channels that are summed together, in one vector or several, and at how many places: the sums fit
   into registers. */
enum { GROUP = 16, PARTS = GROUP / LANES, PLACES = PARTS > 1 ? 6 : 12 };
#define EACH_PLACE _Pragma("GCC unroll 12")
#define EACH_PART _Pragma("GCC unroll 4")

typedef struct {
    vector at[PLACES][PARTS];
} sums;

static inline vector part_of(const float *from, int part) {
    return *(const unaligned *)(from + part * LANES);
}

/* The sums of a group of channels, for places that are `apart` numbers from each other. `rows` are
   where the run of the first place begins in three rows, `run` is its length. */
static inline sums summed(const float *const rows[3], int apart, int run, const float *weights,
                          const float *bias) {
    sums sum;
    EACH_PLACE for (int place = 0; place < PLACES; place++)
        EACH_PART for (int part = 0; part < PARTS; part++)
            sum.at[place][part] = part_of(bias, part);
    for (int row = 0; row < 3; row++) {
        const float *from = rows[row];
        for (int number = 0; number < run; number++, weights += GROUP)
            EACH_PLACE for (int place = 0; place < PLACES; place++) {
                float value = from[place * apart + number];
                EACH_PART for (int part = 0; part < PARTS; part++)
                    sum.at[place][part] += value * part_of(weights, part);
            }
    }
    return sum;
}

/* Sizes at half of the picture's: of what comes out of `tail` there. Widths are multiples of
   GROUP. */
struct sizes {
    int height, width, half, filters, quarter_apart;
};

/* Each has (groups, 3 rows, run, GROUP) weights, and biases. */
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
            for (int group = 0; group < half / GROUP; group++) {
                int which = ((y % 2) * 2 + side) * (half / GROUP) + group;
                sums sum = summed(from, half, run, weights->enlarge + (int64_t)which * 3 * run * GROUP,
                                  weights->enlarge_bias + which * GROUP);
                for (int place = 0; place < PLACES; place++) {
                    float *to = large + (2 * (x + place) + side) * half + group * GROUP;
                    memcpy(to, sum.at[place], sizeof(float) * GROUP);
                }
            }
        }
    for (int start = 0; start < width; start += PLACES) {
        int x = start < width - PLACES ? start : width - PLACES;
        for (int tap = 0; tap < 3; tap++)
            read[tap] = blocks + (y + tap) * block_row + (int64_t)x * 12;
        for (int group = 0; group < channels / GROUP; group++) {
            sums sum = summed(read, 12, 36, weights->seen + (int64_t)group * 108 * GROUP,
                              weights->seen_bias + group * GROUP);
            for (int place = 0; place < PLACES; place++) {
                float *to = row + (int64_t)(x + place + 1) * channels + group * GROUP;
                int64_t at = (int64_t)(y / 2) * quarter + (x + place) / 2;
                const float *more = large + (x + place) * half + group * GROUP;
                const float *by = raised + at * size->quarter_apart + group * GROUP - half;
                for (int part = 0; part < PARTS; part++) {
                    vector value = sum.at[place][part];
                    value = group < half / GROUP ? positive(value + part_of(more, part))
                                                 : value * part_of(by, part);
                    *(unaligned *)(to + part * LANES) = value;
                }
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
            float found[GROUP];
            memcpy(found, sum.at[place], sizeof(found));
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
void tail(const float *seen, const float *seen_bias, const float *enlarge,
          const float *enlarge_bias, const float *leave, const float *leave_bias,
          const float *blocks, const float *small, const float *raised, float *out, float *kept,
          int count, int height, int width, int half, int filters, int quarter_apart, int strips,
          int threads) {
    const struct weights weights = {seen, seen_bias, enlarge, enlarge_bias, leave, leave_bias};
    const struct sizes size = {height, width, half, filters, quarter_apart};
    int channels = half + filters;
    int64_t row = (int64_t)(width + 2) * channels, each = 3 * row + (int64_t)width * half;
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int strip = 0; strip < strips; strip++)
        for (int picture = 0; picture < count; picture++) {
            int first = (int64_t)height * strip / strips;
            int stop = (int64_t)height * (strip + 1) / strips;
            float *ring = kept + strip * each, *large = ring + 3 * row;
            int64_t quarters = (int64_t)(height / 2) * (width / 2);
            const float *pixels = blocks + (int64_t)picture * (height + 2) * (width + 2) * 12;
            const float *deeper =
                small + (int64_t)picture * (height / 2 + 2) * (width / 2 + 2) * half;
            const float *by = raised + picture * quarters * quarter_apart;
            float *to = out + (int64_t)picture * 12 * height * width;
            int next = first ? first - 1 : 0;
            for (int y = first; y < stop; y++) {
                for (; next <= y + 1 && next < height; next++)
                    middle_row(&size, &weights, pixels, deeper, by, next, ring + next % 3 * row,
                               large);
                int above = y ? y - 1 : 0, below = y + 1 < height ? y + 1 : y;
                const float *rows[3] = {ring + above % 3 * row, ring + y % 3 * row,
                                        ring + below % 3 * row};
                leave_row(&size, &weights, rows, y, to);
            }
        }
}

/* out (N, 2h, 2w, channels) = ReLU of what comes from deeper (N, h, w, channels), each place to four
   alike, plus `near`, plus what is raised there times what raises it. Their places are apart. */
void meet(const number *deep, const number *raised, const number *near, const number *raising,
          made *out, int count, int height, int width, int channels, int deep_apart,
          int raised_apart, int near_apart, int raising_apart, int threads) {
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int line = 0; line < 2 * count * height; line++)
        for (int x = 0; x < 2 * width; x++) {
            int64_t from = (int64_t)(line / 2) * width + x / 2, at = (int64_t)line * 2 * width + x;
            const number *low = deep + from * deep_apart, *lower = raised + from * raised_apart;
            const number *sum = near + at * near_apart, *times = raising + at * raising_apart;
            for (int channel = 0; channel < channels; channel += LANES) {
                int many = channels - channel;
                vector value = loaded(low + channel, many) + loaded(sum + channel, many);
                value += loaded(lower + channel, many) * loaded(times + channel, many);
                stored(out + at * channels + channel, positive(value), many);
            }
        }
}
