# Installation: headers, library, CMake package, pkg-config file. gossamer_core stays in the build tree.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gossamer)

install(TARGETS gossamer EXPORT gossamer_targets)
install(DIRECTORY lib/include/gossamer DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT gossamer_targets NAMESPACE gossamer:: FILE gossamer-config.cmake DESTINATION ${package_dir})
write_basic_package_version_file(gossamer-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/gossamer-config-version.cmake DESTINATION ${package_dir})

# The prefix is relative to the .pc file, so that the installed tree may move.
file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/gossamer.pc.in gossamer.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/gossamer.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
