#!/bin/sh
# Runs the benchmark of the folder that this file is in: run.sh gpu [options], run.sh predict [options].
# Looks for CUDA's libraries where they usually are, the folders of Python's packages among them; LD_LIBRARY_PATH, if set,
# comes first. TELEWORLD_JAVA: more options for Java.
here=$(cd "$(dirname "$0")" && pwd)
folders=${LD_LIBRARY_PATH:-}
add() { case ":$folders:" in *":$1:"*) ;; *) folders=${folders:+$folders:}$1 ;; esac; }
if [ ! -f "$here/folders" ]; then
    for place in /usr/local/cuda* /usr/local/nvidia /usr/lib/x86_64-linux-gnu /opt /usr/lib/python3* /usr/local/lib; do
        find -H "$place" \( -name 'libcudart.so.13' -o -name 'libcublasLt.so.13' -o -name 'libcudnn.so.9' \
            -o -name 'libnccl.so.2' -o -name 'libcusparse.so.12' -o -name 'libcufft.so.12' -o -name 'libcurand.so.10' \
            -o -name 'libcufile.so.0' -o -name 'libnvrtc.so.13' -o -name 'libcusparseLt.so.0' \
            -o -name 'libnvshmem_host.so.3' -o -name 'libcuda.so.1' \) 2>/dev/null
    done | sed 's|/[^/]*$||' | grep -v -e '/stubs$' -e '/compat$' | awk '!seen[$0]++' >"$here/folders.part"
    mv "$here/folders.part" "$here/folders"
fi
while read -r folder; do add "$folder"; done <"$here/folders"
export LD_LIBRARY_PATH=$folders
# shellcheck disable=SC2086
exec "$here/jre/bin/java" -Dfile.encoding=UTF-8 -Dsun.stdout.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Xmx8g -XX:MaxDirectMemorySize=16g -Dorg.bytedeco.javacpp.cachedir="$here/cache" \
    -Dteleworld.cuda.cache="$here/cache" -Dteleworld.log.cuda=INFO ${TELEWORLD_JAVA:-} \
    -cp "$here/jars/*" io.teleworld.examples.CudaBenchmark "$@"
