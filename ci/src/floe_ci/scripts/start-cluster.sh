#!/bin/sh
# Starts a Kind cluster again whose nodes are there, and leaves its kubeconfig.
# Usage: start-cluster.sh VOLUME
#   VOLUME  the Docker volume that says with its labels what the cluster is
set -eu
nodes=$(docker volume inspect --format '{{.Labels.nodes}}' "$1")
case $nodes in
  floe-*) ;;
  *) nodes=$(kind get nodes --name floe) ;; # it is older than these labels
esac
kubeconfig=/run/floe/kubeconfig
most=90 # seconds for each wait

# wait_until WHAT COMMAND: until the shell's command succeeds.
wait_until() {
  timeout "$most" sh -c "until $2; do sleep 0.3; done" || { echo "$1 after $most s" >&2; exit 1; }
}

began=$(date --utc +%Y-%m-%dT%H:%M:%S)
# In the order of their addresses, for they are given out in turn.
# shellcheck disable=SC2086 # names of nodes, one word each
docker start $nodes > /dev/null
kind get kubeconfig --name floe | sed 's#server: .*#server: https://cluster:6443#' > "$kubeconfig"
# Before kube-proxy is back: the cluster's own pods may be earlier.
# shellcheck disable=SC2086 # as above
sh "$(dirname "$0")/drop-lost-packets.sh" $nodes
wait_until "the cluster's API is not ready" "kubectl get --raw /readyz > /dev/null 2>&1"
# Who led before does not any more, and would be waited for: controllers, the scheduler, the provisioner of volumes.
for namespace in kube-system local-path-storage; do
  kubectl --namespace "$namespace" delete leases --all > /dev/null
done
# Until then a node is what it was when it was stopped.
wait_until "not all nodes are back" "kubectl --namespace kube-node-lease get leases \
  --output 'jsonpath={range .items[*]}{.spec.renewTime}{\"\\n\"}{end}' 2> /dev/null \
  | awk -v began=$began '{ n++; old += \$1 < began } END { exit !(n && !old) }'"
