#!/bin/sh
# Packs the benchmark, the parity check and a Java for an x86-64 host that has an NVIDIA driver and CUDA 13's libraries and
# nothing else: no JDK, no Maven, no network.
#
#   pack.sh OUT_DIR [--torch] [--onnx] [--goldens DIR] [--jars DIR]
#
# OUT_DIR/part-00, part-01, ... of at most 40 MiB (PART_MIB). On the host, once all parts are there:
#   cat part-* | xz -d -T0 | tar -x && sh gpu-host/run.sh gpu
# --torch    PyTorch 2.10 with CUDA, the baseline; only the code for compute capability 9.0, and for the processor
# --onnx     ONNX Runtime for the processor, to try the program where there is no GPU
# --goldens  golden files for gpu --parity --goldens gpu-host/goldens
# --jars     jars that are built already, dependencies included, instead of building them
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
out=$1
shift
torch=no onnx=no goldens='' jars=''
while [ $# -gt 0 ]; do
    case $1 in
    --torch) torch=yes ;;
    --onnx) onnx=yes ;;
    --goldens) goldens=$2; shift ;;
    --jars) jars=$2; shift ;;
    *) echo "pack.sh: $1 is unknown" >&2; exit 2 ;;
    esac
    shift
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
host=$work/gpu-host
mkdir -p "$host/jars" "$out"
rm -f "$out"/part-*

if [ -z "$jars" ]; then
    jars=$work/all
    (cd "$root" && mvn -q -B -pl teleworld-examples,teleworld-training -am package dependency:copy-dependencies \
        -DskipTests -DincludeScope=test -DoutputDirectory="$jars")
    cp "$root"/teleworld-*/target/teleworld-*-SNAPSHOT.jar "$jars/"
fi
cp "$jars"/*.jar "$host/jars/"
cd "$host/jars"
# What the benchmark never touches: video, other PyTorch builds, other systems' libraries, tools of the build.
rm -f ffmpeg-* javacv-* opencv-* tokenizers-* pytorch-native-* pytorch-engine-* teleworld-backend-djl-* teleworld-text-* \
    teleworld-architecture-* byte-buddy-agent-* archunit-*
[ $onnx = yes ] || rm -f onnxruntime-* tribuo-* teleworld-backend-onnx-*
[ $torch = yes ] || rm -f pytorch-* openblas-* teleworld-training-*

# A jar of libraries again without compression, so that xz sees what is in it. $2: what stays.
store() {
    mkdir "$work/store"
    (cd "$work/store" && unzip -q -o "$host/jars/$1" && eval "$2" && cd "$work" \
        && rm "$host/jars/$1" && jar --create --no-compress --file "$host/jars/$1" -C "$work/store" .)
    rm -rf "$work/store"
}
if [ $torch = yes ]; then
    version=$(ls pytorch-*.jar | sed -n 's/^pytorch-\([0-9.]*-[0-9.]*\)\.jar$/\1/p')
    rm -f "pytorch-$version-linux-x86_64.jar"
    if [ -n "${TORCH_GPU_JAR:-}" ]; then
        cp "$TORCH_GPU_JAR" "pytorch-$version-linux-x86_64-gpu.jar"
    else
        mvn -q -B dependency:copy "-Dartifact=org.bytedeco:pytorch:$version:jar:linux-x86_64-gpu" \
            "-DoutputDirectory=$host/jars" -Dmdep.useBaseVersion=true
    fi
    chmod u+w "pytorch-$version-linux-x86_64-gpu.jar"
    store "pytorch-$version-linux-x86_64-gpu.jar" \
        "java '$here/KeepArchitecture.java' org/bytedeco/pytorch/linux-x86_64-gpu/libtorch_cuda.so 90"
fi
for j in onnxruntime-[0-9]*.jar; do
    [ ! -f "$j" ] || store "$j" "rm -rf ai/onnxruntime/native/win-* ai/onnxruntime/native/osx-* ai/onnxruntime/native/linux-aarch64"
done
for j in javacpp-*-linux-x86_64.jar cuda-*-linux-x86_64.jar openblas-*-linux-x86_64.jar; do
    [ ! -f "$j" ] || store "$j" "rm -f org/bytedeco/cuda/linux-x86_64/libjninpp*"
done

[ -z "$goldens" ] || cp -R "$goldens" "$host/goldens"
cp "$here/run.sh" "$host/run.sh"
jlink --compress=0 --strip-debug --no-header-files --no-man-pages --add-modules java.se,jdk.unsupported,jdk.management \
    --output "$host/jre"
chmod -R u+w "$host"
tar -C "$work" -cf - gpu-host | xz -T0 "${XZ_LEVEL:--6}" | split -b "${PART_MIB:-40}m" -d - "$out/part-"
ls -l "$out"
