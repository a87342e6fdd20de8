// Runs kernels on the CPU: the threads of a block are fibres of one thread, which change places at barriers and warp
// operations; warps take their turns in random order and now and then miss one. Blocks run one after another. What is
// asynchronous happens as late as it may: copies and products of warpgroups are done when their group is waited for.
// Launches come from a registry of all kernels by name.
#pragma once

#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#define __align__(n) alignas(n)
#define __restrict__ __restrict
#define TW_SHARED static
#define TW_DYNAMIC_SHARED(name) unsigned char* name = emulate::dynamicShared()
#define TW_DEVICE inline
#define TW_WGMMA
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
    int namedWaits[16] = {};
    // What was begun but not committed, and groups that were committed but not waited for.
    std::vector<std::function<void()>> copies, products;
    std::deque<std::vector<std::function<void()>>> copyGroups, productGroups;
};

struct Machine {
    Dim3 grid{}, block{}, blockAt{};
    std::vector<Fibre> fibres;
    ucontext_t scheduler;
    Fibre* current = nullptr;
    std::vector<unsigned char> shared;
    std::vector<std::vector<uint64_t>> deposits;
    std::function<void()> body;
    int namedArrivals[16] = {};
    // Per named barrier: whether the condition holds for any thread.
    bool namedAny[16] = {};
    std::mt19937 random{std::random_device{}()};
};

inline Machine& machine() {
    static Machine m;
    return m;
}

// Where addresses of shared memory count from; a block's own part begins behind it, at no multiple of 1024.
inline unsigned char* sharedOrigin() {
    auto p = (uintptr_t)machine().shared.data();
    return (unsigned char*)((p + 1023) & ~(uintptr_t)1023);
}

inline unsigned char* dynamicShared() { return sharedOrigin() + 1152; }

inline void refuse(const char* what) {
    fprintf(stderr, "%s\n", what);
    exit(2);
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
                m.shared.assign(sharedBytes + 1024 + 1152, 0xa5);
                memset(m.namedArrivals, 0, sizeof m.namedArrivals);
                memset(m.namedAny, 0, sizeof m.namedAny);
                for (size_t t = 0; t < threads; t++) {
                    Fibre& f = m.fibres[t];
                    f.linear = (int)t;
                    f.thread = {(unsigned)(t % block.x), (unsigned)(t / block.x % block.y),
                                (unsigned)(t / block.x / block.y)};
                    f.done = false;
                    f.blockWaits = f.warpWaits = 0;
                    memset(f.namedWaits, 0, sizeof f.namedWaits);
                    f.copies.clear();
                    f.products.clear();
                    f.copyGroups.clear();
                    f.productGroups.clear();
                    getcontext(&f.context);
                    f.context.uc_stack.ss_sp = f.stack.data();
                    f.context.uc_stack.ss_size = f.stack.size();
                    f.context.uc_link = nullptr;
                    makecontext(&f.context, entry, 0);
                }
                std::vector<size_t> warps((threads + 31) / 32);
                std::iota(warps.begin(), warps.end(), 0);
                for (long turn = 0;; turn++) {
                    if (turn > 1'000'000) refuse("the threads of a block wait for each other for ever");
                    std::shuffle(warps.begin(), warps.end(), m.random);
                    bool running = false;
                    for (size_t w : warps) {
                        bool miss = warps.size() > 1 && m.random() % 4 == 0;
                        for (size_t t = w * 32; t < std::min(w * 32 + 32, threads); t++) {
                            Fibre& f = m.fibres[t];
                            if (f.done) continue;
                            running = true;
                            if (miss) break;
                            m.current = &f;
                            swapcontext(&m.scheduler, &f.context);
                        }
                    }
                    if (!running) break;
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

#define TW_KERNEL_ALONE TW_KERNEL

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

// ---- What is asynchronous.

namespace emulate {

using Work = std::vector<std::function<void()>>;

inline void commit(Work& begun, std::deque<Work>& groups) {
    groups.push_back(std::move(begun));
    begun.clear();
}

inline void finish(std::deque<Work>& groups, size_t pending) {
    while (groups.size() > pending) {
        for (auto& w : groups.front()) w();
        groups.pop_front();
    }
}

}  // namespace emulate

inline void tw_copy_async(void* to, const void* from, bool condition) {
    emulate::machine().current->copies.push_back([=] {
        if (condition) {
            memcpy(to, from, 16);
        } else {
            memset(to, 0, 16);
        }
    });
}
inline void tw_copy_commit() {
    auto* f = emulate::machine().current;
    emulate::commit(f->copies, f->copyGroups);
}
template <int PENDING>
inline void tw_copy_wait() {
    emulate::finish(emulate::machine().current->copyGroups, PENDING);
}

inline tw_u32 tw_shared_address(const void* p) {
    auto at = (uintptr_t)p - (uintptr_t)emulate::sharedOrigin();
    if (at >= emulate::machine().shared.size()) emulate::refuse("an address is not in shared memory");
    return (tw_u32)at;
}
inline tw_u64 tw_descriptor(const void* tile, int panel, int step) {
    if (tw_shared_address(tile) % 1024 != 0) emulate::refuse("a tile does not begin at a multiple of 1024");
    return (tw_u64)(tw_shared_address(tile) >> 4) | (tw_u64)(panel >> 4) << 16 | (tw_u64)(step >> 4) << 32 |
           (tw_u64)1 << 62;
}

namespace emulate {

// Element of a tile of two-byte numbers in the 128-byte swizzle, as the PTX manual's "matrix-descriptor" lays it out.
// along: the position in the axis that runs along rows of 128 bytes; across: in the other one. If the summed extent (16)
// runs along, groups of 8 rows lie a step apart; else the other one goes on in the next panel after 64.
inline float element(tw_u64 descriptor, int along, int across) {
    tw_u32 start = (tw_u32)(descriptor & 0x3fff) << 4;
    tw_u32 panel = (tw_u32)(descriptor >> 16 & 0x3fff) << 4;
    tw_u32 step = (tw_u32)(descriptor >> 32 & 0x3fff) << 4;
    if (descriptor >> 49 & 7 || descriptor >> 62 != 1) refuse("a descriptor is not of the 128-byte swizzle");
    tw_u32 at = start + along / 64 * panel + along % 64 * 2 + across / 8 * step + across % 8 * 128;
    at ^= (at >> 7 & 7) << 4;
    if (at + 2 > machine().shared.size()) refuse("a tile reaches beyond shared memory");
    unsigned short v;
    memcpy(&v, sharedOrigin() + at, 2);
    return tw_bits_to_float((tw_u32)v << 16);
}

// The part of a 64×(2·N)×16 product that a thread has: rows lane/4 and 8 below of its warp's 16, two columns of each 8.
template <int N, class A, class B>
void multiply(float (&d)[N], int linear, A a, B b) {
    int lane = linear % 32;
    float x[2][16];
    for (int h = 0; h < 2; h++)
        for (int k = 0; k < 16; k++) x[h][k] = a(linear / 32 % 4 * 16 + lane / 4 + h * 8, k);
    for (int n = 0; n < N / 4; n++)
        for (int e = 0; e < 2; e++) {
            int column = n * 8 + lane % 4 * 2 + e;
            float sum[2] = {d[4 * n + e], d[4 * n + 2 + e]};
            for (int k = 0; k < 16; k++) {
                float y = b(column, k);
                sum[0] += x[0][k] * y;
                sum[1] += x[1][k] * y;
            }
            d[4 * n + e] = sum[0];
            d[4 * n + 2 + e] = sum[1];
        }
}

}  // namespace emulate

inline void tw_wgmma_begin() {}
inline void tw_wgmma_commit() {
    auto* f = emulate::machine().current;
    emulate::commit(f->products, f->productGroups);
}
template <int PENDING>
inline void tw_wgmma_wait() {
    emulate::finish(emulate::machine().current->productGroups, PENDING);
}
template <int N>
inline void tw_wgmma_hold(float (&)[N]) {}
template <int N>
inline void tw_wgmma(float (&d)[N], tw_u64 a, tw_u64 b, int add) {
    int linear = emulate::machine().current->linear;
    emulate::machine().current->products.push_back([&d, a, b, add, linear] {
        if (!add) std::fill(d, d + N, 0.0f);
        emulate::multiply(
            d, linear, [a](int row, int k) { return emulate::element(a, k, row); },
            [b](int column, int k) { return emulate::element(b, k, column); });
    });
}
template <int N>
inline void tw_wgmma_columns(float (&d)[N], const tw_u32 (&a)[4], tw_u64 b) {
    int linear = emulate::machine().current->linear;
    emulate::machine().current->products.push_back([&d, &a, b, linear] {
        // Registers of the thread's own rows, as mma's; of other lanes' columns k their owners tell.
        auto* all = emulate::deposit({a[0], a[1], a[2], a[3]});
        float x[2][16];
        for (int h = 0; h < 2; h++)
            for (int k = 0; k < 16; k++)
                x[h][k] = emulate_bf16((tw_u32)all[linear % 32 / 4 * 4 + k % 8 / 2][h + (k >= 8 ? 2 : 0)], k % 2);
        emulate::multiply(
            d, linear, [&x](int row, int k) { return x[row / 8 % 2][k]; },
            [b](int column, int k) { return emulate::element(b, column, k); });
    });
}
template <int REGISTERS>
inline void tw_fewer_registers() {}
template <int REGISTERS>
inline void tw_more_registers() {}
inline void tw_fence_async() {}
inline int tw_uniform(int v) { return (int)emulate::deposit({(tw_u32)v})[0][0]; }

// ---- Barriers: arrivals that a phase needs, arrivals that it still lacks, phases that have ended.
struct EmulatedBarrier {
    unsigned short needed;
    unsigned short lacking;
    tw_u32 phases;
};
inline void tw_barrier_init(tw_u64* barrier, int arrivals) {
    EmulatedBarrier b = {(unsigned short)arrivals, (unsigned short)arrivals, 0};
    memcpy(barrier, &b, 8);
}
inline void tw_barrier_arrive(tw_u64* barrier) {
    auto* b = (EmulatedBarrier*)barrier;
    if (--b->lacking == 0) {
        b->lacking = b->needed;
        b->phases++;
    }
}
inline void tw_barrier_wait(tw_u64* barrier, int parity) {
    while ((int)(((volatile EmulatedBarrier*)barrier)->phases & 1) == parity) emulate::yield();
}
inline void tw_barrier_sync(int id, int threads) {
    auto& m = emulate::machine();
    int target = ++m.current->namedWaits[id] * threads;
    m.namedArrivals[id]++;
    while (m.namedArrivals[id] < target) emulate::yield();
}
inline bool tw_barrier_any(int id, int threads, bool condition) {
    auto& m = emulate::machine();
    if (condition) m.namedAny[id] = true;
    tw_barrier_sync(id, threads);
    bool any = m.namedAny[id];
    tw_barrier_sync(id, threads);
    m.namedAny[id] = false;
    tw_barrier_sync(id, threads);
    return any;
}
inline float tw_exp2(float x) { return exp2f(x); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline unsigned long long atomicMin(unsigned long long* at, unsigned long long v) {
    unsigned long long old = *at;
    if (v < old) *at = v;
    return old;
}
