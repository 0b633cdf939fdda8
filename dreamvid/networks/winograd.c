/* Convolutions by 3x3 kernels in a quarter of the products (Winograd 1980, Lavin and Gray 2016).

   A tile of 4x4 places of the result is a polynomial product, which is taken at 36 points: tiles of
   the picture are brought there, multiplied with the kernels, which are there already, and brought
   back. The points are 0, 5/8, -5/8, 3/2, -3/2 and infinity in each direction: with them a result is
   nearly as exact as a sum of all products, and with the usual 1 and 2 it is not (Alam, Anderson,
   Barabasz and Gregg 2022). Compiled on the machine that runs it (see compiled.py), it shares
   torch's own threads. */

#include <omp.h>

#include "vectors.h"

/* A tile of the result, what it sees, and at how many points that is taken. */
enum { TILE = 4, SEEN = TILE + 2, POINTS = SEEN * SEEN };
/* Tiles and panels that are worked on together: what they need stays in a core's own cache. */
enum { TOGETHER = 2 * ROWS, PANELS = 2, CHUNK = PANELS * PANEL };
#define NEAR 0.625f
#define FAR 1.5f

int panel(void) { return PANEL; }

static inline int padded(int channels) { return (channels + LANES - 1) / LANES * LANES; }

/* The numbers that each thread needs room for. */
int64_t room(const struct layout *size) {
    return (int64_t)POINTS * TOGETHER * (padded(size->channels) + CHUNK);
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

/* Four numbers from what they are at the six points. */
static inline void back(const vector *in, int step, vector *out) {
    vector near = in[step] + in[2 * step], near_odd = in[step] - in[2 * step];
    vector far = in[3 * step] + in[4 * step], far_odd = in[3 * step] - in[4 * step];
    out[0] = in[0] + near + far;
    out[step] = NEAR * near_odd + FAR * far_odd;
    out[2 * step] = (NEAR * NEAR) * near + (FAR * FAR) * far;
    out[3 * step] =
        (NEAR * NEAR * NEAR) * near_odd + (FAR * FAR * FAR) * far_odd + in[5 * step];
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

/* What a tile sees at all points, zeros outside the picture: `out` (POINTS, TOGETHER, channels). */
static void see(const struct layout *size, const float *in, struct place at, float *out) {
    int row = padded(size->channels);
    int top = at.y - size->top, left = at.x - size->left;
    in += at.picture * size->height * size->width * size->apart;
    for (int channel = 0; channel < size->channels; channel += LANES) {
        vector seen[POINTS];
        for (int down = 0; down < SEEN; down++)
            for (int right = 0; right < SEEN; right++) {
                int y = top + down, x = left + right;
                int inside = y >= 0 && y < size->height && x >= 0 && x < size->width;
                const float *from = in + ((int64_t)y * size->width + x) * size->apart + channel;
                seen[down * SEEN + right] =
                    inside ? loaded(from, size->channels - channel) : (vector){0};
            }
        for (int right = 0; right < SEEN; right++)
            there(seen + right, SEEN, seen + right);
        for (int down = 0; down < SEEN; down++)
            there(seen + down * SEEN, 1, seen + down * SEEN);
        for (int point = 0; point < POINTS; point++)
            *(vector *)(out + (int64_t)point * TOGETHER * row + channel) = seen[point];
    }
}

/* Six rows of channels times a panel of weights: `out` has rows of CHUNK. */
static inline void multiply(const float *in, int row, const float *weights, int channels,
                            float *out) {
#define BEGIN(number)                                                                              \
    vector low##number = {0}, high##number = {0};                                                  \
    const float *from##number = in + number * row;
#define ADD(number)                                                                                \
    low##number += from##number[channel] * low;                                                    \
    high##number += from##number[channel] * high;
#define FINISH(number)                                                                             \
    *(vector *)(out + number * CHUNK) = low##number;                                               \
    *(vector *)(out + number * CHUNK + LANES) = high##number;
    EACH_ROW(BEGIN)
    for (int channel = 0; channel < channels; channel++, weights += PANEL) {
        vector low = *(const vector *)weights, high = *(const vector *)(weights + LANES);
        EACH_ROW(ADD)
    }
    EACH_ROW(FINISH)
}

/* A tile of the result, from what its channels from `start` on are at all points. */
static void finish(const struct layout *size, const float *in, struct place at, int start,
                   const float *bias, float *out, float *active, int mode) {
    int64_t first = at.picture * size->out_height * size->out_width;
    for (int channel = 0; channel < CHUNK && start + channel < size->out_channels;
         channel += LANES) {
        int many = size->out_channels - start - channel;
        vector points[POINTS], lines[TILE * SEEN], tile[TILE * TILE];
        for (int point = 0; point < POINTS; point++)
            points[point] = *(const vector *)(in + point * TOGETHER * CHUNK + channel);
        for (int right = 0; right < SEEN; right++)
            back(points + right, SEEN, lines + right);
        for (int down = 0; down < TILE; down++)
            back(lines + down * SEEN, 1, tile + down * TILE);
        vector offset = bias ? loaded(bias + start + channel, many) : (vector){0};
        for (int down = 0; down < TILE && at.y + down < size->out_height; down++)
            for (int right = 0; right < TILE && at.x + right < size->out_width; right++) {
                int64_t place = first + (int64_t)(at.y + down) * size->out_width + at.x + right;
                int64_t to = place * size->out_apart + start + channel;
                finished(tile[down * TILE + right] + offset, out + to, active + to, mode, many);
            }
    }
}

/* out is the convolution of `in`, with a bias, where there is one; for `mode` see `finished`.
   `weights` are (panels, points, channels, PANEL), and `rooms` is `room` for each thread. */
void convolve(const struct layout *size, const float *in, const float *weights, const float *bias,
              float *out, float *active, int mode, float *rooms, int threads) {
    int64_t tiles = (int64_t)size->count * ((size->out_height + TILE - 1) / TILE) *
                    ((size->out_width + TILE - 1) / TILE);
    int64_t blocks = (tiles + TOGETHER - 1) / TOGETHER;
    int panels = (size->out_channels + PANEL - 1) / PANEL, row = padded(size->channels);
    int64_t each = (int64_t)POINTS * size->channels * PANEL;
    /* Of few tiles, threads share the channels of the result, and each looks at the tiles itself. */
    int chunks = (panels + PANELS - 1) / PANELS;
    int parts = blocks >= 2 * threads ? 1 : chunks < threads ? chunks : threads;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(threads) if (threads > 1)
    for (int64_t block = 0; block < blocks; block++)
        for (int part = 0; part < parts; part++) {
            float *seen = rooms + omp_get_thread_num() * room(size);
            float *products = seen + (int64_t)POINTS * TOGETHER * row;
            int64_t first = block * TOGETHER;
            int many = tiles - first < TOGETHER ? tiles - first : TOGETHER;
            for (int tile = 0; tile < many; tile++)
                see(size, in, place_of(size, first + tile), seen + tile * row);
            for (int chunk = part; chunk < chunks; chunk += parts) {
                int start = chunk * PANELS, end = start + PANELS < panels ? start + PANELS : panels;
                for (int point = 0; point < POINTS; point++)
                    for (int which = start; which < end; which++)
                        for (int tile = 0; tile < many; tile += ROWS)
                            multiply(seen + ((int64_t)point * TOGETHER + tile) * row, row,
                                     weights + which * each +
                                         (int64_t)point * size->channels * PANEL,
                                     size->channels,
                                     products + (point * TOGETHER + tile) * CHUNK +
                                         (which - start) * PANEL);
                for (int tile = 0; tile < many; tile++)
                    finish(size, products + tile * CHUNK, place_of(size, first + tile),
                           start * PANEL, bias, out, active, mode);
            }
        }
}
