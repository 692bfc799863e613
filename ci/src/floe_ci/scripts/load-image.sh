#!/bin/sh
# Sends the image of /image to the registry that the nodes pull from; layers that are there are not sent again.
# Usage: load-image.sh TARGET [NODE IMAGE]
#   TARGET  host and port of the registry, repository and tag
#   NODE    pulls IMAGE ahead of its pods, as soon as it has begun to start. A pull that fails is left to a pod to report.
set -eu
skopeo copy --quiet --dest-tls-verify=false oci:/image "docker://$1"
if [ $# -eq 3 ]; then
  timeout 300 sh -c 'until docker exec "$0" crictl info > /dev/null 2>&1; do sleep 0.5; done' "$2" &&
    timeout 300 docker exec "$2" crictl pull "$3" > /dev/null || true
fi
