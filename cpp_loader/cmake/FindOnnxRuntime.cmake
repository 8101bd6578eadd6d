# Find ONNX Runtime and define the target onnxruntime::onnxruntime. The first of these that exists:
#
#   1. ONNXRUNTIME_ROOT, a CMake or environment variable: the folder of an official release, with include/ and lib/
#   2. a package: find_package(onnxruntime CONFIG), for instance of a distribution
#   3. .deps/cpp beside this project: headers from fetch_deps.sh, library links from build.sh
#
# A folder named by ONNXRUNTIME_ROOT that holds no ONNX Runtime is an error, not a reason to go on looking.

# Where, among these folders, onnxruntime_cxx_api.h is.
function(_gluonnx_find_ort_headers result)
  find_path(found onnxruntime_cxx_api.h PATHS ${ARGN} PATH_SUFFIXES onnxruntime onnxruntime/core/session
    NO_DEFAULT_PATH NO_CACHE)
  set(${result} "${found}" PARENT_SCOPE)
endfunction()

function(_gluonnx_import_ort_folder root)
  _gluonnx_find_ort_headers(headers "${root}/include")
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

# The package in official releases up to 1.2x names a folder for its headers that they are not in.
function(_gluonnx_import_ort_package)
  find_package(onnxruntime CONFIG QUIET)
  if(NOT TARGET onnxruntime::onnxruntime)
    return()
  endif()
  get_target_property(named onnxruntime::onnxruntime INTERFACE_INCLUDE_DIRECTORIES)
  list(TRANSFORM named APPEND "/.." OUTPUT_VARIABLE above)
  _gluonnx_find_ort_headers(headers ${named} ${above})
  if(NOT headers)
    message(FATAL_ERROR "the package ${onnxruntime_DIR} has no headers: expected onnxruntime_cxx_api.h in ${named}. \
Install its development files, or set ONNXRUNTIME_ROOT to the folder of an official ONNX Runtime release.")
  endif()
  set_target_properties(onnxruntime::onnxruntime PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${headers}")
endfunction()

if(NOT ONNXRUNTIME_ROOT AND DEFINED ENV{ONNXRUNTIME_ROOT})
  set(ONNXRUNTIME_ROOT "$ENV{ONNXRUNTIME_ROOT}")
endif()

if(NOT TARGET onnxruntime::onnxruntime AND NOT ONNXRUNTIME_ROOT)
  _gluonnx_import_ort_package()
endif()
if(NOT TARGET onnxruntime::onnxruntime)
  set(OnnxRuntime_ROOT_USED "${ONNXRUNTIME_ROOT}")
  if(NOT OnnxRuntime_ROOT_USED)
    set(OnnxRuntime_ROOT_USED "${CMAKE_CURRENT_LIST_DIR}/../../.deps/cpp")
  endif()
  get_filename_component(OnnxRuntime_ROOT_USED "${OnnxRuntime_ROOT_USED}" ABSOLUTE)
  _gluonnx_import_ort_folder("${OnnxRuntime_ROOT_USED}")
endif()

if(TARGET onnxruntime::onnxruntime)
  set(OnnxRuntime_FOUND TRUE)
else()
  set(OnnxRuntime_FOUND FALSE)
  set(OnnxRuntime_NOT_FOUND_MESSAGE "ONNX Runtime was not found: expected include/onnxruntime_cxx_api.h and \
lib/libonnxruntime.so under ${OnnxRuntime_ROOT_USED}. Set ONNXRUNTIME_ROOT to the folder of an official ONNX Runtime \
release, or install a package that find_package(onnxruntime) finds, or run cpp_loader/build.sh with a Python that has \
onnxruntime.")
  if(OnnxRuntime_FIND_REQUIRED)
    message(FATAL_ERROR "${OnnxRuntime_NOT_FOUND_MESSAGE}")
  endif()
endif()
