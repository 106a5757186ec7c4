// The header from C++: RAII around handles, and nothing thrown across the boundary.
#include <garface.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

static int failures = 0;
#define CHECK(condition) \
    do { if (!(condition)) { ++failures; std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); } } while (0)

struct Release {
    void operator()(gar_image *image) const { gar_image_release(image); }
    void operator()(gar_head *head) const { gar_head_release(head); }
};
template <class T> using Handle = std::unique_ptr<T, Release>;

int main() {
    const std::vector<uint8_t> pixels(3 * 8 * 6, 128);
    gar_image *raw = nullptr;
    CHECK(gar_image_create(pixels.data(), 8, 6, 0, &raw) == GAR_OK);
    const Handle<gar_image> image(raw);
    std::size_t count = 0;
    CHECK(gar_image_get_pixels(image.get(), nullptr, 0, &count) == GAR_OK);
    std::vector<uint8_t> copy(count);
    CHECK(gar_image_get_pixels(image.get(), copy.data(), copy.size(), &count) == GAR_OK);
    CHECK(copy == pixels);

    gar_head *rawHead = nullptr;
    CHECK(gar_head_load(nullptr, &rawHead) == GAR_OK);
    const Handle<gar_head> head(rawHead);
    int32_t vertices = 0, triangles = 0, identity = 0, expression = 0;
    CHECK(gar_head_get_sizes(head.get(), &vertices, &triangles, &identity, &expression) == GAR_OK);
    CHECK(vertices > 10000 && identity == 80);

    // A handle of another type is recognised although the compiler was told otherwise.
    CHECK(gar_image_get_size(reinterpret_cast<const gar_image *>(head.get()), &vertices, &triangles) == GAR_INVALID_ARGUMENT);
    CHECK(std::string(gar_last_error()).find("another type") != std::string::npos);

    std::printf("test_cpp: %d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
