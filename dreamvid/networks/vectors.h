/* What is compiled for networks has this in common: vectors of numbers, and what becomes of a sum.

   Pictures lie in memory as (N, H, W, C), so a place of the result is a row of channels, which may
   be some of the channels of a wider row. Each source is compiled once for each type of what it
   reads, a number, and of what is made of it: with BFLOAT16 both are bfloat16, with ROUNDED what is
   made is, and otherwise they are float. Arithmetic is done in float. */

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

typedef uint16_t bfloat;
typedef bfloat bfloats __attribute__((vector_size(BYTES / 2), aligned(2)));
typedef uint32_t bits __attribute__((vector_size(BYTES)));

#ifdef BFLOAT16
typedef bfloat number, made;
#elif defined(ROUNDED)
typedef float number;
typedef bfloat made;
#else
typedef float number, made;
#endif

/* A panel is the channels of a result that are summed together, for six rows at once: that many
   sums fit into registers. */
enum { LANES = BYTES / 4, PANEL = 2 * LANES, ROWS = 6 };
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

/* As in compiled.py. */
enum { PLAIN, RELU, SILU, ADDED_THROUGH_SILU };

/* What is convolved, what comes out, and the kernel, which stands `top` and `left` outside. Apart
   are the numbers from one place to the next: pictures may be channels of wider ones. */
struct layout {
    int32_t count, height, width, channels, apart;
    int32_t out_height, out_width, out_channels, out_apart, active_apart;
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

static inline vector slope_of_silu(vector x) {
    vector share = sigmoid(x);
    return share * (1.0f + x * (1.0f - share));
}

static inline vector widened(bfloats narrow) {
    return (vector)(__builtin_convertvector(narrow, bits) << 16);
}

/* As wide as they are, but rounded: to the nearest; of two as near, the even one, as torch does. */
static inline bits rounded(vector value) {
    return ((bits)value + 0x7FFF + (((bits)value >> 16) & 1)) & 0xFFFF0000u;
}

static inline bfloats narrowed(vector value) {
    bits none = (bits)(value != value);
    return __builtin_convertvector((rounded(value) >> 16 & ~none) | (0x7FC0 & none), bfloats);
}

static inline vector loaded_floats(const float *from, int many) {
    if (many >= LANES)
        return *(const unaligned *)from;
    vector value = {0};
    if (many > 0)
        memcpy(&value, from, sizeof(float) * many);
    return value;
}

static inline vector loaded_bfloats(const bfloat *from, int many) {
    if (many >= LANES)
        return widened(*(const bfloats *)from);
    bfloats value = {0};
    if (many > 0)
        memcpy(&value, from, sizeof(bfloat) * many);
    return widened(value);
}

static inline void stored_floats(float *to, vector value, int many) {
    if (many >= LANES)
        *(unaligned *)to = value;
    else if (many > 0)
        memcpy(to, &value, sizeof(float) * many);
}

static inline void stored_bfloats(bfloat *to, vector value, int many) {
    bfloats rounded = narrowed(value);
    if (many >= LANES)
        *(bfloats *)to = rounded;
    else if (many > 0)
        memcpy(to, &rounded, sizeof(bfloat) * many);
}

/* So many numbers, at most a vector, from or to a place of either type. */
#define loaded(from, many)                                                                         \
    _Generic(*(from), float: loaded_floats, bfloat: loaded_bfloats)(from, many)
#define stored(to, value, many)                                                                    \
    _Generic(*(to), float: stored_floats, bfloat: stored_bfloats)(to, value, many)

static inline vector positive(vector x) {
    return (vector)((integers)x & ~(x < 0.0f)); /* what is no number stays none */
}

/* What is kept of one vector of a sum: RELU keeps what is above zero, SILU also gives x sigmoid(x)
   in `active`. ADDED_THROUGH_SILU adds to what is in `out` already, and multiplies that by the
   slope of SILU at what is in `active`. */
static inline void finished(vector sum, made *out, made *active, int mode, int many) {
    if (mode == ADDED_THROUGH_SILU)
        sum = (sum + loaded(out, many)) * slope_of_silu(loaded(active, many));
    if (mode == RELU)
        sum = positive(sum);
    stored(out, sum, many);
    if (mode == SILU)
        stored(active, sum * sigmoid(sum), many);
}
