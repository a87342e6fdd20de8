// Runs kernels on the CPU: the threads of a block are fibres of one thread, which change places at barriers and warp
// operations. Blocks run one after another. Launches come from a registry of all kernels by name.
#pragma once

#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#define __align__(n) alignas(n)
#define __restrict__ __restrict
#define TW_SHARED static
#define TW_DYNAMIC_SHARED(name) unsigned char* name = emulate::dynamicShared()
#define TW_DEVICE inline
#define __global__
#define __device__

struct uint4 {
    unsigned x, y, z, w;
} __attribute__((aligned(16)));

namespace emulate {

struct Dim3 {
    unsigned x, y, z;
};

struct Fibre {
    ucontext_t context;
    std::vector<char> stack;
    Dim3 thread;
    int linear = 0;
    bool done = false;
    int blockWaits = 0;
    int warpWaits = 0;
};

struct Machine {
    Dim3 grid{}, block{}, blockAt{};
    std::vector<Fibre> fibres;
    ucontext_t scheduler;
    Fibre* current = nullptr;
    std::vector<unsigned char> shared;
    std::vector<std::vector<uint64_t>> deposits;
    std::function<void()> body;
};

inline Machine& machine() {
    static Machine m;
    return m;
}

inline unsigned char* dynamicShared() {
    auto p = (uintptr_t)machine().shared.data();
    return (unsigned char*)((p + 127) & ~(uintptr_t)127);
}

inline void yield() {
    Machine& m = machine();
    swapcontext(&m.current->context, &m.scheduler);
}

inline void blockBarrier() {
    Machine& m = machine();
    int target = ++m.current->blockWaits;
    for (;;) {
        bool all = true;
        for (Fibre& f : m.fibres) {
            all = all && (f.done || f.blockWaits >= target);
        }
        if (all) return;
        yield();
    }
}

inline void warpBarrier() {
    Machine& m = machine();
    int target = ++m.current->warpWaits;
    size_t from = (size_t)(m.current->linear / 32 * 32);
    size_t to = std::min(from + 32, m.fibres.size());
    for (;;) {
        bool all = true;
        for (size_t i = from; i < to; i++) {
            all = all && (m.fibres[i].done || m.fibres[i].warpWaits >= target);
        }
        if (all) return;
        yield();
    }
}

// What every lane of the warp gives, by lane; valid until the next warp operation.
inline std::vector<uint64_t>* deposit(std::vector<uint64_t> words) {
    Machine& m = machine();
    warpBarrier();
    m.deposits[(size_t)m.current->linear] = std::move(words);
    warpBarrier();
    return &m.deposits[(size_t)(m.current->linear / 32 * 32)];
}

inline void entry() {
    Machine& m = machine();
    m.body();
    m.current->done = true;
    swapcontext(&m.current->context, &m.scheduler);
}

inline void launch(Dim3 grid, Dim3 block, size_t sharedBytes, std::function<void()> body) {
    Machine& m = machine();
    m.grid = grid;
    m.block = block;
    m.body = std::move(body);
    size_t threads = (size_t)block.x * block.y * block.z;
    if (m.fibres.size() != threads) {
        m.fibres.clear();
        m.fibres.resize(threads);
        for (Fibre& f : m.fibres) f.stack.resize(64 * 1024);
    }
    m.deposits.assign(threads, {});
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                m.blockAt = {x, y, z};
                m.shared.assign(sharedBytes + 256, 0xa5);
                for (size_t t = 0; t < threads; t++) {
                    Fibre& f = m.fibres[t];
                    f.linear = (int)t;
                    f.thread = {(unsigned)(t % block.x), (unsigned)(t / block.x % block.y),
                                (unsigned)(t / block.x / block.y)};
                    f.done = false;
                    f.blockWaits = f.warpWaits = 0;
                    getcontext(&f.context);
                    f.context.uc_stack.ss_sp = f.stack.data();
                    f.context.uc_stack.ss_size = f.stack.size();
                    f.context.uc_link = nullptr;
                    makecontext(&f.context, entry, 0);
                }
                for (bool running = true; running;) {
                    running = false;
                    for (Fibre& f : m.fibres) {
                        if (f.done) continue;
                        m.current = &f;
                        swapcontext(&m.scheduler, &f.context);
                        running = running || !f.done;
                    }
                }
            }
}

using Word = uint64_t;
using Launcher = std::function<std::function<void()>(const Word*)>;

struct Entry {
    size_t parameters;
    int threads;
    Launcher bind;
};

inline std::map<std::string, Entry>& registry() {
    static std::map<std::string, Entry> r;
    return r;
}

template <class A>
A parameter(Word w) {
    A a;
    memcpy(&a, &w, sizeof a);
    return a;
}

template <class... A, size_t... I>
std::function<void()> bindAll(void (*f)(A...), const Word* w, std::index_sequence<I...>) {
    return [f, t = std::make_tuple(parameter<A>(w[I])...)] { std::apply(f, t); };
}

struct Register {
    template <class... A>
    Register(const char* name, int threads, void (*f)(A...)) {
        registry()[name] = {sizeof...(A), threads,
                            [f](const Word* w) { return bindAll(f, w, std::index_sequence_for<A...>{}); }};
    }
};

}  // namespace emulate

#define TW_KERNEL(name, threads, ...)                                  \
    static void name(__VA_ARGS__);                                     \
    static emulate::Register register_##name(#name, threads, &name);   \
    static void name(__VA_ARGS__)

#define blockIdx (emulate::machine().blockAt)
#define blockDim (emulate::machine().block)
#define gridDim (emulate::machine().grid)
#define threadIdx (emulate::machine().current->thread)

inline void __syncthreads() { emulate::blockBarrier(); }
inline void __syncwarp() { emulate::warpBarrier(); }

inline float tw_bits_to_float(tw_u32 v) {
    float f;
    memcpy(&f, &v, 4);
    return f;
}
inline tw_u32 tw_float_to_bits(float v) {
    tw_u32 r;
    memcpy(&r, &v, 4);
    return r;
}
inline float tw_f16_to_float(unsigned short v) {
    _Float16 h;
    memcpy(&h, &v, 2);
    return (float)h;
}
inline unsigned short tw_float_to_f16(float v) {
    _Float16 h = (_Float16)v;
    unsigned short r;
    memcpy(&r, &h, 2);
    return r;
}
inline unsigned short tw_float_to_bf16(float v) {
    tw_u32 b = tw_float_to_bits(v);
    if ((b & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
    return (unsigned short)((b + 0x7fffu + ((b >> 16) & 1u)) >> 16);
}
inline tw_u32 tw_pack_bf16(float low, float high) {
    return tw_float_to_bf16(low) | ((tw_u32)tw_float_to_bf16(high) << 16);
}
inline unsigned tw_e4m3(float v) {
    unsigned sign = std::signbit(v) ? 0x80u : 0u;
    if (std::isnan(v)) return sign | 0x7fu;
    float a = std::fabs(v);
    if (a >= 448.0f) return sign | 0x7eu;
    int e;
    std::frexp(a, &e);
    e = std::max(e - 1, -6);
    float step = std::ldexp(1.0f, e - 3);
    float q = std::nearbyint(a / step) * step;
    if (q >= 448.0f) return sign | 0x7eu;
    if (q < 0x1p-6f) return sign | (unsigned)(q / 0x1p-9f);
    std::frexp(q, &e);
    e -= 1;
    return sign | (unsigned)((e + 7) << 3) | (unsigned)((q / std::ldexp(1.0f, e) - 1.0f) * 8.0f);
}
inline unsigned short tw_pack_e4m3(float low, float high) {
    return (unsigned short)(tw_e4m3(low) | (tw_e4m3(high) << 8));
}
inline float tw_shuffle_xor(float v, int lanes) {
    auto* all = emulate::deposit({tw_float_to_bits(v)});
    return tw_bits_to_float((tw_u32)all[(emulate::machine().current->linear % 32) ^ lanes][0]);
}

inline float emulate_bf16(tw_u32 word, int half) { return tw_bits_to_float((half ? word >> 16 : word & 0xffffu) << 16); }

inline void tw_mma(float (&c)[4], const tw_u32 (&a)[4], tw_u32 b0, tw_u32 b1) {
    auto* all = emulate::deposit({a[0], a[1], a[2], a[3], b0, b1});
    int lane = emulate::machine().current->linear % 32;
    for (int i = 0; i < 4; i++) {
        int row = lane / 4 + (i >= 2 ? 8 : 0);
        int column = lane % 4 * 2 + i % 2;
        float sum = c[i];
        for (int k = 0; k < 16; k++) {
            // Element (row, k) of A: lane 4·(row mod 8) + (k mod 8)/2, register by halves of row and k.
            auto& from = all[row % 8 * 4 + k % 8 / 2];
            float x = emulate_bf16((tw_u32)from[(row >= 8 ? 1 : 0) + (k >= 8 ? 2 : 0)], k % 2);
            auto& of = all[column * 4 + k % 8 / 2];
            float y = emulate_bf16((tw_u32)of[4 + (k >= 8 ? 1 : 0)], k % 2);
            sum += x * y;
        }
        c[i] = sum;
    }
}
inline void emulate_ldmatrix(tw_u32 (&r)[4], const void* row, bool transposed) {
    auto* all = emulate::deposit({(uint64_t)(uintptr_t)row});
    int lane = emulate::machine().current->linear % 32;
    for (int tile = 0; tile < 4; tile++) {
        unsigned short v[2];
        for (int h = 0; h < 2; h++) {
            int i = transposed ? lane % 4 * 2 + h : lane / 4;
            int j = transposed ? lane / 4 : lane % 4 * 2 + h;
            memcpy(&v[h], (const char*)(uintptr_t)all[tile * 8 + i][0] + 2 * j, 2);
        }
        r[tile] = v[0] | ((tw_u32)v[1] << 16);
    }
}
inline void tw_ldmatrix(tw_u32 (&r)[4], const void* row) { emulate_ldmatrix(r, row, false); }
inline void tw_ldmatrix_transposed(tw_u32 (&r)[4], const void* row) { emulate_ldmatrix(r, row, true); }
inline void tw_copy_async(void* to, const void* from, bool condition) {
    if (condition) {
        memcpy(to, from, 16);
    } else {
        memset(to, 0, 16);
    }
}
inline void tw_copy_commit() {}
template <int PENDING>
inline void tw_copy_wait() {}
inline float tw_exp2(float x) { return exp2f(x); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline unsigned long long atomicMin(unsigned long long* at, unsigned long long v) {
    unsigned long long old = *at;
    if (v < old) *at = v;
    return old;
}
