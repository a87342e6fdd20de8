// Runs the launches of a request file on the CPU and writes all buffers back.
// Request: count of buffers, per buffer its size and bytes; count of launches, per launch the name, grid, block, shared
// memory and arguments (kind 0: buffer and offset; 1: 4-byte word; 2: 8-byte word). Result: the bytes of all buffers.
// Exit code 2: what it refuses; 3: a kernel wrote outside its buffers.
#include "kernels.cu"

namespace {

constexpr size_t GUARD = 256;
constexpr unsigned char MARK = 0x5c;

template <class N>
N read(FILE* f) {
    N n;
    if (fread(&n, sizeof n, 1, f) != 1) {
        fprintf(stderr, "the request ends early\n");
        exit(2);
    }
    return n;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string(argv[1]) == "--list") {
        for (auto& e : emulate::registry()) printf("%s %zu %d\n", e.first.c_str(), e.second.parameters, e.second.threads);
        return 0;
    }
    if (argc != 3) {
        fprintf(stderr, "usage: emulate REQUEST RESULT | emulate --list\n");
        return 2;
    }
    FILE* in = fopen(argv[1], "rb");
    if (!in) {
        perror(argv[1]);
        return 2;
    }
    auto count = read<int64_t>(in);
    std::vector<unsigned char*> memory;
    std::vector<size_t> sizes;
    for (int64_t i = 0; i < count; i++) {
        auto size = (size_t)read<int64_t>(in);
        auto* p = (unsigned char*)aligned_alloc(256, (size + 2 * GUARD + 255) / 256 * 256);
        memset(p, MARK, size + 2 * GUARD);
        if (size > 0 && fread(p + GUARD, 1, size, in) != size) return 2;
        memory.push_back(p);
        sizes.push_back(size);
    }
    auto launches = read<int64_t>(in);
    for (int64_t l = 0; l < launches; l++) {
        std::string name((size_t)read<int64_t>(in), ' ');
        if (fread(&name[0], 1, name.size(), in) != name.size()) return 2;
        unsigned g[6];
        for (unsigned& v : g) v = (unsigned)read<int64_t>(in);
        auto shared = (size_t)read<int64_t>(in);
        auto arguments = read<int64_t>(in);
        std::vector<emulate::Word> words;
        for (int64_t a = 0; a < arguments; a++) {
            auto kind = read<int64_t>(in);
            auto value = read<int64_t>(in);
            auto offset = read<int64_t>(in);
            if (kind == 0) {
                words.push_back(value < 0 ? 0 : (emulate::Word)(uintptr_t)(memory[(size_t)value] + GUARD + offset));
            } else {
                words.push_back((emulate::Word)value);
            }
        }
        auto found = emulate::registry().find(name);
        if (found == emulate::registry().end()) {
            fprintf(stderr, "there is no kernel %s\n", name.c_str());
            return 2;
        }
        if (found->second.parameters != words.size()) {
            fprintf(stderr, "%s takes %zu arguments, not %zu\n", name.c_str(), found->second.parameters, words.size());
            return 2;
        }
        if ((unsigned)found->second.threads < g[3] * g[4] * g[5]) {
            fprintf(stderr, "%s takes %d threads, not %u\n", name.c_str(), found->second.threads, g[3] * g[4] * g[5]);
            return 2;
        }
        emulate::launch({g[0], g[1], g[2]}, {g[3], g[4], g[5]}, shared, found->second.bind(words.data()));
    }
    FILE* out = fopen(argv[2], "wb");
    if (!out) {
        perror(argv[2]);
        return 2;
    }
    for (size_t i = 0; i < memory.size(); i++) {
        for (size_t k = 0; k < GUARD; k++) {
            if (memory[i][k] != MARK || memory[i][GUARD + sizes[i] + k] != MARK) {
                fprintf(stderr, "a kernel wrote outside buffer %zu\n", i);
                return 3;
            }
        }
        fwrite(memory[i] + GUARD, 1, sizes[i], out);
    }
    return fclose(out) == 0 ? 0 : 2;
}
