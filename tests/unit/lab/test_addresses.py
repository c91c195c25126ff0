from __future__ import annotations

from tf_lab import addresses


def service(name, kind="LoadBalancer", has=None, **spec):
    status = {"loadBalancer": {"ingress": [{"ip": has}]} if has else {}}
    return {"metadata": {"namespace": "default", "name": name}, "spec": {"type": kind, **spec}, "status": status}


def changes(*services):
    return {name: address for (dummy, name), address in addresses.changes(services).items()}


def test_each_waiting_service_gets_a_free_address():
    assert changes(service("a"), service("b", has="10.213.3.1"), service("c")) == {"a": "10.213.3.2", "c": "10.213.3.3"}


def test_nothing_to_do():
    assert changes(service("a", has="10.213.3.1"), service("b", "ClusterIP")) == {}


def test_a_service_that_is_no_load_balancer_any_more_gives_its_address_back():
    assert changes(service("a", "ClusterIP", has="10.213.3.1"), service("b")) == {"a": None, "b": "10.213.3.1"}


def test_a_wanted_address_is_given_unless_taken_or_not_ours():
    assert changes(service("a", loadBalancerIP="10.213.3.9")) == {"a": "10.213.3.9"}
    assert changes(service("a", loadBalancerIP="10.213.3.9"), service("b", has="10.213.3.9")) == {}
    assert changes(service("a", loadBalancerIP="192.0.2.1")) == {}


def test_a_service_of_another_class_is_left_alone():
    assert changes(service("a", loadBalancerClass="example.com/never")) == {}
