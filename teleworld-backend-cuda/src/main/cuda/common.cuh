// What every kernel file shares: element types with their conversions, index arithmetic, reductions of a block.
// Needs no header of the toolkit, so that NVRTC takes it as it is. With TW_EMULATE it compiles for the CPU.
#pragma once

typedef long long tw_i64;
typedef unsigned int tw_u32;
typedef unsigned char tw_u8;

struct __attribute__((aligned(2))) bf16 {
    unsigned short bits;
};
struct __attribute__((aligned(2))) f16 {
    unsigned short bits;
};

#ifdef TW_EMULATE
#include "emulate.h"
#else
#define TW_KERNEL(name, threads, ...) extern "C" __global__ void __launch_bounds__(threads) name(__VA_ARGS__)
#define TW_SHARED __shared__
#define TW_DYNAMIC_SHARED(name) unsigned char* name = tw_dynamic
#define TW_DEVICE __device__ __forceinline__

extern __shared__ __align__(128) unsigned char tw_dynamic[];

TW_DEVICE float tw_bits_to_float(tw_u32 v) { return __uint_as_float(v); }
TW_DEVICE tw_u32 tw_float_to_bits(float v) { return __float_as_uint(v); }
TW_DEVICE float tw_f16_to_float(unsigned short v) {
    float r;
    asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(v));
    return r;
}
TW_DEVICE unsigned short tw_float_to_f16(float v) {
    unsigned short r;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(v));
    return r;
}
TW_DEVICE unsigned short tw_float_to_bf16(float v) {
    unsigned short r;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(v));
    return r;
}
// Two numbers as bf16, the first in the low half.
TW_DEVICE tw_u32 tw_pack_bf16(float low, float high) {
    tw_u32 r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}
// Two numbers as e4m3, saturated, the first in the low byte.
TW_DEVICE unsigned short tw_pack_e4m3(float low, float high) {
    unsigned short r;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(r) : "f"(high), "f"(low));
    return r;
}
TW_DEVICE float tw_shuffle_xor(float v, int lanes) { return __shfl_xor_sync(0xffffffffu, v, lanes); }

// c += a·b for one 16×8×16 tile of bf16 with fp32 sums.
TW_DEVICE void tw_mma(float (&c)[4], const tw_u32 (&a)[4], tw_u32 b0, tw_u32 b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// Four 8×8 tiles of 2-byte elements; lane 8i+j gives the address of row j of tile i.
TW_DEVICE void tw_ldmatrix(tw_u32 (&r)[4], const void* row) {
    tw_u32 at = (tw_u32)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at)
                 : "memory");
}
TW_DEVICE void tw_ldmatrix_transposed(tw_u32 (&r)[4], const void* row) {
    tw_u32 at = (tw_u32)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at)
                 : "memory");
}
// 16 bytes from global to shared memory; zeros where the condition does not hold, without reading.
TW_DEVICE void tw_copy_async(void* to, const void* from, bool condition) {
    tw_u32 at = (tw_u32)__cvta_generic_to_shared(to);
    int bytes = condition ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(bytes) : "memory");
}
TW_DEVICE void tw_copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int PENDING>
TW_DEVICE void tw_copy_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}
TW_DEVICE float tw_exp2(float x) { return exp2f(x); }
#endif

// ---------------------------------------------------------------------------------------------- element types

TW_DEVICE float tw_load(float v) { return v; }
TW_DEVICE float tw_load(bf16 v) { return tw_bits_to_float((tw_u32)v.bits << 16); }
TW_DEVICE float tw_load(f16 v) { return tw_f16_to_float(v.bits); }
TW_DEVICE void tw_store(float& to, float v) { to = v; }
TW_DEVICE void tw_store(bf16& to, float v) { to.bits = tw_float_to_bf16(v); }
TW_DEVICE void tw_store(f16& to, float v) { to.bits = tw_float_to_f16(v); }

// 16 bytes of elements.
template <class T>
struct __attribute__((aligned(16))) Pack {
    static constexpr int SIZE = 16 / (int)sizeof(T);
    T v[16 / sizeof(T)];
};

// ---------------------------------------------------------------------------------------------- indices

#define TW_SIX(p) int p##0, int p##1, int p##2, int p##3, int p##4, int p##5
#define TW_SIX_OF(p) \
    { p##0, p##1, p##2, p##3, p##4, p##5 }

struct Six {
    int v[6];
};

// Offsets that a row-major position has under up to three sets of strides.
TW_DEVICE void tw_offsets(int i, const Six& dims, const Six& s0, int& o0) {
#pragma unroll
    for (int k = 5; k >= 0; k--) {
        if (dims.v[k] != 1) {
            int q = i / dims.v[k];
            o0 += (i - q * dims.v[k]) * s0.v[k];
            i = q;
        }
    }
}
TW_DEVICE void tw_offsets(int i, const Six& dims, const Six& s0, const Six& s1, int& o0, int& o1) {
#pragma unroll
    for (int k = 5; k >= 0; k--) {
        if (dims.v[k] != 1) {
            int q = i / dims.v[k];
            int r = i - q * dims.v[k];
            o0 += r * s0.v[k];
            o1 += r * s1.v[k];
            i = q;
        }
    }
}

TW_DEVICE int tw_thread() { return (int)(blockIdx.x * blockDim.x + threadIdx.x); }

// ---------------------------------------------------------------------------------------------- reductions

struct SumOf {
    static TW_DEVICE float start() { return 0.0f; }
    static TW_DEVICE float join(float a, float b) { return a + b; }
};
struct MaxOf {
    static TW_DEVICE float start() { return tw_bits_to_float(0xff800000u); }
    static TW_DEVICE float join(float a, float b) { return fmaxf(a, b); }
};

// The reduction over a block of whole warps, in every thread.
template <class R>
TW_DEVICE float tw_block_reduce(float v) {
    TW_SHARED float part[32];
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes >>= 1) {
        v = R::join(v, tw_shuffle_xor(v, lanes));
    }
    int warps = (int)blockDim.x >> 5;
    if (warps == 1) {
        return v;
    }
    int warp = (int)threadIdx.x >> 5;
    int lane = (int)threadIdx.x & 31;
    __syncthreads();
    if (lane == 0) {
        part[warp] = v;
    }
    __syncthreads();
    v = lane < warps ? part[lane] : R::start();
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes >>= 1) {
        v = R::join(v, tw_shuffle_xor(v, lanes));
    }
    return v;
}
