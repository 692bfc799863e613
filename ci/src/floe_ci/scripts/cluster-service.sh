#!/bin/sh
# The cluster service: an image registry on port 5000 and Docker on port 2375, both on a slot of the cache volume.
# A slot belongs to one run at a time. The kernel gives its lock back when the run ends, however it ends.
set -eu
volume=${FLOE_VOLUME:-/var/lib/docker}
config=${FLOE_REGISTRY_CONFIG:-/etc/floe/registry.yml}
kind_config=${FLOE_KIND_CONFIG:-/run/kind.yaml}

if [ -n "${FLOE_CLUSTER:-}" ]; then
  slots="kept-$FLOE_CLUSTER"
else
  slots="slot-0 slot-1 slot-2 slot-3 slot-4 slot-5 slot-6 slot-7"
fi
for name in $slots; do
  mkdir -p "$volume/$name"
  exec 9> "$volume/$name.lock"
  if flock --nonblock 9; then slot=$volume/$name; break; fi
done
if [ -z "${slot:-}" ]; then
  echo "every slot of the cache volume is in use: $slots. \`floe-ci status\` shows clusters that are up," \
    "\`floe-ci down --on dagger\` ends one" >&2
  exit 1
fi

# Images of old runs pile up in the registry: past the limit it starts anew.
limit_kib=$((8 * 1024 * 1024))
if [ "$(du -sk "$slot/registry" 2>/dev/null | cut -f1)" -gt "$limit_kib" ] 2>/dev/null; then rm -rf "$slot/registry"; fi

mkdir -p "$slot/registry" "$slot/docker"
if [ -z "${FLOE_CLUSTER:-}" ]; then
  # The nodes that the last run left were killed with their Docker, and are not to be started. Where they can't be
  # put away, Docker begins with nothing.
  sh "$(dirname "$0")/pristine.sh" restore "$slot" "$kind_config" "${FLOE_NODE_IMAGE:-}" || {
    mv "$slot/docker" "$slot/gone-$(date +%s%N)"
    mkdir "$slot/docker"
  }
fi
cat > "$config" <<CONFIG
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $slot/registry}}
http: {addr: ":5000"}
CONFIG
docker-registry serve "$config" &
exec dockerd --host tcp://0.0.0.0:2375 --host unix:///var/run/docker.sock --tls=false \
  --data-root "$slot/docker" --pidfile /var/run/floe-docker.pid
