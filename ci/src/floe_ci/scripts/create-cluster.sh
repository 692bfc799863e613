#!/bin/sh
# Creates the Kind cluster on the service's Docker, or starts again one that is there already: what was kept under the
# run's name, or the cluster as it was when it had just been created.
# Usage: create-cluster.sh LAYOUT NAME CONFIG
#   LAYOUT  the folder of the nodes' image as an OCI layout; NAME: its repository and tag
set -eu
layout=$1
name=$2
config=$3
kubeconfig=/run/floe/kubeconfig
created=floe-created # made last
here=$(dirname "$0")
mkdir -p /run/floe

image=$(sha256sum < "$layout/index.json" | cut -c 1-64)

# is LABEL VALUE: whether there is a cluster that was created to its end, and what is known of it.
is() {
  [ "$(docker volume inspect --format "{{.Labels.$1}}" "$created" 2> /dev/null)" = "$2" ]
}

if [ -n "${FLOE_CLUSTER:-}" ]; then
  # What is kept is started again whatever it was made from.
  if is kept yes; then
    sh "$here/start-cluster.sh" "$created"
    exit
  fi
elif is image "$image"; then
  sh "$here/start-cluster.sh" "$created" && exit
  echo "it is created anew" >&2
fi

# What is of another image, or was left by a run that died.
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes > /dev/null
docker volume rm --force "$created" > /dev/null
docker network inspect kind > /dev/null 2>&1 ||
  docker network create --subnet 172.18.0.0/16 --gateway 172.18.0.1 kind > /dev/null
skopeo copy --quiet --dest-tls-verify=false "oci:$layout" "docker://cluster:5000/$name"
docker pull --quiet "127.0.0.1:5000/$name" > /dev/null
docker images --quiet --filter dangling=true | xargs --no-run-if-empty docker rmi > /dev/null 2>&1 || true
kind create cluster --config "$config" --image "127.0.0.1:5000/$name" --kubeconfig "$kubeconfig"
sed -i 's#server: .*#server: https://cluster:6443#' "$kubeconfig"
# They are started again in order, and not by Docker itself.
docker ps --quiet | xargs docker update --restart=no > /dev/null
nodes=$(docker ps --quiet \
  | xargs docker inspect --format '{{.NetworkSettings.Networks.kind.IPAddress}} {{.Name}}' \
  | sort --version-sort | sed 's#.* /##' | tr '\n' ' ')
docker volume create --label "image=$image" --label "nodes=$nodes" ${FLOE_CLUSTER:+--label kept=yes} "$created" > /dev/null

if [ -z "${FLOE_CLUSTER:-}" ]; then
  # With its network set up, and as it stands: nothing of it goes on while it is copied.
  kubectl wait --for=condition=Ready nodes --all --timeout=120s > /dev/null
  docker ps --quiet | xargs docker pause > /dev/null
  slot=$(dirname "$(docker info --format '{{.DockerRootDir}}')")
  sh "$here/pristine.sh" save "$slot" "$config" || echo "the next cluster is created anew as well" >&2
  docker ps --quiet | xargs docker unpause > /dev/null
fi
