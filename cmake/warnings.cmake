# Warnings, sanitizers, and what `gossamer info` says about the build.
add_library(gossamer_warnings INTERFACE)
target_compile_options(gossamer_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow
  $<$<BOOL:${GOSSAMER_WERROR}>:-Werror>)
# GCC 12 sees overlapping copies inside std::string's operator+ (its bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(gossamer_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()

if(GOSSAMER_SANITIZE)
  add_compile_options(-fsanitize=${GOSSAMER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${GOSSAMER_SANITIZE})
endif()

# Compile definitions with the version, the compiler and the build type.
function(gossamer_build_facts target)
  target_compile_definitions(${target} PUBLIC
    GOSSAMER_VERSION="${PROJECT_VERSION}"
    GOSSAMER_COMPILER="${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}"
    GOSSAMER_BUILD_TYPE="$<CONFIG>"
    GOSSAMER_SANITIZERS="${GOSSAMER_SANITIZE}")
endfunction()
