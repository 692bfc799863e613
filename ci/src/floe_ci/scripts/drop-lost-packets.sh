#!/bin/sh
# Drops what is sent to a Service that a node does not know of yet: kube-proxy may be behind, or not there. It would leave
# the cluster, where nobody answers, or worse, somebody does; and the kernel would send all that follows there as well.
# Dropped, it is forgotten, and a second later it finds its way: what kube-proxy knows of has another destination by the
# time it gets here.
# Usage: drop-lost-packets.sh NODE…
set -eu
services=$(docker exec floe-control-plane \
  sed -n 's/.*--service-cluster-ip-range=\([0-9./]*\).*/\1/p' /etc/kubernetes/manifests/kube-apiserver.yaml)
for node in "$@"; do
  docker exec "$node" iptables --wait --insert FORWARD --destination "$services" --jump DROP
done
