// Element-wise work and attention of BERT-like layers over packed tokens, each in one pass over memory.
// Every function works on a range of rows or sentences, so that the caller may spread ranges over threads; sums over
// rows go to one row of `parts` for each range. Arithmetic is float; `bf16` is a storage form. Rows hold a multiple of
// 16 numbers. Dropout: `draws` holds 16 random bits for each number, which is kept where draw >= threshold, times
// `scale`; without draws nothing is dropped.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

typedef float Lanes __attribute__((vector_size(64), aligned(4), may_alias));
constexpr int64_t LANES = 16;

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
inline void store(float *to, float value) { *to = value; }
inline void store(bf16 *to, float value) {
    uint32_t wide;
    std::memcpy(&wide, &value, 4);
    uint32_t rounded = (wide + 0x7fffu + ((wide >> 16) & 1u)) >> 16;
    to->bits = uint16_t(value != value ? 0x7fc0u : rounded);
}

struct Dropout {
    const int16_t *draws;
    int32_t threshold;
    float scale;
    float keep(int64_t at) const { return draws[at] >= threshold ? scale : 0.0f; }
};

// exp(x) for x <= 0 (cut at -87), relative error under 2e-7: 2^n times a polynomial on [-ln2/2, ln2/2] (Cephes' expf).
inline float exp_of_negative(float x) {
    x = x < -87.0f ? -87.0f : x;
    float n = std::nearbyint(x * 1.44269504f);
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t power = (int32_t(n) + 127) << 23;
    float two_to_n;
    std::memcpy(&two_to_n, &power, 4);
    return p * two_to_n;
}

// C[M, N] (+)= A[M, K] B[K, N]; A by any strides, B and C by rows, N a multiple of 16.
struct Left {
    const float *at;
    int64_t row, column;
};

template <int ROWS, int VECTORS>
inline void tile(Left a, const float *b, int64_t ldb, int64_t k_end, float *c, int64_t ldc, bool add) {
    Lanes sum[ROWS][VECTORS];
    for (int i = 0; i < ROWS; i++)
        for (int v = 0; v < VECTORS; v++) sum[i][v] = add ? *(const Lanes *)(c + i * ldc + v * LANES) : Lanes{};
    for (int64_t k = 0; k < k_end; k++)
        for (int i = 0; i < ROWS; i++)
            for (int v = 0; v < VECTORS; v++)
                sum[i][v] += a.at[i * a.row + k * a.column] * *(const Lanes *)(b + k * ldb + v * LANES);
    for (int i = 0; i < ROWS; i++)
        for (int v = 0; v < VECTORS; v++) *(Lanes *)(c + i * ldc + v * LANES) = sum[i][v];
}

template <int VECTORS>
inline void strip(int64_t m, Left a, const float *b, int64_t ldb, int64_t k, float *c, int64_t ldc, bool add) {
    int64_t i = 0;
    for (; i + 4 <= m; i += 4) tile<4, VECTORS>({a.at + i * a.row, a.row, a.column}, b, ldb, k, c + i * ldc, ldc, add);
    for (; i < m; i++) tile<1, VECTORS>({a.at + i * a.row, a.row, a.column}, b, ldb, k, c + i * ldc, ldc, add);
}

void product(int64_t m, int64_t n, int64_t k, Left a, const float *b, int64_t ldb, float *c, int64_t ldc, bool add = false) {
    int64_t j = 0;
    for (; j + 4 * LANES <= n; j += 4 * LANES) strip<4>(m, a, b + j, ldb, k, c + j, ldc, add);
    for (; j + 2 * LANES <= n; j += 2 * LANES) strip<2>(m, a, b + j, ldb, k, c + j, ldc, add);
    for (; j < n; j += LANES) strip<1>(m, a, b + j, ldb, k, c + j, ldc, add);
}

inline int64_t rounded(int64_t length) { return (length + LANES - 1) / LANES * LANES; }

template <class T>
void copy_rows(const T *from, int64_t step, int64_t rows, int64_t columns, float *to) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < columns; c++) to[i * columns + c] = load(from + i * step + c);
}

template <class T>
void copy_turned(const T *from, int64_t step, int64_t rows, int64_t columns, float *to, int64_t width) {
    for (int64_t c = 0; c < columns; c++) {
        for (int64_t i = 0; i < rows; i++) to[c * width + i] = load(from + i * step + c);
        for (int64_t i = rows; i < width; i++) to[c * width + i] = 0;
    }
}

template <class T>
void write_rows(const float *from, int64_t rows, int64_t columns, T *to, int64_t step) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < columns; c++) store(to + i * step + c, from[i * columns + c]);
}

// row <- softmax(scale * row) over `length`; zero behind it. Loops go to `width`: where that is a multiple of 16 none has
// a rest to do number by number, and most sentences are short.
void soften(float *row, int64_t length, int64_t width, float scale) {
    for (int64_t j = length; j < width; j++) row[j] = row[0];
    float top = row[0];
    for (int64_t j = 0; j < width; j++) top = row[j] > top ? row[j] : top;
    float sum = 0;
    for (int64_t j = 0; j < width; j++) {
        float share = exp_of_negative((row[j] - top) * scale);
        row[j] = j < length ? share : 0.0f;
        sum += row[j];
    }
    float inverse = 1.0f / sum;
    for (int64_t j = 0; j < width; j++) row[j] *= inverse;
}

// From the gradient of dropped probabilities to that of the scores before scaling, in place.
void harden(float *grad, const float *probability, int64_t length, Dropout drop, int64_t first, float scale) {
    float dot = 0;
    if (drop.draws)
        for (int64_t j = 0; j < length; j++) grad[j] *= drop.keep(first + j);
    for (int64_t j = 0; j < length; j++) dot += grad[j] * probability[j];
    for (int64_t j = 0; j < length; j++) grad[j] = probability[j] * (grad[j] - dot) * scale;
}

void dropped(const float *probability, int64_t length, Dropout drop, int64_t first, float *out) {
    for (int64_t j = 0; j < length; j++) out[j] = drop.draws ? probability[j] * drop.keep(first + j) : probability[j];
}

struct Sentences {  // token offsets [n + 1], and where each one's probabilities start [n + 1]
    const int64_t *start, *place;
    int64_t heads, width, first, last;
    float scale;
};

// Rows of floats as they lie; other forms are brought to float in `room` first.
inline Left rows_of(const float *from, int64_t step, int64_t, int64_t, float *) { return {from, step, 1}; }
inline Left rows_of(const bf16 *from, int64_t step, int64_t rows, int64_t columns, float *room) {
    copy_rows(from, step, rows, columns, room);
    return {room, columns, 1};
}

template <class T>
void attend(Sentences s, const T *qkv, Dropout drop, float *probabilities, T *out) {
    int64_t hidden = s.heads * s.width, step = 3 * hidden;
    std::vector<float> scratch;
    for (int64_t n = s.first; n < s.last; n++) {
        int64_t length = s.start[n + 1] - s.start[n], wide = rounded(length);
        scratch.resize(3 * length * s.width + s.width * wide + 2 * length * wide);
        float *q = scratch.data(), *v = q + length * s.width, *o = v + length * s.width;
        float *turned = o + length * s.width, *p = turned + s.width * wide, *kept = p + length * wide;
        for (int64_t h = 0; h < s.heads; h++) {
            const T *from = qkv + s.start[n] * step + h * s.width;
            copy_turned(from + hidden, step, length, s.width, turned, wide);
            Left value = rows_of(from + 2 * hidden, step, length, s.width, v);
            product(length, wide, s.width, rows_of(from, step, length, s.width, q), turned, wide, p, wide);
            int64_t place = s.place[n] + h * length * length;
            for (int64_t i = 0; i < length; i++) {
                soften(p + i * wide, length, wide, s.scale);
                if (probabilities) std::memcpy(probabilities + place + i * length, p + i * wide, length * sizeof(float));
                if (drop.draws) dropped(p + i * wide, length, drop, place + i * length, kept + i * wide);
            }
            product(length, s.width, length, {drop.draws ? kept : p, wide, 1}, value.at, value.row, o, s.width);
            write_rows(o, length, s.width, out + s.start[n] * hidden + h * s.width, hidden);
        }
    }
}

template <class T>
void attend_back(Sentences s, const T *qkv, Dropout drop, const float *probabilities, const T *grad, T *grad_qkv) {
    int64_t hidden = s.heads * s.width, step = 3 * hidden;
    std::vector<float> scratch;
    for (int64_t n = s.first; n < s.last; n++) {
        int64_t length = s.start[n + 1] - s.start[n], wide = rounded(length), block = length * s.width;
        scratch.resize(4 * block + s.width * wide + 2 * length * wide);
        float *q = scratch.data(), *k = q + block, *g = k + block, *made = g + block;
        float *turned = made + block, *ds = turned + s.width * wide, *kept = ds + length * wide;
        for (int64_t h = 0; h < s.heads; h++) {
            const T *from = qkv + s.start[n] * step + h * s.width;
            T *to = grad_qkv + s.start[n] * step + h * s.width;
            copy_rows(from, step, length, s.width, q);
            copy_rows(from + hidden, step, length, s.width, k);
            copy_turned(from + 2 * hidden, step, length, s.width, turned, wide);
            copy_rows(grad + s.start[n] * hidden + h * s.width, hidden, length, s.width, g);
            product(length, wide, s.width, {g, s.width, 1}, turned, wide, ds, wide);
            int64_t place = s.place[n] + h * length * length;
            for (int64_t i = 0; i < length; i++) {
                dropped(probabilities + place + i * length, length, drop, place + i * length, kept + i * wide);
                harden(ds + i * wide, probabilities + place + i * length, length, drop, place + i * length, s.scale);
            }
            product(length, s.width, length, {ds, wide, 1}, k, s.width, made, s.width);
            write_rows(made, length, s.width, to, step);
            product(length, s.width, length, {ds, 1, wide}, q, s.width, made, s.width);
            write_rows(made, length, s.width, to + hidden, step);
            product(length, s.width, length, {kept, 1, wide}, g, s.width, made, s.width);
            write_rows(made, length, s.width, to + 2 * hidden, step);
        }
    }
}

// One question a sentence and head, asked of the layer's input itself: asks [n, heads, H], input [T, H] ->
// found [n, heads, H] = sum over tokens of probability times input. Probabilities lie [n][heads][length].
template <class T>
void gather(Sentences s, const float *asks, const float *offset, const T *input, Dropout drop, float *probabilities, float *found, float *total) {
    std::vector<float> scratch;
    int64_t heads = s.heads, wide = rounded(heads);
    for (int64_t n = s.first; n < s.last; n++) {
        int64_t length = s.start[n + 1] - s.start[n];
        scratch.resize(length * s.width + s.width * wide + length * wide + 2 * length);
        float *x = scratch.data(), *turned = x + length * s.width, *scores = turned + s.width * wide;
        float *row = scores + length * wide, *kept = row + length;
        copy_rows(input + s.start[n] * s.width, s.width, length, s.width, x);
        copy_turned(asks + n * heads * s.width, s.width, heads, s.width, turned, wide);
        product(length, wide, s.width, {x, s.width, 1}, turned, wide, scores, wide);
        for (int64_t h = 0; h < heads; h++) {
            int64_t place = s.place[n] + h * length;
            for (int64_t j = 0; j < length; j++) row[j] = scores[j * wide + h] + offset[n * heads + h];
            soften(row, length, length, s.scale);
            std::memcpy(probabilities + place, row, length * sizeof(float));
            dropped(row, length, drop, place, kept);
            float sum = 0;
            for (int64_t j = 0; j < length; j++) sum += kept[j];
            total[n * heads + h] = sum;
            product(1, s.width, length, {kept, length, 1}, x, s.width, found + (n * heads + h) * s.width, s.width);
        }
    }
}

template <class T>
void gather_back(Sentences s, const float *asks, const T *input, Dropout drop, const float *probabilities, const float *grad, const float *grad_total, float *grad_asks, float *grad_offset, T *grad_input) {
    std::vector<float> scratch;
    int64_t heads = s.heads, wide = rounded(heads);
    for (int64_t n = s.first; n < s.last; n++) {
        int64_t length = s.start[n + 1] - s.start[n];
        scratch.resize(2 * length * s.width + s.width * wide + length * wide + 2 * heads * length);
        float *x = scratch.data(), *made = x + length * s.width, *turned = made + length * s.width;
        float *scores = turned + s.width * wide, *ds = scores + length * wide, *kept = ds + heads * length;
        const float *g = grad + n * heads * s.width, *u = asks + n * heads * s.width;
        copy_rows(input + s.start[n] * s.width, s.width, length, s.width, x);
        copy_turned(g, s.width, heads, s.width, turned, wide);
        product(length, wide, s.width, {x, s.width, 1}, turned, wide, scores, wide);
        for (int64_t h = 0; h < heads; h++) {
            int64_t place = s.place[n] + h * length;
            float *row = ds + h * length, sum = 0;
            for (int64_t j = 0; j < length; j++) row[j] = scores[j * wide + h] + grad_total[n * heads + h];
            dropped(probabilities + place, length, drop, place, kept + h * length);
            harden(row, probabilities + place, length, drop, place, s.scale);
            for (int64_t j = 0; j < length; j++) sum += row[j];
            grad_offset[n * heads + h] = sum;
        }
        product(heads, s.width, length, {ds, length, 1}, x, s.width, grad_asks + n * heads * s.width, s.width);
        product(length, s.width, heads, {ds, 1, length}, u, s.width, made, s.width);
        product(length, s.width, heads, {kept, 1, length}, g, s.width, made, s.width, true);
        write_rows(made, length, s.width, grad_input + s.start[n] * s.width, s.width);
    }
}

struct Rows {
    int64_t width, first, last;
};

// LayerNorm(dropout(fresh + bias) + kept): `fresh` becomes the normalised row, which the way back reads.
template <class T>
void settle(Rows r, T *fresh, const float *bias, const float *kept, Dropout drop, const float *gain, const float *shift, float eps, float *out, T *low, float *inverse) {
    std::vector<float> row(r.width);
    float *z = row.data();
    for (int64_t t = r.first; t < r.last; t++) {
        T *y = fresh + t * r.width;
        const float *x = kept + t * r.width;
        const int16_t *draws = drop.draws + t * r.width;
        if (drop.draws)
            for (int64_t c = 0; c < r.width; c++) z[c] = (load(y + c) + bias[c]) * (draws[c] >= drop.threshold ? drop.scale : 0.0f) + x[c];
        else
            for (int64_t c = 0; c < r.width; c++) z[c] = load(y + c) + bias[c] + x[c];
        float sum = 0, square = 0;
        for (int64_t c = 0; c < r.width; c++) sum += z[c];
        float mean = sum / r.width;
        for (int64_t c = 0; c < r.width; c++) square += (z[c] - mean) * (z[c] - mean);
        float rate = 1.0f / std::sqrt(square / r.width + eps);
        inverse[t] = rate;
        float *o = out + t * r.width;
        for (int64_t c = 0; c < r.width; c++) {
            float normal = (z[c] - mean) * rate;
            store(y + c, normal);
            o[c] = normal * gain[c] + shift[c];
        }
        if (low)
            for (int64_t c = 0; c < r.width; c++) store(low + t * r.width + c, o[c]);
    }
}

// `parts` holds sums of the range's rows: gain, shift, bias, one after another.
template <class T>
void settle_back(Rows r, const T *normal, const float *inverse, const float *grad, const T *grad_low, Dropout drop, const float *gain, T *grad_fresh, float *grad_kept, float *parts) {
    std::vector<float> row(2 * r.width);
    float *g = row.data(), *wide = g + r.width, *dgain = parts, *dshift = parts + r.width, *dbias = dshift + r.width;
    std::memset(parts, 0, 3 * r.width * sizeof(float));
    for (int64_t t = r.first; t < r.last; t++) {
        const T *y = normal + t * r.width;
        float sum = 0, dot = 0;
        for (int64_t c = 0; c < r.width; c++) g[c] = (grad ? grad[t * r.width + c] : 0.0f) + (grad_low ? load(grad_low + t * r.width + c) : 0.0f);
        for (int64_t c = 0; c < r.width; c++) {
            float n = load(y + c), weighted = g[c] * gain[c];
            dgain[c] += g[c] * n;
            dshift[c] += g[c];
            wide[c] = weighted;
            sum += weighted;
            dot += weighted * n;
        }
        sum /= r.width;
        dot /= r.width;
        float *k = grad_kept + t * r.width;
        for (int64_t c = 0; c < r.width; c++) k[c] = (wide[c] - sum - load(y + c) * dot) * inverse[t];
        const int16_t *draws = drop.draws + t * r.width;
        T *f = grad_fresh + t * r.width;
        for (int64_t c = 0; c < r.width; c++) {
            float kept = drop.draws ? k[c] * (draws[c] >= drop.threshold ? drop.scale : 0.0f) : k[c];
            dbias[c] += kept;
            store(f + c, kept);
        }
    }
}

// GELU(x + bias) = x Phi(x), and its derivative where `slope` asks. Phi by Abramowitz and Stegun 7.1.26, as torch's own.
template <class T>
void gelu(Rows r, const T *before, const float *bias, T *slope, T *out) {
    for (int64_t t = r.first; t < r.last; t++) {
        const T *b = before + t * r.width;
        T *o = out + t * r.width, *d = slope ? slope + t * r.width : nullptr;
        for (int64_t c = 0; c < r.width; c++) {
            float x = load(b + c) + bias[c], side = std::fabs(x) * 0.70710678f;
            float bell = exp_of_negative(-0.5f * x * x), part = 1.0f / (1.0f + 0.3275911f * side);
            float tail = ((((1.061405429f * part - 1.453152027f) * part + 1.421413741f) * part - 0.284496736f) * part + 0.254829592f) * part * bell * 0.5f;
            float share = x < 0 ? tail : 1.0f - tail;
            store(o + c, x * share);
            if (d) store(d + c, share + x * bell * 0.39894228f);
        }
    }
}

template <class T>
void gelu_back(Rows r, const T *slope, const T *grad, T *out, float *parts) {
    std::memset(parts, 0, r.width * sizeof(float));
    for (int64_t t = r.first; t < r.last; t++) {
        const T *s = slope + t * r.width, *g = grad + t * r.width;
        T *o = out + t * r.width;
        for (int64_t c = 0; c < r.width; c++) {
            float made = load(s + c) * load(g + c);
            parts[c] += made;
            store(o + c, made);
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
