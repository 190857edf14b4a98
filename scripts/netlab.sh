#!/usr/bin/env bash
# Separate "hosts" on one machine: network namespaces on a bridge, each link shaped in both directions. Processes of
# two hosts share no memory, no processes and no loopback; nothing is made outside the lab's own namespaces.
#
#   scripts/netlab.sh [-l LAB] [-s SUBNET] COMMAND
#     up N [RATE [RACKS UPLINK]]
#                          make N hosts SUBNET.1 … SUBNET.N; RATE as tc writes it (1gbit) or none [1gbit]; host i in
#                          rack i mod RACKS, and one link of the rate UPLINK out of each rack
#     run N -- CMD…        one rank per host: RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT set; waits for all and
#                          returns the exit code of the first that failed
#     mpirun N -- CMD…     the same under mpirun.mpich
#     measure              every host sends to the next, all at once: Gbit/s per host
#     status               hosts, addresses, shaping, processes
#     down                 end the lab's processes and remove its namespaces
#   LAB [0] and SUBNET [10.77.0] let several labs coexist. Exit code 77: this machine cannot do it.
set -euo pipefail

lab=0 subnet=10.77.0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

die() { echo "netlab: $1" >&2; exit "${2:-2}"; }
usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2; }

require_tools() {
  local missing=() tool
  for tool in ip tc unshare nsenter; do
    command -v $tool >/dev/null || missing+=("$tool")
  done
  [ ${#missing[@]} -eq 0 ] || die "needs ${missing[*]} (Debian: iproute2, util-linux)" 77
  [ "$(id -u)" = 0 ] || die "needs root, to make network namespaces" 77
}

host() { echo "gosslab-$lab-h$1"; }
switch() { echo "gosslab-$lab-switch"; }
# The lab's namespaces, by exact pattern; another lab's never match.
namespaces() { ip netns list | awk -v p="^gosslab-$lab-(h[0-9]+|switch)\$" '$1 ~ p {print $1}'; }
host_count() { namespaces | grep -c -- '-h[0-9]*$' || true; }

shape() { # NAMESPACE DEVICE RATE: packets beyond the rate wait up to 50 ms, then are dropped
  [ "$3" = none ] || tc -n "$1" qdisc add dev "$2" root tbf rate "$3" burst 256kb latency 50ms
}

# A bridge of its own, from which one shaped link leads to the bridge of all racks.
add_rack() { # RACK UPLINK
  ip -n "$(switch)" link add "rack$1" type bridge
  ip -n "$(switch)" link set "rack$1" up
  ip -n "$(switch)" link add "up$1" type veth peer name "down$1"
  ip -n "$(switch)" link set "up$1" master "rack$1" up
  ip -n "$(switch)" link set "down$1" master bridge up
  shape "$(switch)" "up$1" "$2"
  shape "$(switch)" "down$1" "$2"
}

up() {
  local count=$1 rate=$2 racks=$3 uplink=$4 i bridge=bridge
  [[ $count =~ ^[1-9][0-9]?$ ]] || die "up: N is '$count', should be 1 to 99"
  [[ $racks =~ ^[0-9]+$ && $racks -le $count ]] || die "up: RACKS is '$racks', should be 0 to $count"
  [ -z "$(namespaces)" ] || die "lab $lab is up already; netlab.sh -l $lab down ends it"
  ip netns add "$(switch)" 2>/dev/null || die "this machine does not allow network namespaces" 77
  trap down EXIT
  ip -n "$(switch)" link add bridge type bridge
  ip -n "$(switch)" link set bridge up
  for ((i = 0; i < racks; ++i)); do add_rack $i "$uplink"; done
  for ((i = 0; i < count; ++i)); do
    [ "$racks" = 0 ] || bridge=rack$((i % racks))
    ip netns add "$(host $i)"
    ip link add eth0 netns "$(host $i)" type veth peer name "port$i" netns "$(switch)"
    ip -n "$(host $i)" link set lo up
    ip -n "$(host $i)" address add "$subnet.$((i + 1))/24" dev eth0
    ip -n "$(host $i)" link set eth0 up
    ip -n "$(switch)" link set "port$i" master "$bridge" up
    shape "$(host $i)" eth0 "$rate"
    shape "$(switch)" "port$i" "$rate"
  done
  trap - EXIT
}

# Replaces this shell by CMD on a host: own network, System V and POSIX shared memory, process ids and host name.
enter() {
  local rank=$1 name
  shift
  name=$(host "$rank")
  # The inner shell stays, as process 1, so that the command is an ordinary process that signals can end.
  # shellcheck disable=SC2016  # the inner shell expands
  exec ip netns exec "$name" unshare --ipc --uts --pid --fork --kill-child --mount --mount-proc \
    sh -c 'hostname "$0"; mount -t tmpfs tmpfs /dev/shm; "$@"; exit $?' "$name" "$@"
}

master_address() { ip -n "$(host 0)" -o -4 address show dev eth0 | awk '{sub("/.*", "", $4); print $4}'; }

require_hosts() {
  [ "$(host_count)" -ge "$1" ] || die "lab $lab has $(host_count) hosts, not $1; netlab.sh -l $lab up $1 makes them"
  export MASTER_ADDR MASTER_PORT=${MASTER_PORT:-29500}
  MASTER_ADDR=$(master_address)
}

run() {
  local count=$1 i first=0 code
  shift
  require_hosts "$count"
  local pids=()
  trap 'kill "${pids[@]}" 2>/dev/null || true' INT TERM
  for ((i = 0; i < count; ++i)); do
    (RANK=$i WORLD_SIZE=$count enter $i "$@") &
    pids+=($!)
  done
  for ((i = 0; i < count; ++i)); do
    code=0
    wait -n || code=$?
    [ $first -ne 0 ] || first=$code
  done
  return "$first"
}

# MPICH believes that all ranks of its one launcher share a host; tell it that they do not. MPICH 4.0.2 sometimes does
# not come back from MPI_Finalize over UCX's tcp (one rank flushes towards a peer that already waits in its launcher's
# barrier): give such programs a deadline of their own.
mpirun() {
  local count=$1
  shift
  command -v mpirun.mpich >/dev/null || die "mpirun needs mpirun.mpich (Debian: mpich)" 77
  require_hosts "$count"
  MPIR_CVAR_NOLOCAL=1 mpirun.mpich -n "$count" "$here/netlab.sh" -l "$lab" enter-pmi -- "$@"
}

# Open MPI's mpirun starts its daemons by what it takes for a remote shell. It has to be on a network with them: on the
# first host. Daemons that go to the background would take their host with them.
openmpi() {
  local count=$1 hosts
  shift
  command -v mpirun.openmpi >/dev/null || die "openmpi needs mpirun.openmpi (Debian: openmpi-bin)" 77
  require_hosts "$count"
  hosts=$(seq -s , -f "${MASTER_ADDR%.*}.%g" "$count")
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
  enter 0 mpirun.openmpi --mca plm_rsh_agent "$here/netlab.sh -l $lab rsh" --leave-session-attached --mca plm_rsh_no_tree_spawn 1 \
    --mca oob_tcp_if_include eth0 --mca btl_tcp_if_include eth0 --mca pml ob1 --mca btl self,tcp \
    --host "$hosts" -n "$count" "$@"
}

# HOST CMD…, as Open MPI calls a remote shell.
rsh() {
  local address=$1
  shift
  enter $((${address##*.} - 1)) sh -c "$*"
}

status() {
  local name
  [ -n "$(namespaces)" ] || { echo "lab $lab is down"; return; }
  for name in $(namespaces | grep -v switch | sort -V); do
    printf '%-20s %-16s %-14s %d processes\n' "$name" \
      "$(ip -n "$name" -o -4 address show dev eth0 | awk '{print $4}')" \
      "$(tc -n "$name" qdisc show dev eth0 | sed -n 's/.*tbf.* rate \([^ ]*\).*/\1/p')" \
      "$(ip netns pids "$name" | wc -l)"
  done
}

down() {
  local name
  for name in $(namespaces); do
    # shellcheck disable=SC2046  # a list of process ids
    kill -KILL $(ip netns pids "$name") 2>/dev/null || true
    ip netns del "$name"
  done
}

while getopts l:s: option; do
  case $option in
    l) lab=$OPTARG ;;
    s) subnet=$OPTARG ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[[ $lab =~ ^[a-zA-Z0-9]+$ ]] || die "lab is '$lab', should be letters and digits"
[[ $subnet =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "subnet is '$subnet', should be three numbers such as 10.77.0"
[ $# -ge 1 ] || usage
command=$1
shift
require_tools

case $command in
  up) [ $# -ge 1 ] || usage; up "$1" "${2:-1gbit}" "${3:-0}" "${4:-none}" ;;
  run|mpirun|openmpi) if [ $# -lt 3 ] || [ "$2" != -- ]; then usage; fi; $command "$1" "${@:3}" ;;
  enter-pmi) [ "${1:-}" = -- ] || usage; enter "$PMI_RANK" "${@:2}" ;;
  rsh) [ $# -ge 2 ] || usage; rsh "$@" ;;
  measure) run "$(host_count)" python3 "$here/netlab_measure.py" ;;
  status) status ;;
  down) down ;;
  *) usage ;;
esac
