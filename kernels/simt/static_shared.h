// Static __shared__ memory. A `static thread_local` variable of the kernel stands for it, so it is
// the OS thread's: where several blocks take turns on one, each takes its own contents along.
//
// What is taken along is all thread-local memory of the program, since nothing says which of it is
// __shared__. So no thread-local variable of any other kind may change while a kernel runs, but
// those that the scheduler sets when it changes blocks.
#pragma once

#include <span>
#include <vector>

// clang's AddressSanitizer keeps thread-local variables of its own there.
#define FETTLE_MOVABLE_STATICS true
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#undef FETTLE_MOVABLE_STATICS
#define FETTLE_MOVABLE_STATICS false
#endif
#endif

namespace simt {

class StaticShared {
public:
    static constexpr bool kMovable = FETTLE_MOVABLE_STATICS;

    StaticShared();  // of this OS thread

    std::span<char> of_program() const { return parts_.front(); }
    void save(std::vector<char>& image) const;
    void restore(const std::vector<char>& image) const;  // one that was saved

private:
    std::vector<std::span<char>> parts_;
};

}  // namespace simt
