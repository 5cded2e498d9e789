# Compiler settings that hold for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()

set(KB_SANITIZE "" CACHE STRING "Sanitizers for our own processes: address;undefined or thread")
option(KB_TESTS "Build the tests too, which need GoogleTest" ON)
option(KB_FUZZ "Build the libFuzzer targets (clang only)" OFF)

option(KB_UNITY "Compile sources eight at a time: faster from nothing, slower after a change" ON)
# What cannot be compiled so has helpers of one name in several sources, and says UNITY_BUILD OFF.
set(CMAKE_UNITY_BUILD ${KB_UNITY})

find_program(KB_CCACHE ccache)
if(KB_CCACHE)
  # Without the checkout's own path, so that a second checkout finds what the first one compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
    CCACHE_NOHASHDIR=1 ${KB_CCACHE})
endif()

find_package(OpenSSL 3.0 REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
pkg_check_modules(P11KIT REQUIRED IMPORTED_TARGET p11-kit-1)
pkg_check_modules(LIBP11 REQUIRED IMPORTED_TARGET libp11)

add_library(kb_flags INTERFACE)
target_compile_definitions(kb_flags INTERFACE KB_VERSION="${PROJECT_VERSION}")
target_compile_options(kb_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
  -Wold-style-cast -Werror -fstack-protector-strong -fno-omit-frame-pointer)
# gcc takes all but a translation unit's main file for headers, where this would be a mistake.
target_compile_options(kb_flags INTERFACE
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>:-Wno-subobject-linkage>)
# A target with KB_TEST is code that tests, not what is tested: it is compiled fast instead of well.
set(KB_IS_TEST $<BOOL:$<TARGET_PROPERTY:KB_TEST>>)
if(KB_SANITIZE)
  list(JOIN KB_SANITIZE "," KB_SANITIZE_ARG)
  target_compile_options(kb_flags INTERFACE -fsanitize=${KB_SANITIZE_ARG} -fno-sanitize-recover=all
    $<IF:${KB_IS_TEST},-O0,-O1> -g1)
  target_compile_definitions(kb_flags INTERFACE KB_SANITIZED=1)
  # A descriptor of each string literal would be relocated at every start, and the tests start thousands
  # of programs.
  target_link_options(kb_flags INTERFACE -fsanitize=${KB_SANITIZE_ARG}
    $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-no-pie>)
  # A sanitised program takes ld.bfd more than twice as long.
  find_program(KB_LLD ld.lld)
  if(KB_LLD)
    target_link_options(kb_flags INTERFACE -fuse-ld=lld)
  endif()
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(kb_flags INTERFACE $<IF:${KB_IS_TEST},-O0,-O2>)
  target_compile_definitions(kb_flags INTERFACE $<$<NOT:${KB_IS_TEST}>:_FORTIFY_SOURCE=2>)
  target_link_options(kb_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
if(KB_FUZZ)
  target_compile_options(kb_flags INTERFACE $<$<NOT:${KB_IS_TEST}>:-fsanitize=fuzzer-no-link>)
endif()
