#!/usr/bin/env bash
# The tutorial's own six steps by hand, on the lab: what `site.yml` is measured against.
# usage: tutorial.sh NAMESPACE RELEASE MODEL_FOLDER   (in the lab's environment: eval "$(tests/lab/lab env)")
set -euo pipefail
namespace=$1 release=$2 folder=$3
here=$(cd "$(dirname "$0")/.." && pwd)
lab=/var/lib/tf-serving-lab
node() { ssh -i $lab/node_key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@10.213.0.3 "$@"; }

# Step 1: mount, download, unpack, look, unmount
node "set -e
mkdir -p /nfs && mount -t nfs -o vers=4.0 10.213.0.4:/ /nfs && mkdir -p /nfs$folder && umount /nfs
mount -t nfs -o vers=4.0 10.213.0.4:$folder /nfs
cd /nfs && curl -sSO http://10.213.0.5/mnist-export.tar.gz && tar -xzf mnist-export.tar.gz && rm mnist-export.tar.gz
find . && cd / && umount /nfs"

# Step 2: the PersistentVolume
kubectl apply -f - <<YAML
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv-$release, labels: {model: $release}}
spec:
  capacity: {storage: 5Gi}
  accessModes: [ReadWriteMany]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ""
  flexVolume:
    driver: alicloud/nas
    options: {server: 10.213.0.4, path: $folder/mnist, vers: "4.0", mode: "755"}
YAML

# Step 3: the chart, for CPU
cat >/tmp/$release.yaml <<YAML
image: localhost/tensorflow-serving:1.4.0-devel
imagePullPolicy: IfNotPresent
replicas: 1
gpuCount: 0
serviceType: LoadBalancer
port: 9090
mountPath: /serving/model/mnist
command: ["/usr/bin/tensorflow_model_server"]
args: ["--port=9090", "--model_name=mnist", "--model_base_path=/serving/model/mnist"]
persistence: {pvc: {storage: 5Gi, matchLabels: {model: $release}}}
YAML
helm upgrade --install "$release" "$here/roles/serving/files/acs-tensorflow-serving" \
  --namespace "$namespace" --create-namespace --values /tmp/$release.yaml

# Step 4: status
kubectl --namespace "$namespace" rollout status "deployment/$release-serving" --timeout 120s
helm --namespace "$namespace" status "$release"
address=
for _ in $(seq 60); do
  address=$(kubectl --namespace "$namespace" get "service/$release-acs-tensorflow-serving" \
    --output 'jsonpath={.status.loadBalancer.ingress[0].ip}')
  [ -n "$address" ] && break
  sleep 0.5
done
kubectl --namespace "$namespace" logs "deployment/$release-serving" --tail 5

# Step 5: 1000 tests
PYTHONPATH=/var/cache/tf-serving-lab/tensorflow python "$here/benchmarks/mnist_client.py" --server "$address:9090" --num_tests 1000 --work_dir http://10.213.0.5/

# Step 6: two replicas
kubectl --namespace "$namespace" scale --replicas 2 "deployment/$release-serving"
kubectl --namespace "$namespace" rollout status "deployment/$release-serving" --timeout 120s
