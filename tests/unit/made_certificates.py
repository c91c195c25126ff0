"""Certificates of authorities that these tests make up."""
from __future__ import annotations

import base64
import datetime
import functools
import ipaddress
from typing import NamedTuple

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM


class Pair(NamedTuple):
    """In PEM."""

    certificate: str
    key: str


def _name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _alternative(name):
    return x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)


def _private(key, passphrase=None):
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, how).decode()


class Authority:
    def __init__(self, name):
        self.name, self._key, self._pairs = name, ec.generate_private_key(ec.SECP256R1()), {}
        self.certificate = self._signed(_name(name), self._key.public_key(), (), 0, 100, authority=True)

    def _signed(self, subject, public, names, begins, ends, authority=False):
        now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(_name(self.name)).public_key(public)
            .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(begins))
            .not_valid_after(now + datetime.timedelta(ends)).add_extension(x509.BasicConstraints(authority, None), True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(PEM).decode()

    def pair(self, *names, begins=0, ends=90):
        """Of a server of these names, or of a client; days from now. The same again for who asks again."""
        if (names, begins, ends) not in self._pairs:
            key = ec.generate_private_key(ec.SECP256R1())
            self._pairs[names, begins, ends] = Pair(self._signed(_name("it"), key.public_key(), names, begins, ends), _private(key))
        return self._pairs[names, begins, ends]


@functools.lru_cache(maxsize=None)
def authority(name="ours"):
    return Authority(name)


@functools.lru_cache(maxsize=None)
def self_signed(*names):
    """As openssl req -x509 makes one."""
    made = Authority("it")
    return Pair(made._signed(_name("it"), made._key.public_key(), names, 0, 90), _private(made._key))


def secret(pair, ca=None):
    """The data of a Secret kubernetes.io/tls, as cert-manager writes it."""
    files = {"tls.crt": pair.certificate, "tls.key": pair.key, **({} if ca is None else {"ca.crt": ca})}
    return {name: base64.b64encode(text.encode()).decode() for name, text in files.items()}


def credentials(pair, clients=None):
    """gRPC's, of a server; clients: the authority of those that alone are let in."""
    both = [(pair.key.encode(), pair.certificate.encode())]
    return grpc.ssl_server_credentials(both, clients and clients.encode(), require_client_auth=bool(clients))


def with_passphrase(pair):
    key = serialization.load_pem_private_key(pair.key.encode(), None)
    return pair._replace(key=_private(key, b"secret"))
