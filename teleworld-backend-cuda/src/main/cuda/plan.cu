// Kernels that plans need where fp32 and narrow storage meet: norms of the fp32 residual stream to a narrow type, sums
// of narrow terms into it, and rows quantised for fp8 products. Arithmetic in fp32.
#include "common.cuh"

// Eight elements as floats; the address is aligned to eight elements.
template <class T>
TW_DEVICE void tw_load8(const T* x, float (&v)[8]) {
#pragma unroll
    for (int p = 0; p < 8; p += Pack<T>::SIZE) {
        Pack<T> a = *(const Pack<T>*)(x + p);
#pragma unroll
        for (int k = 0; k < Pack<T>::SIZE; k++) {
            v[p + k] = tw_load(a.v[k]);
        }
    }
}
template <class T>
TW_DEVICE void tw_store8(T* y, const float (&v)[8]) {
#pragma unroll
    for (int p = 0; p < 8; p += Pack<T>::SIZE) {
        Pack<T> a;
#pragma unroll
        for (int k = 0; k < Pack<T>::SIZE; k++) {
            tw_store(a.v[k], v[p + k]);
        }
        *(Pack<T>*)(y + p) = a;
    }
}
// One to eight elements; without "whole" the rest is 0 and is not written.
template <class T>
TW_DEVICE void tw_some(const T* x, int left, bool whole, float (&v)[8]) {
    if (whole) {
        tw_load8(x, v);
    } else {
#pragma unroll
        for (int k = 0; k < 8; k++) {
            v[k] = k < left ? tw_load(x[k]) : 0.0f;
        }
    }
}
template <class T>
TW_DEVICE void tw_put(T* y, int left, bool whole, const float (&v)[8]) {
    if (whole) {
        tw_store8(y, v);
    } else {
#pragma unroll
        for (int k = 0; k < 8; k++) {
            if (k < left) {
                tw_store(y[k], v[k]);
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------- norms

// The row's mean (0 unless centred) and 1/√(variance + ε). Later passes find the row in the first-level cache.
TW_DEVICE void tw_row_statistics(const float* row, int width, bool whole, bool centred, float epsilon, float& mean,
                                 float& r) {
    float v[8];
    float sum = 0.0f;
    mean = 0.0f;
    if (centred) {
        for (int at = (int)threadIdx.x * 8; at < width; at += (int)blockDim.x * 8) {
            tw_some(row + at, width - at, whole, v);
#pragma unroll
            for (int k = 0; k < 8; k++) {
                sum += v[k];
            }
        }
        mean = tw_block_reduce<SumOf>(sum) / (float)width;
    }
    float square = 0.0f;
    for (int at = (int)threadIdx.x * 8; at < width; at += (int)blockDim.x * 8) {
        tw_some(row + at, width - at, whole, v);
#pragma unroll
        for (int k = 0; k < 8; k++) {
            float d = at + k < width ? v[k] - mean : 0.0f;
            square += d * d;
        }
    }
    r = rsqrtf(tw_block_reduce<SumOf>(square) / (float)width + epsilon);
}

// One block per row of fp32. d: extents of the rows; p, q: strides of shift and scale over them; ps, qs: their strides
// along the row, 1 or 0.
template <class T>
TW_DEVICE void tw_mixed_modnorm(const float* x, const float* shift, const float* scale, T* y, int width, float epsilon,
                                const Six& d, const Six& p, const Six& q, int ps, int qs) {
    int oShift = 0, oScale = 0;
    tw_offsets((int)blockIdx.x, d, p, q, oShift, oScale);
    const float* row = x + (tw_i64)blockIdx.x * width;
    bool whole = width % 8 == 0;
    bool dense = whole && ps == 1 && qs == 1;
    float mean, r;
    tw_row_statistics(row, width, whole, true, epsilon, mean, r);
    for (int at = (int)threadIdx.x * 8; at < width; at += (int)blockDim.x * 8) {
        float v[8], a[8], b[8];
        tw_some(row + at, width - at, whole, v);
        if (dense) {
            tw_load8(shift + oShift + at, a);
            tw_load8(scale + oScale + at, b);
        } else {
#pragma unroll
            for (int k = 0; k < 8; k++) {
                int i = at + k < width ? at + k : width - 1;
                a[k] = shift[oShift + i * ps];
                b[k] = scale[oScale + i * qs];
            }
        }
#pragma unroll
        for (int k = 0; k < 8; k++) {
            v[k] = (v[k] - mean) * r * (1.0f + b[k]) + a[k];
        }
        tw_put(y + (tw_i64)blockIdx.x * width + at, width - at, whole, v);
    }
}

// Layer norm, or RMS norm unless centred, of rows of fp32 with affine parameters in fp32; bias may be null.
template <class T>
TW_DEVICE void tw_mixed_norm(const float* x, const float* scale, const float* bias, T* y, int width, float epsilon,
                             int centred) {
    const float* row = x + (tw_i64)blockIdx.x * width;
    bool whole = width % 8 == 0;
    float mean, r;
    tw_row_statistics(row, width, whole, centred != 0, epsilon, mean, r);
    for (int at = (int)threadIdx.x * 8; at < width; at += (int)blockDim.x * 8) {
        float v[8], a[8], b[8] = {};
        tw_some(row + at, width - at, whole, v);
        tw_some(scale + at, width - at, whole, a);
        if (bias) {
            tw_some(bias + at, width - at, whole, b);
        }
#pragma unroll
        for (int k = 0; k < 8; k++) {
            v[k] = (v[k] - mean) * r * a[k] + b[k];
        }
        tw_put(y + (tw_i64)blockIdx.x * width + at, width - at, whole, v);
    }
}

// ---------------------------------------------------------------------------------------------- sums

// y = x + t·gate with x, gate and y in fp32. d: extents; g: strides of the gate over them. With "rows", the last extent
// is a multiple of 8 along which the gate is dense.
template <class T>
TW_DEVICE void tw_mixed_gated(const float* x, const T* t, const float* gate, float* y, int n, int rows, const Six& d,
                              const Six& g) {
    int i = tw_thread() * 8;
    if (i >= n) {
        return;
    }
    float a[8], b[8], c[8];
    bool whole = i + 8 <= n;
    tw_some(x + i, n - i, whole, a);
    tw_some(t + i, n - i, whole, b);
    if (rows) {
        int at = 0;
        tw_offsets(i, d, g, at);
        tw_load8(gate + at, c);
    } else {
#pragma unroll
        for (int k = 0; k < 8; k++) {
            int at = 0;
            tw_offsets(i + k < n ? i + k : n - 1, d, g, at);
            c[k] = gate[at];
        }
    }
#pragma unroll
    for (int k = 0; k < 8; k++) {
        a[k] += b[k] * c[k];
    }
    tw_put(y + i, n - i, whole, a);
}

template <class A, class B>
TW_DEVICE void tw_mixed_add(const A* x, const B* t, float* y, int n) {
    int i = tw_thread() * 8;
    if (i < n) {
        float a[8], b[8];
        bool whole = i + 8 <= n;
        tw_some(x + i, n - i, whole, a);
        tw_some(t + i, n - i, whole, b);
#pragma unroll
        for (int k = 0; k < 8; k++) {
            a[k] += b[k];
        }
        tw_put(y + i, n - i, whole, a);
    }
}

// ---------------------------------------------------------------------------------------------- fp8

// One block per row, whose width is a multiple of 8: e4m3 with one scale, amax/448, per row.
template <class T>
TW_DEVICE void tw_quantise_rows(const T* x, tw_u8* y, float* rowScale, int width) {
    const T* row = x + (tw_i64)blockIdx.x * width;
    float v[8];
    float top = 0.0f;
    for (int at = (int)threadIdx.x * 8; at < width; at += (int)blockDim.x * 8) {
        tw_load8(row + at, v);
#pragma unroll
        for (int k = 0; k < 8; k++) {
            top = fmaxf(top, fabsf(v[k]));
        }
    }
    top = tw_block_reduce<MaxOf>(top);
    float s = top > 0.0f ? top / 448.0f : 1.0f;
    float inverse = 1.0f / s;
    for (int at = (int)threadIdx.x * 8; at < width; at += (int)blockDim.x * 8) {
        tw_load8(row + at, v);
        unsigned long long word = 0;
#pragma unroll
        for (int k = 0; k < 8; k += 2) {
            word |= (unsigned long long)tw_pack_e4m3(v[k] * inverse, v[k + 1] * inverse) << (8 * k);
        }
        *(unsigned long long*)(y + (tw_i64)blockIdx.x * width + at) = word;
    }
    if (threadIdx.x == 0) {
        rowScale[blockIdx.x] = s;
    }
}

// Modulated layer norm of fp32 rows, whose width is a multiple of 8, quantised as above; shift and scale dense along the row.
TW_KERNEL(tw_mixed_modnorm_e4m3, 256, const float* x, const float* shift, const float* scale, tw_u8* y, float* rowScale,
          int width, float epsilon, TW_SIX(d), TW_SIX(p), TW_SIX(q)) {
    int oShift = 0, oScale = 0;
    tw_offsets((int)blockIdx.x, TW_SIX_OF(d), TW_SIX_OF(p), TW_SIX_OF(q), oShift, oScale);
    const float* row = x + (tw_i64)blockIdx.x * width;
    float mean, r;
    tw_row_statistics(row, width, true, true, epsilon, mean, r);
    float v[8], a[8], b[8];
    float top = 0.0f;
    for (int at = (int)threadIdx.x * 8; at < width; at += (int)blockDim.x * 8) {
        tw_load8(row + at, v);
        tw_load8(shift + oShift + at, a);
        tw_load8(scale + oScale + at, b);
#pragma unroll
        for (int k = 0; k < 8; k++) {
            top = fmaxf(top, fabsf((v[k] - mean) * r * (1.0f + b[k]) + a[k]));
        }
    }
    top = tw_block_reduce<MaxOf>(top);
    float s = top > 0.0f ? top / 448.0f : 1.0f;
    float inverse = 1.0f / s;
    for (int at = (int)threadIdx.x * 8; at < width; at += (int)blockDim.x * 8) {
        tw_load8(row + at, v);
        tw_load8(shift + oShift + at, a);
        tw_load8(scale + oScale + at, b);
#pragma unroll
        for (int k = 0; k < 8; k++) {
            v[k] = ((v[k] - mean) * r * (1.0f + b[k]) + a[k]) * inverse;
        }
        unsigned long long word = 0;
#pragma unroll
        for (int k = 0; k < 8; k += 2) {
            word |= (unsigned long long)tw_pack_e4m3(v[k], v[k + 1]) << (8 * k);
        }
        *(unsigned long long*)(y + (tw_i64)blockIdx.x * width + at) = word;
    }
    if (threadIdx.x == 0) {
        rowScale[blockIdx.x] = s;
    }
}

#define TW_PLAN_KERNELS(T, s)                                                                                         \
    TW_KERNEL(tw_mixed_modnorm_##s, 256, const float* x, const float* shift, const float* scale, T* y, int width,     \
              float epsilon, TW_SIX(d), TW_SIX(p), TW_SIX(q), int ps, int qs) {                                       \
        tw_mixed_modnorm(x, shift, scale, y, width, epsilon, TW_SIX_OF(d), TW_SIX_OF(p), TW_SIX_OF(q), ps, qs);       \
    }                                                                                                                 \
    TW_KERNEL(tw_mixed_norm_##s, 256, const float* x, const float* scale, const float* bias, T* y, int width,         \
              float epsilon, int centred) {                                                                           \
        tw_mixed_norm(x, scale, bias, y, width, epsilon, centred);                                                    \
    }                                                                                                                 \
    TW_KERNEL(tw_mixed_gated_##s, 256, const float* x, const T* t, const float* gate, float* y, int n, int rows,      \
              TW_SIX(d), TW_SIX(g)) {                                                                                 \
        tw_mixed_gated(x, t, gate, y, n, rows, TW_SIX_OF(d), TW_SIX_OF(g));                                           \
    }                                                                                                                 \
    TW_KERNEL(tw_mixed_add_f32_##s, 256, const float* x, const T* t, float* y, int n) { tw_mixed_add(x, t, y, n); }   \
    TW_KERNEL(tw_mixed_add_##s##_##s, 256, const T* x, const T* t, float* y, int n) { tw_mixed_add(x, t, y, n); }     \
    TW_KERNEL(tw_quantise_rows_##s, 256, const T* x, tw_u8* y, float* rowScale, int width) {                          \
        tw_quantise_rows(x, y, rowScale, width);                                                                      \
    }
TW_PLAN_KERNELS(bf16, bf16)
TW_PLAN_KERNELS(f16, f16)
TW_KERNEL(tw_quantise_rows_f32, 256, const float* x, tw_u8* y, float* rowScale, int width) {
    tw_quantise_rows(x, y, rowScale, width);
}
