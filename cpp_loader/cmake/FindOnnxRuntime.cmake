# Find ONNX Runtime and define the target onnxruntime::onnxruntime. The first of these that exists:
#
#   1. ONNXRUNTIME_ROOT, a CMake or environment variable: the folder of an official release, with include/ and lib/
#   2. a package: find_package(onnxruntime CONFIG), for instance of a distribution
#   3. .deps/cpp beside this project: headers from fetch_deps.sh, library links from build.sh
#
# A folder named by ONNXRUNTIME_ROOT that holds no ONNX Runtime is an error, not a reason to go on looking.

if(TARGET onnxruntime::onnxruntime)
  set(OnnxRuntime_FOUND TRUE)
  return()
endif()

if(NOT ONNXRUNTIME_ROOT AND DEFINED ENV{ONNXRUNTIME_ROOT})
  set(ONNXRUNTIME_ROOT "$ENV{ONNXRUNTIME_ROOT}")
endif()
set(_gluonnx_ort_deps "${CMAKE_CURRENT_LIST_DIR}/../../.deps/cpp")

if(NOT ONNXRUNTIME_ROOT)
  find_package(onnxruntime CONFIG QUIET)
  if(TARGET onnxruntime::onnxruntime)
    set(OnnxRuntime_FOUND TRUE)
    return()
  endif()
endif()

function(_gluonnx_import_onnxruntime root)
  unset(headers)
  find_path(headers onnxruntime_cxx_api.h PATHS "${root}/include"
    PATH_SUFFIXES onnxruntime onnxruntime/core/session NO_DEFAULT_PATH NO_CACHE)
  # A release has libonnxruntime.so; inside a Python wheel there is only the versioned file.
  file(GLOB libraries "${root}/lib*/libonnxruntime.so" "${root}/lib*/libonnxruntime.so.1"
    "${root}/lib*/libonnxruntime.dylib" "${root}/lib*/onnxruntime.lib")
  if(NOT headers OR NOT libraries)
    return()
  endif()
  list(GET libraries 0 library)
  add_library(onnxruntime::onnxruntime SHARED IMPORTED)
  set_target_properties(onnxruntime::onnxruntime PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${headers}")
  if(WIN32)
    set_target_properties(onnxruntime::onnxruntime PROPERTIES IMPORTED_IMPLIB "${library}"
      IMPORTED_LOCATION "${root}/lib/onnxruntime.dll")
  else()
    set_target_properties(onnxruntime::onnxruntime PROPERTIES IMPORTED_LOCATION "${library}")
  endif()
endfunction()

if(ONNXRUNTIME_ROOT)
  set(_gluonnx_ort_root "${ONNXRUNTIME_ROOT}")
else()
  set(_gluonnx_ort_root "${_gluonnx_ort_deps}")
endif()
get_filename_component(_gluonnx_ort_root "${_gluonnx_ort_root}" ABSOLUTE)
_gluonnx_import_onnxruntime("${_gluonnx_ort_root}")

if(TARGET onnxruntime::onnxruntime)
  set(OnnxRuntime_FOUND TRUE)
  set(OnnxRuntime_ROOT_USED "${_gluonnx_ort_root}")
else()
  set(OnnxRuntime_FOUND FALSE)
  set(OnnxRuntime_NOT_FOUND_MESSAGE "ONNX Runtime was not found: expected include/onnxruntime_cxx_api.h and \
lib/libonnxruntime.so under ${_gluonnx_ort_root}. Set ONNXRUNTIME_ROOT to the folder of an official ONNX Runtime \
release, or install a package that find_package(onnxruntime) finds, or run cpp_loader/build.sh with a Python that has \
onnxruntime.")
  if(OnnxRuntime_FIND_REQUIRED)
    message(FATAL_ERROR "${OnnxRuntime_NOT_FOUND_MESSAGE}")
  endif()
endif()
