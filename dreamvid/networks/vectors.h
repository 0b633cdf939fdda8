/* What is compiled for networks has this in common: vectors of numbers, and what becomes of a sum.

   Pictures lie in memory as (N, H, W, C), so a place of the result is a row of channels, which may
   be some of the channels of a wider row. Each source is compiled once for each type of number,
   float or bfloat16; arithmetic is done in float. */

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
enum { BYTES = 64 };
#elif defined(__AVX__)
enum { BYTES = 32 };
#else
enum { BYTES = 16 };
#endif
typedef float vector __attribute__((vector_size(BYTES)));
typedef float unaligned __attribute__((vector_size(BYTES), aligned(4)));
typedef int32_t integers __attribute__((vector_size(BYTES)));

#ifdef BFLOAT16
typedef uint16_t number;
typedef uint16_t numbers __attribute__((vector_size(BYTES / 2), aligned(2)));
typedef uint32_t bits __attribute__((vector_size(BYTES)));
static inline vector widened(numbers narrow) {
    return (vector)(__builtin_convertvector(narrow, bits) << 16);
}
/* To the nearest; of two as near, the even one, as torch rounds. */
static inline numbers narrowed(vector value) {
    bits exact = (bits)value, rounded = (exact + 0x7FFF + ((exact >> 16) & 1)) >> 16;
    bits none = (bits)(value != value);
    return __builtin_convertvector((rounded & ~none) | (0x7FC0 & none), numbers);
}
#else
typedef float number;
typedef unaligned numbers;
static inline vector widened(numbers narrow) { return narrow; }
static inline numbers narrowed(vector value) { return value; }
#endif

/* A panel is the channels of a result that are summed together, for six rows at once: that many
   sums fit into registers. */
enum { LANES = BYTES / 4, PANEL = 2 * LANES, ROWS = 6 };
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

/* As in compiled.py. */
enum { PLAIN, RELU, SILU, ADDED };

/* What is convolved, what comes out, and the kernel, which stands `top` and `left` outside. Apart
   are the numbers from one place to the next: pictures may be channels of wider ones. */
struct layout {
    int32_t count, height, width, channels, apart;
    int32_t out_height, out_width, out_channels, out_apart;
    int32_t rows, columns, top, left;
};

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

static inline vector loaded(const number *from, int many) {
    if (many >= LANES)
        return widened(*(const numbers *)from);
    numbers value = {0};
    if (many > 0)
        memcpy(&value, from, sizeof(number) * many);
    return widened(value);
}

static inline void stored(number *to, vector value, int many) {
    numbers rounded = narrowed(value);
    if (many >= LANES)
        *(numbers *)to = rounded;
    else if (many > 0)
        memcpy(to, &rounded, sizeof(number) * many);
}

/* What is kept of one vector of a sum: RELU keeps what is above zero, SILU also gives x sigmoid(x)
   in `active`, and ADDED adds to what is in `out` already. */
static inline void finished(vector sum, number *out, number *active, int mode, int many) {
    if (mode == ADDED)
        sum += loaded(out, many);
    if (mode == RELU)
        sum = (vector)((integers)sum & ~(sum < 0.0f)); /* what is no number stays none */
    stored(out, sum, many);
    if (mode == SILU)
        stored(active, sum * sigmoid(sum), many);
}
