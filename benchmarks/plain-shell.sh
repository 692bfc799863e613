#!/bin/sh
# The steps of `dagger call test --tier integration`, as one would write them in a shell. It runs in the toolbox, as
# root with all capabilities; /var/lib/docker is kept from run to run.
#
# Usage: plain-shell.sh NODE_IMAGE SECONDS PYTEST_ARGS LAYOUT=TARGET...
#   NODE_IMAGE   the repository and tag of the nodes' image, one of the TARGETs
#   SECONDS      for the tests as a whole
#   PYTEST_ARGS  pytest's arguments, a JSON list
#   LAYOUT       the folder of an image as an OCI layout; TARGET: the repository and tag to push it to
#
# Leaves in /results what the tests left, with events.txt, logs/, pytest-exit-code, and steps.tsv: the start and the
# duration of each step in seconds, and its name.
set -eu
node_image=$1 seconds=$2 pytest_args=$3
shift 3
registry=127.0.0.1:5000
namespace=floe-plain-shell
export KUBECONFIG=/run/kubeconfig
mkdir -p /results/logs /var/lib/docker/registry /var/lib/docker/docker

now() { date +%s.%N; }
step() {
  name=$1
  shift
  began=$(now)
  "$@"
  echo "$zero $began $(now) $name" |
    awk '{ printf "%.3f\t%.3f\t", $2 - $1, $3 - $2; sub(/^[^ ]* [^ ]* [^ ]* /, ""); print }' >> /results/steps.tsv
}
in_namespace() { kubectl --namespace "$namespace" "$@"; }

start_service() {
  cat > /run/registry.yml << CONFIG
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: /var/lib/docker/registry}}
http: {addr: ":5000"}
CONFIG
  docker-registry serve /run/registry.yml > /run/registry.log 2>&1 &
  dockerd --data-root /var/lib/docker/docker > /run/dockerd.log 2>&1 &
  timeout 60 sh -c 'until docker info > /dev/null 2>&1; do sleep 0.2; done' || { cat /run/dockerd.log >&2; exit 1; }
}

render() {
  kubectl kustomize k8s/integration | sed 's/@sha256:[0-9a-f]*$//' > /run/services.yaml
}

push() { # LAYOUT TARGET
  skopeo copy --quiet --retry-times 3 --dest-tls-verify=false "oci:$1" "docker://$registry/$2"
}

create_cluster() {
  docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes > /dev/null
  docker network inspect kind > /dev/null 2>&1 ||
    docker network create --subnet 172.18.0.0/16 --gateway 172.18.0.1 kind > /dev/null
  docker pull --quiet "$registry/$node_image" > /dev/null
  kind create cluster --quiet --config k8s/kind/integration.yaml --image "$registry/$node_image"
  sed -i 's#https://0.0.0.0:#https://127.0.0.1:#' "$KUBECONFIG"
}

random() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }

apply_services() {
  kubectl create namespace "$namespace" > /dev/null
  in_namespace create secret generic floe-credentials \
    --from-literal=FLOE_POSTGRES_PASSWORD="$(random)" --from-literal=FLOE_MINIO_SECRET_KEY="$(random)" > /dev/null
  in_namespace create secret generic floe-environment --from-literal=FLOE_RUN_ID=plain-shell \
    --from-literal=FLOE_TIER=integration --from-literal=FLOE_NAMESPACE="$namespace" \
    --from-literal=FLOE_RESULTS_DIR=/results > /dev/null
  in_namespace apply --server-side --filename /run/services.yaml > /dev/null
}

wait_for_services() {
  for workload in $(in_namespace get deployments,statefulsets --output name); do
    in_namespace rollout status "$workload" --timeout 300s > /dev/null
  done
}

run_tests() {
  mkdir -p k8s/plain-shell
  cat > k8s/plain-shell/kustomization.yaml << JOB
namespace: $namespace
resources: [../runner]
patches:
  - target: {kind: Job}
    patch: |
      - op: replace
        path: /spec/template/spec/containers/0/command
        value: [timeout, --kill-after=30, "$seconds", pytest]
      - op: add
        path: /spec/template/spec/containers/0/args
        value: $pytest_args
      - op: replace
        path: /spec/template/spec/containers/0/envFrom
        value:
$(in_namespace get configmaps --selector floe.dev/connection=true --output name |
    sed 's#configmap/\(.*\)#          - configMapRef: {name: \1}#')
          - secretRef: {name: floe-credentials}
          - secretRef: {name: floe-environment}
JOB
  kubectl kustomize k8s/plain-shell | kubectl apply --server-side --filename - > /dev/null
  ended='{.items[0].status.containerStatuses[?(@.name=="runner")].state.terminated.exitCode}'
  until code=$(runner_pods --output "jsonpath=$ended" 2> /dev/null) && [ -n "$code" ]; do sleep 0.5; done
  echo "$code" > /results/pytest-exit-code
}
runner_pods() { in_namespace get pods --selector batch.kubernetes.io/job-name=floe-test-runner "$@"; }

collect() {
  pod=$(runner_pods --output name)
  in_namespace exec "$pod" --container results -- tar --create --directory /results . | tar --extract --directory /results
  for each in $(in_namespace get pods --output name); do
    in_namespace logs "$each" --all-containers --timestamps > "/results/logs/${each#pod/}.log"
  done
  in_namespace exec "$pod" --container results -- touch /results/.collected
  in_namespace get events --sort-by .lastTimestamp > /results/events.txt
}

zero=$(now)
step "start service" start_service
step "render manifests" render
others=
for image; do
  layout=${image%%=*} target=${image#*=}
  if [ "$target" = "$node_image" ]; then
    step "load $target" push "$layout" "$target"
  fi
done
for image; do
  layout=${image%%=*} target=${image#*=}
  if [ "$target" != "$node_image" ]; then
    step "load $target" push "$layout" "$target" &
    others="$others $!"
  fi
done
step "create cluster" create_cluster
for other in $others; do wait "$other"; done
step "apply" apply_services
step "nodes ready" kubectl wait --for=condition=Ready nodes --all --timeout 300s > /dev/null
step "services ready" wait_for_services
step "tests" run_tests
step "collect" collect
step "delete cluster" kind delete cluster --quiet --name floe
if [ "$(cat /results/pytest-exit-code)" != 0 ]; then tail -n 200 /results/logs/floe-test-runner-*.log; fi
