# cmake --install: program, library, headers by room, pkg-config and CMake package files, man page, completion.
include(CMakePackageConfigHelpers)

install(TARGETS nascent RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS libnascent EXPORT nascent-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS nascent-mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/nascent)
install(EXPORT nascent-targets NAMESPACE nascent:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/nascent)

foreach(room base space bench-db evaluators search)
  file(GLOB headers ${CMAKE_SOURCE_DIR}/${room}/*.h ${CMAKE_SOURCE_DIR}/${room}/*.def)
  install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nascent/${room})
endforeach()
install(FILES ${CMAKE_BINARY_DIR}/base/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nascent/base)
file(GLOB headers ${CMAKE_SOURCE_DIR}/train/*.h)
install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nascent/train)
install(FILES ${CMAKE_SOURCE_DIR}/train/data/dataset.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nascent/train/data)
install(FILES ${CMAKE_SOURCE_DIR}/jobs/campaign.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nascent/jobs)

# Relative, so that `cmake --install --prefix` elsewhere stays right.
file(RELATIVE_PATH NAS_PC_TO_PREFIX /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
string(REGEX REPLACE "/$" "" NAS_PC_TO_PREFIX "${NAS_PC_TO_PREFIX}")
configure_file(${CMAKE_SOURCE_DIR}/cmake/nascent.pc.in ${CMAKE_BINARY_DIR}/nascent.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/nascent.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/nascent-config.cmake.in ${CMAKE_BINARY_DIR}/nascent-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/nascent)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/nascent-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/nascent-config.cmake ${CMAKE_BINARY_DIR}/nascent-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/nascent)

# Both texts come out of the program's own tables.
set(man ${CMAKE_BINARY_DIR}/nascent.1)
set(completion ${CMAKE_BINARY_DIR}/nascent.bash)
add_custom_command(OUTPUT ${man} ${completion}
  COMMAND nascent help --man > ${man}
  COMMAND nascent help --completion > ${completion}
  DEPENDS nascent VERBATIM)
add_custom_target(nascent-manual ALL DEPENDS ${man} ${completion})
install(FILES ${man} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${completion} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME nascent)
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
