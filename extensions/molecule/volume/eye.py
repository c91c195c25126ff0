"""An eye of its own on what the role did: the dynamic client of the package `openshift`, none of our code.

eye.py volume NAME              prints the PersistentVolume, or null
eye.py claim NAMESPACE NAME     makes a claim such as the chart's and prints it, once it is bound or 5 s have gone
eye.py forget NAMESPACE...      removes the namespaces and waits until they have gone
"""
from __future__ import annotations

import json
import sys
import time

from kubernetes import config
from openshift.dynamic import DynamicClient
from openshift.dynamic.exceptions import ConflictError, NotFoundError

CLIENT = DynamicClient(config.new_client_from_config())
VOLUMES, CLAIMS, NAMESPACES = (
    CLIENT.resources.get(api_version="v1", kind=kind) for kind in ("PersistentVolume", "PersistentVolumeClaim", "Namespace")
)


def found(resource, **where):
    try:
        return resource.get(**where).to_dict()
    except NotFoundError:
        return None


def volume(name):
    return found(VOLUMES, name=name)


def claim(namespace, name):
    try:
        NAMESPACES.create(body={"metadata": {"name": namespace}})
    except ConflictError:
        pass
    body = {
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteMany"], "storageClassName": "", "resources": {"requests": {"storage": "5Gi"}},
            "selector": {"matchLabels": {"model": "mnist"}},
        },
    }
    CLAIMS.create(body=body, namespace=namespace)
    end = time.monotonic() + 5
    while True:
        made = found(CLAIMS, name=name, namespace=namespace)
        if made.get("status", {}).get("phase") == "Bound" or time.monotonic() > end:
            return made
        time.sleep(0.2)


def forget(*namespaces):
    for name in namespaces:
        if found(NAMESPACES, name=name):
            NAMESPACES.delete(name=name)
    while any(found(NAMESPACES, name=name) for name in namespaces):
        time.sleep(0.5)


verb, *arguments = sys.argv[1:]
json.dump({"volume": volume, "claim": claim, "forget": forget}[verb](*arguments), sys.stdout)
