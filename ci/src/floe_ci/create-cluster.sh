#!/bin/sh
# Creates the Kind cluster on the service's Docker; prints what kind prints. Usage: create-cluster.sh IMAGE CONFIG
set -eu
image=$1
config=$2

# A run that died left its containers behind, and Docker has started them again.
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes > /dev/null
docker network inspect kind > /dev/null 2>&1 ||
  docker network create --subnet 172.18.0.0/16 --gateway 172.18.0.1 kind > /dev/null

docker pull --quiet "$image" > /dev/null
docker images --quiet --filter dangling=true | xargs --no-run-if-empty docker rmi > /dev/null 2>&1 || true
mkdir -p /run/floe
kind create cluster --config "$config" --image "$image" --kubeconfig /run/floe/kubeconfig
sed --in-place 's#server: .*#server: https://cluster:6443#' /run/floe/kubeconfig
