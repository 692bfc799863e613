#!/bin/sh
# Creates the Kind cluster on the service's Docker, or starts again the one that was kept under the run's name.
# Usage: create-cluster.sh IMAGE CONFIG
set -eu
image=$1
config=$2
kubeconfig=/run/floe/kubeconfig
mkdir -p /run/floe

write_kubeconfig() {
  kind get kubeconfig --name floe | sed 's#server: .*#server: https://cluster:6443#' > "$kubeconfig"
}

# A volume that is made last tells a cluster that was created to its end from one whose run died before.
if [ -n "${FLOE_CLUSTER:-}" ] && docker volume inspect floe-created > /dev/null 2>&1; then
  # shellcheck disable=SC2046 # names of nodes, one word each
  docker start $(kind get nodes --name floe) > /dev/null
  write_kubeconfig
  timeout 120 sh -c 'until kubectl get --raw /readyz > /dev/null 2>&1; do sleep 0.5; done'
  exit
fi

# A run that died left its containers behind, and Docker has started them again.
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes > /dev/null
docker volume rm --force floe-created > /dev/null
docker network inspect kind > /dev/null 2>&1 ||
  docker network create --subnet 172.18.0.0/16 --gateway 172.18.0.1 kind > /dev/null

docker pull --quiet "$image" > /dev/null
docker images --quiet --filter dangling=true | xargs --no-run-if-empty docker rmi > /dev/null 2>&1 || true
kind create cluster --config "$config" --image "$image" --kubeconfig "$kubeconfig"
write_kubeconfig
docker volume create floe-created > /dev/null
