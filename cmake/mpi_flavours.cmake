# Programs against one MPI flavour each (openmpi, mpich). CMake's FindMPI knows one MPI per build tree; the library
# serves all, so both must be built and tested side by side. Every flavour found becomes a target mpi_<flavour>.
set(GOSSAMER_MPI_FLAVOURS "")

# Compile and link arguments of one flavour's C compiler wrapper. They suit C++ too: the C interface is all we call.
function(gossamer_find_mpi flavour compile_option link_option)
  find_program(MPICC_${flavour} mpicc.${flavour})
  find_program(MPIRUN_${flavour} mpirun.${flavour})
  if(NOT MPICC_${flavour} OR NOT MPIRUN_${flavour})
    message(STATUS "MPI flavour ${flavour}: not found, its programs and tests are left out")
    return()
  endif()
  execute_process(COMMAND ${MPICC_${flavour}} ${compile_option} OUTPUT_VARIABLE compile COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${MPICC_${flavour}} ${link_option} OUTPUT_VARIABLE link COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(compile UNIX_COMMAND "${compile}")
  separate_arguments(link UNIX_COMMAND "${link}")
  list(FILTER compile INCLUDE REGEX "^-I.")
  list(TRANSFORM compile REPLACE "^-I" "")
  list(FILTER link INCLUDE REGEX "^(-L|-l|-Wl,)")
  add_library(mpi_${flavour} INTERFACE)
  target_include_directories(mpi_${flavour} SYSTEM INTERFACE ${compile})
  target_link_libraries(mpi_${flavour} INTERFACE ${link})
  target_compile_definitions(mpi_${flavour} INTERFACE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)
  set(GOSSAMER_MPI_FLAVOURS ${GOSSAMER_MPI_FLAVOURS} ${flavour} PARENT_SCOPE)
endfunction()

gossamer_find_mpi(openmpi -showme:compile -showme:link)
gossamer_find_mpi(mpich -compile-info -link-info)

# add_mpi_program(<name> <source> <flavour>): the executable <name>.<flavour>, linked to libgossamer and that MPI.
function(add_mpi_program name source flavour)
  set(target ${name}.${flavour})
  add_executable(${target} ${source})
  target_link_libraries(${target} PRIVATE gossamer mpi_${flavour} gossamer_warnings)
endfunction()

# Ranks share the machine's cores, so they yield when idle; a machine's only user may be root.
set(GOSSAMER_MPI_ENVIRONMENT OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
  OMPI_MCA_btl_base_warn_component_unused=0)

# add_mpi_test(<name> <flavour> <ranks> <command…>): a ctest that runs the command under that flavour's mpirun.
function(add_mpi_test name flavour ranks)
  set(test ${name}.${flavour}.n${ranks})
  set(oversubscribe "")
  if(flavour STREQUAL openmpi)
    set(oversubscribe --oversubscribe)
  endif()
  add_test(NAME ${test} COMMAND ${MPIRUN_${flavour}} ${oversubscribe} -n ${ranks} ${ARGN})
  set_tests_properties(${test} PROPERTIES LABELS "mpi;${flavour}" TIMEOUT 300 PROCESSORS 2
    ENVIRONMENT "${GOSSAMER_MPI_ENVIRONMENT}")
endfunction()
