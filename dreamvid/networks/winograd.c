/* Convolutions by kernels of 3x3 to 5x5 in a fraction of the products (Winograd 1980, Lavin and
   Gray 2016): a quarter for 3x3 and 4x4, nine of 25 for 5x5.

   A tile of the result is a polynomial product, which is taken at 36 points: tiles of 6x6 places
   of the picture are brought there, multiplied with the kernels, which are there already, and
   brought back. It is compiled once for each side of a kernel, TAPS. The points are 0, 5/8,
   -5/8, 3/2, -3/2 and infinity in each direction: with them a result is nearly as exact as a sum
   of all products, and with the usual 1 and 2 it is not (Alam, Anderson, Barabasz and Gregg
   2022). Compiled on the machine that runs it (see compiled.py), it shares torch's own threads. */

#include <omp.h>

#include "vectors.h"

/* A tile of the result, what it sees, and at how many points that is taken. */
enum { SEEN = 6, TILE = SEEN + 1 - TAPS, POINTS = SEEN * SEEN };
/* Tiles and panels that are worked on together: what they need stays in a core's own cache. */
enum { TOGETHER = 2 * ROWS, PANELS = 2, CHUNK = PANELS * PANEL };
#define EACH_SEEN _Pragma("GCC unroll 6")
#define EACH_POINT _Pragma("GCC unroll 36")
#define NEAR 0.625f
#define FAR 1.5f

int panel(void) { return PANEL; }

/* How many channels that are read are multiplied at once. */
int step(void) { return 1; }

static inline int padded(int channels) { return (channels + LANES - 1) / LANES * LANES; }

/* Groups of tiles for which weights are brought once: more of them where bringing these takes
   longer than bringing tiles that left the cache. */
static inline int groups_of(const struct layout *size) {
    return (int64_t)size->channels * size->out_channels < 1 << 17 ? 1 : 8;
}

/* The numbers that each thread needs room for. */
int room(const struct layout *size) {
    return groups_of(size) * POINTS * TOGETHER * (padded(size->channels) + CHUNK);
}

/* Six numbers, `step` apart, at the six points. */
static inline void there(const vector *in, int step, vector *out) {
    const float near = NEAR * NEAR, far = FAR * FAR;
    vector a = in[0], b = in[step], c = in[2 * step], d = in[3 * step], e = in[4 * step];
    vector even = e - far * c, odd = NEAR * (d - far * b);
    vector other_even = e - near * c, other_odd = FAR * (d - near * b);
    out[0] = e - (near + far) * c + (near * far) * a;
    out[step] = even + odd;
    out[2 * step] = even - odd;
    out[3 * step] = other_even + other_odd;
    out[4 * step] = other_even - other_odd;
    out[5 * step] = in[5 * step] - (near + far) * d + (near * far) * b;
}

/* A tile's numbers from what they are at the six points: sums of powers of the points. */
static inline void back(const vector *in, int step, vector *out) {
    vector near = in[step] + in[2 * step], near_odd = in[step] - in[2 * step];
    vector far = in[3 * step] + in[4 * step], far_odd = in[3 * step] - in[4 * step];
    out[0] = in[0] + near + far;
    out[step] = NEAR * near_odd + FAR * far_odd;
    if (TILE > 2)
        out[2 * step] = (NEAR * NEAR) * near + (FAR * FAR) * far;
    if (TILE > 3)
        out[3 * step] = (NEAR * NEAR * NEAR) * near_odd + (FAR * FAR * FAR) * far_odd;
    out[(TILE - 1) * step] += in[5 * step];
}

/* Where a tile begins. */
struct place {
    int64_t picture;
    int y, x;
};

static inline struct place place_of(const struct layout *size, int64_t tile) {
    int across = (size->out_width + TILE - 1) / TILE, down = (size->out_height + TILE - 1) / TILE;
    return (struct place){tile / across / down, tile / across % down * TILE, tile % across * TILE};
}

/* What a tile sees at all points, zeros outside the picture: `out` (POINTS, TOGETHER, channels).
   Where `whole`, all of it lies inside, and the channels are whole vectors. */
static inline __attribute__((always_inline)) void seen_by(const struct layout *size,
                                                          const number *in, int y, int x,
                                                          float *out, const int whole) {
    int row = padded(size->channels), apart = size->apart;
    for (int channel = 0; channel < size->channels; channel += LANES) {
        vector seen[POINTS];
        EACH_SEEN for (int down = 0; down < SEEN; down++)
            EACH_SEEN for (int right = 0; right < SEEN; right++) {
                int inside = y + down >= 0 && y + down < size->height && x + right >= 0 &&
                             x + right < size->width;
                const number *from =
                    in + ((int64_t)(y + down) * size->width + x + right) * apart + channel;
                if (whole && right >= SEEN - TILE)
                    __builtin_prefetch(from + TILE * apart);
                seen[down * SEEN + right] =
                    whole    ? loaded(from, LANES)
                    : inside ? loaded(from, size->channels - channel)
                             : (vector){0};
            }
        EACH_SEEN for (int right = 0; right < SEEN; right++)
            there(seen + right, SEEN, seen + right);
        EACH_SEEN for (int down = 0; down < SEEN; down++)
            there(seen + down * SEEN, 1, seen + down * SEEN);
        EACH_POINT for (int point = 0; point < POINTS; point++)
            *(unaligned *)(out + (int64_t)point * TOGETHER * row + channel) = seen[point];
    }
}

static void see(const struct layout *size, const number *in, struct place at, float *out) {
    int y = at.y - size->top, x = at.x - size->left;
    in += at.picture * size->height * size->width * size->apart;
    if (y >= 0 && y + SEEN <= size->height && x >= 0 && x + SEEN <= size->width &&
        size->channels % LANES == 0)
        seen_by(size, in, y, x, out, 1);
    else
        seen_by(size, in, y, x, out, 0);
}

/* Rows of channels times a panel of weights, or the first half of one: `out` has rows of CHUNK. */
static inline __attribute__((always_inline)) void multiply(const float *in, int row,
                                                           const float *weights, int channels,
                                                           float *out, const int half) {
#define BEGIN(tile)                                                                                \
    vector low##tile = {0}, high##tile = {0};                                                      \
    const float *from##tile = in + (tile) * row;
#define ADD(tile)                                                                                  \
    low##tile += from##tile[channel] * low;                                                        \
    if (!half)                                                                                     \
        high##tile += from##tile[channel] * high;
#define FINISH(tile)                                                                               \
    *(unaligned *)(out + (tile) * CHUNK) = low##tile;                                              \
    if (!half)                                                                                     \
        *(unaligned *)(out + (tile) * CHUNK + LANES) = high##tile;
    EACH_ROW(BEGIN)
    for (int channel = 0; channel < channels; channel++, weights += PANEL) {
        vector low = *(const unaligned *)weights, high = {0};
        if (!half)
            high = *(const unaligned *)(weights + LANES);
        EACH_ROW(ADD)
    }
    EACH_ROW(FINISH)
}

/* A tile of the result, from what its channels from `start` on are at all points. */
static inline __attribute__((always_inline)) void tile_of(const struct layout *size,
                                                          const float *in, int height, int width,
                                                          int many, const float *bias, made *out,
                                                          made *active, int mode,
                                                          const int whole) {
    for (int channel = 0; channel < many; channel += LANES) {
        vector points[POINTS], lines[TILE * SEEN], tile[TILE * TILE];
        EACH_POINT for (int point = 0; point < POINTS; point++)
            points[point] = *(const unaligned *)(in + point * TOGETHER * CHUNK + channel);
        EACH_SEEN for (int right = 0; right < SEEN; right++)
            back(points + right, SEEN, lines + right);
        EACH_SEEN for (int down = 0; down < TILE; down++)
            back(lines + down * SEEN, 1, tile + down * TILE);
        vector offset = bias ? *(const unaligned *)(bias + channel) : (vector){0};
        EACH_SEEN for (int down = 0; down < TILE; down++)
            EACH_SEEN for (int right = 0; right < TILE; right++)
                if (whole || (down < height && right < width)) {
                    int64_t place = (int64_t)down * size->out_width + right;
                    finished(tile[down * TILE + right] + offset,
                             out + place * size->out_apart + channel,
                             active + place * size->active_apart + channel, mode,
                             whole ? LANES : many - channel);
                }
    }
}

static void finish(const struct layout *size, const float *in, struct place at, int start,
                   const float *bias, made *out, made *active, int mode) {
    int64_t place = (at.picture * size->out_height + at.y) * size->out_width + at.x;
    int height = size->out_height - at.y, width = size->out_width - at.x;
    int many = size->out_channels - start < CHUNK ? size->out_channels - start : CHUNK;
    bias = bias ? bias + start : bias;
    out += place * size->out_apart + start;
    active += place * size->active_apart + start;
    if (height >= TILE && width >= TILE && many % LANES == 0)
        tile_of(size, in, height, width, many, bias, out, active, mode, 1);
    else
        tile_of(size, in, height, width, many, bias, out, active, mode, 0);
}

/* out is the convolution of `in`, with a bias, where there is one; for `mode` see `finished`.
   `weights` are (panels, points, channels, PANEL), and `rooms` is `room` for each thread. */
void convolve(const struct layout *size, const number *in, const float *weights, const float *bias,
              made *out, made *active, float *rooms, int mode, int threads) {
    int64_t tiles = (int64_t)size->count * ((size->out_height + TILE - 1) / TILE) *
                    ((size->out_width + TILE - 1) / TILE);
    int groups = groups_of(size), block_size = groups * TOGETHER;
    int64_t blocks = (tiles + block_size - 1) / block_size;
    int panels = (size->out_channels + PANEL - 1) / PANEL, row = padded(size->channels);
    int64_t each = (int64_t)POINTS * size->channels * PANEL;
    int64_t seen_size = (int64_t)POINTS * TOGETHER * row, products_size = POINTS * TOGETHER * CHUNK;
    /* Of few tiles, threads share the channels of the result; each looks at the tiles itself. */
    int chunks = (panels + PANELS - 1) / PANELS;
    int parts = blocks >= 2 * threads ? 1 : chunks < threads ? chunks : threads;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(threads) if (threads > 1)
    for (int64_t block = 0; block < blocks; block++)
        for (int part = 0; part < parts; part++) {
            float *seen = rooms + (int64_t)omp_get_thread_num() * room(size);
            float *products = seen + groups * seen_size;
            int64_t first = block * block_size;
            int many = tiles - first < block_size ? tiles - first : block_size;
            for (int tile = 0; tile < many; tile++)
                see(size, in, place_of(size, first + tile),
                    seen + tile / TOGETHER * seen_size + tile % TOGETHER * row);
            for (int chunk = part; chunk < chunks; chunk += parts) {
                int start = chunk * PANELS, end = start + PANELS < panels ? start + PANELS : panels;
                for (int point = 0; point < POINTS; point++)
                    for (int which = start; which < end; which++) {
                        int half = which * PANEL + LANES >= size->out_channels;
                        const float *weight =
                            weights + which * each + (int64_t)point * size->channels * PANEL;
                        for (int tile = 0; tile < many; tile += ROWS) {
                            int group = tile / TOGETHER, at = point * TOGETHER + tile % TOGETHER;
                            const float *from = seen + group * seen_size + (int64_t)at * row;
                            float *to = products + group * products_size + at * CHUNK +
                                        (which - start) * PANEL;
                            if (half)
                                multiply(from, row, weight, size->channels, to, 1);
                            else
                                multiply(from, row, weight, size->channels, to, 0);
                        }
                    }
                for (int tile = 0; tile < many; tile++)
                    finish(size,
                           products + tile / TOGETHER * products_size + tile % TOGETHER * CHUNK,
                           place_of(size, first + tile), start * PANEL, bias, out, active, mode);
            }
        }
}
