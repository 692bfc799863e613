#!/bin/sh
# Removes a named cluster's part of the cache volume. Usage: forget-cluster.sh NAME
set -eu
volume=${FLOE_VOLUME:-/var/lib/docker}
name=kept-$1
if [ ! -d "$volume/$name" ]; then
  # shellcheck disable=SC2012 # names that floe-ci made
  echo "there is no cluster '$1'; kept are: $(cd "$volume" && ls -d kept-*/ 2>/dev/null | sed 's#^kept-##; s#/$##' | tr '\n' ' ')" >&2
  exit 1
fi
exec 9> "$volume/$name.lock"
flock --nonblock 9 || { echo "cluster '$1' is running: stop what holds it first" >&2; exit 1; }
# Out of the way in one step: half of a removed cluster, had this been interrupted, could not be started again.
mv "$volume/$name" "$volume/gone-$(date +%s%N)"
rm -f "$volume/$name.lock"
rm -rf "${volume:?}"/gone-*
