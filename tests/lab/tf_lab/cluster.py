"""A real one-node Kubernetes: etcd, control plane, containerd with runc and CNI, kubelet, kube-proxy."""
from __future__ import annotations

import json
import os
import tarfile
import tempfile
import time
from pathlib import Path

from . import api, certificates, oci
from .api import PKI, PORT
from .progress import note
from .settings import BIN, CACHE, CLUSTER_IP, KUBERNETES, NODE_NAME, PODS, SERVICES, STATE
from .shell import daemon, inside, run, running, wait_for, write

PART = "Kubernetes %s, node %s" % (KUBERNETES, NODE_NAME)
ETC = STATE / "etc"
PAUSE = "localhost/pause:1"
CGROUP = "tf-serving-lab"
VOLUME_PLUGINS = STATE / "volume-plugins"
KUBELET = STATE / "kubelet"
_PAUSE_TAR = CACHE / "images" / "pause.tar"
_PAUSE_C = """
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int s) { _exit(0); }
static void reap(int s) { while (waitpid(-1, 0, WNOHANG) > 0); }
int main(void) { signal(SIGINT, end); signal(SIGTERM, end); signal(SIGCHLD, reap); for (;;) pause(); }
"""
DAEMONS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "containerd", "kubelet", "kube-proxy")


def build():
    """The image that holds a pod's namespaces. (The binaries have a part of their own.)"""
    if _PAUSE_TAR.exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        source = write(Path(folder, "pause.c"), _PAUSE_C)
        root = Path(folder, "root")
        root.mkdir()
        run("gcc", "-static", "-Os", "-s", "-o", root / "pause", source)
        oci.make(root, PAUSE, _PAUSE_TAR, {"Entrypoint": ["/pause"]})


def start():
    make_cgroups()
    certificates.make()
    for name, text in configuration().items():
        if not (ETC / name).exists():  # kube-proxy starts anew when its file is written
            write(ETC / name, text)
    VOLUME_PLUGINS.mkdir(parents=True, exist_ok=True)
    daemon("etcd", "etcd", "--data-dir", STATE / "etcd", "--listen-client-urls", "http://127.0.0.1:2379",
           "--advertise-client-urls", "http://127.0.0.1:2379", "--listen-peer-urls", "http://127.0.0.1:2380",
           "--unsafe-no-fsync", "--logger", "zap")
    daemon("containerd", "containerd", "--config", ETC / "containerd.toml")
    daemon("kube-apiserver", BIN / "kube-apiserver", *apiserver_flags())
    wait_for("containerd", lambda: run(*inside("ctr", "version"), timeout=10), 30, log="containerd")
    import_image(_PAUSE_TAR)
    wait_for("The API server", lambda: api.call("GET", "/readyz") == "ok", 120, log="kube-apiserver")
    daemon("kube-controller-manager", BIN / "kube-controller-manager", *controller_manager_flags())
    daemon("kube-scheduler", BIN / "kube-scheduler", "--kubeconfig", PKI / "scheduler.kubeconfig",
           "--authentication-kubeconfig", PKI / "scheduler.kubeconfig",
           "--authorization-kubeconfig", PKI / "scheduler.kubeconfig",
           "--leader-elect=false", "--bind-address=127.0.0.1")
    daemon("kubelet", BIN / "kubelet", "--config", ETC / "kubelet.json", "--kubeconfig", PKI / "kubelet.kubeconfig",
           "--hostname-override", NODE_NAME, "--node-ip", CLUSTER_IP, "--root-dir", KUBELET)
    daemon("kube-proxy", BIN / "kube-proxy", "--config", ETC / "kube-proxy.json")
    # A pod made before there is a service account to run as would be refused.
    wait_for("The controller manager", lambda: api.call(
        "GET", "/api/v1/namespaces/default/serviceaccounts/default"), 60, log="kube-controller-manager")
    wait_for("Node %s" % NODE_NAME, _node_is_ready, 120, log="kubelet")
    wait_for("kube-proxy", lambda: "KUBE-SERVICES" in run(*inside("iptables-save", "-t", "nat")), 60, log="kube-proxy")


def status():
    dead = [name for name in DAEMONS if not running(name)]
    if dead:
        return "down: no %s" % ", ".join(dead)
    return "up, https://%s:%d" % (CLUSTER_IP, PORT) if _node_is_ready() else "down: node %s is not Ready" % NODE_NAME


def _node_is_ready():
    node = api.call("GET", "/api/v1/nodes/" + NODE_NAME)
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", ()))


def import_image(tar_path):
    """Give the cluster the images of an OCI tarball (see oci.make), unless it has just these already.

    containerd keeps them in CACHE, so a big image is imported once, not at every `lab up`.
    """
    with tarfile.open(tar_path) as tar:
        manifests = json.load(tar.extractfile("index.json"))["manifests"]
    wanted = {(m["annotations"]["io.containerd.image.name"], m["digest"]) for m in manifests}
    lines = run(*inside("ctr", "--namespace", "k8s.io", "images", "list")).splitlines()[1:]
    have = {(columns[0], columns[2]) for columns in map(str.split, lines)}
    if not wanted <= have:
        note("importing %s" % ", ".join(sorted(name for name, dummy in wanted)))
        run(*inside("ctr", "--namespace", "k8s.io", "images", "import", tar_path))


# Configuration: each value that differs from what a cluster on the cloud has says why.

def configuration():
    """File name under ETC: text."""
    return {
        "containerd.toml": _containerd(), "cni/10-lab.conflist": json.dumps(_cni(), indent=1),
        "kubelet.json": json.dumps(_kubelet(), indent=1), "kube-proxy.json": json.dumps(_kube_proxy(), indent=1),
    }


def apiserver_flags():
    return [
        "--advertise-address=%s" % CLUSTER_IP, "--bind-address=%s" % CLUSTER_IP, "--secure-port=%d" % PORT,
        "--etcd-servers=http://127.0.0.1:2379", "--service-cluster-ip-range=%s" % SERVICES,
        "--tls-cert-file=%s" % (PKI / "apiserver.crt"), "--tls-private-key-file=%s" % (PKI / "apiserver.key"),
        "--client-ca-file=%s" % (PKI / "ca.crt"), "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
        "--kubelet-certificate-authority=%s" % (PKI / "ca.crt"),
        "--kubelet-client-certificate=%s" % (PKI / "apiserver-kubelet-client.crt"),
        "--kubelet-client-key=%s" % (PKI / "apiserver-kubelet-client.key"),
        "--kubelet-preferred-address-types=InternalIP",  # the node's name resolves nowhere
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--service-account-key-file=%s" % (PKI / "service-account.pub"),
        "--service-account-signing-key-file=%s" % (PKI / "service-account.key"),
        # Nothing uses it; without it the controller manager complains for ever.
        "--requestheader-client-ca-file=%s" % (PKI / "ca.crt"), "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--feature-gates=WatchList=false",  # needs etcd 3.5; Debian 12 has 3.4
    ]


def controller_manager_flags():
    config = PKI / "controller-manager.kubeconfig"
    return [
        "--kubeconfig=%s" % config, "--authentication-kubeconfig=%s" % config, "--authorization-kubeconfig=%s" % config,
        "--leader-elect=false", "--bind-address=127.0.0.1", "--use-service-account-credentials=true",
        "--service-account-private-key-file=%s" % (PKI / "service-account.key"), "--root-ca-file=%s" % (PKI / "ca.crt"),
        "--flex-volume-plugin-dir=%s" % VOLUME_PLUGINS,
    ]


def _containerd():
    return """version = 2
root = "{root}"
oom_score = 0
# opt would make /opt/containerd on this machine
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true # without CAP_SYS_RESOURCE no pod would start
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{etc}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  BinaryName = "/usr/sbin/runc"
  SystemdCgroup = false
""".format(root=CACHE / "containerd", pause=PAUSE, etc=ETC)


def _cni():
    # ptp, not bridge: pods on one node reach each other's Services without the kernel's br_netfilter.
    return {"cniVersion": "0.4.0", "name": "lab", "plugins": [
        {"type": "ptp", "ipMasq": False, "ipam": {
            "type": "host-local", "dataDir": str(STATE / "cni"), "ranges": [[{"subnet": str(PODS)}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]}


def _kubelet():
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "address": CLUSTER_IP,
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                           "x509": {"clientCAFile": str(PKI / "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(PKI / "kubelet.crt"), "tlsPrivateKeyFile": str(PKI / "kubelet.key"),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs", "cgroupRoot": "/" + CGROUP, "failCgroupV1": False,
        "oomScoreAdj": 0, "maxOpenFiles": 20000,  # what a machine without CAP_SYS_RESOURCE allows
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,  # else kubelet does not start where it cannot tell the disk's device
        # Nobody answers there: the lab has no cluster DNS. Named all the same, else each pod gets a warning event.
        "clusterDNS": [str(SERVICES[10])], "clusterDomain": "cluster.local", "resolvConf": "",
        "podLogsDir": str(STATE / "pod-logs"), "volumePluginDir": str(VOLUME_PLUGINS),
        # This machine's disk may be nearly full with other things: no reason to evict pods or delete images.
        "evictionHard": {"memory.available": "100Mi"}, "imageGCHighThresholdPercent": 100,
    }


def _kube_proxy():
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "iptables",
        "clientConnection": {"kubeconfig": str(PKI / "proxy.kubeconfig")}, "clusterCIDR": str(PODS),
        "hostnameOverride": NODE_NAME, "oomScoreAdj": 0,
        # Read-only outside of the first network namespace: leave the kernel's own values.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


# Control groups

def _hierarchies():
    top = Path("/sys/fs/cgroup")
    return [top] if (top / "cgroup.controllers").exists() else [path for path in top.iterdir() if not path.is_symlink()]


def make_cgroups():
    """kubelet wants its root in every hierarchy, and with version 1 its CPUs and memory nodes filled in."""
    for hierarchy in _hierarchies():
        group = hierarchy / CGROUP
        group.mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):
            if hierarchy.name == "cpuset" and not (group / file).read_text().strip():
                (group / file).write_text((hierarchy / file).read_text())


def remove_cgroups():
    for hierarchy in _hierarchies():
        for folder, dummy, dummy in os.walk(hierarchy / CGROUP, topdown=False):
            _remove_cgroup(folder)


def _remove_cgroup(folder):
    for dummy in range(50):  # the kernel takes a moment to bury the processes
        try:
            return os.rmdir(folder)
        except OSError:
            time.sleep(0.1)
    os.rmdir(folder)
