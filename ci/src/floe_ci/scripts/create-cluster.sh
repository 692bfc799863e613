#!/bin/sh
# Creates the Kind cluster on the service's Docker, or starts again one that is there already: what was kept under the
# run's name, or the cluster as it was when it had just been created.
# Usage: create-cluster.sh LAYOUT CONFIG
#   LAYOUT  the folder of the nodes' image as an OCI layout, whose repository and tag are in FLOE_NODE_IMAGE
set -eu
layout=$1
config=$2
image=$FLOE_NODE_IMAGE
kubeconfig=/run/floe/kubeconfig
created=floe-created # made last
here=$(dirname "$0")
mkdir -p /run/floe

root=$(docker info --format '{{.DockerRootDir}}')
slot=$(dirname "$root")
# A tag may have moved.
digest=$(sha256sum < "$layout/index.json" | cut -c 1-64)

if [ -n "${FLOE_CLUSTER:-}" ]; then
  # What is kept is started again whatever it was made from.
  if docker volume inspect "$created" > /dev/null 2>&1; then
    sh "$here/start-cluster.sh" "$created"
    exit
  fi
elif [ "$(docker volume inspect --format '{{.Labels.image}}' "$created" 2> /dev/null)" = "$digest" ]; then
  sh "$here/start-cluster.sh" "$created" && exit
  echo "it is created anew" >&2
  rm -rf "$slot/pristine"
fi

# What is of another image, or was left by a run that died.
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes > /dev/null
docker volume rm --force "$created" > /dev/null
docker network inspect kind > /dev/null 2>&1 ||
  docker network create --subnet 172.18.0.0/16 --gateway 172.18.0.1 kind > /dev/null
skopeo copy --quiet --dest-tls-verify=false "oci:$layout" "docker://cluster:5000/$image"
docker pull --quiet "127.0.0.1:5000/$image" > /dev/null
docker images --quiet --filter dangling=true | xargs --no-run-if-empty docker rmi > /dev/null 2>&1 || true
kind create cluster --config "$config" --image "127.0.0.1:5000/$image" --kubeconfig "$kubeconfig"
sed -i 's#server: .*#server: https://cluster:6443#' "$kubeconfig"
# They are started again in order, and not by Docker itself.
docker ps --quiet | xargs docker update --restart=no > /dev/null
nodes=$(docker ps --quiet \
  | xargs docker inspect --format '{{.NetworkSettings.Networks.kind.IPAddress}} {{.Name}}' \
  | sort --version-sort | sed 's#.* /##' | tr '\n' ' ')
# shellcheck disable=SC2086 # names of nodes, one word each
sh "$here/drop-lost-packets.sh" $nodes
docker volume create --label "image=$digest" --label "nodes=$nodes" "$created" > /dev/null

# Its nodes are waited for again, with more to say of them if they do not become ready.
if [ -z "${FLOE_CLUSTER:-}" ] && kubectl wait --for=condition=Ready nodes --all --timeout=60s > /dev/null 2>&1; then
  trap 'docker ps --quiet | xargs docker unpause > /dev/null' EXIT
  # As it stands: nothing of it goes on while it is copied.
  if ! docker ps --quiet | xargs docker pause > /dev/null ||
    ! sh "$here/pristine.sh" save "$slot" "$config" "$image"; then
    echo "the next cluster is created as well" >&2
  fi
fi
