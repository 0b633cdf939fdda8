/* Convolutions of small pictures on a processor, where a library's fixed cost for each call is more
   than the work.

   Pictures lie in memory as (N, H, W, C), so a place of the result is a sum, over the taps of the
   kernel, of products of a row of channels and a matrix. Six places and two vectors of channels
   are summed at once, in registers. A tap outside the picture reads zeros. Compiled on the machine
   that runs it (see direct.py), it shares torch's own threads. */

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
enum { BYTES = 64 };
#elif defined(__AVX__)
enum { BYTES = 32 };
#else
enum { BYTES = 16 };
#endif
typedef float vector __attribute__((vector_size(BYTES), aligned(4)));
typedef int32_t integers __attribute__((vector_size(BYTES), aligned(4)));
enum { LANES = BYTES / 4, PANEL = 2 * LANES, ROWS = 6, TILES = 16 };
/* As in direct.py. */
enum { MOST_CHANNELS = 4096, MOST_TAPS = 64 };
enum { PLAIN, RELU, SILU, ADDED };

/* How many channels of the result the weights hold together; the last ones are filled up with 0. */
int panel(void) { return PANEL; }

/* What is convolved, what comes out, and the kernel, which stands `top` and `left` outside. Apart
   are the numbers from one place to the next: pictures may be channels of wider ones. */
struct layout {
    int32_t count, height, width, channels, apart;
    int32_t out_height, out_width, out_channels, out_apart;
    int32_t rows, columns, top, left;
};

static const float zeros[MOST_CHANNELS];

/* e to the x, to 1e-7 of itself: 2^n times a polynomial of what is left, at most log(2)/2. */
static inline vector exponential(vector x) {
    integers high = x > 88.0f, low = x < -87.0f;
    vector most = (vector){0} + 88.0f, least = (vector){0} - 87.0f;
    x = (vector)(((integers)x & ~(high | low)) | ((integers)most & high) | ((integers)least & low));
    vector scaled = x * 1.44269504f + 0.5f;
    integers whole = __builtin_convertvector(scaled, integers);
    whole += (__builtin_convertvector(whole, vector) > scaled); /* true is -1 */
    vector power = __builtin_convertvector(whole, vector);
    vector rest = x - power * 0.693359375f + power * 2.12194440e-4f;
    vector sum = rest * 1.9875691500e-4f + 1.3981999507e-3f;
    sum = sum * rest + 8.3334519073e-3f;
    sum = sum * rest + 4.1665795894e-2f;
    sum = sum * rest + 1.6666665459e-1f;
    sum = sum * rest + 5.0000001201e-1f;
    sum = sum * rest * rest + rest + 1.0f;
    return sum * (vector)((whole + 127) << 23);
}

static inline vector sigmoid(vector x) { return 1.0f / (1.0f + exponential(-x)); }

static inline vector loaded(const float *from, int many) {
    if (many >= LANES)
        return *(const vector *)from;
    vector value = {0};
    if (many > 0)
        memcpy(&value, from, sizeof(float) * many);
    return value;
}

static inline void stored(float *to, vector value, int many) {
    if (many >= LANES)
        *(vector *)to = value;
    else if (many > 0)
        memcpy(to, &value, sizeof(float) * many);
}

/* What is kept of one vector of a sum: see `convolve`. */
static inline void finished(vector sum, float *out, float *active, int mode, int many) {
    if (mode == ADDED)
        sum += loaded(out, many);
    if (mode == RELU)
        sum = (vector)((integers)sum & ~(sum < 0.0f)); /* what is no number stays none */
    stored(out, sum, many);
    if (mode == SILU)
        stored(active, sum * sigmoid(sum), many);
}

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

#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#define BEGIN(row) vector low##row = low_bias, high##row = high_bias;
#define READ(row) const float *from##row = from[tap][row];
#define ADD(row)                                                                                   \
    low##row += from##row[channel] * low;                                                          \
    high##row += from##row[channel] * high;
#define FINISH(row)                                                                                \
    if (first + row < places) {                                                                    \
        int64_t at = (first + row) * size->out_apart + start;                                      \
        finished(low##row, out + at, active + at, mode, many);                                     \
        finished(high##row, out + at + LANES, active + at + LANES, mode, many - LANES);            \
    }

/* out is the convolution of `in`, with a bias, where there is one. `mode` RELU keeps what is above
   zero, SILU also gives x sigmoid(x) in `active`, and ADDED adds to what is in `out` already.
   `weights` are (panels, taps, channels, PANEL). */
void convolve(const struct layout *size, const float *in, const float *weights, const float *bias,
              float *out, float *active, int mode, int threads) {
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
                low_bias = loaded(bias + start, many);
                high_bias = loaded(bias + start + LANES, many - LANES);
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
                        vector low = *(const vector *)weight;
                        vector high = *(const vector *)(weight + LANES);
                        EACH_ROW(ADD)
                    }
                }
                EACH_ROW(FINISH)
            }
        }
}

/* above *= the slope of x sigmoid(x) at `in`; both are `channels` of wider rows. */
void silu_gradient(const float *in, float *above, int64_t places, int channels, int apart,
                   int threads) {
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int64_t place = 0; place < places; place++)
        for (int channel = 0; channel < channels; channel += LANES) {
            int64_t at = place * apart + channel;
            vector x = loaded(in + at, channels - channel), share = sigmoid(x);
            vector slope = share * (1.0f + x * (1.0f - share));
            stored(above + at, loaded(above + at, channels - channel) * slope, channels - channel);
        }
}
