// Convolutions of the decoder: bf16, channels last, as implicit matrix products on tensor cores (mma.sync).
#include "common.cuh"

TW_DEVICE bf16* tw_conv_chunk(bf16* tile, int row, int chunk) {
    return tile + row * 32 + ((chunk ^ ((row >> 1) & 3)) << 3);
}

// y = relu?(conv([x ; past]) + bias + residual) for a 3×3 kernel with padding 1 (taps 9) or a 1×1 kernel (taps 1).
// x, past [N,H,W,C] (past may be null), weight [M,taps,C or 2C], bias [M] in fp32, residual and y [N,H,W,M].
// C a multiple of 32, M of 8. One block: 128 pixels by 64 channels; 8 warps of 32×32; three stages of 32 inputs.
TW_KERNEL(tw_conv_nhwc_bf16, 256, const bf16* x, const bf16* past, const bf16* weight, const float* bias,
          const bf16* residual, bf16* y, int pixels, int h, int w, int c, int m, int taps, int relu) {
    constexpr int STAGES = 3;
    constexpr int TILE = (128 + 64) * 32;
    TW_DYNAMIC_SHARED(raw);
    bf16* tiles = (bf16*)raw;
    int t = (int)threadIdx.x;
    int lane = t & 31;
    int warp = t >> 5;
    int firstPixel = (int)blockIdx.x * 128;
    int firstChannel = (int)blockIdx.y * 64;
    int inputs = past ? 2 * c : c;
    int perTap = inputs / 32;
    int steps = taps * perTap;

    int chunk = t & 3;
    int rowA[2], column[2], line[2], image[2];
#pragma unroll
    for (int e = 0; e < 2; e++) {
        rowA[e] = (t >> 2) + e * 64;
        int p = firstPixel + rowA[e];
        column[e] = p % w;
        line[e] = p / w % h;
        image[e] = p < pixels ? p / w / h : -1;
    }
    int channel = firstChannel + (t >> 2);

    auto load = [&](int step) {
        bf16* at = tiles + step % STAGES * TILE;
        int tap = step / perTap;
        int from = (step - tap * perTap) * 32;
        const bf16* source = x;
        if (from >= c) {
            source = past;
            from -= c;
        }
        int dy = taps == 9 ? tap / 3 - 1 : 0;
        int dx = taps == 9 ? tap % 3 - 1 : 0;
#pragma unroll
        for (int e = 0; e < 2; e++) {
            int yy = line[e] + dy;
            int xx = column[e] + dx;
            bool inside = image[e] >= 0 && yy >= 0 && yy < h && xx >= 0 && xx < w;
            tw_i64 pixel = inside ? ((tw_i64)image[e] * h + yy) * w + xx : 0;
            tw_copy_async(tw_conv_chunk(at, rowA[e], chunk), source + pixel * c + from + chunk * 8, inside);
        }
        bool inside = channel < m;
        tw_i64 row = inside ? channel : 0;
        tw_copy_async(tw_conv_chunk(at + 128 * 32, t >> 2, chunk),
                      weight + row * taps * inputs + (tw_i64)step * 32 + chunk * 8, inside);
    };

    float sum[2][4][4];
#pragma unroll
    for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                sum[i][j][e] = 0.0f;
            }
        }
    }
    load(0);
    tw_copy_commit();
    if (steps > 1) {
        load(1);
    }
    tw_copy_commit();
    int rowOfWarp = (warp & 3) * 32;
    int columnOfWarp = (warp >> 2) * 32;
    for (int step = 0; step < steps; step++) {
        tw_copy_wait<1>();
        __syncthreads();
        if (step + 2 < steps) {
            load(step + 2);
        }
        tw_copy_commit();
        bf16* as = tiles + step % STAGES * TILE;
        bf16* bs = as + 128 * 32;
#pragma unroll
        for (int kk = 0; kk < 2; kk++) {
            tw_u32 a[2][4];
#pragma unroll
            for (int i = 0; i < 2; i++) {
                tw_ldmatrix(a[i], tw_conv_chunk(as, rowOfWarp + i * 16 + (lane & 15), kk * 2 + (lane >> 4)));
            }
#pragma unroll
            for (int j = 0; j < 2; j++) {
                tw_u32 b[4];
                int row = columnOfWarp + j * 16 + (lane >> 4) * 8 + (lane & 7);
                tw_ldmatrix(b, tw_conv_chunk(bs, row, kk * 2 + ((lane >> 3) & 1)));
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    tw_mma(sum[i][2 * j], a[i], b[0], b[1]);
                    tw_mma(sum[i][2 * j + 1], a[i], b[2], b[3]);
                }
            }
        }
    }
    tw_copy_wait<0>();

#pragma unroll
    for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int p = firstPixel + rowOfWarp + i * 16 + half * 8 + lane / 4;
#pragma unroll
            for (int j = 0; j < 4; j++) {
                int ch = firstChannel + columnOfWarp + j * 8 + (lane & 3) * 2;
                if (p < pixels && ch < m) {
                    float u = sum[i][j][2 * half];
                    float v = sum[i][j][2 * half + 1];
                    if (bias) {
                        u += bias[ch];
                        v += bias[ch + 1];
                    }
                    tw_i64 at = (tw_i64)p * m + ch;
                    if (residual) {
                        u += tw_load(residual[at]);
                        v += tw_load(residual[at + 1]);
                    }
                    if (relu) {
                        u = fmaxf(u, 0.0f);
                        v = fmaxf(v, 0.0f);
                    }
                    *(tw_u32*)(y + at) = tw_pack_bf16(u, v);
                }
            }
        }
    }
}

// ------------------------------------------------------------------------------------------ any 2D convolution

// [N,C,P] to [N,P,padded], zeros behind the C channels: pictures to channels last, and weights to taps before channels.
TW_KERNEL(tw_channels_last, 256, const bf16* x, bf16* y, int c, int p, int padded) {
    TW_SHARED bf16 tile[32][33];
    int column = (int)threadIdx.x & 31;
    int row = (int)threadIdx.x >> 5;
    int firstPlace = (int)blockIdx.x * 32;
    int firstChannel = (int)blockIdx.y * 32;
    x += (tw_i64)blockIdx.z * c * p;
    y += (tw_i64)blockIdx.z * p * padded;
    for (int i = row; i < 32; i += 8) {
        bf16 v = {0};
        if (firstChannel + i < c && firstPlace + column < p) {
            v = x[(tw_i64)(firstChannel + i) * p + firstPlace + column];
        }
        tile[i][column] = v;
    }
    __syncthreads();
    for (int i = row; i < 32; i += 8) {
        if (firstPlace + i < p && firstChannel + column < padded) {
            y[(tw_i64)(firstPlace + i) * padded + firstChannel + column] = tile[column][i];
        }
    }
}

// x [N,H,W,C] and weight [M,taps,C] with C a multiple of 8, bias [M] or null; y [N,M,OH,OW].
struct Conv {
    const bf16* x;
    const bf16* weight;
    const bf16* bias;
    bf16* y;
    int pixels, h, w, oh, ow, c, m, kh, kw, sy, sx, py, px, dy, dx;
};

// What a thread of THREADS copies of tiles of 64 inputs: 8 threads have a row of 128 bytes, swizzled as tw_descriptor
// says. Rows are 128 pixels, and ROWS channels of the result.
template <int THREADS, int ROWS>
struct ConvLoader {
    static constexpr int PASSES = 128 / (THREADS / 8);
    int origin[PASSES];
    int place[PASSES];
    int chunk, row, to, perTap;

    TW_DEVICE ConvLoader(const Conv& f, int t) {
        chunk = t & 7;
        row = t >> 3;
        to = row * 128 + ((chunk ^ (row & 7)) << 4);
        perTap = (f.c + 63) / 64;
#pragma unroll
        for (int i = 0; i < PASSES; i++) {
            int p = (int)blockIdx.x * 128 + row + i * (THREADS / 8);
            int line = p / f.ow;
            int image = line / f.oh;
            int iy = (line - image * f.oh) * f.sy - f.py;
            int ix = (p - line * f.ow) * f.sx - f.px;
            origin[i] = (image * f.h + iy) * f.w + ix;
            // No tap of a pixel behind the last is inside.
            place[i] = p < f.pixels ? (int)((tw_u32)iy << 16 | ((tw_u32)ix & 0xffffu)) : (int)0x80000000u;
        }
    }

    // Tiles of the step's inputs: pixels at first, then channels of the result from firstChannel.
    TW_DEVICE void load(const Conv& f, unsigned char* tile, int firstChannel, int step) const {
        int tap = step / perTap;
        int channel = (step - tap * perTap) * 64 + chunk * 8;
        int ky = tap / f.kw;
        int kx = tap - ky * f.kw;
        int across = ky * f.dy * f.w + kx * f.dx;
        bool there = channel < f.c;
#pragma unroll
        for (int i = 0; i < PASSES; i++) {
            int iy = (place[i] >> 16) + ky * f.dy;
            int ix = (int)(short)(place[i] & 0xffff) + kx * f.dx;
            bool inside = there && iy >= 0 && iy < f.h && ix >= 0 && ix < f.w;
            tw_i64 at = inside ? (tw_i64)(origin[i] + across) * f.c + channel : 0;
            tw_copy_async(tile + to + i * (THREADS * 16), f.x + at, inside);
        }
#pragma unroll
        for (int i = 0; i < ROWS / (THREADS / 8); i++) {
            int m = firstChannel + row + i * (THREADS / 8);
            bool inside = there && m < f.m;
            tw_i64 at = inside ? ((tw_i64)m * f.kh * f.kw + tap) * f.c + channel : 0;
            tw_copy_async(tile + 128 * 128 + to + i * (THREADS * 16), f.weight + at, inside);
        }
    }
};

// Results [ROWS][128 pixels] in shared memory, row by row, to their channels; by 256 threads.
template <int ROWS>
TW_DEVICE void tw_conv_store(const Conv& f, const bf16* tile, int firstChannel, int t) {
    int lane = t & 31;
    int area = f.oh * f.ow;
#pragma unroll
    for (int j = 0; j < 2; j++) {
        int column = 64 * j + 2 * lane;
        int p = (int)blockIdx.x * 128 + column;
        int image = p / area;
        tw_i64 at = (tw_i64)image * f.m * area + (p - image * area);
        for (int r = t >> 5; r < ROWS; r += 8) {
            int m = firstChannel + r;
            if (m < f.m) {
                const bf16* from = tile + r * 128 + column;
                bf16* to = f.y + at + (tw_i64)m * area;
                if ((area & 1) == 0) {
                    if (p < f.pixels) {
                        *(tw_u32*)to = *(const tw_u32*)from;
                    }
                } else {
                    if (p < f.pixels) {
                        to[0] = from[0];
                    }
                    if (p + 1 < f.pixels) {
                        // The next pixel may be another picture's first.
                        bool next = p + 1 - image * area == area;
                        (next ? f.y + ((tw_i64)(image + 1) * f.m + m) * area : to + 1)[0] = from[1];
                    }
                }
            }
        }
    }
}

// 256 threads (more do nothing): 64 channels of 128 pixels, a warp 16 by 64, three stages of 64 inputs (mma.sync).
TW_DEVICE void tw_conv_tile_at(const Conv& f, int firstChannel) {
    constexpr int STAGES = 3;
    constexpr int STAGE = (128 + 64) * 128;
    TW_DYNAMIC_SHARED(raw);
    int t = (int)threadIdx.x;
    if (t >= 256) {
        return;
    }
    int lane = t & 31;
    int warp = t >> 5;
    ConvLoader<256, 64> loader(f, t);
    int steps = f.kh * f.kw * loader.perTap;
    float sum[8][4];
#pragma unroll
    for (int n = 0; n < 8; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            sum[n][e] = 0.0f;
        }
    }
    loader.load(f, raw, firstChannel, 0);
    tw_copy_commit();
    if (steps > 1) {
        loader.load(f, raw + STAGE, firstChannel, 1);
    }
    tw_copy_commit();
    for (int step = 0; step < steps; step++) {
        tw_copy_wait<1>();
        __syncthreads();
        if (step + 2 < steps) {
            loader.load(f, raw + (step + 2) % STAGES * STAGE, firstChannel, step + 2);
        }
        tw_copy_commit();
        unsigned char* pixels = raw + step % STAGES * STAGE + (warp >> 2) * 8192;
        unsigned char* weights = raw + step % STAGES * STAGE + 128 * 128 + (warp & 3) * 2048;
#pragma unroll
        for (int kk = 0; kk < 4; kk++) {
            tw_u32 a[4];
            int row = lane & 15;
            tw_ldmatrix(a, weights + row * 128 + (((kk * 2 + (lane >> 4)) ^ (row & 7)) << 4));
#pragma unroll
            for (int n = 0; n < 4; n++) {
                tw_u32 b[4];
                row = n * 16 + (lane >> 4) * 8 + (lane & 7);
                tw_ldmatrix(b, pixels + row * 128 + (((kk * 2 + ((lane >> 3) & 1)) ^ (row & 7)) << 4));
                tw_mma(sum[2 * n], a, b[0], b[1]);
                tw_mma(sum[2 * n + 1], a, b[2], b[3]);
            }
        }
    }
    tw_copy_wait<0>();
    __syncthreads();
    bf16* tile = (bf16*)raw;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = (warp & 3) * 16 + h * 8 + lane / 4;
        float bias = f.bias && firstChannel + row < f.m ? tw_load(f.bias[firstChannel + row]) : 0.0f;
#pragma unroll
        for (int n = 0; n < 8; n++) {
            *(tw_u32*)(tile + row * 128 + (warp >> 2) * 64 + n * 8 + (lane & 3) * 2) =
                tw_pack_bf16(sum[n][2 * h] + bias, sum[n][2 * h + 1] + bias);
        }
    }
    __syncthreads();
    tw_conv_store<64>(f, tile, firstChannel, t);
    __syncthreads();
}

TW_DEVICE void tw_conv_tile_body(const Conv& f) { tw_conv_tile_at(f, (int)blockIdx.y * 64); }

#ifdef TW_WGMMA
// 384 threads: a warpgroup copies, two have 64 channels each of 128 pixels; four stages of 64 inputs (wgmma).
TW_DEVICE void tw_conv_group_body(const Conv& f) {
    constexpr int STAGES = 4;
    constexpr int STAGE = 256 * 128;
    TW_DYNAMIC_SHARED(raw);
    raw += (1024 - (tw_shared_address(raw) & 1023)) & 1023;
    tw_u64* full = (tw_u64*)(raw + STAGES * STAGE);
    tw_u64* empty = full + STAGES;
    int t = (int)threadIdx.x;
    int firstChannel = (int)blockIdx.y * 128;
    if (t == 0) {
        for (int i = 0; i < STAGES; i++) {
            tw_barrier_init(full + i, 128);
            tw_barrier_init(empty + i, 8);
        }
    }
    __syncthreads();
    int steps = f.kh * f.kw * ((f.c + 63) / 64);

    if (t < 128) {
        ConvLoader<128, 128> loader(f, t);
        // A step is announced when the copies of the two behind it have been started.
        for (int step = 0; step < steps + 2; step++) {
            if (step < steps) {
                tw_barrier_wait(empty + step % STAGES, (step / STAGES & 1) ^ 1);
                loader.load(f, raw + step % STAGES * STAGE, firstChannel, step);
            }
            tw_copy_commit();
            if (step >= 2) {
                tw_copy_wait<2>();
                tw_fence_async();
                tw_barrier_arrive(full + (step - 2) % STAGES);
            }
        }
        return;
    }

    int lane = t & 31;
    int group = tw_uniform(t >> 7) - 1;
    float sum[64];
#pragma unroll
    for (int i = 0; i < 64; i++) {
        sum[i] = 0.0f;
    }
    tw_u64 pixels = tw_descriptor(raw, 16, 1024);
    tw_u64 weights = tw_descriptor(raw + (128 + group * 64) * 128, 16, 1024);
    for (int step = 0; step < steps; step++) {
        int stage = step % STAGES;
        tw_barrier_wait(full + stage, step / STAGES & 1);
        tw_wgmma_hold(sum);
        tw_wgmma_begin();
#pragma unroll
        for (int kk = 0; kk < 4; kk++) {
            int at = stage * (STAGE >> 4) + kk * 2;
            tw_wgmma(sum, weights + at, pixels + at, 1);
        }
        tw_wgmma_commit();
        tw_wgmma_wait<1>();
        // The products of the step before are done.
        __syncwarp();
        if (step > 0 && lane == 0) {
            tw_barrier_arrive(empty + (step - 1) % STAGES);
        }
    }
    tw_wgmma_wait<0>();
    tw_wgmma_hold(sum);

    // Through the place of the first stages' tiles, when both groups are done with them.
    tw_barrier_sync(1, 256);
    bf16* tile = (bf16*)raw;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = group * 64 + (t >> 5 & 3) * 16 + h * 8 + lane / 4;
        float bias = f.bias && firstChannel + row < f.m ? tw_load(f.bias[firstChannel + row]) : 0.0f;
#pragma unroll
        for (int n = 0; n < 16; n++) {
            *(tw_u32*)(tile + row * 128 + n * 8 + (lane & 3) * 2) =
                tw_pack_bf16(sum[4 * n + 2 * h] + bias, sum[4 * n + 2 * h + 1] + bias);
        }
    }
    tw_barrier_sync(1, 256);
    tw_conv_store<128>(f, tile, firstChannel, t - 128);
}
#else
// The same launch by mma.sync.
TW_DEVICE void tw_conv_group_body(const Conv& f) {
    tw_conv_tile_at(f, (int)blockIdx.y * 128);
    tw_conv_tile_at(f, (int)blockIdx.y * 128 + 64);
}
#endif

#define TW_CONV(KERNEL, name, threads)                                                                              \
    KERNEL(name, threads, const bf16* x, const bf16* weight, const bf16* bias, bf16* y, int pixels, int h, int w,   \
           int oh, int ow, int c, int m, int kh, int kw, int sy, int sx, int py, int px, int dy, int dx) {          \
        Conv f = {x, weight, bias, y, pixels, h, w, oh, ow, c, m, kh, kw, sy, sx, py, px, dy, dx};                  \
        name##_body(f);                                                                                             \
    }
TW_CONV(TW_KERNEL, tw_conv_tile, 256)
TW_CONV(TW_KERNEL_ALONE, tw_conv_group, 384)
