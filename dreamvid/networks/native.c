/* What networks do between convolutions on a processor, each one pass over memory: max pooling,
   local response normalisation, ReLU's gradient, SiLU.

   Compiled on the machine that runs it (see native.py), it shares torch's own threads. */

#include <math.h>

#include "vectors.h"

/* Numbers that a vector holds as they are, and whole numbers as wide. */
enum { NARROW = BYTES / sizeof(number) };
typedef uint8_t bytes __attribute__((vector_size(NARROW), aligned(1)));
typedef int16_t shorts __attribute__((vector_size(2 * NARROW)));

#ifdef BFLOAT16
static inline int is_zero(number value) { return (number)(value << 1) == 0; }
static inline int is_below_zero(number value) { return value >= 0x8000 && value <= 0xFF80; }
typedef int16_t whole;
typedef int16_t wholes __attribute__((vector_size(BYTES)));
typedef int16_t ranks __attribute__((vector_size(BYTES)));
typedef int16_t unaligned_ranks __attribute__((vector_size(BYTES), aligned(2)));
/* What is compared in place of numbers: as large, and what is none above all. */
enum { NONE = 0x7FC0, LEAST = INT16_MIN };
static inline ranks ranked(ranks numbers) {
    ranks size = numbers & 0x7FFF, sign = numbers >> 15, none = size > 0x7F80;
    return (((size ^ sign) - sign) & ~none) | (NONE & none);
}
static inline wholes are_none(ranks found) { return found == NONE; }
/* Which numbers are below zero, or none: what a ReLU made is neither. */
static inline wholes are_odd(ranks numbers) { return (numbers < 0) | (numbers > 0x7F80); }
/* Sums of the numbers at even places and of those at odd ones, each a number of its own width. */
typedef struct {
    bits even, odd;
} sums;
static inline sums added(sums sum, ranks more) {
    bits both = (bits)more;
    return (sums){rounded((vector)sum.even + (vector)(both << 16)),
                  rounded((vector)sum.odd + (vector)(both & 0xFFFF0000u))};
}
static inline ranks together(sums sum) { return (ranks)((sum.even >> 16) | sum.odd); }
#else
static inline int is_zero(number value) { return value == 0; }
static inline int is_below_zero(number value) { return value < 0; }
typedef int32_t whole;
typedef integers wholes;
typedef vector ranks;
typedef unaligned unaligned_ranks;
#define LEAST (-INFINITY)
static inline ranks ranked(ranks numbers) { return numbers; }
static inline wholes are_none(ranks found) { return found != found; }
static inline wholes are_odd(ranks numbers) { return are_none(numbers); }
typedef vector sums;
static inline sums added(sums sum, ranks more) { return sum + more; }
static inline ranks together(sums sum) { return sum; }
#endif

/* A 3x3 window's first row or column that lies in the picture, and the one after its last. */
static inline int first_tap(int start) { return start < 0 ? -start : 0; }
static inline int last_tap(int start, int size) { return size - start < 3 ? size - start : 3; }

/* What a place has to do with another one: how far away that is, and by which of nine taps. */
struct tap {
    int64_t away;
    whole number;
};

/* So many numbers, at most a vector. */
static inline ranks some(const number *from, int many) {
    if (many >= NARROW)
        return *(const unaligned_ranks *)from;
    ranks value = {0};
    memcpy(&value, from, sizeof(number) * many);
    return value;
}

/* The largest of some taps from `in` on, and which of them that was: the first of equals, or the
   last that is no number, as torch chooses. With `usual` numbers are compared as they are, and what
   comes back is whether that is an order of all of them. */
static inline __attribute__((always_inline)) int largest(const number *in, const struct tap *taps,
                                                         int count, number *out, uint8_t *places,
                                                         int many, const int usual) {
    ranks most = (ranks){0} + LEAST, found = most;
    wholes place = (wholes){0} + taps[0].number, odd = {0};
    for (int tap = 0; tap < count; tap++) {
        ranks value = some(in + taps[tap].away, many);
        ranks rank = usual ? value : ranked(value);
        wholes larger = usual ? rank > most : (rank > most) | are_none(rank);
        if (usual)
            odd |= are_odd(value);
        most = (ranks)(((wholes)rank & larger) | ((wholes)most & ~larger));
        found = (ranks)(((wholes)value & larger) | ((wholes)found & ~larger));
        place = (taps[tap].number & larger) | (place & ~larger);
    }
    bytes chosen = __builtin_convertvector(place, bytes);
    if (many >= NARROW) {
        *(unaligned_ranks *)out = found;
        *(bytes *)places = chosen;
    } else {
        memcpy(out, &found, sizeof(number) * many);
        memcpy(places, &chosen, many);
    }
    static const wholes nothing = {0};
    return !memcmp(&odd, &nothing, sizeof(odd));
}

/* out (N, OH, OW, C) is the largest of each 3x3 window, places which of its nine taps that was. */
void pool(const number *in, number *out, uint8_t *places, int count, int channels, int height,
          int width, int out_height, int out_width, int stride, int padding, int threads) {
#pragma omp parallel for collapse(2) num_threads(threads)
    for (int picture = 0; picture < count; picture++)
        for (int y = 0; y < out_height; y++)
            for (int x = 0; x < out_width; x++) {
                int top = y * stride - padding, left = x * stride - padding, many = 0;
                struct tap taps[9];
                for (int row = first_tap(top); row < last_tap(top, height); row++)
                    for (int column = first_tap(left); column < last_tap(left, width); column++)
                        taps[many++] = (struct tap){
                            (((int64_t)picture * height + top + row) * width + left + column) *
                                channels,
                            row * 3 + column};
                int64_t to = (((int64_t)picture * out_height + y) * out_width + x) * channels;
                for (int c = 0; c < channels; c += NARROW) {
                    number *most = out + to + c;
                    uint8_t *place = places + to + c;
                    if (!largest(in + c, taps, many, most, place, channels - c, 1))
                        largest(in + c, taps, many, most, place, channels - c, 0);
                }
            }
}

static inline wholes some_places(const uint8_t *from, int many) {
    bytes place = {0};
    if (many >= NARROW)
        place = *(const bytes *)from;
    else
        memcpy(&place, from, many);
    return __builtin_convertvector(__builtin_convertvector(place, shorts), wholes);
}

/* The sum of what comes through those taps that were chosen, each rounded as torch rounds it; and
   of what is in `out`, where it is to be added to that. */
static inline void gathered(const number *above, const uint8_t *places, const struct tap *taps,
                            int count, number *out, int many, int add) {
    sums sum = {0};
    for (int tap = 0; tap < count; tap++) {
        ranks value = some(above + taps[tap].away, many);
        wholes chosen = some_places(places + taps[tap].away, many) == taps[tap].number;
        sum = added(sum, (ranks)((wholes)value & chosen));
    }
    if (add)
        sum = added(sum, some(out, many));
    ranks found = together(sum);
    if (many >= NARROW)
        *(unaligned_ranks *)out = found;
    else
        memcpy(out, &found, sizeof(number) * many);
}

/* The gradient of `pool`, gathered: each place in the picture asks the windows that it lies in,
   in their own order, so that sums round as torch's do. */
static inline __attribute__((always_inline)) void
gradient_by(const int stride, const number *above, const uint8_t *places, number *out, int count,
            int channels, int height, int width, int out_height, int out_width, int padding,
            int add, int threads) {
#pragma omp parallel for collapse(2) num_threads(threads)
    for (int picture = 0; picture < count; picture++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                int many = 0;
                struct tap taps[9];
                for (int row = 2; row >= 0; row--)
                    for (int column = 2; column >= 0; column--) {
                        int down = y + padding - row, right = x + padding - column;
                        if (down < 0 || down % stride || down / stride >= out_height ||
                            right < 0 || right % stride || right / stride >= out_width)
                            continue;
                        int64_t from = ((int64_t)picture * out_height + down / stride) * out_width +
                                       right / stride;
                        taps[many++] = (struct tap){from * channels, row * 3 + column};
                    }
                number *to = out + (((int64_t)picture * height + y) * width + x) * channels;
                for (int c = 0; c < channels; c += NARROW)
                    gathered(above + c, places + c, taps, many, to + c, channels - c, add);
            }
}

void pool_gradient(const number *above, const uint8_t *places, number *out, int count,
                   int channels, int height, int width, int out_height, int out_width, int stride,
                   int padding, int add, int threads) {
    if (stride == 1)
        gradient_by(1, above, places, out, count, channels, height, width, out_height, out_width,
                    padding, add, threads);
    else
        gradient_by(2, above, places, out, count, channels, height, width, out_height, out_width,
                    padding, add, threads);
}

/* Each of these reads and writes rows that may be some channels of wider ones. */

/* out = what of `in` is above 0; what is no number stays none. */
void relu(const number *in, number *out, int rows, int channels, int apart, int out_apart,
          int threads) {
#pragma omp parallel for num_threads(threads)
    for (int64_t row = 0; row < rows; row++) {
        const number *from = in + row * apart;
        number *to = out + row * out_apart;
        for (int c = 0; c < channels; c++)
            to[c] = is_below_zero(from[c]) ? 0 : from[c];
    }
}

/* out = above where `kept`, which a ReLU made, is not 0. */
void through_relu(const number *above, const number *kept, number *out, int rows, int channels,
                  int above_apart, int kept_apart, int out_apart, int threads) {
#pragma omp parallel for num_threads(threads)
    for (int64_t row = 0; row < rows; row++) {
        const number *from = above + row * above_apart, *gate = kept + row * kept_apart;
        number *to = out + row * out_apart;
        for (int c = 0; c < channels; c++)
            to[c] = is_zero(gate[c]) ? 0 : from[c];
    }
}

/* out = x sigmoid(x) of `in`. */
void silu(const number *in, number *out, int rows, int channels, int apart, int out_apart,
          int threads) {
#pragma omp parallel for num_threads(threads)
    for (int64_t row = 0; row < rows; row++)
        for (int c = 0; c < channels; c += LANES) {
            vector x = loaded(in + row * apart + c, channels - c);
            stored(out + row * out_apart + c, x * sigmoid(x), channels - c);
        }
}

/* above *= the slope of x sigmoid(x) at `in`. */
void through_silu(const number *in, number *above, int rows, int channels, int apart,
                  int above_apart, int threads) {
#pragma omp parallel for num_threads(threads)
    for (int64_t row = 0; row < rows; row++)
        for (int c = 0; c < channels; c += LANES) {
            vector x = loaded(in + row * apart + c, channels - c);
            number *to = above + row * above_apart + c;
            stored(to, loaded(to, channels - c) * slope_of_silu(x), channels - c);
        }
}

/* The largest number of channels of a response, how far its neighbours may reach, and what a row
   takes: not a whole page, or reading one row would wait for writing another. */
enum { MOST_CHANNELS = 4096, MOST_REACH = 8, ROOM = MOST_CHANNELS + 2 * MOST_REACH + 5 * LANES };

/* Squares of `channels` numbers, with zeros before and after; and sums of so many beside. */
static inline void squared(const number *in, float *out, int channels, int reach) {
    memset(out, 0, sizeof(float) * reach);
    for (int c = 0; c < channels; c += LANES) {
        vector value = loaded(in + c, channels - c);
        *(unaligned *)(out + reach + c) = value * value;
    }
    memset(out + reach + channels, 0, sizeof(float) * (reach + LANES));
}

static inline vector summed(const float *in, int reach) {
    vector sum = *(const unaligned *)in;
    for (int near = 1; near <= 2 * reach; near++)
        sum += *(const unaligned *)(in + near);
    return sum;
}

static inline vector root(vector value) {
    for (int lane = 0; lane < LANES; lane++)
        value[lane] = sqrtf(value[lane]);
    return value;
}

/* What a response is multiplied by, s^-1/2 or s^-3/4, and s^-1/2 in any case. s is bias + alpha
   times the sum of the squares of the channels up to `reach` away. */
static inline vector power(vector sum, float bias, float alpha, int three_quarters, vector *half) {
    *half = 1.0f / root(bias + alpha * sum);
    return three_quarters ? *half * root(*half) : *half;
}

/* out = in * s^-beta, at each of `rows` places of (rows, C). */
void response(const number *in, number *out, int rows, int channels, int reach, float bias,
              float alpha, int three_quarters, int threads) {
#pragma omp parallel for num_threads(threads)
    for (int64_t row = 0; row < rows; row++) {
        float square[ROOM];
        const number *from = in + row * channels;
        squared(from, square, channels, reach);
        for (int c = 0; c < channels; c += LANES) {
            vector half, value = loaded(from + c, channels - c);
            value *= power(summed(square + c, reach), bias, alpha, three_quarters, &half);
            stored(out + row * channels + c, value, channels - c);
        }
    }
}

/* The gradient of `response`: g s^-beta - 2 alpha beta x * (sum of g x s^(-beta-1) nearby). */
void response_gradient(const number *in, const number *above, number *out, int rows,
                       int channels, int reach, float bias, float alpha, int three_quarters,
                       int threads) {
    float slope = -2.0f * alpha * (three_quarters ? 0.75f : 0.5f);
#pragma omp parallel for num_threads(threads)
    for (int64_t row = 0; row < rows; row++) {
        float square[ROOM], part[ROOM], scaled[ROOM];
        int64_t start = row * channels;
        squared(in + start, square, channels, reach);
        memset(part, 0, sizeof(float) * reach);
        for (int c = 0; c < channels; c += LANES) {
            vector half, value = loaded(in + start + c, channels - c);
            vector by = power(summed(square + c, reach), bias, alpha, three_quarters, &half);
            by *= loaded(above + start + c, channels - c);
            *(unaligned *)(scaled + c) = by;
            *(unaligned *)(part + reach + c) = by * value * half * half;
        }
        memset(part + reach + channels, 0, sizeof(float) * (reach + LANES));
        for (int c = 0; c < channels; c += LANES) {
            vector value = loaded(in + start + c, channels - c);
            value = *(unaligned *)(scaled + c) + slope * value * summed(part + c, reach);
            stored(out + start + c, value, channels - c);
        }
    }
}
