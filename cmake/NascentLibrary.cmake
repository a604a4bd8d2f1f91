# libnascent: all rooms below cli/ in one shared library for programs and plugins. It takes the rooms' objects, so that
# nothing is left out, and the libraries that the rooms need from outside (collected by nas_room).
set(objects)
foreach(room base space train bench-db evaluators search jobs)
  list(APPEND objects $<TARGET_OBJECTS:nas_${room}>)
endforeach()
get_property(outside GLOBAL PROPERTY NAS_OUTSIDE_LIBRARIES)
get_property(more GLOBAL PROPERTY NAS_MORE_OBJECTS) # what a room compiles more than once
add_library(libnascent SHARED ${objects} ${more})
set_target_properties(libnascent PROPERTIES OUTPUT_NAME nascent VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR} LINKER_LANGUAGE C EXPORT_NAME nascent
  BUILD_RPATH "$ORIGIN/lib/nascent" INSTALL_RPATH "$ORIGIN/nascent")
target_link_libraries(libnascent PRIVATE nas_flags m ${outside})
target_include_directories(libnascent INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/nascent>)
