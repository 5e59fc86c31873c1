/* The blocks of a Llama, one token at a time: normalize, attend, add; normalize,
 * multiply by a gate, add. Everything but the matrix products is plain C, because for a
 * single token the products with the quantized matrices take nearly all of the time. */
#include "matvec.h"
#include <math.h>

typedef struct {
    int layers, width, heads, key_value_heads, head_width, hidden_width;
    int vocab_size, threads;
    float epsilon;
    const float *embedding;       /* a row per token */
    const uint32_t *weights;      /* of all layers, in the order of their use */
    const float *norms;           /* two gains per layer and feature, then the last */
    const float *cosines, *sines; /* of the rotary angles, per position and feature */
    const uint32_t *head;         /* the output layer */
} Model;

typedef struct {
    float *keys, *values;             /* [layer][head][position][feature] */
    int64_t layer_stride, head_stride; /* distances in memory, counted in floats */
} Cache;

/* Rows come in groups of 16; those after the last one are written and never read. */
static int padded(int rows) { return (rows + GROUP - 1) / GROUP * GROUP; }

/* 16 sums side by side, then added in pairs: a compiler may use the vector unit only
 * where the order of the additions is the one that the code asks for. */
static float dot(const float *a, const float *b, int n) {
    float sums[16] = {0};
    int i = 0;
    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 16; k++) sums[k] += a[i + k] * b[i + k];
    for (; i < n; i++) sums[i % 16] += a[i] * b[i];
    for (int half = 8; half > 0; half /= 2)
        for (int k = 0; k < half; k++) sums[k] += sums[k + half];
    return sums[0];
}

static void rms_norm(const float *x, const float *gain, int n, float epsilon,
                     float *y) {
    float factor = 1 / sqrtf(dot(x, x, n) / n + epsilon);
    for (int i = 0; i < n; i++) y[i] = x[i] * factor * gain[i];
}

/* Each feature's partner is half a head further; the sines of the first half are
 * negative. */
static void rotate(float *x, const float *cosines, const float *sines, int n) {
    for (int i = 0, j = n / 2; j < n; i++, j++) {
        float first = x[i], second = x[j];
        x[i] = first * cosines[i] + second * sines[i];
        x[j] = second * cosines[j] + first * sines[j];
    }
}

/* Some heads that share keys and values: softmax(query · keys / sqrt(n)) times the
 * values, over all positions so far. The outer loops go over the positions, so that each
 * key and value is read once for all heads. `weights` has room for heads * positions. */
static void attend(const float *queries, int heads, const float *keys,
                   const float *values, int positions, int n, float *weights,
                   float *mixed) {
    float scale = 1 / sqrtf(n);
    for (int p = 0; p < positions; p++)
        for (int head = 0; head < heads; head++)
            weights[head * positions + p] =
                dot(queries + head * n, keys + p * n, n) * scale;
    for (int head = 0; head < heads; head++) {
        float largest = -INFINITY, total = 0, *w = weights + head * positions;
        for (int p = 0; p < positions; p++)
            if (w[p] > largest) largest = w[p];
        for (int p = 0; p < positions; p++) total += w[p] = expf(w[p] - largest);
        for (int p = 0; p < positions; p++) w[p] /= total;
    }
    memset(mixed, 0, heads * n * sizeof *mixed);
    for (int p = 0; p < positions; p++)
        for (int head = 0; head < heads; head++) {
            const float weight = weights[head * positions + p], *value = values + p * n;
            for (int i = 0; i < n; i++) mixed[head * n + i] += weight * value[i];
        }
}

/* Read one token: x holds its embedding and, afterwards, the last block's output.
 * `weights` is the working memory of `attend`. */
static void read_token(const Model *m, const Cache *cache, int position,
                       float *weights, float *x) {
    int width = m->width, n = m->head_width, shared = m->key_value_heads;
    int projected = padded((m->heads + 2 * shared) * n);
    float normed[width], mixed[width], query[projected], gate[2 * m->hidden_width];
    float *key = query + m->heads * n, *value = key + shared * n;
    float *wide = gate + m->hidden_width;
    const float *gain = m->norms, *cosines = m->cosines + (int64_t)position * n,
                *sines = m->sines + (int64_t)position * n;
    const uint32_t *w = m->weights;

    for (int layer = 0; layer < m->layers; layer++) {
        rms_norm(x, gain, width, m->epsilon, normed), gain += width;
        memset(query, 0, sizeof query);
        w = matvec4(w, projected, width, normed, query, m->threads);
        for (int head = 0; head < m->heads + shared; head++) /* the keys lie behind */
            rotate(query + head * n, cosines, sines, n);
        for (int head = 0; head < shared; head++) {
            int64_t start = layer * cache->layer_stride + head * cache->head_stride;
            float *keys = cache->keys + start, *values = cache->values + start;
            memcpy(keys + (int64_t)position * n, key + head * n, n * sizeof *key);
            memcpy(values + (int64_t)position * n, value + head * n, n * sizeof *value);
            int group = m->heads / shared, first = head * group * n;
            attend(query + first, group, keys, values, position + 1, n, weights,
                   mixed + first);
        }
        w = matvec4(w, width, width, mixed, x, m->threads);

        rms_norm(x, gain, width, m->epsilon, normed), gain += width;
        memset(gate, 0, sizeof gate);
        w = matvec4(w, 2 * m->hidden_width, width, normed, gate, m->threads);
        for (int i = 0; i < m->hidden_width; i++)
            gate[i] = gate[i] / (1 + expf(-gate[i])) * wide[i]; /* SiLU */
        w = matvec4(w, width, m->hidden_width, gate, x, m->threads);
    }
}

/* Read tokens that continue the text in a cache; x has a row for each. The caller has
 * checked that the cache has room for them, and `weights` for a row of attention weights
 * per query head of a key. */
void read_tokens(const Model *m, const Cache *cache, int position, int count,
                 float *weights, float *x) {
    for (int i = 0; i < count; i++)
        read_token(m, cache, position + i, weights, x + (int64_t)i * m->width);
}

/* The last norm and the output layer, in 8 bits, because its rounding errors go
 * straight into a probability. The logits start as zeros, padded(vocab_size) per row. */
void output_layer(const Model *m, int count, const float *x, float *logits) {
    int rows = padded(m->vocab_size);
    float normed[m->width];
    for (int i = 0; i < count; i++, x += m->width, logits += rows) {
        const float *gain = m->norms + 2 * m->layers * m->width;
        rms_norm(x, gain, m->width, m->epsilon, normed);
        matvec8(m->head, rows, m->width, normed, logits, m->threads);
    }
}

/* Greedy decoding from an empty cache: ids holds the prompt, and gets `count` tokens
 * more. Nothing but this loop runs between two tokens. */
void generate(const Model *m, const Cache *cache, int prompt, int count,
              float *weights, float *logits, int *ids) {
    int rows = padded(m->vocab_size);
    float x[m->width];
    for (int position = 0; position + 1 < prompt + count; position++) {
        int64_t token = ids[position];
        memcpy(x, m->embedding + token * m->width, sizeof x);
        read_token(m, cache, position, weights, x);
        if (position + 1 < prompt) continue;
        memset(logits, 0, rows * sizeof *logits);
        output_layer(m, 1, x, logits);
        int best = 0;
        for (int i = 1; i < m->vocab_size; i++)
            if (logits[i] > logits[best]) best = i;
        ids[position + 1] = best;
    }
}
