// A folder is locked for everyone else while a lock lives, and leaves nothing behind.

#include "model/io/folder_lock.h"

#include <optional>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

TEST_CASE("FolderLock: a second one is refused while the first lives, and leaves no file") {
    const TemporaryFolder folder;
    std::optional<FolderLock> first(std::in_place, folder.path(), "--output_dir");
    CHECK(input_error([&] { FolderLock second(folder.path(), "--output_dir"); }) ==
          "--output_dir: " + folder.path().string() +
              " is in use by another run; wait for its end or give another folder");
    first.reset();
    CHECK_NOTHROW(FolderLock(folder.path(), "--output_dir"));
    CHECK(std::filesystem::is_empty(folder.path()));
}
