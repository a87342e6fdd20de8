#!/bin/sh
# Compiles the kernels to a fat binary: machine code for compute capability 9.0 (with its own instructions) and PTX for
# later ones. Usage: build.sh SOURCE_DIRECTORY OUTPUT_DIRECTORY. Without nvcc it does nothing.
set -eu
source=$1
output=$2
if ! command -v nvcc >/dev/null 2>&1; then
    echo "no nvcc on the path: the kernels will be compiled from source when a device is opened"
    exit 0
fi
mkdir -p "$output"
target="$output/kernels.fatbin"
if [ -f "$target" ] && [ -z "$(find "$source" -newer "$target" -type f)" ]; then
    exit 0
fi
nvcc -std=c++17 -O3 -I "$source" -fatbin --compress-mode=size -Werror all-warnings \
    -gencode=arch=compute_90a,code=sm_90a -gencode=arch=compute_90,code=compute_90 \
    -o "$target.part" "$source/kernels.cu"
mv "$target.part" "$target"
