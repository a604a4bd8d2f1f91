# Compiler flags that every target shares.
add_library(nas_flags INTERFACE)
target_compile_options(nas_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wstrict-prototypes
  -Wmissing-prototypes $<$<BOOL:${NASCENT_WERROR}>:-Werror> -fno-math-errno -ffp-contract=off)
target_compile_definitions(nas_flags INTERFACE _GNU_SOURCE)
target_include_directories(nas_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  # -Wpedantic and function pointers out of dlsym, and snprintf into fixed fields that are meant to cut.
  target_compile_options(nas_flags INTERFACE -Wno-format-truncation)
endif()
if(NASCENT_SANITIZE)
  target_compile_options(nas_flags INTERFACE -fsanitize=${NASCENT_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(nas_flags INTERFACE -fsanitize=${NASCENT_SANITIZE})
endif()
if(NASCENT_FUZZ)
  # The rooms need the instrumentation, or the fuzzer would see none of their branches.
  target_compile_options(nas_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(nas_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(NASCENT_COVERAGE)
  target_compile_options(nas_flags INTERFACE --coverage)
  target_link_options(nas_flags INTERFACE --coverage)
endif()

# The version with its commit, so that a recorded number names the program that made it. Asked at every build.
set(write_version ${CMAKE_COMMAND} -D SOURCE=${CMAKE_SOURCE_DIR} -D BINARY=${CMAKE_BINARY_DIR}
  -D PROJECT_VERSION=${PROJECT_VERSION} -P ${CMAKE_SOURCE_DIR}/cmake/WriteVersion.cmake)
execute_process(COMMAND ${write_version})
add_custom_target(nas_version ALL COMMAND ${write_version} BYPRODUCTS ${CMAKE_BINARY_DIR}/base/version.h VERBATIM)
