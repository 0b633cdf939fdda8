/* Max pooling and local response normalisation on a processor, each one pass over memory.

   Pictures lie in memory as (N, H, W, C): all channels of a place together. This file is compiled
   once for each type of number, float or bfloat16; arithmetic is done in float. It is compiled on
   the machine that runs it (see native.py) and shares torch's own threads. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef BFLOAT16
typedef uint16_t number;
static inline float wide(number narrow) {
    uint32_t bits = (uint32_t)narrow << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
/* To the nearest; of two as near, the even one, as torch rounds. */
static inline number narrow(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    return value != value ? 0x7FC0 : (number)rounded;
}
#else
typedef float number;
static inline float wide(number value) { return value; }
static inline number narrow(float value) { return value; }
#endif

/* Channels that are worked on together: their running values stay in registers and first cache. */
enum { TOGETHER = 64 };

/* A 3x3 window's first row or column that lies in the picture, and the one after its last. */
static inline int first_tap(int start) { return start < 0 ? -start : 0; }
static inline int last_tap(int start, int size) { return size - start < 3 ? size - start : 3; }

/* out (N, OH, OW, C) is the largest of each 3x3 window, places which of its nine taps that was:
   the first of equals, or the last that is no number, as torch chooses. */
void pool(const number *in, number *out, uint8_t *places, int count, int channels, int height,
          int width, int out_height, int out_width, int stride, int padding, int threads) {
#pragma omp parallel for collapse(2) num_threads(threads)
    for (int picture = 0; picture < count; picture++)
        for (int y = 0; y < out_height; y++)
            for (int x = 0; x < out_width; x++) {
                int top = y * stride - padding, left = x * stride - padding;
                int first_row = first_tap(top), last_row = last_tap(top, height);
                int first_column = first_tap(left), last_column = last_tap(left, width);
                int64_t to = (((int64_t)picture * out_height + y) * out_width + x) * channels;
                for (int channel = 0; channel < channels; channel += TOGETHER) {
                    int many = channels - channel < TOGETHER ? channels - channel : TOGETHER;
                    float most[TOGETHER];
                    int32_t place[TOGETHER];
                    for (int c = 0; c < many; c++) {
                        most[c] = -INFINITY;
                        place[c] = first_row * 3 + first_column;
                    }
                    for (int row = first_row; row < last_row; row++)
                        for (int column = first_column; column < last_column; column++) {
                            const number *from =
                                in + (((int64_t)picture * height + top + row) * width + left +
                                      column) * channels + channel;
                            int tap = row * 3 + column;
                            for (int c = 0; c < many; c++) {
                                float value = wide(from[c]);
                                int larger = (value > most[c]) | (value != value);
                                most[c] = larger ? value : most[c];
                                place[c] = larger ? tap : place[c];
                            }
                        }
                    for (int c = 0; c < many; c++) {
                        out[to + channel + c] = narrow(most[c]);
                        places[to + channel + c] = (uint8_t)place[c];
                    }
                }
            }
}

/* The gradient of `pool`, gathered: each place in the picture asks the windows that it lies in,
   in their own order, so that sums round as torch's do. */
void pool_gradient(const number *above, const uint8_t *places, number *out, int count,
                   int channels, int height, int width, int out_height, int out_width, int stride,
                   int padding, int threads) {
#pragma omp parallel for collapse(2) num_threads(threads)
    for (int picture = 0; picture < count; picture++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                int64_t to = (((int64_t)picture * height + y) * width + x) * channels;
                for (int channel = 0; channel < channels; channel += TOGETHER) {
                    int many = channels - channel < TOGETHER ? channels - channel : TOGETHER;
                    float sum[TOGETHER] = {0};
                    for (int row = 2; row >= 0; row--) {
                        int from_top = y + padding - row;
                        if (from_top < 0 || from_top % stride || from_top / stride >= out_height)
                            continue;
                        for (int column = 2; column >= 0; column--) {
                            int from_left = x + padding - column;
                            if (from_left < 0 || from_left % stride ||
                                from_left / stride >= out_width)
                                continue;
                            int64_t from = (((int64_t)picture * out_height + from_top / stride) *
                                                out_width + from_left / stride) * channels +
                                           channel;
                            int32_t tap = row * 3 + column;
                            for (int c = 0; c < many; c++) {
                                float more = sum[c] + wide(above[from + c]);
                                int32_t chosen = places[from + c] == tap;
                                sum[c] = chosen ? wide(narrow(more)) : sum[c];
                            }
                        }
                    }
                    for (int c = 0; c < many; c++)
                        out[to + channel + c] = narrow(sum[c]);
                }
            }
}

/* The largest number of channels of a response, and how far its neighbours may reach. */
enum { MOST_CHANNELS = 4096, MOST_REACH = 8 };

/* s = bias + alpha * (sum of the squares of the channels up to `reach` away). */
static inline void sums(const float *values, float *out, int channels, int reach, float bias,
                        float alpha) {
    float square[MOST_CHANNELS + 2 * MOST_REACH];
    memset(square, 0, sizeof(float) * reach);
    memset(square + reach + channels, 0, sizeof(float) * reach);
    for (int c = 0; c < channels; c++)
        square[reach + c] = values[c] * values[c];
    for (int c = 0; c < channels; c++)
        out[c] = square[c];
    for (int near = 1; near <= 2 * reach; near++)
        for (int c = 0; c < channels; c++)
            out[c] += square[c + near];
    for (int c = 0; c < channels; c++)
        out[c] = bias + alpha * out[c];
}

/* s to the power -1/2, or -3/4 where `three_quarters`. */
static inline float power(float sum, int three_quarters) {
    float root = 1.0f / sqrtf(sum);
    return three_quarters ? root * sqrtf(root) : root;
}

/* out = in * s^-beta, at each of `rows` places of (rows, C). */
void response(const number *in, number *out, int64_t rows, int channels, int reach, float bias,
              float alpha, int three_quarters, int threads) {
#pragma omp parallel for num_threads(threads)
    for (int64_t row = 0; row < rows; row++) {
        float value[MOST_CHANNELS], sum[MOST_CHANNELS];
        const number *from = in + row * channels;
        for (int c = 0; c < channels; c++)
            value[c] = wide(from[c]);
        sums(value, sum, channels, reach, bias, alpha);
        for (int c = 0; c < channels; c++)
            out[row * channels + c] = narrow(value[c] * power(sum[c], three_quarters));
    }
}

/* The gradient of `response`: g s^-beta - 2 alpha beta x * (sum of g x s^(-beta-1) nearby). */
void response_gradient(const number *in, const number *above, number *out, int64_t rows,
                       int channels, int reach, float bias, float alpha, int three_quarters,
                       int threads) {
    float slope = -2.0f * alpha * (three_quarters ? 0.75f : 0.5f);
#pragma omp parallel for num_threads(threads)
    for (int64_t row = 0; row < rows; row++) {
        float value[MOST_CHANNELS], sum[MOST_CHANNELS];
        float part[MOST_CHANNELS + 2 * MOST_REACH];
        int64_t start = row * channels;
        for (int c = 0; c < channels; c++)
            value[c] = wide(in[start + c]);
        sums(value, sum, channels, reach, bias, alpha);
        memset(part, 0, sizeof(float) * reach);
        memset(part + reach + channels, 0, sizeof(float) * reach);
        for (int c = 0; c < channels; c++) {
            float scaled = wide(above[start + c]) * power(sum[c], three_quarters);
            part[reach + c] = scaled * value[c] / sum[c];
            sum[c] = scaled;
        }
        for (int c = 0; c < channels; c++) {
            float nearby = part[c];
            for (int near = 1; near <= 2 * reach; near++)
                nearby += part[c + near];
            out[start + c] = narrow(sum[c] + slope * value[c] * nearby);
        }
    }
}
