// One kernel per plain operator. Storage in fp32, bf16 or fp16, arithmetic in fp32; integers where operators take them.
#include "common.cuh"

// ---------------------------------------------------------------------------------------------- one operand

#define TW_UNARY(op, ...)                                              \
    struct op {                                                        \
        float p, q;                                                    \
        TW_DEVICE float operator()(float x) const { return __VA_ARGS__; } \
    };

TW_UNARY(UAbs, fabsf(x))
TW_UNARY(UNeg, -x)
TW_UNARY(UExp, expf(x))
TW_UNARY(ULog, logf(x))
TW_UNARY(USqrt, sqrtf(x))
TW_UNARY(UReciprocal, 1.0f / x)
TW_UNARY(USin, sinf(x))
TW_UNARY(UCos, cosf(x))
TW_UNARY(UTanh, tanhf(x))
TW_UNARY(USigmoid, 1.0f / (1.0f + expf(-x)))
TW_UNARY(URelu, x > 0.0f ? x : (x != x ? x : 0.0f))
TW_UNARY(USoftplus, fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x))))
TW_UNARY(UErf, erff(x))
TW_UNARY(UFloor, floorf(x))
TW_UNARY(UGelu, 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)))
TW_UNARY(UGeluTanh, 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x))))
TW_UNARY(UClip, x < p ? p : (x > q ? q : x))
TW_UNARY(USilu, x / (1.0f + expf(-x)))

template <class T, class F>
TW_DEVICE void tw_unary(const T* x, T* y, int n, F f) {
    constexpr int V = Pack<T>::SIZE;
    int i = tw_thread() * V;
    if (i + V <= n) {
        Pack<T> a = *(const Pack<T>*)(x + i);
#pragma unroll
        for (int k = 0; k < V; k++) {
            tw_store(a.v[k], f(tw_load(a.v[k])));
        }
        *(Pack<T>*)(y + i) = a;
    } else {
        for (; i < n; i++) {
            tw_store(y[i], f(tw_load(x[i])));
        }
    }
}

#define TW_UNARY_OF(name, op, T, suffix) \
    TW_KERNEL(tw_##name##_##suffix, 256, const T* x, T* y, int n, float p, float q) { tw_unary<T>(x, y, n, op{p, q}); }
#define TW_UNARY_ALL(name, op)       \
    TW_UNARY_OF(name, op, float, f32) \
    TW_UNARY_OF(name, op, bf16, bf16) \
    TW_UNARY_OF(name, op, f16, f16)

TW_UNARY_ALL(abs, UAbs)
TW_UNARY_ALL(neg, UNeg)
TW_UNARY_ALL(exp, UExp)
TW_UNARY_ALL(log, ULog)
TW_UNARY_ALL(sqrt, USqrt)
TW_UNARY_ALL(reciprocal, UReciprocal)
TW_UNARY_ALL(sin, USin)
TW_UNARY_ALL(cos, UCos)
TW_UNARY_ALL(tanh, UTanh)
TW_UNARY_ALL(sigmoid, USigmoid)
TW_UNARY_ALL(relu, URelu)
TW_UNARY_ALL(softplus, USoftplus)
TW_UNARY_ALL(erf, UErf)
TW_UNARY_ALL(floor, UFloor)
TW_UNARY_ALL(gelu, UGelu)
TW_UNARY_ALL(gelutanh, UGeluTanh)
TW_UNARY_ALL(clip, UClip)
TW_UNARY_ALL(silu, USilu)

// ---------------------------------------------------------------------------------------------- casts

TW_DEVICE float tw_number(float v) { return v; }
TW_DEVICE float tw_number(bf16 v) { return tw_load(v); }
TW_DEVICE float tw_number(f16 v) { return tw_load(v); }
TW_DEVICE tw_i64 tw_number(tw_i64 v) { return v; }
TW_DEVICE int tw_number(int v) { return v; }
TW_DEVICE int tw_number(tw_u8 v) { return v; }
template <class N>
TW_DEVICE void tw_assign(float& to, N v) { to = (float)v; }
template <class N>
TW_DEVICE void tw_assign(bf16& to, N v) { tw_store(to, (float)v); }
template <class N>
TW_DEVICE void tw_assign(f16& to, N v) { tw_store(to, (float)v); }
template <class N>
TW_DEVICE void tw_assign(tw_i64& to, N v) { to = (tw_i64)v; }
template <class N>
TW_DEVICE void tw_assign(int& to, N v) { to = (int)(tw_i64)v; }
// The one-byte type of a cast is BOOL.
template <class N>
TW_DEVICE void tw_assign(tw_u8& to, N v) { to = v != (N)0 ? 1 : 0; }

#define TW_CAST(A, a, B, b)                                             \
    TW_KERNEL(tw_cast_##a##_##b, 256, const A* x, B* y, int n) {        \
        int i = tw_thread() * 4;                                        \
        _Pragma("unroll") for (int k = 0; k < 4; k++) {                 \
            if (i + k < n) tw_assign(y[i + k], tw_number(x[i + k]));    \
        }                                                               \
    }
#define TW_CASTS(A, a)        \
    TW_CAST(A, a, float, f32) \
    TW_CAST(A, a, bf16, bf16) \
    TW_CAST(A, a, f16, f16)   \
    TW_CAST(A, a, tw_i64, i64) \
    TW_CAST(A, a, int, i32)   \
    TW_CAST(A, a, tw_u8, u8)
TW_CASTS(float, f32)
TW_CASTS(bf16, bf16)
TW_CASTS(f16, f16)
TW_CASTS(tw_i64, i64)
TW_CASTS(int, i32)
TW_CASTS(tw_u8, u8)

// ---------------------------------------------------------------------------------------------- two operands

struct BAdd {
    template <class N> static TW_DEVICE N of(N a, N b) { return a + b; }
};
struct BSub {
    template <class N> static TW_DEVICE N of(N a, N b) { return a - b; }
};
struct BMul {
    template <class N> static TW_DEVICE N of(N a, N b) { return a * b; }
};
struct BDiv {
    template <class N> static TW_DEVICE N of(N a, N b) { return a / b; }
};
struct BPow {
    static TW_DEVICE float of(float a, float b) { return powf(a, b); }
};
struct BMax {
    template <class N> static TW_DEVICE N of(N a, N b) { return a > b || a != a ? a : b; }
};
struct BMin {
    template <class N> static TW_DEVICE N of(N a, N b) { return a < b || a != a ? a : b; }
};
struct BEqual {
    template <class N> static TW_DEVICE int of(N a, N b) { return a == b; }
};
struct BLess {
    template <class N> static TW_DEVICE int of(N a, N b) { return a < b; }
};
struct BGreater {
    template <class N> static TW_DEVICE int of(N a, N b) { return a > b; }
};
struct BAnd {
    template <class N> static TW_DEVICE int of(N a, N b) { return a != 0 && b != 0; }
};
struct BOr {
    template <class N> static TW_DEVICE int of(N a, N b) { return a != 0 || b != 0; }
};

template <class F, class T, class R>
TW_DEVICE void tw_binary(const T* a, const T* b, R* y, int n, const Six& dims, const Six& sa, const Six& sb) {
    int i = tw_thread();
    if (i < n) {
        int oa = 0;
        int ob = 0;
        tw_offsets(i, dims, sa, sb, oa, ob);
        tw_assign(y[i], F::of(tw_number(a[oa]), tw_number(b[ob])));
    }
}
// Operands and result laid out alike.
template <class F, class T>
TW_DEVICE void tw_binary_flat(const T* a, const T* b, T* y, int n) {
    constexpr int V = Pack<T>::SIZE;
    int i = tw_thread() * V;
    if (i + V <= n) {
        Pack<T> p = *(const Pack<T>*)(a + i);
        Pack<T> q = *(const Pack<T>*)(b + i);
#pragma unroll
        for (int k = 0; k < V; k++) {
            tw_assign(p.v[k], F::of(tw_number(p.v[k]), tw_number(q.v[k])));
        }
        *(Pack<T>*)(y + i) = p;
    } else {
        for (; i < n; i++) {
            tw_assign(y[i], F::of(tw_number(a[i]), tw_number(b[i])));
        }
    }
}

#define TW_BINARY(name, F, T, s, R)                                                                                    \
    TW_KERNEL(tw_##name##_##s, 256, const T* a, const T* b, R* y, int n, TW_SIX(d), TW_SIX(p), TW_SIX(q)) {            \
        tw_binary<F>(a, b, y, n, TW_SIX_OF(d), TW_SIX_OF(p), TW_SIX_OF(q));                                            \
    }
#define TW_BINARY_FLAT(name, F, T, s) \
    TW_KERNEL(tw_##name##_flat_##s, 256, const T* a, const T* b, T* y, int n) { tw_binary_flat<F>(a, b, y, n); }
#define TW_ARITHMETIC_FLOAT(name, F)    \
    TW_BINARY(name, F, float, f32, float) \
    TW_BINARY(name, F, bf16, bf16, bf16)  \
    TW_BINARY(name, F, f16, f16, f16)     \
    TW_BINARY_FLAT(name, F, float, f32)   \
    TW_BINARY_FLAT(name, F, bf16, bf16)   \
    TW_BINARY_FLAT(name, F, f16, f16)
#define TW_ARITHMETIC(name, F)              \
    TW_ARITHMETIC_FLOAT(name, F)            \
    TW_BINARY(name, F, tw_i64, i64, tw_i64) \
    TW_BINARY(name, F, int, i32, int)       \
    TW_BINARY_FLAT(name, F, tw_i64, i64)    \
    TW_BINARY_FLAT(name, F, int, i32)
TW_ARITHMETIC(add, BAdd)
TW_ARITHMETIC(sub, BSub)
TW_ARITHMETIC(mul, BMul)
TW_ARITHMETIC(div, BDiv)
TW_ARITHMETIC(max, BMax)
TW_ARITHMETIC(min, BMin)
TW_ARITHMETIC_FLOAT(pow, BPow)

#define TW_COMPARISON(name, F)             \
    TW_BINARY(name, F, float, f32, tw_u8)  \
    TW_BINARY(name, F, bf16, bf16, tw_u8)  \
    TW_BINARY(name, F, f16, f16, tw_u8)    \
    TW_BINARY(name, F, tw_i64, i64, tw_u8) \
    TW_BINARY(name, F, int, i32, tw_u8)    \
    TW_BINARY(name, F, tw_u8, u8, tw_u8)
TW_COMPARISON(equal, BEqual)
TW_COMPARISON(less, BLess)
TW_COMPARISON(greater, BGreater)
TW_BINARY(and, BAnd, tw_u8, u8, tw_u8)
TW_BINARY(or, BOr, tw_u8, u8, tw_u8)

#define TW_WHERE(T, s)                                                                                              \
    TW_KERNEL(tw_where_##s, 256, const tw_u8* c, const T* a, const T* b, T* y, int n, TW_SIX(d), TW_SIX(r),          \
              TW_SIX(p), TW_SIX(q)) {                                                                               \
        int i = tw_thread();                                                                                        \
        if (i < n) {                                                                                                \
            Six dims = TW_SIX_OF(d);                                                                                \
            Six sr = TW_SIX_OF(r);                                                                                  \
            Six sp = TW_SIX_OF(p);                                                                                  \
            Six sq = TW_SIX_OF(q);                                                                                  \
            int oc = 0, oa = 0, ob = 0;                                                                             \
            tw_offsets(i, dims, sr, oc);                                                                            \
            tw_offsets(i, dims, sp, sq, oa, ob);                                                                    \
            y[i] = c[oc] ? a[oa] : b[ob];                                                                           \
        }                                                                                                           \
    }
TW_WHERE(tw_u8, b1)
TW_WHERE(unsigned short, b2)
TW_WHERE(tw_u32, b4)
TW_WHERE(tw_i64, b8)

// ---------------------------------------------------------------------------------------------- moves

// y[Σ index·q] = x[Σ index·p]: transposition, slices, splits, joins, repetition, pixel shuffle, nearest enlargement.
#define TW_COPY(T, s)                                                                             \
    TW_KERNEL(tw_copy_##s, 256, const T* x, T* y, int n, TW_SIX(d), TW_SIX(p), TW_SIX(q)) {       \
        int i = tw_thread();                                                                      \
        if (i < n) {                                                                              \
            Six dims = TW_SIX_OF(d);                                                              \
            Six sp = TW_SIX_OF(p);                                                                \
            Six sq = TW_SIX_OF(q);                                                                \
            int from = 0, to = 0;                                                                 \
            tw_offsets(i, dims, sp, sq, from, to);                                                \
            y[to] = x[from];                                                                      \
        }                                                                                         \
    }
TW_COPY(tw_u8, b1)
TW_COPY(unsigned short, b2)
TW_COPY(tw_u32, b4)
TW_COPY(tw_i64, b8)
TW_COPY(uint4, b16)

// d: extents of the result; x: extents of the operand; b: border before each axis.
#define TW_PAD(T, s)                                                                                              \
    TW_KERNEL(tw_pad_##s, 256, const T* x, T* y, int n, int edge, TW_SIX(d), TW_SIX(e), TW_SIX(b)) {              \
        int i = tw_thread();                                                                                      \
        if (i < n) {                                                                                              \
            Six dims = TW_SIX_OF(d);                                                                              \
            Six in = TW_SIX_OF(e);                                                                                \
            Six before = TW_SIX_OF(b);                                                                            \
            int rest = i, from = 0, stride = 1;                                                                   \
            bool border = false;                                                                                  \
            _Pragma("unroll") for (int k = 5; k >= 0; k--) {                                                      \
                int next = rest / dims.v[k];                                                                      \
                int at = rest - next * dims.v[k] - before.v[k];                                                   \
                int inside = at < 0 ? 0 : (at >= in.v[k] ? in.v[k] - 1 : at);                                     \
                border = border || inside != at;                                                                  \
                from += inside * stride;                                                                          \
                stride *= in.v[k];                                                                                \
                rest = next;                                                                                      \
            }                                                                                                     \
            y[i] = border && !edge ? (T)0 : x[from];                                                              \
        }                                                                                                         \
    }
TW_PAD(tw_u8, b1)
TW_PAD(unsigned short, b2)
TW_PAD(tw_u32, b4)
TW_PAD(tw_i64, b8)

// Rows by index: data [outer, extent, inner], indices [count], result [outer, count, inner]. An index outside the
// extent gives zeros rather than a read outside the buffer.
#define TW_GATHER(T, s)                                                                                          \
    TW_KERNEL(tw_gather_##s, 256, const T* x, const tw_i64* indices, T* y, int n, int extent, int count, int inner) { \
        int i = tw_thread();                                                                                     \
        if (i < n) {                                                                                             \
            int in = i % inner;                                                                                  \
            int k = i / inner % count;                                                                           \
            int outer = i / inner / count;                                                                       \
            tw_i64 row = indices[k];                                                                             \
            y[i] = row >= 0 && row < extent ? x[(outer * extent + (int)row) * inner + in] : (T)0;                \
        }                                                                                                        \
    }
TW_GATHER(tw_u8, b1)
TW_GATHER(unsigned short, b2)
TW_GATHER(tw_u32, b4)
TW_GATHER(tw_i64, b8)

// Frames of a cache: 16-byte words, one slot number per frame; frames outside [0, slots) are left alone.
TW_KERNEL(tw_read_frames, 256, const uint4* cache, const int* slots, uint4* y, int n, int words, int capacity) {
    int i = tw_thread();
    if (i < n) {
        int slot = slots[i / words];
        if (slot >= 0 && slot < capacity) {
            y[i] = cache[(tw_i64)slot * words + i % words];
        }
    }
}
TW_KERNEL(tw_write_frames, 256, const uint4* x, const int* slots, uint4* cache, int n, int words, int capacity) {
    int i = tw_thread();
    if (i < n) {
        int slot = slots[i / words];
        if (slot >= 0 && slot < capacity) {
            cache[(tw_i64)slot * words + i % words] = x[i];
        }
    }
}

template <class T>
TW_DEVICE void tw_resize_linear(const T* x, T* y, int n, int h, int w, int sh, int sw) {
    int i = tw_thread();
    if (i < n) {
        int ow = w * sw;
        int oh = h * sh;
        int c = i % ow;
        int r = i / ow % oh;
        const T* plane = x + i / ow / oh * h * w;
        float fy = fminf(fmaxf(((float)r + 0.5f) / (float)sh - 0.5f, 0.0f), (float)(h - 1));
        float fx = fminf(fmaxf(((float)c + 0.5f) / (float)sw - 0.5f, 0.0f), (float)(w - 1));
        int y0 = (int)fy, x0 = (int)fx;
        int y1 = y0 + 1 < h ? y0 + 1 : y0;
        int x1 = x0 + 1 < w ? x0 + 1 : x0;
        fy -= (float)y0;
        fx -= (float)x0;
        float top = tw_load(plane[y0 * w + x0]) * (1.0f - fx) + tw_load(plane[y0 * w + x1]) * fx;
        float bottom = tw_load(plane[y1 * w + x0]) * (1.0f - fx) + tw_load(plane[y1 * w + x1]) * fx;
        tw_store(y[i], top * (1.0f - fy) + bottom * fy);
    }
}

// ---------------------------------------------------------------------------------------------- reductions

// One block per result. d, p: extents and strides of the kept axes; e, q: of the reduced ones.
template <class R, class T>
TW_DEVICE void tw_reduce(const T* x, T* y, int n, float factor, const Six& d, const Six& p, const Six& e, const Six& q) {
    int from = 0;
    tw_offsets((int)blockIdx.x, d, p, from);
    float v = R::start();
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) {
        int at = from;
        tw_offsets(i, e, q, at);
        v = R::join(v, tw_load(x[at]));
    }
    v = tw_block_reduce<R>(v);
    if (threadIdx.x == 0) {
        tw_store(y[blockIdx.x], v * factor);
    }
}

// One block per line of n elements that lie `inner` apart.
template <class T>
TW_DEVICE void tw_softmax(const T* x, T* y, int n, int inner) {
    int line = (int)blockIdx.x;
    int base = line / inner * n * inner + line % inner;
    float top = MaxOf::start();
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) {
        top = fmaxf(top, tw_load(x[base + i * inner]));
    }
    top = tw_block_reduce<MaxOf>(top);
    float sum = 0.0f;
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) {
        sum += expf(tw_load(x[base + i * inner]) - top);
    }
    sum = tw_block_reduce<SumOf>(sum);
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) {
        tw_store(y[base + i * inner], expf(tw_load(x[base + i * inner]) - top) / sum);
    }
}

// One block per row; `centred` chooses between layer and RMS normalisation.
template <bool centred, class T>
TW_DEVICE void tw_row_norm(const T* x, const T* scale, const T* bias, T* y, int width, float epsilon) {
    const T* row = x + (tw_i64)blockIdx.x * width;
    float mean = 0.0f;
    if (centred) {
        for (int i = (int)threadIdx.x; i < width; i += (int)blockDim.x) {
            mean += tw_load(row[i]);
        }
        mean = tw_block_reduce<SumOf>(mean) / (float)width;
    }
    float square = 0.0f;
    for (int i = (int)threadIdx.x; i < width; i += (int)blockDim.x) {
        float v = tw_load(row[i]) - mean;
        square += v * v;
    }
    float r = rsqrtf(tw_block_reduce<SumOf>(square) / (float)width + epsilon);
    T* to = y + (tw_i64)blockIdx.x * width;
    for (int i = (int)threadIdx.x; i < width; i += (int)blockDim.x) {
        float v = (tw_load(row[i]) - mean) * r * tw_load(scale[i]);
        tw_store(to[i], bias ? v + tw_load(bias[i]) : v);
    }
}

// One block per group of one sample: `channels` per group, `inner` elements per channel.
template <class T>
TW_DEVICE void tw_group_norm(const T* x, const T* scale, const T* bias, T* y, int groups, int channels, int inner,
                             float epsilon) {
    int n = channels * inner;
    const T* from = x + (tw_i64)blockIdx.x * n;
    T* to = y + (tw_i64)blockIdx.x * n;
    int first = (int)blockIdx.x % groups * channels;
    float mean = 0.0f;
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) {
        mean += tw_load(from[i]);
    }
    mean = tw_block_reduce<SumOf>(mean) / (float)n;
    float square = 0.0f;
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) {
        float v = tw_load(from[i]) - mean;
        square += v * v;
    }
    float r = rsqrtf(tw_block_reduce<SumOf>(square) / (float)n + epsilon);
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) {
        int c = first + i / inner;
        tw_store(to[i], (tw_load(from[i]) - mean) * r * tw_load(scale[c]) + tw_load(bias[c]));
    }
}

// ---------------------------------------------------------------------------------------------- products

// y[b] = x[b]·w[b] + bias, tiles of 64×64; element (k, j) of w lies at k·wk + j·wj. Batches along z, with up to three
// broadcast axes. For what cuBLASLt does not take; hot products go there.
template <class T>
TW_DEVICE void tw_product(const T* x, const T* w, const T* bias, T* y, int m, int n, int depth, int wk, int wj, int b1,
                          int b2, int x0, int x1, int x2, int w0, int w1, int w2) {
    TW_SHARED float xs[16][64 + 4];
    TW_SHARED float ws[16][64 + 4];
    int z = (int)blockIdx.z;
    int i2 = z % b2;
    int i1 = z / b2 % b1;
    int i0 = z / b2 / b1;
    x += (tw_i64)i0 * x0 + (tw_i64)i1 * x1 + (tw_i64)i2 * x2;
    w += (tw_i64)i0 * w0 + (tw_i64)i1 * w1 + (tw_i64)i2 * w2;
    y += (tw_i64)z * m * n;
    int t = (int)threadIdx.x;
    int row = (int)blockIdx.x * 64;
    int column = (int)blockIdx.y * 64;
    float sum[4][4] = {};
    for (int k0 = 0; k0 < depth; k0 += 16) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int i = t + e * 256;
            int xr = i / 16, xk = i % 16;
            xs[xk][xr] = row + xr < m && k0 + xk < depth ? tw_load(x[(tw_i64)(row + xr) * depth + k0 + xk]) : 0.0f;
            int wr = wk == 1 ? i % 16 : i / 64;
            int wc = wk == 1 ? i / 16 : i % 64;
            ws[wr][wc] = k0 + wr < depth && column + wc < n
                             ? tw_load(w[(tw_i64)(k0 + wr) * wk + (tw_i64)(column + wc) * wj])
                             : 0.0f;
        }
        __syncthreads();
        int r = t / 16 * 4;
        int c = t % 16 * 4;
#pragma unroll
        for (int k = 0; k < 16; k++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    sum[i][j] += xs[k][r + i] * ws[k][c + j];
                }
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            int r = row + t / 16 * 4 + i;
            int c = column + t % 16 * 4 + j;
            if (r < m && c < n) {
                tw_store(y[(tw_i64)r * n + c], sum[i][j] + (bias ? tw_load(bias[c]) : 0.0f));
            }
        }
    }
}

// Convolution over three spatial axes (missing ones have extent 1), one thread per result.
template <class T>
TW_DEVICE void tw_conv(const T* x, const T* w, const T* bias, T* y, int n, int c, int m, int groupIn, int groupOut, int i0,
                       int i1, int i2, int o0, int o1, int o2, int k0, int k1, int k2, int s0, int s1, int s2, int p0,
                       int p1, int p2, int d0, int d1, int d2) {
    int i = tw_thread();
    if (i >= n) {
        return;
    }
    int q2 = i % o2;
    int q1 = i / o2 % o1;
    int q0 = i / o2 / o1 % o0;
    int out = i / o2 / o1 / o0 % m;
    int sample = i / o2 / o1 / o0 / m;
    const T* from = x + ((tw_i64)sample * c + out / groupOut * groupIn) * i0 * i1 * i2;
    const T* weight = w + (tw_i64)out * groupIn * k0 * k1 * k2;
    float sum = bias ? tw_load(bias[out]) : 0.0f;
    for (int ch = 0; ch < groupIn; ch++) {
        for (int a = 0; a < k0; a++) {
            int u0 = q0 * s0 - p0 + a * d0;
            for (int b = 0; b < k1; b++) {
                int u1 = q1 * s1 - p1 + b * d1;
                for (int e = 0; e < k2; e++) {
                    int u2 = q2 * s2 - p2 + e * d2;
                    if (u0 >= 0 && u0 < i0 && u1 >= 0 && u1 < i1 && u2 >= 0 && u2 < i2) {
                        sum += tw_load(from[((ch * i0 + u0) * i1 + u1) * i2 + u2]) *
                               tw_load(weight[((ch * k0 + a) * k1 + b) * k2 + e]);
                    }
                }
            }
        }
    }
    tw_store(y[i], sum);
}

// Attention of one query row and head per warp, any widths; scores in shared memory (one float per key), fp32.
// maskKind 0: none, 1: BOOL, 2: added. One block is one warp.
template <class T>
TW_DEVICE void tw_attention(const T* q, const T* k, const T* v, const void* mask, T* y, int queries, int keys, int heads,
                            int width, int valueWidth, int maskKind, int maskBatch, float scale) {
    TW_DYNAMIC_SHARED(raw);
    float* score = (float*)raw;
    int i = (int)blockIdx.x;
    int h = (int)blockIdx.y;
    int b = (int)blockIdx.z;
    int lane = (int)threadIdx.x;
    const T* query = q + ((tw_i64)b * queries + i) * heads * width + h * width;
    float top = MaxOf::start();
    for (int j = lane; j < keys; j += 32) {
        const T* key = k + ((tw_i64)b * keys + j) * heads * width + h * width;
        float dot = 0.0f;
        for (int c = 0; c < width; c++) {
            dot += tw_load(query[c]) * tw_load(key[c]);
        }
        dot *= scale;
        tw_i64 at = ((tw_i64)b * maskBatch + i) * keys + j;
        if (maskKind == 1 && !((const tw_u8*)mask)[at]) {
            dot = MaxOf::start();
        } else if (maskKind == 2) {
            dot += tw_load(((const T*)mask)[at]);
        }
        score[j] = dot;
        top = fmaxf(top, dot);
    }
    top = tw_block_reduce<MaxOf>(top);
    float sum = 0.0f;
    for (int j = lane; j < keys; j += 32) {
        score[j] = expf(score[j] - top);
        sum += score[j];
    }
    sum = tw_block_reduce<SumOf>(sum);
    __syncwarp();
    for (int c = lane; c < valueWidth; c += 32) {
        float mix = 0.0f;
        for (int j = 0; j < keys; j++) {
            mix += score[j] * tw_load(v[((tw_i64)b * keys + j) * heads * valueWidth + h * valueWidth + c]);
        }
        tw_store(y[((tw_i64)b * queries + i) * heads * valueWidth + h * valueWidth + c], mix / sum);
    }
}

// Attention of windows: one warp per query and head; keyBatch 0 where all samples share the keys.
template <class T>
TW_DEVICE void tw_window_attention(const T* q, const T* k, const T* v, const tw_u8* kept, const tw_i64* neighbours, T* y,
                                   int queries, int slabs, int windows, int reach, int heads, int width, int keyBatch,
                                   float scale) {
    TW_DYNAMIC_SHARED(raw);
    float* score = (float*)raw;
    int i = (int)blockIdx.x;
    int h = (int)blockIdx.y;
    tw_i64 b = (tw_i64)blockIdx.z;
    int lane = (int)threadIdx.x;
    int members = queries / windows;
    int window = i / members;
    int pairs = reach * slabs;
    tw_i64 row = (tw_i64)heads * width;
    const T* query = q + (b * queries + i) * row + h * width;
    k += b * keyBatch * slabs * queries * row + h * width;
    v += b * keyBatch * slabs * queries * row + h * width;
    kept += ((b * windows + window) * heads + h) * pairs;
    float top = MaxOf::start();
    for (int j = lane; j < pairs * members; j += 32) {
        int pair = j / members;
        float dot = MaxOf::start();
        if (kept[pair] != 0) {
            tw_i64 at = (tw_i64)(pair % slabs) * queries + neighbours[window * reach + pair / slabs] * members + j % members;
            dot = 0.0f;
            for (int c = 0; c < width; c++) {
                dot += tw_load(query[c]) * tw_load(k[at * row + c]);
            }
            dot *= scale;
        }
        score[j] = dot;
        top = fmaxf(top, dot);
    }
    top = tw_block_reduce<MaxOf>(top);
    float sum = 0.0f;
    for (int j = lane; j < pairs * members; j += 32) {
        score[j] = score[j] == MaxOf::start() ? 0.0f : expf(score[j] - top);
        sum += score[j];
    }
    sum = tw_block_reduce<SumOf>(sum);
    __syncwarp();
    for (int c = lane; c < width; c += 32) {
        float mix = 0.0f;
        for (int j = 0; j < pairs * members; j++) {
            int pair = j / members;
            if (kept[pair] != 0) {
                tw_i64 at =
                    (tw_i64)(pair % slabs) * queries + neighbours[window * reach + pair / slabs] * members + j % members;
                mix += score[j] * tw_load(v[at * row + c]);
            }
        }
        tw_store(y[(b * queries + i) * row + h * width + c], sum > 0.0f ? mix / sum : 0.0f);
    }
}

// Rotary embedding of interleaved pairs, one thread per pair; angleBatch 0 where all samples share the angles.
template <class T, class C>
TW_DEVICE void tw_rotary(const T* x, const C* cosine, const C* sine, T* y, int pairs, int length, int heads, int half,
                         int angleBatch) {
    int i = tw_thread();
    if (i < pairs) {
        int j = i % half;
        int row = i / half / heads;
        int at = (row / length * angleBatch + row % length) * half + j;
        float c = tw_load(cosine[at]);
        float s = tw_load(sine[at]);
        float re = tw_load(x[2 * i]);
        float im = tw_load(x[2 * i + 1]);
        tw_store(y[2 * i], re * c - im * s);
        tw_store(y[2 * i + 1], re * s + im * c);
    }
}

#define TW_ROTARY(T, t, C, c)                                                                                         \
    TW_KERNEL(tw_rotary_##t##_##c, 256, const T* x, const C* cosine, const C* sine, T* y, int pairs, int length,      \
              int heads, int half, int angleBatch) {                                                                 \
        tw_rotary(x, cosine, sine, y, pairs, length, heads, half, angleBatch);                                       \
    }
TW_ROTARY(float, f32, float, f32)
TW_ROTARY(bf16, bf16, float, f32)
TW_ROTARY(bf16, bf16, bf16, bf16)
TW_ROTARY(f16, f16, float, f32)
TW_ROTARY(f16, f16, f16, f16)

#define TW_REDUCE(name, R, T, s)                                                                                   \
    TW_KERNEL(tw_##name##_##s, 256, const T* x, T* y, int n, float factor, TW_SIX(d), TW_SIX(p), TW_SIX(e),        \
              TW_SIX(q)) {                                                                                         \
        tw_reduce<R>(x, y, n, factor, TW_SIX_OF(d), TW_SIX_OF(p), TW_SIX_OF(e), TW_SIX_OF(q));                     \
    }
#define TW_FLOAT_KERNELS(T, s)                                                                                        \
    TW_REDUCE(reducesum, SumOf, T, s)                                                                                 \
    TW_REDUCE(reducemax, MaxOf, T, s)                                                                                 \
    TW_KERNEL(tw_softmax_##s, 256, const T* x, T* y, int n, int inner) { tw_softmax(x, y, n, inner); }                \
    TW_KERNEL(tw_layernorm_##s, 256, const T* x, const T* scale, const T* bias, T* y, int width, float epsilon) {     \
        tw_row_norm<true>(x, scale, bias, y, width, epsilon);                                                         \
    }                                                                                                                 \
    TW_KERNEL(tw_rmsnorm_##s, 256, const T* x, const T* scale, T* y, int width, float epsilon) {                      \
        tw_row_norm<false>(x, scale, (const T*)0, y, width, epsilon);                                                 \
    }                                                                                                                 \
    TW_KERNEL(tw_groupnorm_##s, 256, const T* x, const T* scale, const T* bias, T* y, int groups, int channels,       \
              int inner, float epsilon) {                                                                             \
        tw_group_norm(x, scale, bias, y, groups, channels, inner, epsilon);                                           \
    }                                                                                                                 \
    TW_KERNEL(tw_resize_##s, 256, const T* x, T* y, int n, int h, int w, int sh, int sw) {                            \
        tw_resize_linear(x, y, n, h, w, sh, sw);                                                                      \
    }                                                                                                                 \
    TW_KERNEL(tw_product_##s, 256, const T* x, const T* w, const T* bias, T* y, int m, int n, int depth, int wk,      \
              int wj, int b1, int b2, int x0, int x1, int x2, int w0, int w1, int w2) {                               \
        tw_product(x, w, bias, y, m, n, depth, wk, wj, b1, b2, x0, x1, x2, w0, w1, w2);                               \
    }                                                                                                                 \
    TW_KERNEL(tw_conv_##s, 256, const T* x, const T* w, const T* bias, T* y, int n, int c, int m, int gi, int go,     \
              int i0, int i1, int i2, int o0, int o1, int o2, int k0, int k1, int k2, int s0, int s1, int s2, int p0, \
              int p1, int p2, int d0, int d1, int d2) {                                                               \
        tw_conv(x, w, bias, y, n, c, m, gi, go, i0, i1, i2, o0, o1, o2, k0, k1, k2, s0, s1, s2, p0, p1, p2, d0, d1,   \
                d2);                                                                                                  \
    }                                                                                                                 \
    TW_KERNEL(tw_window_attention_##s, 32, const T* q, const T* k, const T* v, const tw_u8* kept,                    \
              const tw_i64* neighbours, T* y, int queries, int slabs, int windows, int reach, int heads, int width,  \
              int keyBatch, float scale) {                                                                           \
        tw_window_attention(q, k, v, kept, neighbours, y, queries, slabs, windows, reach, heads, width, keyBatch,    \
                            scale);                                                                                  \
    }                                                                                                                \
    TW_KERNEL(tw_attention_##s, 32, const T* q, const T* k, const T* v, const void* mask, T* y, int queries,          \
              int keys, int heads, int width, int valueWidth, int maskKind, int maskBatch, float scale) {             \
        tw_attention(q, k, v, mask, y, queries, keys, heads, width, valueWidth, maskKind, maskBatch, scale);          \
    }
TW_FLOAT_KERNELS(float, f32)
TW_FLOAT_KERNELS(bf16, bf16)
TW_FLOAT_KERNELS(f16, f16)
