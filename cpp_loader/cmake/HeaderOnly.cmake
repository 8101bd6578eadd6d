# The header-only libraries of our programs and tests, as targets gluonnx_cli11 and gluonnx_doctest: from .deps/cpp
# (fetch_deps.sh), from the system, or, where there is neither, from their own repositories at a fixed commit.

include(FetchContent)

# gluonnx_header_only(TARGET HEADER REPOSITORY COMMIT INCLUDE_DIR)
function(gluonnx_header_only target header repository commit include_dir)
  find_path(found "${header}" HINTS "${PROJECT_SOURCE_DIR}/../.deps/cpp/include" NO_CACHE)
  if(NOT found)
    message(STATUS "${header} is not installed: fetching ${repository}")
    # A folder without CMakeLists.txt: the headers are wanted, not the other project's targets.
    FetchContent_Declare(${target}_source GIT_REPOSITORY "${repository}" GIT_TAG "${commit}" SOURCE_SUBDIR .github)
    FetchContent_MakeAvailable(${target}_source)
    set(found "${${target}_source_SOURCE_DIR}/${include_dir}")
  endif()
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE "${found}")
endfunction()

# CLI11 2.4.2
gluonnx_header_only(gluonnx_cli11 CLI/CLI.hpp
  https://github.com/CLIUtils/CLI11.git 6c7b07a878ad834957b98d0f9ce1dbe0cb204fc9 include)
if(GLUONNX_TESTS)
  # doctest 2.4.11
  gluonnx_header_only(gluonnx_doctest doctest/doctest.h
    https://github.com/doctest/doctest.git ae7a13539fb71f270b87eb2e874fbac80bc8dda2 .)
endif()
