# Shared by the scripts: sourced, never run.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs=$root/build/logs
mkdir -p "$logs"

# Open MPI refuses root and more ranks than cores unless told; idle ranks yield because they share cores.
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_base_warn_component_unused=0
if [ "$(id -u)" = 0 ]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
  export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1  # one checkout's objects serve the next
  export CCACHE_SLOPPINESS=pch_defines,time_macros  # as it wants to be told where there is a precompiled header
fi

# quietly LOG WHAT COMMAND…: runs the command with its output in build/logs/LOG; shows the end of it on failure.
quietly() {
  local log=$logs/$1 what=$2
  shift 2
  if ! "$@" >"$log" 2>&1; then
    echo "$what failed. The end of $log:"
    tail -n 40 "$log"
    echo "To see it happen: $*"
    exit 1
  fi
}

# build PRESET [TARGET]: what is missing is installed, the preset configured and built.
build() {
  "$root/scripts/install_deps.sh"
  cd "$root"
  quietly "configure-$1.log" "Configuring" cmake --preset "$1"
  # Quiet for minutes is no comfort: say what is going on, on a terminal only.
  [ ! -t 1 ] || echo "Building (log: build/logs/build-$1.log) …"
  quietly "build-$1.log" "Building" cmake --build --preset "$1" ${2:+--target "$2"}
}
