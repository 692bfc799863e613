#!/bin/sh
# Puts images into the registry that the nodes pull from. Layers that are there are not sent again.
# Usage: load-images.sh [LAYOUT PATH NAME]...
#   LAYOUT  the folder of an image as an OCI layout
#   PATH    the repository and tag that the registry is to know it by
#   NAME    what the nodes pull it under
set -eu
names=
while [ $# -gt 0 ]; do
  skopeo copy --quiet --dest-tls-verify=false "oci:$1" "docker://cluster:5000/$2"
  names="$names $3"
  shift 3
done

# Where the cluster is up already, whoever needs an image pulls it at once.
[ ! -e "${KUBECONFIG:-}" ] || exit 0
# A node that is started again can pull long before its API is there. With several nodes it is not known yet which of
# them will need an image. Nothing depends on it: what is not there is pulled when a pod needs it.
node=floe-control-plane
[ "$(docker volume inspect --format '{{.Labels.nodes}}' floe-created 2> /dev/null)" = "$node " ] || exit 0
timeout 20 sh -c "until docker exec $node ctr version > /dev/null 2>&1; do sleep 0.3; done" || exit 0
# shellcheck disable=SC2016,SC2086 # for the node's shell; names of images, one word each
docker exec --detach "$node" sh -c '
  for name; do ctr --namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d "$name" & done
  wait' sh $names || true
