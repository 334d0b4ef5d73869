# SPDX-License-Identifier: Apache-2.0
#
# The project's target vocabulary: one library per folder, one executable per test file.
#
#   hanas_library(<name> SOURCES ... [HEADERS ...] [PUBLIC deps...] [PRIVATE deps...])
#   hanas_proto_library(<name> PROTOS ... [PUBLIC deps...] [GRPC])
#   hanas_flatbuffers_library(<name> SCHEMAS ...)
#   hanas_binary(<output-name> SOURCES ... [DEPS ...])
#   hanas_test(<name> SOURCES ... [DEPS ...] LABELS ... [TIMEOUT seconds] [DATA] [SERIAL])
#   hanas_python_test(<name> SCRIPT file [DEPENDS targets or files...] [PATHS directories...] [LABELS ...] [TIMEOUT seconds])
#   hanas_benchmark(<name> SOURCES ... [DEPS ...])
#
# Includes are relative to the repository root: #include "core/base/digest.h". A dependency is PRIVATE unless the library's own headers include
# it. Packages that many folders need (Abseil, Protobuf, gRPC, Threads, GTest) are found once at the top; Torch, RocksDB and the other heavy ones
# are found in the folder that uses them (and in its tests), so that a component configures without what it does not use.

include_guard(GLOBAL)

# Warnings are errors for our own code; generated code does not link this target.
add_library(hanas_warnings INTERFACE)
# Designated initialisers leave the other members at their defaults on purpose.
target_compile_options(hanas_warnings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND HANAS_SANITIZE)
  # GCC loses track of initialisation in instrumented code and warns about Abseil's containers.
  target_compile_options(hanas_warnings INTERFACE -Wno-maybe-uninitialized)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND HANAS_THREAD_SAFETY_ANALYSIS)
  target_compile_options(hanas_warnings INTERFACE -Wthread-safety -Wthread-safety-beta)
endif()

# Everything built here, generated code included: language level, include root, sanitizers.
add_library(hanas_base INTERFACE)
target_compile_features(hanas_base INTERFACE cxx_std_20)
target_include_directories(hanas_base INTERFACE "${PROJECT_SOURCE_DIR}")
if(HANAS_SANITIZE)
  list(JOIN HANAS_SANITIZE "," _hanas_sanitizers)
  # GCC's null checks make comparisons of function addresses non-constant, which Abseil's containers need; AddressSanitizer sees null accesses.
  target_compile_options(hanas_base INTERFACE
    -fsanitize=${_hanas_sanitizers} -fno-sanitize=null,nonnull-attribute,returns-nonnull-attribute -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  # The layout of Abseil's hash tables must be that of the distribution's library, which is compiled without sanitizers.
  target_compile_definitions(hanas_base INTERFACE NDEBUG_SANITIZER)
  target_link_options(hanas_base INTERFACE -fsanitize=${_hanas_sanitizers})
endif()

function(_hanas_check_arguments function_name prefix)
  if(${prefix}_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${function_name}: unexpected arguments: ${${prefix}_UNPARSED_ARGUMENTS}")
  endif()
  if(${prefix}_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "${function_name}: keywords without values: ${${prefix}_KEYWORDS_MISSING_VALUES}")
  endif()
endfunction()

# A static library `hanas_<name>`, used as `hanas::<name>`. Header-only folders list HEADERS and no SOURCES.
function(hanas_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS;PUBLIC;PRIVATE")
  _hanas_check_arguments("hanas_library(${name})" arg)
  if(arg_SOURCES)
    add_library(hanas_${name} STATIC ${arg_SOURCES} ${arg_HEADERS})
    target_link_libraries(hanas_${name} PUBLIC hanas_base ${arg_PUBLIC} PRIVATE hanas_warnings ${arg_PRIVATE})
  else()
    add_library(hanas_${name} INTERFACE ${arg_HEADERS})
    target_link_libraries(hanas_${name} INTERFACE hanas_base ${arg_PUBLIC} ${arg_PRIVATE})
  endif()
  add_library(hanas::${name} ALIAS hanas_${name})
endfunction()

# Adds these files to the target `generated`, which makes every header that is generated and compiles nothing: what a tool needs that reads
# sources.
function(_hanas_generated name)
  if(NOT TARGET generated)
    add_custom_target(generated)
  endif()
  add_custom_target(${name}_generated DEPENDS ${ARGN})
  add_dependencies(hanas_${name} ${name}_generated)
  add_dependencies(generated ${name}_generated)
endfunction()

# Messages (and, with GRPC, stubs) from .proto files named relative to the calling folder. proto/ is an import root, so that what it holds is
# imported and included everywhere as in other projects: import "hanas/v1/x.proto", #include "hanas/v1/x.pb.h"; and so is third_party/. Of
# other files the root is the repository's: #include "rpc/health.pb.h".
function(hanas_proto_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "GRPC" "" "PROTOS;PUBLIC")
  _hanas_check_arguments("hanas_proto_library(${name})" arg)
  set(out "${PROJECT_BINARY_DIR}/generated")
  file(MAKE_DIRECTORY "${out}")
  set(plugin_arguments)
  if(arg_GRPC)
    set(plugin_arguments --grpc_out=${out} --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>)
  endif()
  set(absolute_protos)
  foreach(proto IN LISTS arg_PROTOS)
    list(APPEND absolute_protos "${CMAKE_CURRENT_SOURCE_DIR}/${proto}")
  endforeach()
  set(generated)
  foreach(proto IN LISTS absolute_protos)
    set(roots "${PROJECT_SOURCE_DIR}/proto" "${PROJECT_SOURCE_DIR}/third_party")
    set(root "${PROJECT_SOURCE_DIR}")
    foreach(candidate IN LISTS roots)
      cmake_path(IS_PREFIX candidate "${proto}" below)
      if(below)
        set(root "${candidate}")
      endif()
    endforeach()
    if(NOT root IN_LIST roots)
      list(APPEND roots "${root}")
    endif()
    list(TRANSFORM roots PREPEND "-I")
    file(RELATIVE_PATH relative "${root}" "${proto}")
    string(REGEX REPLACE "\\.proto$" "" stem "${relative}")
    set(outputs "${out}/${stem}.pb.cc" "${out}/${stem}.pb.h")
    get_filename_component(file "${proto}" NAME)
    set(depfile "${CMAKE_CURRENT_BINARY_DIR}/${file}.d")
    if(arg_GRPC)
      list(APPEND outputs "${out}/${stem}.grpc.pb.cc" "${out}/${stem}.grpc.pb.h")
    endif()
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND protobuf::protoc ${roots} --cpp_out=${out} ${plugin_arguments} --dependency_out=${depfile} ${proto}
      DEPENDS ${proto} protobuf::protoc
      DEPFILE "${depfile}"  # the files that it imports
      WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
      COMMENT "Generating ${stem}.pb.{h,cc}"
      VERBATIM)
    list(APPEND generated ${outputs})
  endforeach()
  add_library(hanas_${name} STATIC ${generated})
  _hanas_generated(${name} ${generated})
  # PUBLIC: the generated headers include protobuf's (and gRPC's).
  target_link_libraries(hanas_${name} PUBLIC hanas_base protobuf::libprotobuf ${arg_PUBLIC})
  if(arg_GRPC)
    target_link_libraries(hanas_${name} PUBLIC gRPC::grpc++)
  endif()
  target_include_directories(hanas_${name} SYSTEM PUBLIC "${out}")
  add_library(hanas::${name} ALIAS hanas_${name})
endfunction()

# The accessors of FlatBuffers schemas named relative to the calling folder, included from the root: #include "export/bound_model_generated.h".
# The calling folder finds the package: find_package(flatbuffers REQUIRED).
function(hanas_flatbuffers_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SCHEMAS")
  _hanas_check_arguments("hanas_flatbuffers_library(${name})" arg)
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  set(out "${PROJECT_BINARY_DIR}/generated")
  set(generated)
  foreach(schema IN LISTS arg_SCHEMAS)
    cmake_path(GET schema STEM stem)
    add_custom_command(
      OUTPUT "${out}/${folder}/${stem}_generated.h"
      COMMAND flatbuffers::flatc --cpp --gen-object-api --warnings-as-errors -o "${out}/${folder}" "${CMAKE_CURRENT_SOURCE_DIR}/${schema}"
      DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${schema}" flatbuffers::flatc
      COMMENT "Generating ${folder}/${stem}_generated.h"
      VERBATIM)
    list(APPEND generated "${out}/${folder}/${stem}_generated.h")
  endforeach()
  # Headers only, and they need only headers of the library. That they are sources of the target makes whoever links it wait for them.
  add_library(hanas_${name} INTERFACE ${generated})
  _hanas_generated(${name} ${generated})
  target_link_libraries(hanas_${name} INTERFACE hanas_base flatbuffers::flatbuffers)
  target_include_directories(hanas_${name} SYSTEM INTERFACE "${out}")
  add_library(hanas::${name} ALIAS hanas_${name})
endfunction()

# An executable <build>/bin/<output-name>.
function(hanas_binary output_name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
  _hanas_check_arguments("hanas_binary(${output_name})" arg)
  set(target "${output_name}-bin")
  add_executable(${target} ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME "${output_name}" RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  target_link_libraries(${target} PRIVATE hanas_base hanas_warnings ${arg_DEPS})
  # Only what the program uses may appear in ldd: distribution packages over-link.
  target_link_options(${target} PRIVATE -Wl,--as-needed)
  set_property(GLOBAL APPEND PROPERTY HANAS_BINARIES ${target})
endfunction()

# One GoogleTest executable, registered as one ctest test. Its main (tests/support/test_main.cc) reports "skipped" to ctest when every case was
# skipped and none failed. DATA marks a test that reads HANAS_DATA_DIR and skips itself without it;
# SERIAL one that measures time and therefore runs alone.
function(hanas_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "DATA;SERIAL" "TIMEOUT" "SOURCES;DEPS;LABELS")
  _hanas_check_arguments("hanas_test(${name})" arg)
  set(allowed unit contract integration parity fault architecture)
  foreach(label IN LISTS arg_LABELS)
    if(NOT label IN_LIST allowed)
      message(FATAL_ERROR "hanas_test(${name}): unknown label '${label}', expected one of: ${allowed}")
    endif()
  endforeach()
  if(NOT arg_LABELS)
    message(FATAL_ERROR "hanas_test(${name}): LABELS is required, one or more of: ${allowed}")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(arg_DATA)
    list(APPEND arg_LABELS data)
  endif()
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  target_link_libraries(${name} PRIVATE hanas_base hanas_warnings ${arg_DEPS} hanas_test_main)
  add_test(NAME ${name} COMMAND ${name})
  # passive: spinning OpenMP threads of one test would starve the other.
  # A state directory of its own: tests that run at once have workers and agents of the same names.
  set(environment "OMP_WAIT_POLICY=passive" "HANAS_BIN_DIR=${PROJECT_BINARY_DIR}/bin" "XDG_STATE_HOME=${PROJECT_BINARY_DIR}/tests/state/${name}")
  if(HANAS_SANITIZE)
    # Containers cross into the distribution's uninstrumented libraries, which do not keep their poisoned regions up to date.
    list(APPEND environment "ASAN_OPTIONS=allow_user_poisoning=0:detect_container_overflow=0:detect_stack_use_after_return=1"
      "UBSAN_OPTIONS=print_stacktrace=1")
  endif()
  set_tests_properties(${name} PROPERTIES
    LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77 RUN_SERIAL ${arg_SERIAL} ENVIRONMENT "${environment}")
endfunction()

# A test written in Python's unittest, run by the system's interpreter; not there without one. It exits with 77 to be reported as skipped, and
# finds HANAS_SOURCE_DIR and HANAS_BIN_DIR in its environment. Target <name> makes what it DEPENDS on; PATHS are where it imports from.
find_package(Python3 QUIET COMPONENTS Interpreter)
function(hanas_python_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SCRIPT;TIMEOUT" "DEPENDS;PATHS;LABELS")
  _hanas_check_arguments("hanas_python_test(${name})" arg)
  if(NOT Python3_Interpreter_FOUND)
    message(STATUS "${name}: left out, there is no Python 3")
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_custom_target(${name} ALL DEPENDS ${arg_DEPENDS})
  add_test(NAME ${name} COMMAND Python3::Interpreter -B "${CMAKE_CURRENT_SOURCE_DIR}/${arg_SCRIPT}")
  list(JOIN arg_PATHS ":" paths)
  set_tests_properties(${name} PROPERTIES
    LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT "PYTHONPATH=${paths};HANAS_BIN_DIR=${PROJECT_BINARY_DIR}/bin;HANAS_SOURCE_DIR=${PROJECT_SOURCE_DIR};HANAS_BINARY_DIR=${PROJECT_BINARY_DIR};XDG_STATE_HOME=${PROJECT_BINARY_DIR}/tests/state/${name}")
endfunction()

# A Google Benchmark executable <build>/benchmarks/<name>; nothing without HANAS_BUILD_BENCHMARKS.
function(hanas_benchmark name)
  if(NOT HANAS_BUILD_BENCHMARKS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
  _hanas_check_arguments("hanas_benchmark(${name})" arg)
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/benchmarks")
  target_link_libraries(${name} PRIVATE hanas_base hanas_warnings ${arg_DEPS} benchmark::benchmark_main)
  set_property(GLOBAL APPEND PROPERTY HANAS_BENCHMARKS ${name})
endfunction()
