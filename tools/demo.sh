#!/usr/bin/env bash
# `make up`: start a cluster, run an app the Marathon way and one the Kubernetes way on it, and show
# both in one list. With an OCI runtime and root the Kubernetes one is a real image, else `host`.
set -euo pipefail
BIN=$(cd "${BIN:-.venv/bin}" && pwd) WORK_DIR=${WORK_DIR:-.comity}
export PATH="$BIN:$PWD/.clients/bin:$PATH"
mkdir -p "$WORK_DIR"
WORK_DIR=$(cd "$WORK_DIR" && pwd)
images="$WORK_DIR-images"
image=host
options=()

if [ "$(id -u)" = 0 ] && { command -v crun || command -v runc; } >/dev/null && [ -x /bin/busybox ]; then
    [ -d "$images/busybox" ] || python "$(dirname "$0")/busybox_image.py" "$images"
    options=(--docker-registry "$images")
    image=busybox
fi

comity up --work-dir "$WORK_DIR" --detach "${options[@]}"
gateway=$(comity status --work-dir "$WORK_DIR" | awk '$1 == "gateway" { print $6 }')
dcos cluster setup "$gateway"
dcos marathon app show /hello >/dev/null 2>&1 || dcos marathon app add examples/hello.json
dcos package list kubernetes >/dev/null 2>&1 || dcos package install kubernetes --yes --wait
kubeconfig="$WORK_DIR/kubeconfig"
# After a second `make up` the control plane is a task that is being started again.
for _ in $(seq 60); do
    dcos kubernetes kubeconfig --output "$kubeconfig" 2>/dev/null && break
    sleep 1
done
dcos kubernetes status

if command -v kubectl >/dev/null; then
    export KUBECONFIG="$kubeconfig"
    sed "s/image: host/image: $image/" examples/guestbook.yaml | kubectl apply -f -
    kubectl rollout status deployment/guestbook --timeout=120s
else
    echo "kubectl is not here (\`make clients\` fetches it): examples/guestbook.yaml waits for it"
fi
echo
dcos task list
cat <<END

Both models run on the same agents. Try next (with PATH=$BIN:\$PATH):
  dcos node list
  dcos task log --follow hello
  dcos marathon app update /hello instances=1
  kubectl --kubeconfig $kubeconfig scale deployment/guestbook --replicas=4
  $gateway/ in a browser
Stop it all with \`make down\`.
END
