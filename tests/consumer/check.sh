#!/usr/bin/env bash
# check.sh BUILD_DIR: installs that build to a temporary prefix, moves the prefix, and builds and runs a program
# outside the tree against it: once through find_package, once through pkg-config and a plain C99 compiler.
set -euo pipefail
build=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/installed" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
mv "$work/installed" "$work/moved"
prefix=$work/moved

echo "== find_package"
cmake -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release
cmake --build "$work/build"
"$work/build/consumer"
"$work/build/consumer_cpp"

echo "== pkg-config"
pc=$(find "$prefix" -name gossamer.pc)
export PKG_CONFIG_PATH=${pc%/*}
libdir=$(pkg-config --variable=libdir gossamer)
# shellcheck disable=SC2046  # the flags are words
cc -std=c99 -pedantic -Wall -Wextra -Werror "$here/consumer.c" -o "$work/consumer" \
  $(pkg-config --cflags --libs gossamer) "-Wl,-rpath,$libdir"
"$work/consumer"

echo "== nothing of the build tree in what is installed"
if grep -rlI "$build" "$prefix"; then
  echo "the files above name $build"
  exit 1
fi
