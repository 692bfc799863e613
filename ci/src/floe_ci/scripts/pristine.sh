#!/bin/sh
# A cluster as it was when it had just been created, kept beside Docker's data: to start it again takes seconds, where
# to create one takes half a minute. What is kept is all that belongs to containers; images stay where they are.
# Usage: pristine.sh restore SLOT CONFIG IMAGE, before Docker is started on the slot
#        pristine.sh save SLOT CONFIG IMAGE, while its containers are paused
#   CONFIG  of Kind; IMAGE: the name of the nodes'
set -eu
what=$1
slot=$2
# Whatever else it is made from, or by, makes another cluster.
key=$({ cat "$3" "$(dirname "$0")"/*.sh && echo "$4" && docker --version && kind version; } 2> /dev/null \
  | sha256sum | cut -c 1-16)
pristine=$slot/pristine
new=$pristine/.new
coming=$slot/coming
docker=$slot/docker
most=2
# Certificates of a cluster count from its creation, and end after a year.
days=30

# What belongs to containers, as far as it is there: a run may have been killed while it was put in place, or removed.
# What tells of layers is last, so that none is forgotten.
of_containers() {
  cd "$docker"
  for layer in image/overlay2/layerdb/mounts/*/mount-id image/overlay2/layerdb/mounts/*/init-id; do
    [ -s "$layer" ] || continue
    id=$(cat "$layer")
    [ ! -s "overlay2/$id/link" ] || there "overlay2/l/$(cat "overlay2/$id/link")"
    there "overlay2/$id"
  done
  for each in containers network volumes image/overlay2/layerdb/mounts; do there "$each"; done
}

there() {
  if [ -e "$1" ] || [ -L "$1" ]; then echo "$1"; fi
}

restore() {
  gone=$slot/gone-$(date +%s%N)
  mkdir -p "$gone" "$pristine"
  find "$pristine" -mindepth 1 -maxdepth 1 \( -name .new -o -mtime "+$((days - 1))" -o -newer "$gone" \) -exec rm -rf {} +
  for each in $(of_containers); do mv "$docker/$each" "$gone/$(echo "$each" | tr / -)"; done
  [ ! -e "$coming" ] || mv "$coming" "$gone/coming"
  (rm -rf "$slot"/gone-* 9>&- &) # beside what follows, and without the lock on the slot
  if [ -d "$pristine/$key" ]; then
    cp --archive "$pristine/$key" "$coming"
    # Each piece at once, and first what tells of layers, so that none is forgotten.
    put image/overlay2/layerdb/mounts
    for each in "$coming"/overlay2/l/* "$coming"/overlay2/*; do
      [ "$each" = "$coming/overlay2/l" ] || put "${each#"$coming"/}"
    done
    for each in network volumes containers; do put "$each"; done
    rm -rf "$coming"
  fi
}

# put PATH: what is below `coming` goes to its place.
put() {
  [ -n "$(there "$coming/$1")" ] || return 0
  mkdir -p "$docker/$(dirname "$1")"
  rm -rf "${docker:?}/$1"
  mv "$coming/$1" "$docker/$1"
}

save() {
  trap 'rm -rf "$new"' EXIT
  rm -rf "$new"
  mkdir -p "$new"
  require_room
  # shellcheck disable=SC2046 # paths that Docker made, without spaces
  (cd "$docker" && cp --archive --parents $(of_containers) "$new")
  rm -rf "${pristine:?}/$key"
  mv "$new" "$pristine/$key"
  # shellcheck disable=SC2012 # names that this script made
  ls -t "$pristine" | tail -n "+$((most + 1))" | while read -r old; do rm -rf "${pristine:?}/$old"; done
}

# The run is still to come: what it needs of the disk is not for this.
require_room() {
  # shellcheck disable=SC2046 # as above
  wanted=$(cd "$docker" && du --summarize --total --block-size=1K $(of_containers) | tail -n 1 | cut -f 1)
  free=$(df --portability --block-size=1K "$slot" | awk 'NR == 2 { print $4 }')
  [ "$free" -gt "$((4 * wanted))" ] || { echo "to keep $wanted KiB of a cluster, $free KiB of disk are few" >&2; exit 1; }
}

"$what"
