# find_package(garface) gives the imported target garface::garface.
get_filename_component(_garface_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET garface::garface)
  add_library(garface::garface SHARED IMPORTED)
  set_target_properties(garface::garface PROPERTIES
    IMPORTED_LOCATION "${_garface_prefix}/lib/libgarface.so.1"
    IMPORTED_SONAME "libgarface.so.1"
    INTERFACE_INCLUDE_DIRECTORIES "${_garface_prefix}/include")
endif()
set(garface_FOUND TRUE)
unset(_garface_prefix)
