// What every kernel file shares: element types with their conversions, index arithmetic, reductions of a block.
// Needs no header of the toolkit, so that NVRTC takes it as it is. With TW_EMULATE it compiles for the CPU.
#pragma once

typedef long long tw_i64;
typedef unsigned int tw_u32;
typedef unsigned long long tw_u64;
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
// A kernel of which a multiprocessor holds one block, so that its warps may share out the registers.
#define TW_KERNEL_ALONE(name, threads, ...) extern "C" __global__ void __launch_bounds__(threads, 1) name(__VA_ARGS__)
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

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define TW_WGMMA

// ---- Products of a warpgroup (sm_90a): 64 rows, 2·N columns for N sums per thread, 16 deep. Asynchronous: between
// tw_wgmma_begin and tw_wgmma_wait the sums, the registers of a and the shared tiles are the tensor cores'.

TW_DEVICE tw_u32 tw_shared_address(const void* p) { return (tw_u32)__cvta_generic_to_shared(p); }
// A tile of rows of 128 bytes, chunks of 16 bytes swizzled by the row's number modulo 8, at a multiple of 1024 (plus a
// multiple of 32 within the row). step: bytes between groups of 8 rows. panel: bytes between tiles side by side, where
// the summed extent runs over rows.
TW_DEVICE tw_u64 tw_descriptor(const void* tile, int panel, int step) {
    return (tw_u64)((tw_shared_address(tile) & 0x3ffffu) >> 4) | (tw_u64)(panel >> 4) << 16 |
           (tw_u64)(step >> 4) << 32 | (tw_u64)1 << 62;
}
TW_DEVICE void tw_wgmma_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
TW_DEVICE void tw_wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int PENDING>
TW_DEVICE void tw_wgmma_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory");
}
// Keeps the compiler from moving what is done to the sums across.
template <int N>
TW_DEVICE void tw_wgmma_hold(float (&d)[N]) {
#pragma unroll
    for (int i = 0; i < N; i++) {
        asm volatile("" : "+f"(d[i])::"memory");
    }
}
// d = a·bᵀ, or added to d: both in shared memory with the summed extent along rows of 128 bytes.
TW_DEVICE void tw_wgmma(float (&d)[32], tw_u64 a, tw_u64 b, int add) {
    asm volatile(
        "{ .reg .pred p; setp.ne.b32 p, %34, 0; "
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, "
        "%10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, "
        "%29, %30, %31}, %32, %33, p, 1, 1, 0, 0; }"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
          "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
          "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),
          "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
        : "l"(a), "l"(b), "r"(add)
        : "memory");
}
TW_DEVICE void tw_wgmma(float (&d)[64], tw_u64 a, tw_u64 b, int add) {
    asm volatile(
        "{ .reg .pred p; setp.ne.b32 p, %66, 0; "
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, "
        "%10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, "
        "%29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, %64, %65, p, 1, "
        "1, 0, 0; }"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
          "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
          "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),
          "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]),
          "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]),
          "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]),
          "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),
          "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
        : "l"(a), "l"(b), "r"(add)
        : "memory");
}
// d += a·b: a in registers as mma's, b in shared memory with its columns along rows of 128 bytes.
TW_DEVICE void tw_wgmma_columns(float (&d)[32], const tw_u32 (&a)[4], tw_u64 b) {
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, "
        "%10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, "
        "%29, %30, %31}, {%32, %33, %34, %35}, %36, 1, 1, 1, 1;"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
          "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
          "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),
          "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b)
        : "memory");
}
TW_DEVICE void tw_wgmma_columns(float (&d)[64], const tw_u32 (&a)[4], tw_u64 b) {
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, "
        "%10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, "
        "%29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, {%64, %65, %66, "
        "%67}, %68, 1, 1, 1, 1;"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
          "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
          "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),
          "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]),
          "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]),
          "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]),
          "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),
          "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b)
        : "memory");
}

template <int REGISTERS>
TW_DEVICE void tw_fewer_registers() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(REGISTERS));
}
template <int REGISTERS>
TW_DEVICE void tw_more_registers() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(REGISTERS));
}
// What this thread wrote to shared memory is seen by the tensor cores of those who synchronise with it afterwards.
TW_DEVICE void tw_fence_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// ---- Barriers in shared memory that threads arrive at without waiting.
TW_DEVICE void tw_barrier_init(tw_u64* barrier, int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(tw_shared_address(barrier)), "r"(arrivals)
                 : "memory");
}
TW_DEVICE void tw_barrier_arrive(tw_u64* barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(tw_shared_address(barrier)) : "memory");
}
// Waits until the phase of this parity has ended.
TW_DEVICE void tw_barrier_wait(tw_u64* barrier, int parity) {
    asm volatile(
        "{ .reg .pred done; "
        "again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1; "
        "@!done bra again; }" ::"r"(tw_shared_address(barrier)),
        "r"(parity)
        : "memory");
}
// A barrier of some warps of the block.
TW_DEVICE void tw_barrier_sync(int id, int threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
TW_DEVICE bool tw_barrier_any(int id, int threads, bool condition) {
    int all;
    asm volatile(
        "{ .reg .pred p, q; setp.ne.b32 p, %3, 0; bar.red.or.pred q, %1, %2, p; selp.b32 %0, 1, 0, q; }"
        : "=r"(all)
        : "r"(id), "r"(threads), "r"((int)condition)
        : "memory");
    return all != 0;
}
// The first lane's, which the compiler then knows to be one for the warp.
TW_DEVICE int tw_uniform(int v) { return __shfl_sync(0xffffffffu, v, 0); }
#endif
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
