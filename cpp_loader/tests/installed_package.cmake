# Install into a folder of its own, build examples/consumer against it, run both it and the installed gluonnx-run.
function(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN}\nexit status ${status}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${SCRATCH}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${SCRATCH}/prefix" --config "${CONFIG}")
run("${CMAKE_COMMAND}" -S "${CONSUMER}" -B "${SCRATCH}/build" "-DCMAKE_PREFIX_PATH=${SCRATCH}/prefix"
  "-DCMAKE_BUILD_TYPE=${CONFIG}" "-DCMAKE_CXX_COMPILER=${CXX}" "-DONNXRUNTIME_ROOT=${ONNXRUNTIME_ROOT}")
run("${CMAKE_COMMAND}" --build "${SCRATCH}/build" --config "${CONFIG}")
run("${SCRATCH}/build/classify" "${DATA}/digits-0000.onnx")
if(NOT output MATCHES "^(-?[0-9.e-]+\n)+$")
  message(FATAL_ERROR "examples/consumer: expected one score on each line, got:\n${output}")
endif()
run("${SCRATCH}/prefix/bin/gluonnx-run" "${DATA}/digits-0000.onnx" --input "${DATA}/digits-input.npy"
  --expect "${DATA}/digits-expected.npy")
