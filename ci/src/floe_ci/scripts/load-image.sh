#!/bin/sh
# Sends the image of /image to the registry that the nodes pull from; layers that are there are not sent again.
# Usage: load-image.sh TARGET [NODE IMAGE]
#   TARGET  host and port of the registry, repository and tag
#   NODE    pulls IMAGE ahead of its pods, as soon as it has begun to start
set -eu
skopeo copy --quiet --dest-tls-verify=false oci:/image "docker://$1"
[ $# -eq 3 ] || exit 0

# With ctr, as `kind load` does: kind's node images have it for that.
node=$2 image=$3
containerd() { docker exec "$node" ctr --namespace k8s.io "$@" 2>&1; }
tries=240 # of half a second, beside the time that each takes
until said=$(containerd version); do
  case $? in 126 | 127) tries=0 ;; esac # there is no ctr
  if [ "$tries" -le 0 ]; then break; fi
  tries=$((tries - 1))
  sleep 0.5
done
said=$(containerd images pull --hosts-dir /etc/containerd/certs.d "$image") ||
  echo "not pulled ahead, which is left to the pods that need it: $image: $(echo "$said" | tail -n 1)" >&2
