// Element-wise work and attention of BERT-like layers over packed tokens, each in one pass over memory.
// Every function works on a range of rows or sentences, so that the caller may spread ranges over threads; sums over
// rows go to one row of `parts` for each range. Arithmetic is float; `bf16` is a storage form. Rows hold a multiple of
// 16 numbers. Dropout: `draws` holds 16 random bits for each number, which is kept where draw >= threshold, times
// `scale`; without draws nothing is dropped. Up to 15 draws behind the last one are read.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

// As many numbers as one register of the processor holds: wider vectors are taken apart number by number.
#if defined(__AVX512F__)
constexpr int64_t LANES = 16;
#elif defined(__AVX2__)
constexpr int64_t LANES = 8;
#else
constexpr int64_t LANES = 4;
#endif
typedef float Lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint32_t Words __attribute__((vector_size(4 * LANES)));
typedef uint16_t Halves __attribute__((vector_size(2 * LANES), aligned(2), may_alias));
typedef int16_t Draws __attribute__((vector_size(2 * LANES), aligned(2), may_alias));
typedef int32_t Picks __attribute__((vector_size(4 * LANES)));

#define EVERY _Pragma("GCC unroll 16")  // loops over registers

struct bf16 {
    uint16_t bits;
};

inline float load(const float *from) { return *from; }
inline float load(const bf16 *from) {
    uint32_t wide = uint32_t(from->bits) << 16;
    float out;
    std::memcpy(&out, &wide, 4);
    return out;
}

inline Lanes lanes_of(const float *from) { return *(const Lanes *)from; }
inline Lanes lanes_of(const bf16 *from) { return (Lanes)(__builtin_convertvector(*(const Halves *)from, Words) << 16); }

inline Halves rounded(Lanes value) {
    Words wide = (Words)value;
    wide = value != value ? Words{} + 0x7fc0u : (wide + 0x7fffu + ((wide >> 16) & 1u)) >> 16;
    return __builtin_convertvector(wide, Halves);
}

inline void put(float *to, Lanes value) { *(Lanes *)to = value; }
inline void put(bf16 *to, Lanes value) { *(Halves *)to = rounded(value); }

inline float across(Lanes values) {
    float sum = 0;
    for (int64_t l = 0; l < LANES; l++) sum += values[l];
    return sum;
}

struct Dropout {
    const int16_t *draws;
    int32_t threshold;
    float scale;
    Lanes keep(int64_t at) const {
        Picks drawn = __builtin_convertvector(*(const Draws *)(draws + at), Picks);
        return drawn >= threshold ? Lanes{} + scale : Lanes{};
    }
};

// exp(x) for x <= 0 (cut at -87), relative error under 2e-7: 2^n times a polynomial on [-ln2/2, ln2/2] (Cephes' expf).
inline Lanes exp_of_negative(Lanes x) {
    x = x < -87.0f ? Lanes{} - 87.0f : x;
    Picks power = __builtin_convertvector(x * 1.44269504f - 0.5f, Picks);  // cut towards zero: the nearest n
    Lanes n = __builtin_convertvector(power, Lanes);
    Lanes r = x - n * 0.693359375f + n * 2.12194440e-4f;
    Lanes p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return p * (Lanes)((power + 127) << 23);
}

// C[M, N] (+)= A[M, K] B[K, N]; A by any strides, B and C by rows, N a multiple of LANES.
struct Left {
    const float *at;
    int64_t row, column;
};

template <int ROWS, int VECTORS>
inline void tile(Left a, const float *b, int64_t ldb, int64_t k_end, float *c, int64_t ldc, bool add) {
    Lanes sum[ROWS * VECTORS];
    EVERY for (int s = 0; s < ROWS * VECTORS; s++)
        sum[s] = add ? *(const Lanes *)(c + s / VECTORS * ldc + s % VECTORS * LANES) : Lanes{};
    for (int64_t k = 0; k < k_end; k++) {
        EVERY for (int s = 0; s < ROWS * VECTORS; s++)
            sum[s] += a.at[s / VECTORS * a.row + k * a.column] * *(const Lanes *)(b + k * ldb + s % VECTORS * LANES);
    }
    EVERY for (int s = 0; s < ROWS * VECTORS; s++) *(Lanes *)(c + s / VECTORS * ldc + s % VECTORS * LANES) = sum[s];
}

// The rows that are left over: a tile of exactly their number, since one of fewer sums would wait for each of them.
template <int ROWS, int VECTORS>
inline void rest(int64_t m, Left a, const float *b, int64_t ldb, int64_t k, float *c, int64_t ldc, bool add) {
    if (m == ROWS) tile<ROWS, VECTORS>(a, b, ldb, k, c, ldc, add);
    if constexpr (ROWS > 1)
        if (m < ROWS) rest<ROWS - 1, VECTORS>(m, a, b, ldb, k, c, ldc, add);
}

#ifdef __AVX512F__
constexpr int TALL = 8;
#else
constexpr int TALL = 4;
#endif

template <int VECTORS>
inline void strip(int64_t m, Left a, const float *b, int64_t ldb, int64_t k, float *c, int64_t ldc, bool add) {
    int64_t i = 0;
    for (; i + TALL <= m; i += TALL)
        tile<TALL, VECTORS>({a.at + i * a.row, a.row, a.column}, b, ldb, k, c + i * ldc, ldc, add);
    rest<TALL - 1, VECTORS>(m - i, {a.at + i * a.row, a.row, a.column}, b, ldb, k, c + i * ldc, ldc, add);
}

void product(int64_t m, int64_t n, int64_t k, Left a, const float *b, int64_t ldb, float *c, int64_t ldc, bool add = false) {
    int64_t j = 0;
    for (; j + 2 * LANES <= n; j += 2 * LANES) strip<2>(m, a, b + j, ldb, k, c + j, ldc, add);
    for (; j < n; j += LANES) strip<1>(m, a, b + j, ldb, k, c + j, ldc, add);
}

inline int64_t up(int64_t length) { return (length + 15) / 16 * 16; }  // as the caller lays probabilities out

template <class T>
void copy_rows(const T *from, int64_t step, int64_t rows, int64_t columns, float *to) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < columns; c += LANES) put(to + i * columns + c, lanes_of(from + i * step + c));
}

#ifndef __clang__
// Swaps the blocks of STEP x STEP numbers beside the diagonal; these for 1, 2, 4, ... turn a square of LANES.
template <int STEP>
inline void swap_blocks(Lanes *row) {
    Picks upper, lower;
    for (int l = 0; l < LANES; l++) {
        upper[l] = l & STEP ? LANES + l - STEP : l;
        lower[l] = l & STEP ? LANES + l : l + STEP;
    }
    EVERY for (int i = 0; i < LANES; i++) {
        if (i & STEP) continue;
        Lanes one = row[i], other = row[i + STEP];
        row[i] = __builtin_shuffle(one, other, upper);
        row[i + STEP] = __builtin_shuffle(one, other, lower);
    }
    if constexpr (2 * STEP < LANES) swap_blocks<2 * STEP>(row);
}

// to[c, i] = from[i, c] for LANES columns of at most LANES rows; zero where there is no row.
template <class T>
inline void turn_block(const T *from, int64_t step, int64_t rows, float *to, int64_t width) {
    Lanes row[LANES];
    EVERY for (int i = 0; i < LANES; i++) row[i] = i < rows ? lanes_of(from + i * step) : Lanes{};
    swap_blocks<1>(row);
    EVERY for (int i = 0; i < LANES; i++) put(to + i * width, row[i]);
}
#else
template <class T>
inline void turn_block(const T *from, int64_t step, int64_t rows, float *to, int64_t width) {
    for (int64_t c = 0; c < LANES; c++)
        for (int64_t i = 0; i < LANES; i++) to[c * width + i] = i < rows ? load(from + i * step + c) : 0.0f;
}
#endif

// to[c, i] = from[i, c], zero for i from `rows` to `width`.
template <class T>
void copy_turned(const T *from, int64_t step, int64_t rows, int64_t columns, float *to, int64_t width) {
    for (int64_t i = 0; i < width; i += LANES)
        for (int64_t c = 0; c < columns; c += LANES)
            turn_block(from + i * step + c, step, rows - i, to + c * width + i, width);
}

// Probabilities and their gradients lie key by key, [keys, wide], with the questions side by side: every question has a
// lane of its own, and no sum goes across lanes. Columns from the last question to `wide` hold what nobody reads.
struct Scores {
    int64_t keys, questions, wide;
    Dropout drop;
    int64_t first;  // of the draws, which lie [keys, questions]
    float scale;
};

// Every column <- softmax(scale * column).
void soften(Scores s, float *scores) {
    for (int64_t b = 0; b < s.wide; b += LANES) {
        Lanes top = lanes_of(scores + b), sum = {};
        for (int64_t j = 1; j < s.keys; j++) {
            Lanes other = lanes_of(scores + j * s.wide + b);
            top = other > top ? other : top;
        }
        for (int64_t j = 0; j < s.keys; j++) {
            float *at = scores + j * s.wide + b;
            Lanes share = exp_of_negative((lanes_of(at) - top) * s.scale);
            put(at, share);
            sum += share;
        }
        Lanes part = 1.0f / sum;
        for (int64_t j = 0; j < s.keys; j++) put(scores + j * s.wide + b, lanes_of(scores + j * s.wide + b) * part);
    }
}

// What dropout leaves of the probabilities: in `room`, or they themselves.
const float *dropped(Scores s, const float *probability, float *room) {
    if (!s.drop.draws) return probability;
    for (int64_t j = 0; j < s.keys; j++)
        for (int64_t b = 0; b < s.wide; b += LANES)
            put(room + j * s.wide + b, lanes_of(probability + j * s.wide + b) * s.drop.keep(s.first + j * s.questions + b));
    return room;
}

// From the gradient of dropped probabilities to that of the scores before scaling, in place.
void harden(Scores s, float *grad, const float *probability) {
    for (int64_t b = 0; b < s.wide; b += LANES) {
        Lanes dot = {};
        for (int64_t j = 0; j < s.keys; j++) {
            float *at = grad + j * s.wide + b;
            Lanes row = lanes_of(at);
            if (s.drop.draws) put(at, row *= s.drop.keep(s.first + j * s.questions + b));
            dot += row * lanes_of(probability + j * s.wide + b);
        }
        for (int64_t j = 0; j < s.keys; j++) {
            float *at = grad + j * s.wide + b;
            put(at, lanes_of(probability + j * s.wide + b) * (lanes_of(at) - dot) * s.scale);
        }
    }
}

struct Sentences {  // token offsets [n + 1], and where each one's draws and probabilities start [n + 1]
    const int64_t *start, *place, *room;
    int64_t heads, width, first, last;
    float scale;
};

// Rows of floats as they lie; other forms are brought to float in `room` first.
inline Left rows_of(const float *from, int64_t step, int64_t, int64_t, float *) { return {from, step, 1}; }
inline Left rows_of(const bf16 *from, int64_t step, int64_t rows, int64_t columns, float *room) {
    copy_rows(from, step, rows, columns, room);
    return {room, columns, 1};
}

// A product whose rows go to where they belong; other forms than float by way of `room`.
inline void product_to(int64_t m, int64_t n, int64_t k, Left a, Left b, float *to, int64_t step, float *) {
    product(m, n, k, a, b.at, b.row, to, step);
}
inline void product_to(int64_t m, int64_t n, int64_t k, Left a, Left b, bf16 *to, int64_t step, float *room) {
    product(m, n, k, a, b.at, b.row, room, n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t c = 0; c < n; c += LANES) put(to + i * step + c, lanes_of(room + i * n + c));
}

// Asks for rows before they are read (or, with WRITTEN, written): they lie too far apart for the processor to guess.
template <int WRITTEN, class T>
inline void ahead(const T *rows, int64_t step, int64_t count, int64_t columns) {
    for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < columns; c += 64 / int64_t(sizeof(T))) __builtin_prefetch(rows + i * step + c, WRITTEN);
}

template <class T>
void attend(Sentences s, const T *qkv, Dropout drop, float *probabilities, T *out) {
    int64_t hidden = s.heads * s.width, step = 3 * hidden;
    std::vector<float> scratch;
    for (int64_t n = s.first; n < s.last; n++) {
        int64_t length = s.start[n + 1] - s.start[n], wide = up(length), block = length * s.width;
        scratch.resize(3 * block + s.width * wide + 2 * length * wide);
        float *k = scratch.data(), *v = k + block, *o = v + block;
        float *turned = o + block, *scores = turned + s.width * wide, *kept = scores + length * wide;
        for (int64_t h = 0; h < s.heads; h++) {
            const T *from = qkv + s.start[n] * step + h * s.width;
            float *p = probabilities ? probabilities + s.room[n] + h * length * wide : scores;
            Scores head = {length, length, wide, drop, s.place[n] + h * length * length, s.scale};
            if (h + 1 < s.heads)
                for (int part = 0; part < 3; part++) ahead<0>(from + part * hidden + s.width, step, length, s.width);
            copy_turned(from, step, length, s.width, turned, wide);
            Left key = rows_of(from + hidden, step, length, s.width, k);
            product(length, wide, s.width, key, turned, wide, p, wide);
            soften(head, p);
            Left share = {dropped(head, p, kept), 1, wide}, value = rows_of(from + 2 * hidden, step, length, s.width, v);
            product_to(length, s.width, length, share, value, out + s.start[n] * hidden + h * s.width, hidden, o);
        }
    }
}

template <class T>
void attend_back(Sentences s, const T *qkv, Dropout drop, const float *probabilities, const T *grad, T *grad_qkv) {
    int64_t hidden = s.heads * s.width, step = 3 * hidden;
    std::vector<float> scratch;
    for (int64_t n = s.first; n < s.last; n++) {
        int64_t length = s.start[n + 1] - s.start[n], wide = up(length), block = length * s.width;
        scratch.resize(5 * block + s.width * wide + 2 * length * wide);
        float *q = scratch.data(), *k = q + block, *v = k + block, *g = v + block, *made = g + block;
        float *turned = made + block, *ds = turned + s.width * wide, *kept = ds + length * wide;
        for (int64_t h = 0; h < s.heads; h++) {
            const T *from = qkv + s.start[n] * step + h * s.width, *back = grad + s.start[n] * hidden + h * s.width;
            T *to = grad_qkv + s.start[n] * step + h * s.width;
            if (h + 1 < s.heads) {
                for (int part = 0; part < 3; part++) ahead<0>(from + part * hidden + s.width, step, length, s.width);
                ahead<0>(back + s.width, hidden, length, s.width);
            }
            for (int part = 0; part < 3; part++) ahead<1>(to + part * hidden, step, length, s.width);
            const float *p = probabilities + s.room[n] + h * length * wide;
            Scores head = {length, length, wide, drop, s.place[n] + h * length * length, s.scale};
            Left query = rows_of(from, step, length, s.width, q), key = rows_of(from + hidden, step, length, s.width, k);
            Left value = rows_of(from + 2 * hidden, step, length, s.width, v), above = rows_of(back, hidden, length, s.width, g);
            copy_turned(back, hidden, length, s.width, turned, wide);
            product(length, wide, s.width, value, turned, wide, ds, wide);
            harden(head, ds, p);
            product_to(length, s.width, length, {ds, 1, wide}, key, to, step, made);
            product_to(length, s.width, length, {ds, wide, 1}, query, to + hidden, step, made);
            product_to(length, s.width, length, {dropped(head, p, kept), wide, 1}, above, to + 2 * hidden, step, made);
        }
    }
}

// One question a sentence and head, asked of the layer's input itself: asks [n, heads, H], input [T, H] ->
// found [n, heads, H] = sum over tokens of probability times input.
template <class T>
void gather(Sentences s, const float *asks, const float *offset, const T *input, Dropout drop, float *probabilities, float *found, float *total) {
    std::vector<float> scratch;
    int64_t heads = s.heads, wide = up(heads);
    for (int64_t n = s.first; n < s.last; n++) {
        int64_t length = s.start[n + 1] - s.start[n];
        scratch.resize(length * s.width + s.width * wide + length * wide);
        float *turned = scratch.data() + length * s.width, *room = turned + s.width * wide, *p = probabilities + s.room[n];
        Scores all = {length, heads, wide, drop, s.place[n], s.scale};
        Left x = rows_of(input + s.start[n] * s.width, s.width, length, s.width, scratch.data());
        copy_turned(asks + n * heads * s.width, s.width, heads, s.width, turned, wide);
        product(length, wide, s.width, x, turned, wide, p, wide);
        for (int64_t j = 0; j < length; j++)
            for (int64_t h = 0; h < heads; h++) p[j * wide + h] += offset[n * heads + h];
        soften(all, p);
        const float *kept = dropped(all, p, room);
        for (int64_t h = 0; h < heads; h++) {
            float sum = 0;
            for (int64_t j = 0; j < length; j++) sum += kept[j * wide + h];
            total[n * heads + h] = sum;
        }
        product(heads, s.width, length, {kept, 1, wide}, x.at, x.row, found + n * heads * s.width, s.width);
    }
}

template <class T>
void gather_back(Sentences s, const float *asks, const T *input, Dropout drop, const float *probabilities, const float *grad, const float *grad_total, float *grad_asks, float *grad_offset, T *grad_input) {
    std::vector<float> scratch;
    int64_t heads = s.heads, wide = up(heads);
    for (int64_t n = s.first; n < s.last; n++) {
        int64_t length = s.start[n + 1] - s.start[n];
        scratch.resize(2 * length * s.width + s.width * wide + 2 * length * wide);
        float *made = scratch.data() + length * s.width, *turned = made + length * s.width;
        float *ds = turned + s.width * wide, *room = ds + length * wide;
        const float *g = grad + n * heads * s.width, *u = asks + n * heads * s.width, *p = probabilities + s.room[n];
        Scores all = {length, heads, wide, drop, s.place[n], s.scale};
        Left x = rows_of(input + s.start[n] * s.width, s.width, length, s.width, scratch.data());
        copy_turned(g, s.width, heads, s.width, turned, wide);
        product(length, wide, s.width, x, turned, wide, ds, wide);
        for (int64_t j = 0; j < length; j++)
            for (int64_t h = 0; h < heads; h++) ds[j * wide + h] += grad_total[n * heads + h];
        harden(all, ds, p);
        for (int64_t h = 0; h < heads; h++) {
            float sum = 0;
            for (int64_t j = 0; j < length; j++) sum += ds[j * wide + h];
            grad_offset[n * heads + h] = sum;
        }
        product(heads, s.width, length, {ds, 1, wide}, x.at, x.row, grad_asks + n * heads * s.width, s.width);
        product(length, s.width, heads, {ds, wide, 1}, u, s.width, made, s.width);
        product(length, s.width, heads, {dropped(all, p, room), wide, 1}, g, s.width, made, s.width, true);
        for (int64_t c = 0; c < length * s.width; c += LANES) put(grad_input + s.start[n] * s.width + c, lanes_of(made + c));
    }
}

struct Rows {
    int64_t width, first, last;
};

// LayerNorm(dropout(fresh + bias) + kept). With `inverse` `fresh` becomes the normalised row: the way back reads both.
// Without it `out` or `low` may be `fresh` itself.
template <class T>
void settle(Rows r, T *fresh, const float *bias, const float *kept, Dropout drop, const float *gain, const float *shift, float eps, float *out, T *low, float *inverse) {
    std::vector<float> row(r.width);
    float *z = row.data();
    for (int64_t t = r.first; t < r.last; t++) {
        int64_t at = t * r.width;
        Lanes sum = {}, square = {};
        for (int64_t c = 0; c < r.width; c += LANES) {
            Lanes made = lanes_of(fresh + at + c) + lanes_of(bias + c);
            if (drop.draws) made *= drop.keep(at + c);
            made += lanes_of(kept + at + c);
            put(z + c, made);
            sum += made;
        }
        float mean = across(sum) / r.width;
        for (int64_t c = 0; c < r.width; c += LANES) {
            Lanes far = lanes_of(z + c) - mean;
            square += far * far;
        }
        float rate = 1.0f / std::sqrt(across(square) / r.width + eps);
        if (inverse) inverse[t] = rate;
        for (int64_t c = 0; c < r.width; c += LANES) {
            Lanes normal = (lanes_of(z + c) - mean) * rate, made = normal * lanes_of(gain + c) + lanes_of(shift + c);
            if (inverse) put(fresh + at + c, normal);
            put(out + at + c, made);
            if (low) put(low + at + c, made);
        }
    }
}

// `parts` holds sums of the range's rows: gain, shift, bias, one after another.
template <class T>
void settle_back(Rows r, const T *normal, const float *inverse, const float *grad, const T *grad_low, Dropout drop, const float *gain, T *grad_fresh, float *grad_kept, float *parts) {
    std::vector<float> row(r.width);
    float *wide = row.data(), *dgain = parts, *dshift = parts + r.width, *dbias = dshift + r.width;
    std::memset(parts, 0, 3 * r.width * sizeof(float));
    for (int64_t t = r.first; t < r.last; t++) {
        int64_t at = t * r.width;
        Lanes sums = {}, dots = {};
        for (int64_t c = 0; c < r.width; c += LANES) {
            Lanes g = grad ? lanes_of(grad + at + c) : Lanes{}, n = lanes_of(normal + at + c);
            if (grad_low) g += lanes_of(grad_low + at + c);
            Lanes weighted = g * lanes_of(gain + c);
            put(dgain + c, lanes_of(dgain + c) + g * n);
            put(dshift + c, lanes_of(dshift + c) + g);
            put(wide + c, weighted);
            sums += weighted;
            dots += weighted * n;
        }
        float sum = across(sums) / r.width, dot = across(dots) / r.width;
        for (int64_t c = 0; c < r.width; c += LANES) {
            Lanes made = (lanes_of(wide + c) - sum - lanes_of(normal + at + c) * dot) * inverse[t];
            put(grad_kept + at + c, made);
            if (drop.draws) made *= drop.keep(at + c);
            put(dbias + c, lanes_of(dbias + c) + made);
            put(grad_fresh + at + c, made);
        }
    }
}

// GELU(x + bias) = x Phi(x), and its derivative where `slope` asks. Phi by Abramowitz and Stegun 7.1.26, as torch's own.
template <class T>
void gelu(Rows r, const T *before, const float *bias, T *slope, T *out) {
    for (int64_t t = r.first; t < r.last; t++) {
        int64_t at = t * r.width;
        for (int64_t c = 0; c < r.width; c += LANES) {
            Lanes x = lanes_of(before + at + c) + lanes_of(bias + c), side = (x < 0.0f ? -x : x) * 0.70710678f;
            Lanes bell = exp_of_negative(-0.5f * x * x), part = 1.0f / (1.0f + 0.3275911f * side);
            Lanes tail = ((((1.061405429f * part - 1.453152027f) * part + 1.421413741f) * part - 0.284496736f) * part + 0.254829592f) * part * bell * 0.5f;
            Lanes share = x < 0.0f ? tail : 1.0f - tail;
            put(out + at + c, x * share);
            if (slope) put(slope + at + c, share + x * bell * 0.39894228f);
        }
    }
}

template <class T>
void gelu_back(Rows r, const T *slope, const T *grad, T *out, float *parts) {
    std::memset(parts, 0, r.width * sizeof(float));
    for (int64_t t = r.first; t < r.last; t++) {
        int64_t at = t * r.width;
        for (int64_t c = 0; c < r.width; c += LANES) {
            Lanes made = lanes_of(slope + at + c) * lanes_of(grad + at + c);
            put(parts + c, lanes_of(parts + c) + made);
            put(out + at + c, made);
        }
    }
}

}  // namespace

#define FORMS(NAME, T)                                                                                                                     \
    extern "C" void attend_##NAME(const Sentences *s, const T *qkv, const Dropout *d, float *p, T *out) { attend(*s, qkv, *d, p, out); }   \
    extern "C" void attend_back_##NAME(const Sentences *s, const T *qkv, const Dropout *d, const float *p, const T *g, T *out) {           \
        attend_back(*s, qkv, *d, p, g, out);                                                                                               \
    }                                                                                                                                      \
    extern "C" void gather_##NAME(const Sentences *s, const float *u, const float *b, const T *x, const Dropout *d, float *p, float *f,    \
                                  float *total) {                                                                                          \
        gather(*s, u, b, x, *d, p, f, total);                                                                                              \
    }                                                                                                                                      \
    extern "C" void gather_back_##NAME(const Sentences *s, const float *u, const T *x, const Dropout *d, const float *p, const float *g,   \
                                       const float *gt, float *gu, float *gb, T *gx) {                                                     \
        gather_back(*s, u, x, *d, p, g, gt, gu, gb, gx);                                                                                   \
    }                                                                                                                                      \
    extern "C" void settle_##NAME(const Rows *r, T *y, const float *b, const float *x, const Dropout *d, const float *gain,                \
                                  const float *shift, float eps, float *out, T *low, float *inverse) {                                     \
        settle(*r, y, b, x, *d, gain, shift, eps, out, low, inverse);                                                                      \
    }                                                                                                                                      \
    extern "C" void settle_back_##NAME(const Rows *r, const T *n, const float *inverse, const float *g, const T *gl, const Dropout *d,     \
                                       const float *gain, T *gy, float *gx, float *parts) {                                                \
        settle_back(*r, n, inverse, g, gl, *d, gain, gy, gx, parts);                                                                       \
    }                                                                                                                                      \
    extern "C" void gelu_##NAME(const Rows *r, const T *x, const float *b, T *slope, T *out) { gelu(*r, x, b, slope, out); }               \
    extern "C" void gelu_back_##NAME(const Rows *r, const T *s, const T *g, T *out, float *parts) { gelu_back(*r, s, g, out, parts); }

FORMS(f32, float)
FORMS(bf16, bf16)
