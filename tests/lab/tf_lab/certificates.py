"""The cluster's certificate authority, certificates and kubeconfigs."""
from __future__ import annotations

import base64
import json

from .api import PKI, PORT
from .settings import CLUSTER_IP, KUBECONFIG, NODE_NAME, SERVICES
from .shell import run, write

_CONFIG = "[req]\ndistinguished_name = name\n[name]\n"
_SERVER_NAMES = ("IP:%s" % CLUSTER_IP, "IP:%s" % SERVICES[1], "DNS:kubernetes", "DNS:kubernetes.default",
                 "DNS:kubernetes.default.svc", "DNS:kubernetes.default.svc.cluster.local")
# Name of the files: subject, and for servers the names they answer to.
CERTIFICATES = {
    "apiserver": ("/CN=kube-apiserver", _SERVER_NAMES),
    "apiserver-kubelet-client": ("/O=system:masters/CN=kube-apiserver-kubelet-client", ()),
    "kubelet": ("/O=system:nodes/CN=system:node:%s" % NODE_NAME, ("IP:%s" % CLUSTER_IP, "DNS:%s" % NODE_NAME)),
    "controller-manager": ("/CN=system:kube-controller-manager", ()),
    "scheduler": ("/CN=system:kube-scheduler", ()),
    "proxy": ("/CN=system:kube-proxy", ()),
    "admin": ("/O=system:masters/CN=lab-admin", ()),
}
_DONE = PKI / "done"


def make():
    """All of them, once a cluster."""
    if _DONE.exists():
        return
    config = write(PKI / "openssl.cnf", _CONFIG)
    request = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256",
               "-days", "3650", "-config", config)
    run(*request, "-subj", "/CN=tf-serving-lab", "-keyout", PKI / "ca.key", "-out", PKI / "ca.crt",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        "-addext", "subjectKeyIdentifier=hash")
    for name, (subject, names) in CERTIFICATES.items():
        extensions = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                      "extendedKeyUsage=clientAuth,serverAuth", "authorityKeyIdentifier=keyid"]
        if names:
            extensions.append("subjectAltName=" + ",".join(names))
        run(*request, "-subj", subject, "-CA", PKI / "ca.crt", "-CAkey", PKI / "ca.key",
            "-keyout", PKI / (name + ".key"), "-out", PKI / (name + ".crt"),
            *(word for extension in extensions for word in ("-addext", extension)))
    run("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", PKI / "service-account.key")
    run("openssl", "ec", "-in", PKI / "service-account.key", "-pubout", "-out", PKI / "service-account.pub")
    for name in ("kubelet", "controller-manager", "scheduler", "proxy"):
        write(PKI / (name + ".kubeconfig"), kubeconfig(name), 0o600)
    write(KUBECONFIG, kubeconfig("admin"), 0o600)
    _DONE.touch()


def kubeconfig(name):
    """Certificates inside, so that the one file can be handed on."""
    def read(file):
        return base64.b64encode((PKI / file).read_bytes()).decode()

    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "tf-serving-lab",
        "clusters": [{"name": "tf-serving-lab", "cluster": {
            "server": "https://%s:%d" % (CLUSTER_IP, PORT), "certificate-authority-data": read("ca.crt")}}],
        "users": [{"name": name, "user": {
            "client-certificate-data": read(name + ".crt"), "client-key-data": read(name + ".key")}}],
        "contexts": [{"name": "tf-serving-lab", "context": {"cluster": "tf-serving-lab", "user": name}}],
    }, indent=1)
