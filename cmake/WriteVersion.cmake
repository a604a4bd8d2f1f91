# Run at build time: writes base/version.h with the commit the program is built from, and only when that changed.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
set(NAS_VERSION_FULL "${PROJECT_VERSION}")
if(commit)
  string(APPEND NAS_VERSION_FULL "+${commit}")
endif()
configure_file(${SOURCE}/base/version.h.in ${BINARY}/base/version.h @ONLY)
