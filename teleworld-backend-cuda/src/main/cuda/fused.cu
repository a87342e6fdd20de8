// Fused kernels of the transformer block, the sampler, the 4D memory and the way to pixels. Storage in fp32, bf16 or
// fp16, arithmetic in fp32; 16-byte accesses where the width allows ("any": the same for other widths).
#include "common.cuh"

// ---------------------------------------------------------------------------------------------- modulated layer norm

// One block per row, one pack of 16 bytes per thread. d: extents of the rows; p, q: strides of shift and scale over
// them, along whose last axis elements are dense. With QUANTISED, y is e4m3 and rowScale gets amax/448 per row.
template <bool QUANTISED, class T>
TW_DEVICE void tw_modnorm(const T* x, const T* shift, const T* scale, void* y, float* rowScale, int width, float epsilon,
                          const Six& d, const Six& p, const Six& q) {
    constexpr int V = Pack<T>::SIZE;
    int at = (int)threadIdx.x * V;
    bool inside = at < width;
    int oShift = 0, oScale = 0;
    tw_offsets((int)blockIdx.x, d, p, q, oShift, oScale);
    tw_i64 row = (tw_i64)blockIdx.x * width;
    Pack<T> a = {}, b = {}, c = {};
    if (inside) {
        a = *(const Pack<T>*)(x + row + at);
        b = *(const Pack<T>*)(shift + oShift + at);
        c = *(const Pack<T>*)(scale + oScale + at);
    }
    float v[V];
    float sum = 0.0f;
#pragma unroll
    for (int k = 0; k < V; k++) {
        v[k] = tw_load(a.v[k]);
        sum += v[k];
    }
    float mean = tw_block_reduce<SumOf>(sum) / (float)width;
    float square = 0.0f;
#pragma unroll
    for (int k = 0; k < V; k++) {
        v[k] = inside ? v[k] - mean : 0.0f;
        square += v[k] * v[k];
    }
    float r = rsqrtf(tw_block_reduce<SumOf>(square) / (float)width + epsilon);
    float top = 0.0f;
#pragma unroll
    for (int k = 0; k < V; k++) {
        v[k] = v[k] * r * (1.0f + tw_load(c.v[k])) + tw_load(b.v[k]);
        top = fmaxf(top, inside ? fabsf(v[k]) : 0.0f);
    }
    if (QUANTISED) {
        top = tw_block_reduce<MaxOf>(top);
        float s = top > 0.0f ? top / 448.0f : 1.0f;
        float inverse = 1.0f / s;
        if (inside) {
            tw_u32 words[V / 4];
#pragma unroll
            for (int k = 0; k < V; k += 4) {
                words[k / 4] = (tw_u32)tw_pack_e4m3(v[k] * inverse, v[k + 1] * inverse) |
                               ((tw_u32)tw_pack_e4m3(v[k + 2] * inverse, v[k + 3] * inverse) << 16);
            }
            tw_u32* to = (tw_u32*)((tw_u8*)y + row + at);
            if (V == 8) {
                *(unsigned long long*)to = words[0] | ((unsigned long long)words[V / 4 - 1] << 32);
            } else {
                to[0] = words[0];
            }
        }
        if (threadIdx.x == 0) {
            rowScale[blockIdx.x] = s;
        }
    } else if (inside) {
#pragma unroll
        for (int k = 0; k < V; k++) {
            tw_store(a.v[k], v[k]);
        }
        *(Pack<T>*)((T*)y + row + at) = a;
    }
}

// As above for any width and for shift or scale that repeat one number along the row (last stride 0).
template <class T>
TW_DEVICE void tw_modnorm_any(const T* x, const T* shift, const T* scale, T* y, int width, float epsilon, const Six& d,
                              const Six& p, const Six& q, int lastShift, int lastScale) {
    int oShift = 0, oScale = 0;
    tw_offsets((int)blockIdx.x, d, p, q, oShift, oScale);
    const T* row = x + (tw_i64)blockIdx.x * width;
    float mean = 0.0f;
    for (int i = (int)threadIdx.x; i < width; i += (int)blockDim.x) {
        mean += tw_load(row[i]);
    }
    mean = tw_block_reduce<SumOf>(mean) / (float)width;
    float square = 0.0f;
    for (int i = (int)threadIdx.x; i < width; i += (int)blockDim.x) {
        float v = tw_load(row[i]) - mean;
        square += v * v;
    }
    float r = rsqrtf(tw_block_reduce<SumOf>(square) / (float)width + epsilon);
    for (int i = (int)threadIdx.x; i < width; i += (int)blockDim.x) {
        float v = (tw_load(row[i]) - mean) * r * (1.0f + tw_load(scale[oScale + i * lastScale]));
        tw_store(y[(tw_i64)blockIdx.x * width + i], v + tw_load(shift[oShift + i * lastShift]));
    }
}

// ---------------------------------------------------------------------------------------------- queries and keys

// RMS norm over the row, then rotary embedding, then, with slots, the row's place in the cache. One block per row, one
// pack per thread, no pack across heads. xStride: elements between rows of x, so that x may be a part of q|k|v.
template <class T, class C>
TW_DEVICE void tw_normed_rotary(const T* x, const T* scale, const C* cosine, const C* sine, T* y, const int* slots,
                                int width, int xStride, int length, int angleBatch, int half, int frameTokens,
                                float epsilon) {
    constexpr int V = Pack<T>::SIZE;
    int at = (int)threadIdx.x * V;
    bool inside = at < width;
    int row = (int)blockIdx.x;
    Pack<T> a = {}, b = {};
    float c[V / 2], s[V / 2];
    if (inside) {
        a = *(const Pack<T>*)(x + (tw_i64)row * xStride + at);
        b = *(const Pack<T>*)(scale + at);
        tw_i64 angle = (tw_i64)(row / length * angleBatch + row % length) * half + at % (2 * half) / 2;
#pragma unroll
        for (int k = 0; k < V / 2; k++) {
            c[k] = tw_load(cosine[angle + k]);
            s[k] = tw_load(sine[angle + k]);
        }
    }
    float square = 0.0f;
#pragma unroll
    for (int k = 0; k < V; k++) {
        float v = tw_load(a.v[k]);
        square += v * v;
    }
    float r = rsqrtf(tw_block_reduce<SumOf>(square) / (float)width + epsilon);
    if (inside) {
#pragma unroll
        for (int k = 0; k < V / 2; k++) {
            float re = tw_load(a.v[2 * k]) * r * tw_load(b.v[2 * k]);
            float im = tw_load(a.v[2 * k + 1]) * r * tw_load(b.v[2 * k + 1]);
            tw_store(a.v[2 * k], re * c[k] - im * s[k]);
            tw_store(a.v[2 * k + 1], re * s[k] + im * c[k]);
        }
        tw_i64 to = row;
        if (slots) {
            to = (tw_i64)slots[row / frameTokens] * frameTokens + row % frameTokens;
        }
        *(Pack<T>*)(y + to * width + at) = a;
    }
}

template <class T, class C>
TW_DEVICE void tw_normed_rotary_any(const T* x, const T* scale, const C* cosine, const C* sine, T* y, int width,
                                    int length, int angleBatch, int half, float epsilon) {
    int row = (int)blockIdx.x;
    const T* from = x + (tw_i64)row * width;
    float square = 0.0f;
    for (int i = (int)threadIdx.x; i < width; i += (int)blockDim.x) {
        float v = tw_load(from[i]);
        square += v * v;
    }
    float r = rsqrtf(tw_block_reduce<SumOf>(square) / (float)width + epsilon);
    for (int i = (int)threadIdx.x; i < width / 2; i += (int)blockDim.x) {
        tw_i64 angle = (tw_i64)(row / length * angleBatch + row % length) * half + i % half;
        float c = tw_load(cosine[angle]);
        float s = tw_load(sine[angle]);
        float re = tw_load(from[2 * i]) * r * tw_load(scale[2 * i]);
        float im = tw_load(from[2 * i + 1]) * r * tw_load(scale[2 * i + 1]);
        tw_store(y[(tw_i64)row * width + 2 * i], re * c - im * s);
        tw_store(y[(tw_i64)row * width + 2 * i + 1], re * s + im * c);
    }
}

// Rows of x (strideWords apart) to their places in the cache, words of 16 bytes; for values next to normed keys.
TW_KERNEL(tw_cache_rows, 256, const uint4* x, const int* slots, uint4* cache, int n, int rowWords, int strideWords,
          int frameTokens, int capacity) {
    int i = tw_thread();
    if (i < n) {
        int row = i / rowWords;
        int slot = slots[row / frameTokens];
        if (slot >= 0 && slot < capacity) {
            tw_i64 to = (tw_i64)slot * frameTokens + row % frameTokens;
            cache[to * rowWords + i % rowWords] = x[(tw_i64)row * strideWords + i % rowWords];
        }
    }
}

// ---------------------------------------------------------------------------------------------- gated residual

// One pack per thread; d: extents of the rows, p: the gate's strides over them.
template <class T>
TW_DEVICE void tw_gated(const T* x, const T* update, const T* gate, T* y, int packs, int width, const Six& d,
                        const Six& p) {
    constexpr int V = Pack<T>::SIZE;
    int i = tw_thread();
    if (i < packs) {
        int perRow = width / V;
        int row = i / perRow;
        int o = 0;
        tw_offsets(row, d, p, o);
        Pack<T> a = ((const Pack<T>*)x)[i];
        Pack<T> b = ((const Pack<T>*)update)[i];
        Pack<T> g = *(const Pack<T>*)(gate + o + (i - row * perRow) * V);
#pragma unroll
        for (int k = 0; k < V; k++) {
            tw_store(a.v[k], tw_load(a.v[k]) + tw_load(b.v[k]) * tw_load(g.v[k]));
        }
        ((Pack<T>*)y)[i] = a;
    }
}
template <class T>
TW_DEVICE void tw_gated_any(const T* x, const T* update, const T* gate, T* y, int n, const Six& d, const Six& p) {
    int i = tw_thread();
    if (i < n) {
        int o = 0;
        tw_offsets(i, d, p, o);
        tw_store(y[i], tw_load(x[i]) + tw_load(update[i]) * tw_load(gate[o]));
    }
}

// ---------------------------------------------------------------------------------------------- patches

// Latent [C,F,H,W] in fp32 to tokens [F·H/p·W/p, C·p·p], features in the order channel, row, column.
template <class T>
TW_DEVICE void tw_patchify(const float* x, T* y, int n, int c, int f, int h, int w, int p) {
    int i = tw_thread();
    if (i < n) {
        int pc = i % p;
        int pr = i / p % p;
        int ch = i / (p * p) % c;
        int token = i / (p * p * c);
        int tw = token % (w / p);
        int th = token / (w / p) % (h / p);
        int tf = token / (w / p) / (h / p);
        tw_store(y[i], x[((ch * f + tf) * h + th * p + pr) * w + tw * p + pc]);
    }
}
// Tokens with features in the order row, column, channel back to a latent [C,F,H,W] in fp32.
template <class T>
TW_DEVICE void tw_unpatchify(const T* x, float* y, int n, int c, int f, int h, int w, int p) {
    int i = tw_thread();
    if (i < n) {
        int col = i % w;
        int row = i / w % h;
        int tf = i / w / h % f;
        int ch = i / w / h / f;
        int token = (tf * (h / p) + row / p) * (w / p) + col / p;
        y[i] = tw_load(x[((tw_i64)token * p * p + row % p * p + col % p) * c + ch]);
    }
}

// ---------------------------------------------------------------------------------------------- flow

// One step of a flow whose velocity is noise − data. Without noise: Euler from sigma to next. With noise: to the clean
// estimate x − sigma·v, then back to next. Four elements per thread.
template <class T>
TW_DEVICE void tw_flow(const float* x, const T* velocity, const float* noise, float* y, int n, float sigma, float next) {
    int i = tw_thread() * 4;
#pragma unroll
    for (int k = 0; k < 4; k++) {
        if (i + k < n) {
            float v = tw_load(velocity[i + k]);
            float r;
            if (noise) {
                r = (1.0f - next) * (x[i + k] - sigma * v) + next * noise[i + k];
            } else {
                r = x[i + k] + (next - sigma) * v;
            }
            y[i + k] = r;
        }
    }
}

// ---------------------------------------------------------------------------------------------- pixels

TW_DEVICE tw_u32 tw_byte(float v) {
    v = floorf(fminf(fmaxf(v, -1.0f), 1.0f) * 127.5f + 128.0f);
    return (tw_u32)fminf(v, 255.0f);
}

// Numbers in [−1,1] to 8-bit RGB [frames,H,W,3]; strides of x for frame, channel and pixel. Four pixels per thread.
template <class T>
TW_DEVICE void tw_rgb(const T* x, tw_u8* y, int pixels, int perFrame, int frameStride, int channelStride,
                      int pixelStride) {
    int first = tw_thread() * 4;
    tw_u32 b[12];
#pragma unroll
    for (int k = 0; k < 4; k++) {
        int i = first + k < pixels ? first + k : pixels - 1;
        const T* from = x + (tw_i64)(i / perFrame) * frameStride + (tw_i64)(i % perFrame) * pixelStride;
#pragma unroll
        for (int c = 0; c < 3; c++) {
            b[3 * k + c] = tw_byte(tw_load(from[c * channelStride]));
        }
    }
    if (first + 4 <= pixels) {
        tw_u32* to = (tw_u32*)(y + 3 * (tw_i64)first);
#pragma unroll
        for (int k = 0; k < 3; k++) {
            to[k] = b[4 * k] | (b[4 * k + 1] << 8) | (b[4 * k + 2] << 16) | (b[4 * k + 3] << 24);
        }
    } else {
#pragma unroll
        for (int k = 0; k < 12; k++) {
            if (first + k / 3 < pixels) {
                y[3 * (tw_i64)first + k] = (tw_u8)b[k];
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------- points of the memory

// Depth and colour of the nearest point per pixel in one 64-bit word: depth's bits above 8-bit RGB.
TW_KERNEL(tw_splat_clear, 256, unsigned long long* pixels, int n) {
    int i = tw_thread();
    if (i < n) {
        pixels[i] = 0xffffffffffffffffull;
    }
}
// World points [n,3] and colours (R | G<<8 | B<<16), seen by a camera with world-to-camera rotation r and translation t,
// as squares of (2·radius+1)² pixels. Pixel (column, row) covers [column, column+1) × [row, row+1).
TW_KERNEL(tw_splat, 256, const float* points, const tw_u32* colours, unsigned long long* pixels, int n, int height,
          int width, int radius, float nearest, float fx, float fy, float cx, float cy, float r00, float r01, float r02,
          float r10, float r11, float r12, float r20, float r21, float r22, float t0, float t1, float t2) {
    int i = tw_thread();
    if (i < n) {
        float wx = points[3 * (tw_i64)i];
        float wy = points[3 * (tw_i64)i + 1];
        float wz = points[3 * (tw_i64)i + 2];
        float z = r20 * wx + r21 * wy + r22 * wz + t2;
        if (z >= nearest) {
            float u = fx * (r00 * wx + r01 * wy + r02 * wz + t0) / z + cx;
            float v = fy * (r10 * wx + r11 * wy + r12 * wz + t1) / z + cy;
            if (u > -65536.0f && u < 65536.0f && v > -65536.0f && v < 65536.0f) {
                int column = (int)floorf(u);
                int row = (int)floorf(v);
                unsigned long long word =
                    ((unsigned long long)tw_float_to_bits(z) << 32) | (colours[i] & 0xffffffu);
                for (int y = row - radius; y <= row + radius; y++) {
                    for (int x = column - radius; x <= column + radius; x++) {
                        if (y >= 0 && y < height && x >= 0 && x < width) {
                            atomicMin(pixels + (tw_i64)y * width + x, word);
                        }
                    }
                }
            }
        }
    }
}
// To planes [3,H,W] in [−1,1] (0 where nothing is seen), depth [H,W] (0 there) and a mask [H,W] of bytes.
template <class T>
TW_DEVICE void tw_splat_resolve(const unsigned long long* pixels, T* rgb, float* depth, tw_u8* seen, int n) {
    int i = tw_thread();
    if (i < n) {
        unsigned long long word = pixels[i];
        bool any = word != 0xffffffffffffffffull;
        tw_u32 colour = (tw_u32)word;
#pragma unroll
        for (int c = 0; c < 3; c++) {
            float v = (float)((colour >> (8 * c)) & 255u) / 127.5f - 1.0f;
            tw_store(rgb[(tw_i64)c * n + i], any ? v : 0.0f);
        }
        depth[i] = any ? tw_bits_to_float((tw_u32)(word >> 32)) : 0.0f;
        seen[i] = any ? 1 : 0;
    }
}

#define TW_NORMED_ROTARY(T, t, C, c)                                                                                   \
    TW_KERNEL(tw_normedrotary_##t##_##c, 1024, const T* x, const T* scale, const C* cosine, const C* sine, T* y,       \
              const int* slots, int width, int xStride, int length, int angleBatch, int half, int frameTokens,         \
              float epsilon) {                                                                                         \
        tw_normed_rotary(x, scale, cosine, sine, y, slots, width, xStride, length, angleBatch, half, frameTokens,      \
                         epsilon);                                                                                     \
    }                                                                                                                  \
    TW_KERNEL(tw_normedrotary_any_##t##_##c, 256, const T* x, const T* scale, const C* cosine, const C* sine, T* y,    \
              int width, int length, int angleBatch, int half, float epsilon) {                                        \
        tw_normed_rotary_any(x, scale, cosine, sine, y, width, length, angleBatch, half, epsilon);                     \
    }
TW_NORMED_ROTARY(float, f32, float, f32)
TW_NORMED_ROTARY(bf16, bf16, float, f32)
TW_NORMED_ROTARY(bf16, bf16, bf16, bf16)
TW_NORMED_ROTARY(f16, f16, float, f32)
TW_NORMED_ROTARY(f16, f16, f16, f16)

#define TW_FUSED(T, s)                                                                                                 \
    TW_KERNEL(tw_modnorm_##s, 1024, const T* x, const T* shift, const T* scale, T* y, int width, float epsilon,        \
              TW_SIX(d), TW_SIX(p), TW_SIX(q)) {                                                                       \
        tw_modnorm<false>(x, shift, scale, y, (float*)0, width, epsilon, TW_SIX_OF(d), TW_SIX_OF(p), TW_SIX_OF(q));    \
    }                                                                                                                  \
    TW_KERNEL(tw_modnorm_fp8_##s, 1024, const T* x, const T* shift, const T* scale, tw_u8* y, float* rowScale,         \
              int width, float epsilon, TW_SIX(d), TW_SIX(p), TW_SIX(q)) {                                             \
        tw_modnorm<true>(x, shift, scale, y, rowScale, width, epsilon, TW_SIX_OF(d), TW_SIX_OF(p), TW_SIX_OF(q));      \
    }                                                                                                                  \
    TW_KERNEL(tw_modnorm_any_##s, 256, const T* x, const T* shift, const T* scale, T* y, int width, float epsilon,     \
              TW_SIX(d), TW_SIX(p), TW_SIX(q), int lastShift, int lastScale) {                                         \
        tw_modnorm_any(x, shift, scale, y, width, epsilon, TW_SIX_OF(d), TW_SIX_OF(p), TW_SIX_OF(q), lastShift,        \
                       lastScale);                                                                                     \
    }                                                                                                                  \
    TW_KERNEL(tw_gated_##s, 256, const T* x, const T* update, const T* gate, T* y, int packs, int width, TW_SIX(d),    \
              TW_SIX(p)) {                                                                                             \
        tw_gated(x, update, gate, y, packs, width, TW_SIX_OF(d), TW_SIX_OF(p));                                        \
    }                                                                                                                  \
    TW_KERNEL(tw_gated_any_##s, 256, const T* x, const T* update, const T* gate, T* y, int n, TW_SIX(d), TW_SIX(p)) {  \
        tw_gated_any(x, update, gate, y, n, TW_SIX_OF(d), TW_SIX_OF(p));                                               \
    }                                                                                                                  \
    TW_KERNEL(tw_patchify_##s, 256, const float* x, T* y, int n, int c, int f, int h, int w, int p) {                  \
        tw_patchify(x, y, n, c, f, h, w, p);                                                                           \
    }                                                                                                                  \
    TW_KERNEL(tw_unpatchify_##s, 256, const T* x, float* y, int n, int c, int f, int h, int w, int p) {                \
        tw_unpatchify(x, y, n, c, f, h, w, p);                                                                         \
    }                                                                                                                  \
    TW_KERNEL(tw_flow_##s, 256, const float* x, const T* velocity, const float* noise, float* y, int n, float sigma,   \
              float next) {                                                                                            \
        tw_flow(x, velocity, noise, y, n, sigma, next);                                                                \
    }                                                                                                                  \
    TW_KERNEL(tw_rgb_##s, 256, const T* x, tw_u8* y, int pixels, int perFrame, int frameStride, int channelStride,     \
              int pixelStride) {                                                                                       \
        tw_rgb(x, y, pixels, perFrame, frameStride, channelStride, pixelStride);                                       \
    }                                                                                                                  \
    TW_KERNEL(tw_splat_resolve_##s, 256, const unsigned long long* pixels, T* rgb, float* depth, tw_u8* seen, int n) { \
        tw_splat_resolve(pixels, rgb, depth, seen, n);                                                                 \
    }
TW_FUSED(float, f32)
TW_FUSED(bf16, bf16)
TW_FUSED(f16, f16)
