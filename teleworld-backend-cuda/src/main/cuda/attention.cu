// Attention of bf16 heads with online softmax in fp32: by products of a warpgroup (wgmma) in 128 or 64 keys at a time,
// and by products of a warp (mma.sync) for short keys and for GPUs without wgmma.
#include "common.cuh"

// What all of these kernels are given. slots: where key frame f lies in the cache, or null where keys are dense. first,
// columns: CSR lists of the blocks of 64 keys that each block of 128 queries sees, per head if listHeads is 1; null:
// all. With a listLength, columns has a list of that length per sample, head and block of queries instead: a count, then
// entries whose bits 28 and 29 say whether the first and the last 64 of the queries see the block. mask: one byte (MASK 1) or one bf16 that is added (MASK 2) for each query and key. A head's values may be done in
// several parts.
struct Flash {
    const bf16* q;
    const bf16* k;
    const bf16* v;
    bf16* y;
    const int* slots;
    const int* first;
    const int* columns;
    const void* mask;
    int queries, keys, heads, width, valueWidth, parts;
    int qStride, kStride, vStride, kvRows, frameTokens, listHeads, maskBatch, listLength;
    float scaleLog2, unscale;
};

// Moves q, k, v and y to a block's sample, head and part, mask to its sample.
template <int MASK, int VALUES>
TW_DEVICE int tw_flash_at(Flash& f) {
    int head = (int)blockIdx.y / f.parts;
    int part = (int)blockIdx.y - head * f.parts;
    tw_i64 b = (tw_i64)blockIdx.z;
    f.q += b * f.queries * f.qStride + head * f.width;
    f.k += b * f.kvRows * f.kStride + head * f.width;
    f.v += b * f.kvRows * f.vStride + head * f.valueWidth + part * VALUES;
    f.y += b * f.queries * f.heads * f.valueWidth + head * f.valueWidth + part * VALUES;
    f.mask = (const tw_u8*)f.mask + b * f.maskBatch * f.keys * (MASK == 2 ? 2 : 1);
    return part * VALUES;
}

// Which blocks of keys a block of queries sees.
TW_DEVICE void tw_flash_range(const Flash& f, int& begin, int& end) {
    begin = 0;
    end = (f.keys + 63) / 64;
    int head = (int)blockIdx.y / f.parts;
    if (f.listLength != 0) {
        int list = ((int)blockIdx.z * f.heads + head) * (int)gridDim.x + (int)blockIdx.x;
        begin = list * f.listLength + 1;
        end = begin + f.columns[begin - 1];
    } else if (f.first) {
        int list = f.listHeads * head * (int)gridDim.x + (int)blockIdx.x;
        begin = f.first[list];
        end = f.first[list + 1];
    }
}

// The first key of an entry of a list; sides: bits for the first and the last 64 queries.
TW_DEVICE int tw_flash_block(const Flash& f, int at, int& sides) {
    int entry = f.columns ? f.columns[at] : at;
    sides = f.listLength != 0 ? entry >> 28 : 3;
    return (entry & 0x0fffffff) * 64;
}

// ------------------------------------------------------------------------------------------ products of a warp

// Chunk of 16 bytes in a row of a shared tile; rows 8 apart share banks, the 8 rows of an ldmatrix do not.
template <int WIDTH>
TW_DEVICE bf16* tw_chunk(bf16* tile, int row, int chunk) {
    return tile + row * WIDTH + ((chunk ^ (row & 7)) << 3);
}

// 256 threads (more do nothing): 128 queries of one head; a warp has 16 of them. Keys come 64 at a time, two tiles deep.
template <int WIDTH, int VALUES, int MASK>
TW_DEVICE void tw_flash(Flash f) {
    constexpr int CHUNKS = WIDTH / 8;
    constexpr int VALUE_CHUNKS = VALUES / 8;
    constexpr int ROWS = 128;
    constexpr int COLUMNS = 64;
    TW_DYNAMIC_SHARED(raw);
    bf16* qs = (bf16*)raw;
    bf16* ks = qs + ROWS * WIDTH;
    bf16* vs = ks + 2 * COLUMNS * WIDTH;
    int t = (int)threadIdx.x;
    if (t >= 256) {
        return;
    }
    int lane = t & 31;
    int warp = t >> 5;
    int firstQuery = (int)blockIdx.x * ROWS;
    int values = f.valueWidth - tw_flash_at<MASK, VALUES>(f);

    for (int i = t; i < ROWS * CHUNKS; i += 256) {
        int row = i / CHUNKS;
        int chunk = i % CHUNKS;
        bool inside = firstQuery + row < f.queries && chunk * 8 < f.width;
        const bf16* from = f.q + (tw_i64)(inside ? firstQuery + row : 0) * f.qStride + (inside ? chunk * 8 : 0);
        tw_copy_async(tw_chunk<WIDTH>(qs, row, chunk), from, inside);
    }

    int begin;
    int end;
    tw_flash_range(f, begin, end);

    auto load = [&](int stage, int tile) {
        int sides;
        int firstKey = tw_flash_block(f, tile, sides);
        for (int i = t; i < COLUMNS * CHUNKS; i += 256) {
            int row = i / CHUNKS;
            int chunk = i % CHUNKS;
            int key = firstKey + row;
            bool inside = key < f.keys;
            tw_i64 at = inside ? key : 0;
            if (f.slots && inside) {
                int frame = key / f.frameTokens;
                at = (tw_i64)f.slots[frame] * f.frameTokens + (key - frame * f.frameTokens);
            }
            bool there = inside && chunk * 8 < f.width;
            tw_copy_async(tw_chunk<WIDTH>(ks + stage * COLUMNS * WIDTH, row, chunk),
                          f.k + at * f.kStride + (there ? chunk * 8 : 0), there);
            if (VALUES == WIDTH || chunk < VALUE_CHUNKS) {
                there = inside && chunk * 8 < values;
                tw_copy_async(tw_chunk<VALUES>(vs + stage * COLUMNS * VALUES, row, chunk),
                              f.v + at * f.vStride + (there ? chunk * 8 : 0), there);
            }
        }
    };

    if (begin < end) {
        load(0, begin);
    }
    tw_copy_commit();

    const float lowest = tw_bits_to_float(0xff800000u);
    float o[VALUES / 8][4];
#pragma unroll
    for (int n = 0; n < VALUES / 8; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            o[n][e] = 0.0f;
        }
    }
    float top[2] = {lowest, lowest};
    float sum[2] = {0.0f, 0.0f};
    int row0 = firstQuery + warp * 16 + lane / 4;

    for (int tile = begin; tile < end; tile++) {
        int stage = (tile - begin) & 1;
        if (tile + 1 < end) {
            load(stage ^ 1, tile + 1);
        }
        tw_copy_commit();
        tw_copy_wait<1>();
        __syncthreads();
        bf16* kt = ks + stage * COLUMNS * WIDTH;
        bf16* vt = vs + stage * COLUMNS * VALUES;
        int sides;
        int firstKey = tw_flash_block(f, tile, sides);
        bool visible = (sides >> (warp >> 2) & 1) != 0;

        float s[COLUMNS / 8][4];
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                s[n][e] = 0.0f;
            }
        }
#pragma unroll
        for (int kk = 0; kk < WIDTH / 16; kk++) {
            tw_u32 a[4];
            tw_ldmatrix(a, tw_chunk<WIDTH>(qs, warp * 16 + (lane & 15), kk * 2 + (lane >> 4)));
#pragma unroll
            for (int n = 0; n < COLUMNS / 16; n++) {
                tw_u32 r[4];
                int row = n * 16 + (lane >> 4) * 8 + (lane & 7);
                tw_ldmatrix(r, tw_chunk<WIDTH>(kt, row, kk * 2 + ((lane >> 3) & 1)));
                tw_mma(s[2 * n], a, r[0], r[1]);
                tw_mma(s[2 * n + 1], a, r[2], r[3]);
            }
        }

        if (MASK != 0 || firstKey + COLUMNS > f.keys || !visible) {
#pragma unroll
            for (int n = 0; n < COLUMNS / 8; n++) {
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    int key = firstKey + n * 8 + (lane & 3) * 2 + (e & 1);
                    bool seen = visible && key < f.keys;
                    if (MASK != 0) {
                        int row = row0 + (e >> 1) * 8;
                        seen = seen && row < f.queries;
                        tw_i64 at = (tw_i64)row * f.keys + key;
                        if (MASK == 1) {
                            seen = seen && ((const tw_u8*)f.mask)[at] != 0;
                        } else if (seen) {
                            s[n][e] += tw_load(((const bf16*)f.mask)[at]) * f.unscale;
                        }
                    }
                    if (!seen) {
                        s[n][e] = lowest;
                    }
                }
            }
        }

#pragma unroll
        for (int h = 0; h < 2; h++) {
            float most = top[h];
#pragma unroll
            for (int n = 0; n < COLUMNS / 8; n++) {
                most = fmaxf(most, fmaxf(s[n][2 * h], s[n][2 * h + 1]));
            }
            most = fmaxf(most, tw_shuffle_xor(most, 1));
            most = fmaxf(most, tw_shuffle_xor(most, 2));
            float base = most == lowest ? 0.0f : most * f.scaleLog2;
            float shrink = tw_exp2(top[h] * f.scaleLog2 - base);
            top[h] = most;
            float part = 0.0f;
#pragma unroll
            for (int n = 0; n < COLUMNS / 8; n++) {
                s[n][2 * h] = tw_exp2(s[n][2 * h] * f.scaleLog2 - base);
                s[n][2 * h + 1] = tw_exp2(s[n][2 * h + 1] * f.scaleLog2 - base);
                part += s[n][2 * h] + s[n][2 * h + 1];
            }
            sum[h] = sum[h] * shrink + part;
#pragma unroll
            for (int n = 0; n < VALUES / 8; n++) {
                o[n][2 * h] *= shrink;
                o[n][2 * h + 1] *= shrink;
            }
        }

#pragma unroll
        for (int kk = 0; kk < COLUMNS / 16; kk++) {
            tw_u32 a[4] = {tw_pack_bf16(s[2 * kk][0], s[2 * kk][1]), tw_pack_bf16(s[2 * kk][2], s[2 * kk][3]),
                           tw_pack_bf16(s[2 * kk + 1][0], s[2 * kk + 1][1]),
                           tw_pack_bf16(s[2 * kk + 1][2], s[2 * kk + 1][3])};
#pragma unroll
            for (int n = 0; n < VALUES / 16; n++) {
                tw_u32 r[4];
                int row = kk * 16 + ((lane >> 3) & 1) * 8 + (lane & 7);
                tw_ldmatrix_transposed(r, tw_chunk<VALUES>(vt, row, n * 2 + (lane >> 4)));
                tw_mma(o[2 * n], a, r[0], r[1]);
                tw_mma(o[2 * n + 1], a, r[2], r[3]);
            }
        }
        __syncthreads();
    }
    tw_copy_wait<0>();

#pragma unroll
    for (int h = 0; h < 2; h++) {
        float all = sum[h];
        all += tw_shuffle_xor(all, 1);
        all += tw_shuffle_xor(all, 2);
        float inverse = all > 0.0f ? 1.0f / all : 0.0f;
        int row = row0 + h * 8;
        if (row < f.queries) {
            bf16* to = f.y + (tw_i64)row * f.heads * f.valueWidth + (lane & 3) * 2;
#pragma unroll
            for (int n = 0; n < VALUES / 8; n++) {
                if (n * 8 < values) {
                    *(tw_u32*)(to + n * 8) = tw_pack_bf16(o[n][2 * h] * inverse, o[n][2 * h + 1] * inverse);
                }
            }
        }
    }
}

// ------------------------------------------------------------------------------------------ products of a warpgroup

#ifdef TW_WGMMA

// Where the parts of a block's shared memory lie. A tile is panels of 64 columns side by side: rows of 128 bytes,
// swizzled as tw_descriptor says.
template <int WIDTH, int VALUES, int KEYS, int STAGES, int MASK>
struct FlashShared {
    static constexpr int Q_PANEL = 128 * 128;
    static constexpr int PANEL = KEYS * 128;
    static constexpr int K_STAGE = WIDTH / 64 * PANEL;
    static constexpr int V_STAGE = VALUES / 64 * PANEL;
    static constexpr int BITS_STAGE = MASK == 0 ? 0 : 128 * KEYS / 8;
    static constexpr int K = WIDTH / 64 * Q_PANEL;
    static constexpr int V = K + STAGES * K_STAGE;
    static constexpr int BITS = V + STAGES * V_STAGE;
    static constexpr int INFO = BITS + STAGES * BITS_STAGE;
    static constexpr int BARRIERS = INFO + STAGES * 16;
};

// 64 rows of a tile by 128 threads: 8 threads have a row, 16 rows are copied at a time; zeros beyond the last row and
// the head's width.
template <int PANELS, int PANEL>
TW_DEVICE void tw_flash_fill(unsigned char* tile, const bf16* from, int stride, int width, const int* slots,
                             int frameTokens, int first, int rows) {
    int chunk = (int)threadIdx.x & 7;
    int row = (int)threadIdx.x >> 3;
    unsigned char* to = tile + row * 128 + ((chunk ^ (row & 7)) << 4);
    int at = first + row;
    int frame = 0;
    int within = 0;
    if (slots) {
        frame = at / frameTokens;
        within = at - frame * frameTokens;
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        bool inside = at < rows;
        int place = inside ? at : 0;
        if (slots && inside) {
            while (within >= frameTokens) {
                within -= frameTokens;
                frame++;
            }
            place = slots[frame] * frameTokens + within;
        }
        const bf16* p = from + (tw_i64)place * stride;
#pragma unroll
        for (int n = 0; n < PANELS; n++) {
            int column = n * 64 + chunk * 8;
            bool there = inside && column < width;
            tw_copy_async(to + n * PANEL + i * 2048, p + (there ? column : 0), there);
        }
        at += 16;
        within += 16;
    }
}

// Which of 64 keys a query sees: the bits of low and high. plain becomes false where a mask adds something.
template <int MASK>
TW_DEVICE void tw_flash_bits(const Flash& f, int query, int firstKey, tw_u32& low, tw_u32& high, bool& plain) {
    constexpr int SIZE = MASK == 2 ? 2 : 1;
    tw_u32 word[2] = {0, 0};
    if (query < f.queries) {
        tw_i64 row = (tw_i64)query * f.keys + firstKey;
        const unsigned char* from = (const unsigned char*)f.mask + row * SIZE;
        if ((f.keys * SIZE & 15) == 0 && firstKey + 64 <= f.keys) {
#pragma unroll
            for (int i = 0; i < 4 * SIZE; i++) {
                uint4 four = ((const uint4*)from)[i];
                tw_u32 part[4] = {four.x, four.y, four.z, four.w};
                tw_u32 bits = 0;
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    if (MASK == 2) {
                        plain = plain && ((part[j] & 0xffffu) == 0xff80u || (part[j] & 0x7fffu) == 0);
                        plain = plain && ((part[j] >> 16) == 0xff80u || (part[j] >> 16 & 0x7fffu) == 0);
                        bits |= (tw_u32)((part[j] & 0xffffu) != 0xff80u) << (2 * j);
                        bits |= (tw_u32)((part[j] >> 16) != 0xff80u) << (2 * j + 1);
                    } else {
#pragma unroll
                        for (int e = 0; e < 4; e++) {
                            bits |= (tw_u32)((part[j] >> (8 * e) & 0xffu) != 0) << (4 * j + e);
                        }
                    }
                }
                constexpr int PER = 16 / SIZE;
                word[i * PER / 32] |= bits << (i * PER & 31);
            }
        } else {
            for (int i = 0; i < 64; i++) {
                if (firstKey + i < f.keys) {
                    tw_u32 bit;
                    if (MASK == 2) {
                        tw_u32 value = ((const bf16*)from)[i].bits;
                        plain = plain && (value == 0xff80u || (value & 0x7fffu) == 0);
                        bit = value != 0xff80u;
                    } else {
                        bit = from[i] != 0;
                    }
                    if (i < 32) {
                        word[0] |= bit << i;
                    } else {
                        word[1] |= bit << (i - 32);
                    }
                }
            }
        }
    }
    low = word[0];
    high = word[1];
}

// 384 threads: a warpgroup copies, two have 64 queries each of one head. Keys and values come KEYS at a time through
// STAGES tiles each; a tile of 128 keys is two blocks of 64 that need not lie side by side.
template <int WIDTH, int VALUES, int KEYS, int STAGES, int MASK>
TW_DEVICE void tw_flash_group(Flash f) {
    using At = FlashShared<WIDTH, VALUES, KEYS, STAGES, MASK>;
    TW_DYNAMIC_SHARED(raw);
    raw += (1024 - (tw_shared_address(raw) & 1023)) & 1023;
    tw_u32* bits = (tw_u32*)(raw + At::BITS);
    // Per stage: what of the tile is hidden, or −1 behind the last tile; the tile's first keys.
    int* info = (int*)(raw + At::INFO);
    tw_u64* qFull = (tw_u64*)(raw + At::BARRIERS);
    tw_u64* kFull = qFull + 1;
    tw_u64* vFull = kFull + STAGES;
    tw_u64* kEmpty = vFull + STAGES;
    tw_u64* vEmpty = kEmpty + STAGES;
    int t = (int)threadIdx.x;
    int firstQuery = (int)blockIdx.x * 128;
    int values = f.valueWidth - tw_flash_at<MASK, VALUES>(f);
    if (t == 0) {
        tw_barrier_init(qFull, 128);
        for (int i = 0; i < STAGES; i++) {
            tw_barrier_init(kFull + i, 128);
            tw_barrier_init(vFull + i, 128);
            tw_barrier_init(kEmpty + i, 8);
            tw_barrier_init(vEmpty + i, 8);
        }
    }
    __syncthreads();

    if (t < 128) {
        tw_fewer_registers<MASK == 0 ? 40 : 56>();
        int at;
        int end;
        tw_flash_range(f, at, end);
        // The next block that any query sees, or −1.
        auto next = [&](tw_u32& low, tw_u32& high, bool& plain, int& sides) {
            low = high = 0;
            sides = 0;
            while (at < end) {
                int firstKey = tw_flash_block(f, at, sides);
                at++;
                if (MASK == 0) {
                    return firstKey;
                }
                tw_flash_bits<MASK>(f, firstQuery + t, firstKey, low, high, plain);
                if (tw_barrier_any(1, 128, (low | high) != 0)) {
                    return firstKey;
                }
            }
            return -1;
        };
        // What is on its way and whose barrier it is; it is announced when the next copies have been started.
        tw_u64* pending = qFull;
#pragma unroll
        for (int h = 0; h < 2; h++) {
            tw_flash_fill<WIDTH / 64, At::Q_PANEL>(raw + h * 8192, f.q, f.qStride, f.width, nullptr, 1,
                                                   firstQuery + 64 * h, f.queries);
        }
        tw_copy_commit();
        int stage = 0;
        int phase = 0;
        for (;;) {
            tw_u32 low[2];
            tw_u32 high[2];
            bool plain = true;
            int sides[2] = {0, 0};
            int key0 = next(low[0], high[0], plain, sides[0]);
            int key1 = -1;
            if (KEYS == 128 && key0 >= 0) {
                key1 = next(low[1], high[1], plain, sides[1]);
            }
            tw_barrier_wait(kEmpty + stage, phase ^ 1);
            if (key0 < 0) {
                tw_copy_wait<0>();
                tw_fence_async();
                tw_barrier_arrive(pending);
                if (t == 0) {
                    info[4 * stage] = -1;
                }
                tw_barrier_arrive(kFull + stage);
                break;
            }
            int second = KEYS == 128 ? (key1 < 0 ? f.keys : key1) : 0;
            int what;
            if (MASK == 0) {
                // How many keys of each half are hidden, for one group of queries and the other.
                what = 0;
#pragma unroll
                for (int h = 0; h < KEYS / 64; h++) {
                    int hidden = (h == 0 ? key0 : second) + 64 - f.keys;
                    hidden = hidden > 0 ? hidden : 0;
                    what |= ((sides[h] & 1) != 0 ? hidden : 64) << (8 * h);
                    what |= ((sides[h] & 2) != 0 ? hidden : 64) << (8 * h + 16);
                }
            } else {
                tw_u32 all = low[0] & high[0];
                tw_u32* mine = bits + stage * (At::BITS_STAGE / 4) + t * (KEYS / 32);
                mine[0] = low[0];
                mine[1] = high[0];
                if (KEYS == 128) {
                    all &= low[1] & high[1];
                    mine[2] = low[1];
                    mine[3] = high[1];
                }
                what = tw_barrier_any(1, 128, firstQuery + t < f.queries && all != 0xffffffffu) ? 1 : 0;
                if (MASK == 2 && tw_barrier_any(1, 128, !plain)) {
                    what = 2;
                }
            }
            if (t == 0) {
                info[4 * stage] = what;
                info[4 * stage + 1] = key0;
                info[4 * stage + 2] = second;
            }
#pragma unroll
            for (int h = 0; h < KEYS / 64; h++) {
                tw_flash_fill<WIDTH / 64, At::PANEL>(raw + At::K + stage * At::K_STAGE + h * 8192, f.k, f.kStride,
                                                     f.width, f.slots, f.frameTokens, h == 0 ? key0 : second, f.keys);
            }
            tw_copy_commit();
            tw_copy_wait<1>();
            tw_fence_async();
            tw_barrier_arrive(pending);
            tw_barrier_wait(vEmpty + stage, phase ^ 1);
#pragma unroll
            for (int h = 0; h < KEYS / 64; h++) {
                tw_flash_fill<VALUES / 64, At::PANEL>(raw + At::V + stage * At::V_STAGE + h * 8192, f.v, f.vStride,
                                                      values, f.slots, f.frameTokens, h == 0 ? key0 : second, f.keys);
            }
            tw_copy_commit();
            tw_copy_wait<1>();
            tw_fence_async();
            tw_barrier_arrive(kFull + stage);
            pending = vFull + stage;
            if (++stage == STAGES) {
                stage = 0;
                phase ^= 1;
            }
        }
        return;
    }

    tw_more_registers<MASK == 0 ? 232 : 224>();
    const float lowest = tw_bits_to_float(0xff800000u);
    int lane = t & 31;
    int group = tw_uniform(t >> 7) - 1;
    // The thread has this row of the block and the one 8 below.
    int row = group * 64 + (t >> 5 & 3) * 16 + lane / 4;
    float s[KEYS / 2];
    float o[VALUES / 2];
    tw_u32 p[KEYS / 16][4];
    float top[2] = {lowest, lowest};
    float sum[2] = {0.0f, 0.0f};
    float shrink[2];
#pragma unroll
    for (int i = 0; i < VALUES / 2; i++) {
        o[i] = 0.0f;
    }
    tw_u64 qTile = tw_descriptor(raw + group * 8192, 16, 1024);

    auto scores = [&](int stage) {
        tw_u64 kTile = tw_descriptor(raw + At::K + stage * At::K_STAGE, 16, 1024);
        tw_wgmma_hold(s);
        tw_wgmma_begin();
#pragma unroll
        for (int kk = 0; kk < WIDTH / 16; kk++) {
            tw_wgmma(s, qTile + (kk / 4 * (At::Q_PANEL >> 4) + kk % 4 * 2),
                     kTile + (kk / 4 * (At::PANEL >> 4) + kk % 4 * 2), kk != 0);
        }
        tw_wgmma_commit();
    };
    auto mix = [&](int stage) {
        tw_u64 vTile = tw_descriptor(raw + At::V + stage * At::V_STAGE, At::PANEL, 1024);
        tw_wgmma_hold(o);
        tw_wgmma_begin();
#pragma unroll
        for (int kk = 0; kk < KEYS / 16; kk++) {
            tw_wgmma_columns(o, p[kk], vTile + kk * (2048 >> 4));
        }
        tw_wgmma_commit();
    };
    auto release = [&](tw_u64* barrier) {
        __syncwarp();
        if (lane == 0) {
            tw_barrier_arrive(barrier);
        }
    };
    auto hide = [&](int stage, int what) {
        if (MASK == 0) {
            what = what >> (16 * group) & 0xffff;
        }
        if (what == 0) {
            return;
        }
        if (MASK == 0) {
            int limit[2] = {64 - (what & 255), 64 - (what >> 8)};
#pragma unroll
            for (int i = 0; i < KEYS / 2; i++) {
                int column = i / 4 % 8 * 8 + (lane & 3) * 2 + (i & 1);
                if (column >= limit[i / 32]) {
                    s[i] = lowest;
                }
            }
            return;
        }
        const tw_u32* seen = bits + stage * (At::BITS_STAGE / 4) + row * (KEYS / 32);
#pragma unroll
        for (int w = 0; w < KEYS / 32; w++) {
#pragma unroll
            for (int h = 0; h < 2; h++) {
                tw_u32 word = seen[h * 8 * (KEYS / 32) + w] >> ((lane & 3) * 2);
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    // Of the word's 4 groups of 8 columns, group i / 2.
                    float& score = s[(w * 4 + i / 2) * 4 + h * 2 + i % 2];
                    if (MASK == 2 && what == 2) {
                        int key = info[4 * stage + 1 + w / 2] + w % 2 * 32 + i / 2 * 8 + (lane & 3) * 2 + i % 2;
                        int query = firstQuery + row + h * 8;
                        if (query < f.queries && key < f.keys) {
                            score += tw_load(((const bf16*)f.mask)[(tw_i64)query * f.keys + key]) * f.unscale;
                        }
                    }
                    if ((word >> (i / 2 * 8 + i % 2) & 1) == 0) {
                        score = lowest;
                    }
                }
            }
        }
    };
    auto soften = [&]() {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            float most = top[h];
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++) {
                most = fmaxf(most, fmaxf(s[4 * n + 2 * h], s[4 * n + 2 * h + 1]));
            }
            most = fmaxf(most, tw_shuffle_xor(most, 1));
            most = fmaxf(most, tw_shuffle_xor(most, 2));
            float base = most == lowest ? 0.0f : most * f.scaleLog2;
            shrink[h] = tw_exp2(top[h] * f.scaleLog2 - base);
            top[h] = most;
            float part = 0.0f;
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++) {
                s[4 * n + 2 * h] = tw_exp2(s[4 * n + 2 * h] * f.scaleLog2 - base);
                s[4 * n + 2 * h + 1] = tw_exp2(s[4 * n + 2 * h + 1] * f.scaleLog2 - base);
                part += s[4 * n + 2 * h] + s[4 * n + 2 * h + 1];
            }
            sum[h] = sum[h] * shrink[h] + part;
        }
    };
    auto pack = [&]() {
#pragma unroll
        for (int kk = 0; kk < KEYS / 16; kk++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                p[kk][i] = tw_pack_bf16(s[8 * kk + 2 * i], s[8 * kk + 2 * i + 1]);
            }
        }
    };

    tw_barrier_wait(qFull, 0);
    tw_barrier_wait(kFull, 0);
    int what = tw_uniform(info[0]);
    if (what >= 0) {
        scores(0);
        tw_wgmma_wait<0>();
        tw_wgmma_hold(s);
        hide(0, what);
        release(kEmpty);
        soften();
        pack();
        int kStage = 0;
        int kPhase = 0;
        int vStage = 0;
        int vPhase = 0;
        for (;;) {
            if (++kStage == STAGES) {
                kStage = 0;
                kPhase ^= 1;
            }
            tw_barrier_wait(kFull + kStage, kPhase);
            what = tw_uniform(info[4 * kStage]);
            if (what < 0) {
                break;
            }
            // The scores of this tile and the values of the one before, while the softmax of this one waits for neither.
            scores(kStage);
            tw_barrier_wait(vFull + vStage, vPhase);
            mix(vStage);
            tw_wgmma_wait<1>();
            tw_wgmma_hold(s);
            hide(kStage, what);
            release(kEmpty + kStage);
            soften();
            tw_wgmma_wait<0>();
            tw_wgmma_hold(o);
            release(vEmpty + vStage);
            if (++vStage == STAGES) {
                vStage = 0;
                vPhase ^= 1;
            }
#pragma unroll
            for (int i = 0; i < VALUES / 2; i++) {
                o[i] *= shrink[i >> 1 & 1];
            }
            pack();
        }
        tw_barrier_wait(vFull + vStage, vPhase);
        mix(vStage);
        tw_wgmma_wait<0>();
        tw_wgmma_hold(o);
    }

    // Through the place of the queries, so that rows are written in runs of 16 bytes.
    tw_barrier_sync(2 + group, 128);
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float all = sum[h];
        all += tw_shuffle_xor(all, 1);
        all += tw_shuffle_xor(all, 2);
        float inverse = all > 0.0f ? 1.0f / all : 0.0f;
        unsigned char* to = raw + (row + h * 8) * 128 + (lane & 3) * 4;
#pragma unroll
        for (int n = 0; n < VALUES / 8; n++) {
            *(tw_u32*)(to + n / 8 * At::Q_PANEL + ((n % 8 ^ (row & 7)) << 4)) =
                tw_pack_bf16(o[4 * n + 2 * h] * inverse, o[4 * n + 2 * h + 1] * inverse);
        }
    }
    __syncwarp();
#pragma unroll
    for (int i = lane; i < 2 * VALUES; i += 32) {
        int r = group * 64 + (t >> 5 & 3) * 16 + i / (VALUES / 8);
        int n = i % (VALUES / 8);
        if (firstQuery + r < f.queries && n * 8 < values) {
            *(uint4*)(f.y + (tw_i64)(firstQuery + r) * f.heads * f.valueWidth + n * 8) =
                *(const uint4*)(raw + n / 8 * At::Q_PANEL + r * 128 + ((n % 8 ^ (r & 7)) << 4));
        }
    }
}
#endif

// ------------------------------------------------------------------------------------------ lists of windows

// Which windows each window keeps, as lists of blocks of 64 keys for each 128 queries: kept [samples,windows,heads,
// reach·slabs], neighbours [windows,reach]; a window is so many units of 64 tokens. One block of 128 threads per list.
TW_KERNEL(tw_window_lists, 128, const tw_u8* kept, const tw_i64* neighbours, int* lists, int windows, int reach,
          int slabs, int units, int listLength) {
    TW_SHARED int counts[32];
    TW_DYNAMIC_SHARED(raw);
    // For each window of each slab: whether the first and the last 64 queries see it.
    int* sides = (int*)raw;
    int t = (int)threadIdx.x;
    int places = slabs * windows;
    int pairs = reach * slabs;
    int head = (int)blockIdx.y;
    int heads = (int)gridDim.y;
    for (int i = t; i < places; i += 128) {
        sides[i] = 0;
    }
    __syncthreads();
    for (int side = 0; side < 2; side++) {
        int window = ((int)blockIdx.x * 2 + side) / units;
        if (window < windows) {
            const tw_u8* mine = kept + (((tw_i64)blockIdx.z * windows + window) * heads + head) * pairs;
            for (int i = t; i < pairs; i += 128) {
                if (mine[i] != 0) {
                    // What one window keeps lies in different places, so that no two threads write one.
                    sides[i % slabs * windows + (int)neighbours[window * reach + i / slabs]] |= 1 << side;
                }
            }
        }
        __syncthreads();
    }
    int share = (places + 31) / 32;
    int from = t * share;
    int to = from + share < places ? from + share : places;
    int count = 0;
    if (t < 32) {
        for (int i = from; i < to; i++) {
            count += sides[i] != 0 ? 1 : 0;
        }
        counts[t] = count;
    }
    __syncthreads();
    if (t < 32) {
        int* list = lists + (((tw_i64)blockIdx.z * heads + head) * (int)gridDim.x + (int)blockIdx.x) * listLength;
        int before = 0;
        for (int i = 0; i < t; i++) {
            before += counts[i];
        }
        if (t == 31) {
            list[0] = (before + count) * units;
        }
        for (int i = from; i < to; i++) {
            if (sides[i] != 0) {
                for (int u = 0; u < units; u++) {
                    list[1 + before * units + u] = (i * units + u) | sides[i] << 28;
                }
                before++;
            }
        }
    }
}

// ------------------------------------------------------------------------------------------ kernels

#define TW_FLASH(KERNEL, name, threads, body)                                                                       \
    KERNEL(tw_flash_##name, threads, const bf16* q, const bf16* k, const bf16* v, bf16* y, const int* slots,        \
           const int* first, const int* columns, const void* mask, int queries, int keys, int heads, int width,     \
           int valueWidth, int parts, int qStride, int kStride, int vStride, int kvRows, int frameTokens,           \
           int listHeads, int maskBatch, int listLength, float scaleLog2, float unscale) {                          \
        Flash f = {q,     k,          v,     y,       slots,   first,   columns, mask,        queries,   keys,      \
                   heads, width,      valueWidth,     parts,   qStride, kStride, vStride,     kvRows,    frameTokens, \
                   listHeads, maskBatch,  listLength, scaleLog2, unscale};                                                      \
        body(f);                                                                                                    \
    }
TW_FLASH(TW_KERNEL, 64, 256, (tw_flash<64, 64, 0>))
TW_FLASH(TW_KERNEL, 64_masked, 256, (tw_flash<64, 64, 1>))
TW_FLASH(TW_KERNEL, 64_added, 256, (tw_flash<64, 64, 2>))
TW_FLASH(TW_KERNEL, 128, 256, (tw_flash<128, 128, 0>))
TW_FLASH(TW_KERNEL, 128_masked, 256, (tw_flash<128, 128, 1>))
TW_FLASH(TW_KERNEL, 128_added, 256, (tw_flash<128, 128, 2>))

// Where there is no wgmma, the same launches are done by mma.sync, in less shared memory and by fewer threads.
#ifdef TW_WGMMA
#define TW_FLASH_GROUP(name, WIDTH, VALUES, KEYS, STAGES, MASK) \
    TW_FLASH(TW_KERNEL_ALONE, group_##name, 384, (tw_flash_group<WIDTH, VALUES, KEYS, STAGES, MASK>))
#else
#define TW_FLASH_GROUP(name, WIDTH, VALUES, KEYS, STAGES, MASK) \
    TW_FLASH(TW_KERNEL_ALONE, group_##name, 384, (tw_flash<WIDTH, VALUES, MASK>))
#endif
TW_FLASH_GROUP(64, 64, 64, 128, 4, 0)
TW_FLASH_GROUP(64_masked, 64, 64, 128, 4, 1)
TW_FLASH_GROUP(64_added, 64, 64, 128, 4, 2)
TW_FLASH_GROUP(128, 128, 128, 128, 2, 0)
TW_FLASH_GROUP(128_masked, 128, 128, 128, 2, 1)
TW_FLASH_GROUP(128_added, 128, 128, 128, 2, 2)
TW_FLASH_GROUP(384, 384, 128, 64, 2, 0)
