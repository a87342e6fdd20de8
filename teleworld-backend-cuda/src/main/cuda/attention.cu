// Attention of bf16 heads of width 64 or 128 with online softmax in fp32, by bf16 tensor core products (mma.sync).
#include "common.cuh"

// Chunk of 16 bytes in a row of a shared tile; rows 8 apart share banks, the 8 rows of an ldmatrix do not.
template <int WIDTH>
TW_DEVICE bf16* tw_chunk(bf16* tile, int row, int chunk) {
    return tile + row * WIDTH + ((chunk ^ (row & 7)) << 3);
}

// One block of 256 threads: 128 queries of one head; a warp has 16 of them. Keys come 64 at a time, two tiles deep.
// slots: where key frame f lies in the cache, or null where keys are dense. first, columns: CSR lists of the blocks of
// 64 keys that each block of 128 queries sees, per head if listHeads is 1; null: all.
template <int WIDTH, bool MASKED>
TW_DEVICE void tw_flash(const bf16* q, const bf16* k, const bf16* v, bf16* y, const int* slots, const int* first,
                        const int* columns, const tw_u8* mask, int queries, int keys, int heads, int qStride,
                        int kvStride, int kvRows, int frameTokens, int listHeads, int maskBatch, float scaleLog2) {
    constexpr int CHUNKS = WIDTH / 8;
    constexpr int ROWS = 128;
    constexpr int COLUMNS = 64;
    TW_DYNAMIC_SHARED(raw);
    bf16* qs = (bf16*)raw;
    bf16* ks = qs + ROWS * WIDTH;
    bf16* vs = ks + 2 * COLUMNS * WIDTH;
    int t = (int)threadIdx.x;
    int lane = t & 31;
    int warp = t >> 5;
    int head = (int)blockIdx.y;
    int b = (int)blockIdx.z;
    int firstQuery = (int)blockIdx.x * ROWS;
    q += (tw_i64)b * queries * qStride + head * WIDTH;
    k += (tw_i64)b * kvRows * kvStride + head * WIDTH;
    v += (tw_i64)b * kvRows * kvStride + head * WIDTH;

    for (int i = t; i < ROWS * CHUNKS; i += 256) {
        int row = i / CHUNKS;
        int chunk = i % CHUNKS;
        bool inside = firstQuery + row < queries;
        const bf16* from = q + (tw_i64)(inside ? firstQuery + row : 0) * qStride + chunk * 8;
        tw_copy_async(tw_chunk<WIDTH>(qs, row, chunk), from, inside);
    }

    int begin = 0;
    int end = (keys + COLUMNS - 1) / COLUMNS;
    if (first) {
        int list = listHeads * head * (int)gridDim.x + (int)blockIdx.x;
        begin = first[list];
        end = first[list + 1];
    }

    auto load = [&](int stage, int tile) {
        int firstKey = (columns ? columns[tile] : tile) * COLUMNS;
        for (int i = t; i < COLUMNS * CHUNKS; i += 256) {
            int row = i / CHUNKS;
            int chunk = i % CHUNKS;
            int key = firstKey + row;
            bool inside = key < keys;
            tw_i64 at = inside ? key : 0;
            if (slots && inside) {
                int frame = key / frameTokens;
                at = (tw_i64)slots[frame] * frameTokens + (key - frame * frameTokens);
            }
            at = at * kvStride + chunk * 8;
            tw_copy_async(tw_chunk<WIDTH>(ks + stage * COLUMNS * WIDTH, row, chunk), k + at, inside);
            tw_copy_async(tw_chunk<WIDTH>(vs + stage * COLUMNS * WIDTH, row, chunk), v + at, inside);
        }
    };

    if (begin < end) {
        load(0, begin);
    }
    tw_copy_commit();

    const float lowest = tw_bits_to_float(0xff800000u);
    float o[WIDTH / 8][4];
#pragma unroll
    for (int n = 0; n < WIDTH / 8; n++) {
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
        bf16* vt = vs + stage * COLUMNS * WIDTH;
        int firstKey = (columns ? columns[tile] : tile) * COLUMNS;

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

        if (MASKED || firstKey + COLUMNS > keys) {
#pragma unroll
            for (int n = 0; n < COLUMNS / 8; n++) {
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    int key = firstKey + n * 8 + (lane & 3) * 2 + (e & 1);
                    bool seen = key < keys;
                    if (MASKED) {
                        int row = row0 + (e >> 1) * 8;
                        seen = seen && row < queries && mask[((tw_i64)b * maskBatch + row) * keys + key] != 0;
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
            float base = most == lowest ? 0.0f : most * scaleLog2;
            float shrink = tw_exp2(top[h] * scaleLog2 - base);
            top[h] = most;
            float part = 0.0f;
#pragma unroll
            for (int n = 0; n < COLUMNS / 8; n++) {
                s[n][2 * h] = tw_exp2(s[n][2 * h] * scaleLog2 - base);
                s[n][2 * h + 1] = tw_exp2(s[n][2 * h + 1] * scaleLog2 - base);
                part += s[n][2 * h] + s[n][2 * h + 1];
            }
            sum[h] = sum[h] * shrink + part;
#pragma unroll
            for (int n = 0; n < WIDTH / 8; n++) {
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
            for (int n = 0; n < WIDTH / 16; n++) {
                tw_u32 r[4];
                int row = kk * 16 + ((lane >> 3) & 1) * 8 + (lane & 7);
                tw_ldmatrix_transposed(r, tw_chunk<WIDTH>(vt, row, n * 2 + (lane >> 4)));
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
        if (row < queries) {
            bf16* to = y + ((tw_i64)b * queries + row) * heads * WIDTH + head * WIDTH + (lane & 3) * 2;
#pragma unroll
            for (int n = 0; n < WIDTH / 8; n++) {
                *(tw_u32*)(to + n * 8) = tw_pack_bf16(o[n][2 * h] * inverse, o[n][2 * h + 1] * inverse);
            }
        }
    }
}

#define TW_FLASH(WIDTH, MASKED, name)                                                                               \
    TW_KERNEL(tw_flash_##name, 256, const bf16* q, const bf16* k, const bf16* v, bf16* y, const int* slots,         \
              const int* first, const int* columns, const tw_u8* mask, int queries, int keys, int heads,            \
              int qStride, int kvStride, int kvRows, int frameTokens, int listHeads, int maskBatch,                 \
              float scaleLog2) {                                                                                    \
        tw_flash<WIDTH, MASKED>(q, k, v, y, slots, first, columns, mask, queries, keys, heads, qStride, kvStride,   \
                                kvRows, frameTokens, listHeads, maskBatch, scaleLog2);                              \
    }
TW_FLASH(64, false, 64)
TW_FLASH(64, true, 64_masked)
TW_FLASH(128, false, 128)
TW_FLASH(128, true, 128_masked)
