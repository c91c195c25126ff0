"""What a certificate says, and what is of no use."""
from __future__ import annotations

import datetime

import pytest
from made_certificates import Pair, authority, self_signed, with_passphrase

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import certificates

PAIR = authority().pair("a.example.com", "10.0.0.1", "*.b.example.com")
CUT = PAIR.certificate.replace("\n", "\nAAAA", 2)


def test_names_times_and_issuer():
    one = certificates.of_pem(PAIR.certificate)
    assert one.names == ["a.example.com", "*.b.example.com", "10.0.0.1"]
    assert (one.issuer, one.subject, one.is_its_own_issuer) == ("CN=ours", "CN=it", False)
    assert one.ends - one.begins == datetime.timedelta(90)
    assert certificates.of_pem(self_signed("a").certificate).is_its_own_issuer
    assert certificates.of_pem(authority().pair().certificate).names == []


def test_when_it_counts():
    one = certificates.of_pem(PAIR.certificate)
    second = datetime.timedelta(seconds=1)
    assert one.out_of_time(one.begins) == one.out_of_time(one.ends) == one.out_of_time() == ""
    assert one.out_of_time(one.ends + second) == "expired on " + certificates.day(one.ends)
    assert one.out_of_time(one.begins - second).startswith("is not valid before " + certificates.day(one.begins))


def test_the_first_of_a_chain_is_the_servers_whatever_stands_around_it():
    chain = "Bag Attributes\n    friendlyName: x\n" + PAIR.certificate.replace("\n", "\r\n") + authority().certificate
    assert certificates.of_pem(chain).subject == "CN=it"


def test_a_pair(tmp_path):
    certificates.refuse_pair(*PAIR, "It", ("tls.crt", "tls.key"))
    # Both in both files, as some keep them.
    both = "".join(PAIR)
    certificates.refuse_pair(both, both, "It", ("tls.crt", "tls.key"))


@pytest.mark.parametrize(("pair", "says"), [
    (Pair(authority().pair("b").certificate, PAIR.key), "the key in tls.key is not that of the certificate in tls.crt"),
    (PAIR._replace(certificate=""), "for tls.crt: it has no certificate in PEM"),
    (PAIR._replace(certificate=CUT), "for tls.crt: its certificate cannot be read"),
    (PAIR._replace(key="x"), "for tls.key: it has no private key in PEM"),
    (PAIR._replace(key=PAIR.key.replace("\n", "\nAAAA", 2)), "for tls.key: its key cannot be read."),
    (with_passphrase(PAIR), "for tls.key: its key has a passphrase"),
])
def test_what_is_of_no_use(pair, says):
    with pytest.raises(Error) as caught:
        certificates.refuse_pair(*pair, "Secret a", ("tls.crt", "tls.key"))
    assert caught.value.message.startswith("Secret a is of no use for TLS") and says in caught.value.message
    assert caught.value.code == "certificate_unfit"
