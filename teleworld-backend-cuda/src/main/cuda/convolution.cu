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
