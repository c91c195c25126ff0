"""What no_proxy leaves out."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils.no_proxy import bypassed

API = "https://api.example.com:6443"


@pytest.mark.parametrize(("no_proxy", "host"), [
    ("localhost, api.example.com", API), ("api.example.com", API), ("example.com", API), (".example.com", API), ("*.example.com", API),
    ("API.Example.com", API), ("a b\tapi.example.com\n", API), ("api.example.com:6443", API), ("*", API), ("a,*", API),
    ("com", API), ("api.example.com", "https://api.example.com.:6443"), ("api.example.com", "https://API.example.com/k8s/c-1"),
    ("10.0.0.0/8", "https://10.1.2.3:6443"), ("10.1.2.3", "https://10.1.2.3:6443"), ("10.1.2.3:6443", "https://10.1.2.3:6443"),
    ("10.1.2.3:443", "https://10.1.2.3"), ("::1, fd00::/8", "https://[fd00::1]:6443"), ("[fd00::1]", "https://[fd00::1]"),
    ("[fd00::1]:6443", "https://[fd00::1]:6443"), ("localhost, 127.0.0.1", "http://127.0.0.1/x"), ("[::1]", "http://[::1]:80/x"),
    ("h:80", "http://h/x"),
])
def test_no_proxy_names_it(no_proxy, host):
    assert bypassed(host, no_proxy)


@pytest.mark.parametrize(("no_proxy", "host"), [
    ("", API), (" , ", API), ("localhost, 127.0.0.1", API), ("ample.com", API), ("other.api.example.com", API),
    ("api.example.com:443", API), ("10.0.0.0/8", "https://11.1.2.3"), ("10.1.2.3/33", "https://10.1.2.3"), ("1.2.3", "https://10.1.2.3"),
    ("10.1.2.3:443", "https://10.1.2.3:6443"), ("10.0.0.0/8", API), (".", API), ("*.", API),
    ("example.com", "http://badexample.com/x"), ("x/y", "http://10.0.0.1"), ("h:8080", "http://h/x"),
])
def test_no_proxy_does_not(no_proxy, host):
    assert not bypassed(host, no_proxy)
