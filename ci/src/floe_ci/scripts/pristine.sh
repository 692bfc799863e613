#!/bin/sh
# A cluster as it was when it had just been created, kept beside Docker's data: to start it again takes seconds, where
# to create one takes half a minute. What is kept is all that belongs to containers; images stay where they are.
# Usage: pristine.sh restore SLOT CONFIG, before Docker is started on the slot; pristine.sh save SLOT CONFIG
set -eu
what=$1
slot=$2
# Another configuration, or another way to create one of it, makes another cluster.
key=$(cat "$3" "$(dirname "$0")"/*.sh | sha256sum | cut -c 1-16)
pristine=$slot/pristine
docker=$slot/docker
most=2
# Certificates of a cluster count from its creation, and end after a year.
days=30

of_containers() {
  cd "$docker"
  for layer in image/overlay2/layerdb/mounts/*/mount-id image/overlay2/layerdb/mounts/*/init-id; do
    [ -e "$layer" ] || continue
    id=$(cat "$layer")
    echo "overlay2/$id"
    [ ! -e "overlay2/$id/link" ] || echo "overlay2/l/$(cat "overlay2/$id/link")"
  done
  for each in containers network volumes image/overlay2/layerdb/mounts; do
    [ ! -e "$each" ] || echo "$each"
  done
}

restore() {
  gone=$slot/gone-$(date +%s%N)
  mkdir -p "$gone"
  # Out of the way at once, and removed beside what follows.
  for each in $(of_containers); do mv "$docker/$each" "$gone/$(echo "$each" | tr / -)"; done
  (rm -rf "$slot"/gone-* 9>&- &) # without the lock on the slot
  touch "$gone.now"
  find "$pristine" -mindepth 1 -maxdepth 1 \( -mtime "+$days" -o -newer "$gone.now" \) -exec rm -rf {} + 2> /dev/null || true
  rm -f "$gone.now"
  [ ! -d "$pristine/$key" ] || cp --archive "$pristine/$key/." "$docker"
}

save() {
  new=$pristine/.new
  rm -rf "$new"
  mkdir -p "$new"
  # shellcheck disable=SC2046 # paths that Docker made, without spaces
  (cd "$docker" && cp --archive --parents $(of_containers) "$new")
  rm -rf "${pristine:?}/$key"
  mv "$new" "$pristine/$key"
  # shellcheck disable=SC2012 # names that this script made
  ls -t "$pristine" | tail -n "+$((most + 1))" | while read -r old; do rm -rf "${pristine:?}/$old"; done
}

"$what"
