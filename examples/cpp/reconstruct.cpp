// A photo in, a 3D face out, in C++17.
//
//   c++ -std=c++17 reconstruct.cpp -o reconstruct $(pkg-config --cflags --libs garface)
//   ./reconstruct photo.png out
//
// Every face in the photo is reconstructed, each into a folder of its own.
#include <garface.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Failure : std::runtime_error {
    gar_status status;
    explicit Failure(gar_status s) : std::runtime_error(gar_last_error()), status(s) {}
};

void check(gar_status status) {
    if (status != GAR_OK) throw Failure(status);
}

struct Release {
    void operator()(gar_models *models) const { gar_models_release(models); }
    void operator()(gar_image *image) const { gar_image_release(image); }
    void operator()(gar_result *result) const { gar_result_release(result); }
};
template <class T> using Handle = std::unique_ptr<T, Release>;

// The size first, then the numbers.
std::vector<float> array(const gar_result *result, gar_array which) {
    std::size_t count = 0;
    check(gar_result_get_array(result, which, nullptr, 0, &count));
    std::vector<float> values(count);
    check(gar_result_get_array(result, which, values.data(), values.size(), &count));
    return values;
}

void run(const char *path, const std::string &folder) {
    gar_models *rawModels = nullptr;
    check(gar_models_load(nullptr, &rawModels));
    const Handle<gar_models> models(rawModels);
    gar_image *rawPhoto = nullptr;
    check(gar_image_load(path, &rawPhoto));
    const Handle<gar_image> photo(rawPhoto);

    std::size_t count = 0;
    check(gar_faces_detect(models.get(), photo.get(), nullptr, 0, &count));
    std::vector<gar_face> faces(count);
    check(gar_faces_detect(models.get(), photo.get(), faces.data(), faces.size(), &count));
    std::printf("%zu face%s\n", count, count == 1 ? "" : "s");

    for (std::size_t i = 0; i < faces.size(); i++) {
        gar_options options;
        gar_options_init(&options);
        options.face = &faces[i];
        gar_result *rawResult = nullptr;
        check(gar_reconstruct(models.get(), photo.get(), &options, &rawResult));
        const Handle<gar_result> result(rawResult);
        const auto pose = array(result.get(), GAR_ARRAY_POSE);
        const auto points = array(result.get(), GAR_ARRAY_LANDMARKS);
        std::printf("face %zu: yaw %.1f, pitch %.1f, roll %.1f degrees; nose tip at pixel %.1f, %.1f\n", i + 1,
                    pose[0], pose[1], pose[2], points[2 * 30], points[2 * 30 + 1]);
        check(gar_result_write(result.get(), (folder + "/face-" + std::to_string(i + 1)).c_str(), GAR_WRITE_ALL));
    }
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s photo.png folder\n", argv[0]);
        return 2;
    }
    try {
        run(argv[1], argv[2]);
    } catch (const Failure &failure) {
        std::fprintf(stderr, "%s: %s\n", gar_status_string(failure.status), failure.what());
        return 1;
    }
}
