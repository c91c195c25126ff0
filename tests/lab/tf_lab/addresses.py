"""Addresses for Services of type LoadBalancer, as a cloud would give them: a watch that writes their status.

start() runs on this machine; main() is the daemon inside the lab. kube-proxy then serves the address.
"""
from __future__ import annotations

import ipaddress
import json
import sys
import time

from . import api
from .settings import LOAD_BALANCERS, SOURCE
from .shell import daemon, running

PART = "Load balancer addresses %s" % LOAD_BALANCERS
SERVICES = "/api/v1/services"


def build():
    """Nothing to build."""


def start():
    daemon("addresses", sys.executable, "-u", "-m", "tf_lab.addresses", env={"PYTHONPATH": str(SOURCE)})


def status():
    return "up" if running("addresses") else "down"


def main():
    while True:
        try:
            _serve()
        except OSError as e:  # the API server is away, or the watch came to its end
            print("again in 1 s: %s" % e)
            time.sleep(1)


def _serve():
    services = api.call("GET", SERVICES)
    known = {_key(service): service for service in services["items"]}
    _settle(known)
    connection = api.connect(timeout=330)
    try:
        connection.request("GET", "%s?watch=1&timeoutSeconds=300&resourceVersion=%s" % (
            SERVICES, services["metadata"]["resourceVersion"]))
        for line in connection.getresponse():
            event = json.loads(line)
            service = event["object"]
            if event["type"] == "ERROR":
                raise OSError(service.get("message"))
            if event["type"] == "DELETED":
                known.pop(_key(service), None)  # and with it, its address is free
            else:
                known[_key(service)] = service
            _settle(known)
    finally:
        connection.close()


def _settle(known):
    for key, address in changes(known.values()).items():
        print("%s/%s: %s" % (*key, address or "released"))
        try:
            known[key] = api.call("PATCH", "/api/v1/namespaces/%s/services/%s/status" % key, {
                "status": {"loadBalancer": {"ingress": [{"ip": address}] if address else None}}}, api.MERGE)
        except api.ApiError as e:
            if e.status != 404:  # deleted in the meantime
                raise


def changes(services):
    """{(namespace, name): address to give, or None to take it away} for the services whose status is not right."""
    services = sorted(services, key=_key)
    taken = {_address(service) for service in services if _wants(service) and _address(service)}
    free = (str(address) for address in list(LOAD_BALANCERS.hosts()) if str(address) not in taken)
    result = {}
    for service in services:
        if _wants(service) and not _address(service):
            asked = service["spec"].get("loadBalancerIP")
            if asked in taken or (asked and ipaddress.ip_address(asked) not in LOAD_BALANCERS):
                continue  # like a cloud: such a service stays pending
            address = asked or next((address for address in free if address not in taken), None)
            if address:
                taken.add(address)
                result[_key(service)] = address
        elif _address(service) and not _wants(service):
            result[_key(service)] = None
    return result


def _wants(service):
    # A Service with a class belongs to somebody else: in tests, the way to one whose address never comes.
    return service["spec"].get("type") == "LoadBalancer" and not service["spec"].get("loadBalancerClass")


def _address(service):
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    return ingress[0].get("ip")


def _key(service):
    return service["metadata"]["namespace"], service["metadata"]["name"]


if __name__ == "__main__":
    main()
