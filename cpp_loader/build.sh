#!/usr/bin/env bash
# Build the C++ loader in cpp_loader/build and run its tests. Quiet when all is well.
#
# Usage: cpp_loader/build.sh [PYTHON] [CMAKE OPTION...]
#
#   PYTHON   a Python that has onnxruntime installed, whose library is used (default: python3)
#
# With ONNXRUNTIME_ROOT (an official ONNX Runtime release), or an ONNX Runtime that CMake finds as an installed package,
# Python is not asked, and nothing is fetched by apt. GLUONNX_DEMO_DIR names a folder with the demo's model, input and
# answer (digits-0000.onnx, digits-input.npy, digits-expected.npy) to test on as well.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly deps=${here%/*}/.deps/cpp
readonly build=$here/build
python=${1:-python3}
shift $(($# > 0 ? 1 : 0))
clean=()

fail() {
    echo "build.sh: $1" >&2
    exit 1
}

# `quietly NAME COMMAND...`: show what the command printed only when it fails.
quietly() {
    local name=$1 log=$build/$1.log
    shift
    "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        fail "$name failed: expected exit status 0, got another (the lines above are its output)."
    }
}

has_package() {
    local probe found=1
    probe=$(mktemp -d)
    printf '%s\n' 'cmake_minimum_required(VERSION 3.22)' 'project(probe LANGUAGES CXX)' \
        'find_package(onnxruntime CONFIG REQUIRED)' >"$probe/CMakeLists.txt"
    cmake -S "$probe" -B "$probe/build" >/dev/null 2>&1 && found=0
    rm -rf "$probe"
    return $found
}

# The wheel has only the versioned file, while programs ask for its soname; the links also bring the CUDA provider, which
# ONNX Runtime looks for beside itself.
link_wheel_library() {
    local folder library links
    folder=$("$python" -c 'import importlib.util as u; print(u.find_spec("onnxruntime").submodule_search_locations[0])' \
        2>/dev/null) || fail "$python: no ONNX Runtime: expected the package onnxruntime, got none. Install it, or set ONNXRUNTIME_ROOT."
    library=$(compgen -G "$folder/capi/libonnxruntime.so.1.*" | head -n 1) ||
        fail "$folder/capi: expected libonnxruntime.so.1.*, got none. Set ONNXRUNTIME_ROOT to an official release."
    [[ $(readlink "$deps/lib/libonnxruntime.so.1") == "$library" ]] && return
    # A program asks for the very version that it was linked to, and the new file may be older than the program.
    clean=(--clean-first)
    links=$(mktemp -d "$deps/.lib.XXXXXX")
    chmod 755 "$links"
    ln -s "$folder"/capi/libonnxruntime*.so* "$links/"
    ln -s "$library" "$links/libonnxruntime.so.1"
    ln -s libonnxruntime.so.1 "$links/libonnxruntime.so"
    rm -rf "${deps:?}/lib"
    mv "$links" "$deps/lib"
}

command -v cmake >/dev/null || fail "cmake: expected version 3.22 or later, got none. Install cmake and a C++17 compiler."
mkdir -p "$build"
if [[ -z ${ONNXRUNTIME_ROOT:-} ]] && ! has_package; then
    "$here/fetch_deps.sh"
    link_wheel_library
fi

quietly configure cmake -S "$here" -B "$build" -DCMAKE_BUILD_TYPE=Release \
    -DONNXRUNTIME_ROOT="${ONNXRUNTIME_ROOT:-}" -DGLUONNX_DEMO_DIR="${GLUONNX_DEMO_DIR:-}" "$@"
quietly build cmake --build "$build" --parallel 2 "${clean[@]}"
quietly tests ctest --test-dir "$build" --output-on-failure
