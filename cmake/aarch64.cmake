# Cross-compiles for arm64 with Debian's gcc-aarch64-linux-gnu against a folder of unpacked arm64 packages
# (scripts/arm64-root), and runs what it built under qemu-user. scripts/check-arm64 does it all.
#   cmake -S . -B build/arm64 -G Ninja --toolchain cmake/aarch64.cmake -DNASCENT_ARM64_ROOT=$PWD/build/arm64-root
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# Debian 12's gcc 12.2 for arm64 ends in an internal error (vect_transform_reduction) on some loops with a largest or
# conditional sum. The kernels' explicit vectors are not touched by this.
set(CMAKE_C_FLAGS_INIT "-fno-tree-loop-vectorize")

list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES NASCENT_ARM64_ROOT)
if(NOT IS_DIRECTORY "${NASCENT_ARM64_ROOT}/usr/include")
  message(FATAL_ERROR "NASCENT_ARM64_ROOT='${NASCENT_ARM64_ROOT}' holds no arm64 packages: run scripts/arm64-root FOLDER "
    "and name that folder")
endif()
set(CMAKE_SYSROOT ${NASCENT_ARM64_ROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L ${NASCENT_ARM64_ROOT})

set(libraries ${NASCENT_ARM64_ROOT}/usr/lib/aarch64-linux-gnu)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${NASCENT_ARM64_ROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${libraries}/pkgconfig:${NASCENT_ARM64_ROOT}/usr/share/pkgconfig)

# The compiler wrapper that would tell these is a program for arm64.
set(MPI_C_COMPILER MPI_C_COMPILER-NOTFOUND CACHE FILEPATH "")
set(MPI_C_SKIP_MPICXX TRUE CACHE BOOL "")
set(MPI_C_LIB_NAMES mpi CACHE STRING "")
set(MPI_mpi_LIBRARY ${libraries}/openmpi/lib/libmpi.so CACHE FILEPATH "")
set(MPI_C_HEADER_DIR ${libraries}/openmpi/include CACHE PATH "")
