/* Logistic regressions of one set of rows, several penalties side by side, start to early stop: the protocol's arithmetic
 * (princeton-nlp/SimCSE@49fa580:SentEval/senteval/tools/classifier.py) with gather, products, softmax and optimiser in one
 * loop that stays in the cache. `fit.py` compiles it once and calls it; `portable.py` is the same in torch.
 *
 * Shapes: rows of x and of w are `width` floats (a multiple of LANES, zero-padded). Columns of w are penalty-major: penalty k
 * and class c is column k * classes + c. Weights [column][width], probabilities [column][row]. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __AVX512F__
#define LANES 16
#else
#define LANES 8
#endif
#define TILE 4
#define INLINE static inline __attribute__((always_inline))

typedef float lanes __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef float quad __attribute__((vector_size(16), may_alias));

typedef struct {
    const float *x;          /* all rows, [rows][width] */
    const int32_t *label;    /* class of each row */
    const int32_t *orders;   /* [passes][train_rows]: positions in `train`, the permutation of each pass */
    const float *start_w;    /* [classes][width] */
    const float *start_b;    /* [classes] */
    int64_t width, classes;
    int64_t adam, batch, tenacity, epoch_size, max_epoch;
    double lr;
} Problem;

typedef struct {
    const int32_t *train, *dev;
    const float *penalty;    /* [penalties] */
    int64_t train_rows, dev_rows, penalties;
    double *best;            /* out: best dev accuracy, [penalties] */
    float *best_w, *best_b;  /* out: its weights, [penalties][classes][width] and [penalties][classes] */
} Fit;

typedef struct {
    float *w, *m, *v, *b, *mb, *vb, *decay; /* parameters and moments of the columns still running; penalty per column */
    float *x, *p, *bias_gradient;           /* gathered rows [room][width]; probabilities [columns][room] */
    int64_t *owner;                         /* penalty of each running group of columns */
    int64_t groups, columns, room, step;
} State;

INLINE lanes load(const float *from) { return *(const lanes *)from; }

INLINE float total(lanes value) {
    union { lanes whole; quad part[LANES / 4]; } halves = {.whole = value};
    quad sum = halves.part[0] + halves.part[1];
#if LANES == 16
    sum += halves.part[2] + halves.part[3];
#endif
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* z[c][r] = x[r] . w[c] for TILE rows and `cols` columns; all accumulators stay in registers. */
INLINE void dots(const float *x, const float *w, int64_t width, float *z, int64_t room, const int cols) {
    lanes sum[TILE][TILE];
#pragma GCC unroll 4
    for (int r = 0; r < TILE; r++)
#pragma GCC unroll 4
        for (int c = 0; c < cols; c++) sum[r][c] = (lanes){0};
    for (int64_t d = 0; d < width; d += LANES) {
        lanes row[TILE];
#pragma GCC unroll 4
        for (int r = 0; r < TILE; r++) row[r] = load(x + r * width + d);
#pragma GCC unroll 4
        for (int c = 0; c < cols; c++) {
            lanes weight = load(w + c * width + d);
#pragma GCC unroll 4
            for (int r = 0; r < TILE; r++) sum[r][c] += row[r] * weight;
        }
    }
#pragma GCC unroll 4
    for (int c = 0; c < cols; c++)
#pragma GCC unroll 4
        for (int r = 0; r < TILE; r++) z[c * room + r] = total(sum[r][c]);
}

/* Logits of `count` gathered rows into s->p; rows beyond, up to a whole tile, are zero. */
static void forward(State *s, int64_t width, int64_t count) {
    for (int64_t r = 0; r < count; r += TILE) {
        const float *x = s->x + r * width;
        int64_t c = 0;
        for (; c + 4 <= s->columns; c += 4) dots(x, s->w + c * width, width, s->p + c * s->room + r, s->room, 4);
        for (; c + 2 <= s->columns; c += 2) dots(x, s->w + c * width, width, s->p + c * s->room + r, s->room, 2);
        for (; c < s->columns; c++) dots(x, s->w + c * width, width, s->p + c * s->room + r, s->room, 1);
    }
    for (int64_t c = 0; c < s->columns; c++)
        for (int64_t r = 0; r < count; r++) s->p[c * s->room + r] += s->b[c];
}

/* exp for arguments <= 0, within 1 unit in the last place: Cody and Waite's reduction, Cephes' polynomial. */
INLINE float exponential(float x) {
    x = x < -87.0f ? -87.0f : x;
    float k = __builtin_rintf(x * 1.44269504088896341f);
    float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    union { int32_t bits; float number; } power = {.bits = ((int32_t)k + 127) << 23};
    return y * power.number;
}

/* s->p from logits to the gradient of the mean cross entropy: (softmax - one hot) / count. */
static void softmax_gradient(State *s, int64_t classes, const int32_t *label, int64_t count) {
    float top[count], sum[count];
    for (int64_t g = 0; g < s->groups; g++) {
        float *p = s->p + g * classes * s->room;
        memcpy(top, p, sizeof top);
        for (int64_t c = 1; c < classes; c++)
            for (int64_t r = 0; r < count; r++) top[r] = p[c * s->room + r] > top[r] ? p[c * s->room + r] : top[r];
        memset(sum, 0, sizeof sum);
        for (int64_t c = 0; c < classes; c++)
            for (int64_t r = 0; r < count; r++) {
                float e = exponential(p[c * s->room + r] - top[r]);
                p[c * s->room + r] = e;
                sum[r] += e;
            }
        for (int64_t c = 0; c < classes; c++)
            for (int64_t r = 0; r < count; r++) p[c * s->room + r] /= sum[r];
        for (int64_t r = 0; r < count; r++) p[label[r] * s->room + r] -= 1.0f;
        const float scale = 1.0f / (float)count;
        for (int64_t c = 0; c < classes; c++)
            for (int64_t r = 0; r < count; r++) p[c * s->room + r] *= scale;
    }
}

typedef struct { float rate, root, first, second, epsilon; int adam; } Rule;

/* One parameter row by torch's own order of operations: Adam (no amsgrad), or RMSprop without momentum. */
INLINE void update(const Rule rule, float *w, float *m, float *v, const float *gradient, float decay, int64_t count) {
    if (rule.adam)
        for (int64_t i = 0; i < count; i++) {
            float g = gradient[i] + decay * w[i];
            m[i] += rule.first * (g - m[i]);
            v[i] = v[i] * (1.0f - rule.second) + rule.second * g * g;
            w[i] -= rule.rate * m[i] / (sqrtf(v[i]) / rule.root + rule.epsilon);
        }
    else
        for (int64_t i = 0; i < count; i++) {
            float g = gradient[i] + decay * w[i];
            v[i] = v[i] * (1.0f - rule.second) + rule.second * g * g;
            w[i] -= rule.rate * g / (sqrtf(v[i]) + rule.epsilon);
        }
}

/* Gradient of `cols` columns at `vectors` vectors from place d, summed over the rows in registers, and applied. */
INLINE void learn(State *s, const Rule rule, int64_t width, int64_t count, int64_t c0, int64_t d, const int cols, const int vectors) {
    lanes sum[TILE][TILE];
    float gradient[TILE * LANES];
#pragma GCC unroll 4
    for (int c = 0; c < cols; c++)
#pragma GCC unroll 4
        for (int i = 0; i < vectors; i++) sum[c][i] = (lanes){0};
    for (int64_t r = 0; r < count; r++) {
        lanes row[TILE];
#pragma GCC unroll 4
        for (int i = 0; i < vectors; i++) row[i] = load(s->x + r * width + d + i * LANES);
#pragma GCC unroll 4
        for (int c = 0; c < cols; c++) {
            const float p = s->p[(c0 + c) * s->room + r];
#pragma GCC unroll 4
            for (int i = 0; i < vectors; i++) sum[c][i] += p * row[i];
        }
    }
#pragma GCC unroll 4
    for (int c = 0; c < cols; c++) {
        const int64_t at = (c0 + c) * width + d;
#pragma GCC unroll 4
        for (int i = 0; i < vectors; i++) *(lanes *)(gradient + i * LANES) = sum[c][i];
        update(rule, s->w + at, s->m + at, s->v + at, gradient, s->decay[c0 + c], vectors * LANES);
    }
}

INLINE void learn_columns(State *s, const Rule rule, int64_t width, int64_t count, int64_t c, const int cols) {
    int64_t d = 0;
    for (; d + TILE * LANES <= width; d += TILE * LANES) learn(s, rule, width, count, c, d, cols, TILE);
    for (; d < width; d += LANES) learn(s, rule, width, count, c, d, cols, 1);
}

static void backward(State *s, const Problem *q, int64_t count) {
    s->step++;
    Rule rule = {.adam = q->adam != 0, .epsilon = 1e-8f};
    if (rule.adam) {
        rule.first = (float)(1.0 - 0.9), rule.second = (float)(1.0 - 0.999);
        rule.rate = (float)(q->lr / (1.0 - pow(0.9, (double)s->step)));
        rule.root = (float)sqrt(1.0 - pow(0.999, (double)s->step));
    } else
        rule.second = (float)(1.0 - 0.99), rule.rate = (float)q->lr;
    for (int64_t c = 0; c < s->columns; c++) {
        float sum = 0;
        for (int64_t r = 0; r < count; r++) sum += s->p[c * s->room + r];
        s->bias_gradient[c] = sum;
    }
    int64_t c = 0;
    for (; c + 4 <= s->columns; c += 4) learn_columns(s, rule, q->width, count, c, 4);
    for (; c + 2 <= s->columns; c += 2) learn_columns(s, rule, q->width, count, c, 2);
    for (; c < s->columns; c++) learn_columns(s, rule, q->width, count, c, 1);
    for (c = 0; c < s->columns; c++) update(rule, s->b + c, s->mb + c, s->vb + c, s->bias_gradient + c, s->decay[c], 1);
}

/* Copy rows[places[i]] (or rows[i]) side by side; fill up to a whole tile with zeros. */
static void gather(State *s, const Problem *q, const int32_t *rows, const int32_t *places, int64_t count, int32_t *label) {
    const size_t bytes = (size_t)q->width * sizeof(float);
    for (int64_t i = 0; i < count; i++) {
        const int32_t row = rows[places ? places[i] : i];
        memcpy(s->x + i * q->width, q->x + row * q->width, bytes);
        label[i] = q->label[row];
    }
    for (int64_t i = count; i % TILE; i++) memset(s->x + i * q->width, 0, bytes);
}

static void train_pass(State *s, const Problem *q, const Fit *f, const int32_t *order) {
    int32_t label[q->batch];
    for (int64_t start = 0; start < f->train_rows; start += q->batch) {
        const int64_t count = f->train_rows - start < q->batch ? f->train_rows - start : q->batch;
        gather(s, q, f->train, order + start, count, label);
        forward(s, q->width, count);
        softmax_gradient(s, q->classes, label, count);
        backward(s, q, count);
    }
}

/* Dev accuracy of every running group; ties between classes go to the first. */
static void score(State *s, const Problem *q, const Fit *f, int64_t *right) {
    int32_t label[q->batch];
    memset(right, 0, (size_t)s->groups * sizeof *right);
    for (int64_t start = 0; start < f->dev_rows; start += q->batch) {
        const int64_t count = f->dev_rows - start < q->batch ? f->dev_rows - start : q->batch;
        gather(s, q, f->dev + start, NULL, count, label);
        forward(s, q->width, count);
        for (int64_t g = 0; g < s->groups; g++)
            for (int64_t r = 0; r < count; r++) {
                const float *z = s->p + g * q->classes * s->room + r;
                int64_t guess = 0;
                for (int64_t c = 1; c < q->classes; c++)
                    if (z[c * s->room] > z[guess * s->room]) guess = c;
                right[g] += guess == label[r];
            }
    }
}

/* Move the columns of group `from` to the place of group `to`. */
static void move(State *s, const Problem *q, int64_t from, int64_t to) {
    const int64_t block = q->classes * q->width;
    float *wide[] = {s->w, s->m, s->v}, *narrow[] = {s->b, s->mb, s->vb, s->decay};
    if (from == to) return;
    for (int i = 0; i < 3; i++) memcpy(wide[i] + to * block, wide[i] + from * block, (size_t)block * sizeof(float));
    for (int i = 0; i < 4; i++)
        memcpy(narrow[i] + to * q->classes, narrow[i] + from * q->classes, (size_t)q->classes * sizeof(float));
    s->owner[to] = s->owner[from];
}

/* The toolkit's stop rule: failures to improve are counted over the whole fit, never reset. Stopped groups leave. */
static void keep_best(State *s, const Problem *q, const Fit *f, const int64_t *right, int64_t *failures) {
    const int64_t block = q->classes * q->width;
    int64_t kept = 0;
    for (int64_t g = 0; g < s->groups; g++) {
        const int64_t k = s->owner[g];
        const double accuracy = (double)right[g] / (double)f->dev_rows;
        int stopped = 0;
        if (accuracy > f->best[k]) {
            f->best[k] = accuracy;
            memcpy(f->best_w + k * block, s->w + g * block, (size_t)block * sizeof(float));
            memcpy(f->best_b + k * q->classes, s->b + g * q->classes, (size_t)q->classes * sizeof(float));
        } else
            stopped = failures[k]++ >= q->tenacity;
        if (!stopped) move(s, q, g, kept++);
    }
    s->groups = kept;
    s->columns = kept * q->classes;
}

static int allocate(State *s, const Problem *q, const Fit *f) {
    const int64_t columns = f->penalties * q->classes, wide = columns * q->width;
    s->room = (q->batch + TILE - 1) / TILE * TILE;
    const int64_t floats = 3 * wide + 5 * columns + s->room * (q->width + columns);
    float *memory = calloc((size_t)floats, sizeof(float));
    s->owner = calloc((size_t)f->penalties, sizeof(int64_t));
    s->w = memory;
    if (!memory || !s->owner) return 0;
    s->m = s->w + wide, s->v = s->m + wide, s->x = s->v + wide, s->p = s->x + s->room * q->width;
    s->b = s->p + s->room * columns, s->mb = s->b + columns, s->vb = s->mb + columns;
    s->decay = s->vb + columns, s->bias_gradient = s->decay + columns;
    s->groups = f->penalties, s->columns = columns;
    for (int64_t k = 0; k < f->penalties; k++) {
        s->owner[k] = k;
        memcpy(s->w + k * q->classes * q->width, q->start_w, (size_t)(q->classes * q->width) * sizeof(float));
        memcpy(s->b + k * q->classes, q->start_b, (size_t)q->classes * sizeof(float));
        for (int64_t c = 0; c < q->classes; c++) s->decay[k * q->classes + c] = f->penalty[k];
    }
    return 1;
}

/* 0: done; 1: out of memory. */
int fit(const Problem *q, const Fit *f) {
    State s = {0};
    int64_t *right = calloc((size_t)f->penalties, sizeof *right), *failures = calloc((size_t)f->penalties, sizeof *failures);
    const int ready = allocate(&s, q, f) && right && failures;
    for (int64_t k = 0; k < f->penalties; k++) f->best[k] = -1;
    for (int64_t epoch = 0; ready && s.groups && epoch <= q->max_epoch; epoch += q->epoch_size) {
        for (int64_t pass = epoch; pass < epoch + q->epoch_size; pass++) train_pass(&s, q, f, q->orders + pass * f->train_rows);
        score(&s, q, f, right);
        keep_best(&s, q, f, right, failures);
    }
    free(s.w), free(s.owner), free(right), free(failures);
    return !ready;
}
