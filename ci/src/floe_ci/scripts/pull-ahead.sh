#!/bin/sh
# Has a node pull images, in order, before a pod asks for them, and begins as soon as the node does: long before
# Kubernetes is there. Usage: pull-ahead.sh NODE IMAGE...
set -eu
node=$1
shift
# With ctr, as `kind load` does: kind's node images have it for that.
containerd() { timeout 300 docker exec "$node" ctr --namespace k8s.io "$@" 2>&1; }

tries=240 # of half a second each, and what the question takes
until said=$(containerd version); do
  case $? in 126 | 127) tries=0 ;; esac # there is no ctr
  if [ "$tries" -le 0 ]; then break; fi
  tries=$((tries - 1))
  sleep 0.5
done
for image; do
  said=$(containerd images pull --hosts-dir /etc/containerd/certs.d "$image") ||
    echo "not pulled ahead, which is left to the pods that need it: $image: $(echo "$said" | tail -n 1)" >&2
done
