#!/bin/sh
# Compiles the kernels to a fat binary: machine code for compute capability 9.0 (with its own instructions) and PTX for
# later ones, with a note of the sources' digest and the compiler beside it.
# Usage: build.sh SOURCE_DIRECTORY OUTPUT_DIRECTORY. Does nothing if the binary there is of these sources already, or
# without nvcc: then a binary of other sources is removed, and the kernels are compiled when a device is opened.
set -eu
source=$1
output=$2
digest=$(cd "$source" && cat common.cuh operators.cu fused.cu attention.cu convolution.cu plan.cu kernels.cu | sha256sum | cut -d' ' -f1)
if [ -f "$output/kernels.fatbin" ] && grep -q "sources=$digest" "$output/kernels.properties" 2>/dev/null; then
    exit 0
fi
mkdir -p "$output"
rm -f "$output/kernels.fatbin" "$output/kernels.properties"
if ! command -v nvcc >/dev/null 2>&1; then
    echo "no nvcc on the path: the kernels will be compiled from source when a device is opened"
    exit 0
fi
nvcc -std=c++17 -O3 -I "$source" -fatbin --compress-mode=size -Werror all-warnings \
    -gencode=arch=compute_90a,code=sm_90a -gencode=arch=compute_90,code=compute_90 \
    -o "$output/kernels.part" "$source/kernels.cu"
mv "$output/kernels.part" "$output/kernels.fatbin"
compiler=$(nvcc --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')
printf 'sources=%s\ncompiler=nvcc %s\n' "$digest" "$compiler" >"$output/kernels.properties"
