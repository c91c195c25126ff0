"""Whom a check trusts and who it says that it is: pods that mount a Secret, the Secrets, and the options of a task."""
from __future__ import annotations

import hashlib

import pytest
from cluster_objects import CORE
from made_certificates import Pair, authority, secret, self_signed

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.check import trust
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tls import Tls

OURS = authority().certificate
SERVER, CLIENT = authority().pair("mnist.default.svc", "mnist.example.com"), authority().pair("me")
POD = {"spec": {"volumes": [{"name": "model"}, {"name": "tls", "secret": {"secretName": "mnist-tls"}}]}}
VALUES = {"port": 9090, "tls": {"secret": "mnist-tls"}}
VERIFYING = {**VALUES, "tls": {"secret": "mnist-tls", "clientVerify": True}}


@pytest.fixture
def secrets(api):
    """A function that puts Secrets there."""
    def put(**named):
        for name, data in named.items():
            api.objects.pop(CORE + "secrets/" + name.replace("_", "-"), None)
            api.add(CORE + "secrets/" + name.replace("_", "-"), data=data)
    put(mnist_tls=secret(SERVER, OURS), mine=secret(CLIENT, OURS), other=secret(self_signed("other.example.com")))
    return put


def of(api, **options):
    return trust.Trust(api.client, "default", {"tls_" + name: value for name, value in options.items()})


@pytest.mark.parametrize("pod", [{}, {"spec": {}}, {"spec": {"volumes": None}}, {"spec": {"volumes": [{"name": "tls", "emptyDir": {}}]}}])
def test_a_pod_without_the_secret_speaks_no_tls(api, pod):
    assert of(api).of_pod(pod) is None and not api.requests


def test_a_pod_is_trusted_by_its_secret(api, secrets):
    found = of(api)
    assert found.of_pod(POD) == Tls(OURS, server_name="mnist.default.svc")
    assert found.of_pod(POD) == found.of_secret("mnist-tls") and len(api.requests) == 1


def test_one_that_signed_for_itself_is_trusted_itself(api, secrets):
    assert of(api).of_secret("other") == Tls(self_signed("other.example.com").certificate, server_name="other.example.com")


def test_without_an_authority_those_of_this_machine_count(api, secrets):
    """As Let's Encrypt's certificates come, and cert-manager leaves ca.crt empty."""
    secrets(mnist_tls=secret(SERVER, ""))
    assert of(api).of_secret("mnist-tls").authorities is None


def test_of_a_wildcard_any_name_will_do(api, secrets):
    secrets(mnist_tls=secret(authority().pair("*.example.com"), OURS))
    assert of(api).of_secret("mnist-tls").server_name == "any.example.com"


def test_the_client_certificate_of_a_secret(api, secrets):
    assert of(api, client_secret="mine").of_pod(POD) == Tls(OURS, *CLIENT, "mnist.default.svc")
    api.requests.clear()
    assert of(api, client_secret="mine").of_pod({}) is None and not api.requests


def test_options_outrank_secrets(api, secrets, tmp_path):
    for name, text in (("ca", "-----BEGIN"), ("cert", CLIENT.certificate), ("key", CLIENT.key)):
        (tmp_path / name).write_text(text)
    given = {"ca_cert": str(tmp_path / "ca"), "server_name": "other"}
    ours = {"client_cert": str(tmp_path / "cert"), "client_key": str(tmp_path / "key"), "client_secret": "nowhere"}
    assert of(api, **given, **ours).of_secret("mnist-tls") == Tls("-----BEGIN", *CLIENT, "other") and not api.requests
    assert of(api, server_name="other").of_secret("mnist-tls") == Tls(OURS, server_name="other")
    assert of(api, **ours).of_secret("mnist-tls") == Tls(OURS, *CLIENT, "mnist.default.svc")


def test_of_an_address(api, secrets, tmp_path):
    found = of(api)
    for host in ("10.0.0.1", "[fd00::1]"):
        assert found.of_address(host, "mnist-tls") == Tls(OURS, server_name="mnist.default.svc")
    assert found.of_address("mnist.example.com", "mnist-tls") == Tls(OURS)
    named = of(api, server_name="other")
    assert named.of_address("mnist.example.com", "mnist-tls") == named.of_address("10.0.0.1", "mnist-tls") == Tls(OURS, server_name="other")
    # Without pods that speak it, what stands before them does.
    assert named.of_address("10.0.0.1", None) == Tls(server_name="other")


@pytest.mark.parametrize(("data", "code", "says"), [
    (None, "tls_secret_missing", "is not there: make it (kubectl create secret tls mnist-tls -n default"),
    ({}, "certificate_unfit", "has no tls.crt and no tls.key (it has: nothing)"),
    ({"tls.crt": "", **{"ca.crt": ""}}, "certificate_unfit", "has no tls.crt and no tls.key (it has: ca.crt, tls.crt)"),
    (secret(Pair(SERVER.certificate, CLIENT.key)), "certificate_unfit", "the key in tls.key is not that of the certificate in tls.crt"),
    (secret(Pair("no", SERVER.key)), "certificate_unfit", "it has no certificate in PEM"),
    (secret(authority().pair()), "certificate_unfit", "has a certificate without a name (subjectAltName)"),
])
def test_a_secret_that_is_of_no_use(api, data, code, says):
    if data is not None:
        api.add(CORE + "secrets/mnist-tls", data=data)
    with pytest.raises(Error) as caught:
        of(api).of_pod(POD)
    assert says in caught.value.message and caught.value.code == code
    assert "Secret mnist-tls in namespace default (serving_tls_secret)" in caught.value.message


def test_what_may_not_be_read(api, secrets):
    api.forbidden = {("GET", "secrets")}
    with pytest.raises(Error, match="Could not list secrets in namespace default") as caught:
        of(api).of_pod(POD)
    assert caught.value.code == "forbidden"


# --- before the release is installed ---

def settled(api, values=None, client_secret=None):
    """(the values with the checksum, warnings)"""
    warnings = []
    return trust.of_the_release(api.client, "default", values or VALUES, client_secret, warnings.append), warnings


def refused(api, *arguments):
    with pytest.raises(Error) as caught:
        settled(api, *arguments)
    return caught.value


def test_without_tls_no_secret_is_read(api):
    assert settled(api, {"port": 9090}) == ({"port": 9090}, []) and not api.requests


def test_the_checksum_follows_what_servers_read(api, secrets):
    values, warnings = settled(api)
    assert values == {**VALUES, "tls": {"secret": "mnist-tls", "checksum": hashlib.sha256(SERVER.certificate.encode()).hexdigest()}}
    assert not warnings and settled(api)[0] == values
    secrets(mnist_tls=secret(SERVER, authority("theirs").certificate))
    assert settled(api)[0] == values and settled(api, VERIFYING)[0]["tls"]["checksum"] != values["tls"]["checksum"]
    secrets(mnist_tls=secret(authority().pair("mnist.example.com"), OURS))
    assert settled(api)[0] != values


@pytest.mark.parametrize(("pair", "says"), [
    (authority().pair("a", begins=-9, ends=-1), "(serving_tls_secret) expired on 2"),
    (authority().pair("a", begins=1), "(serving_tls_secret) is not valid before 2"),
])
def test_a_certificate_that_does_not_count_now(api, secrets, pair, says):
    secrets(mnist_tls=secret(pair, OURS))
    error = refused(api)
    assert says in error.message and error.code == "certificate_out_of_time"


@pytest.mark.parametrize(("ends", "warned"), [(13.9, True), (14.1, False)])
def test_one_that_ends_soon(api, secrets, ends, warned):
    secrets(mnist_tls=secret(authority().pair("a", ends=ends), OURS))
    _values, warnings = settled(api)
    assert ["in 13 days: have it renewed, and run playbooks/site.yml" in one for one in warnings] == [True] * warned


def test_who_lets_in_whom_it_knows_has_to_know_somebody(api, secrets):
    assert settled(api, VERIFYING, "mine")[1] == []
    secrets(mnist_tls=secret(SERVER))
    error = refused(api, VERIFYING)
    assert "has no ca.crt: add the authority whose clients are to be let in" in error.message and error.code == "certificate_unfit"


def test_our_own_certificate_is_looked_at_too(api, secrets):
    secrets(mine=secret(authority().pair("me", begins=-9, ends=-1)))
    assert "Secret mine in namespace default (serving_tls_client_secret) expired on" in refused(api, VERIFYING, "mine").message
    assert refused(api, VERIFYING, "nowhere").code == "tls_secret_missing"
