# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands in a certificate, and whether it is of use. Pure."""
from __future__ import annotations

import contextlib
import datetime
import re
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
except ImportError:
    pass  # ansible-core itself needs it, and no task without TLS does

BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


class Certificate:
    """One that is somebody's own."""

    def __init__(self, made: Any) -> None:
        self._made = made
        # Since cryptography 42, which warns of the older names.
        self.begins: datetime.datetime = getattr(made, "not_valid_before_utc", None) or _utc(made.not_valid_before)
        self.ends: datetime.datetime = getattr(made, "not_valid_after_utc", None) or _utc(made.not_valid_after)
        self.issuer: str = made.issuer.rfc4514_string()
        self.subject: str = made.subject.rfc4514_string()

    @property
    def names(self) -> list[str]:
        """For whom it is: host names, then addresses."""
        with contextlib.suppress(x509.ExtensionNotFound):
            said = self._made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            return [*said.get_values_for_type(x509.DNSName), *map(str, said.get_values_for_type(x509.IPAddress))]
        return []

    @property
    def is_its_own_issuer(self) -> bool:
        return bool(self._made.issuer == self._made.subject)

    def fits(self, key: Any) -> bool:
        return _public(self._made.public_key()) == _public(key.public_key())

    def out_of_time(self, now: datetime.datetime | None = None) -> str:
        """Why it does not count now; empty where it does."""
        now = now or datetime.datetime.now(datetime.timezone.utc)
        if now > self.ends:
            return "expired on %s" % day(self.ends)
        if now < self.begins:
            return "is not valid before %s (is this controller's clock right?)" % day(self.begins)
        return ""


def day(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def of_pem(text: str) -> Certificate:
    """The first one, whose are those that follow: they lead to the authority. ValueError where there is none."""
    found = next((match.group() for match in BLOCK.finditer(text) if match[1] == "CERTIFICATE"), None)
    if found is None:
        raise ValueError("it has no certificate in PEM (-----BEGIN CERTIFICATE-----)")
    try:
        return Certificate(x509.load_pem_x509_certificate(found.encode()))
    except ValueError as error:
        raise ValueError("its certificate cannot be read (%s)" % str(error).partition("\n")[0]) from error


def of_der(data: bytes) -> Certificate:
    return Certificate(x509.load_der_x509_certificate(data))


def key_of_pem(text: str) -> Any:
    """ValueError where there is none, or one that nobody can use."""
    found = next((match.group() for match in BLOCK.finditer(text) if match[1].endswith("PRIVATE KEY")), None)
    if found is None:
        raise ValueError("it has no private key in PEM (-----BEGIN PRIVATE KEY-----)")
    try:
        return serialization.load_pem_private_key(found.encode(), None)
    except TypeError:  # what cryptography says of a passphrase
        raise ValueError("its key has a passphrase, which nobody would be there to enter") from None
    except Exception:  # whose text might show some of the key
        raise ValueError("its key cannot be read") from None


def refuse_pair(certificate: str, key: str, whose: str, where: tuple[str, str]) -> Certificate:
    """The certificate, if it is of use with the key; an Error that names the place of what is not. whose: such as "Secret a"."""
    for text, place, read in ((certificate, where[0], of_pem), (key, where[1], key_of_pem)):
        try:
            read(text)
        except ValueError as error:
            raise Error("%s is of no use for TLS, for %s: %s." % (whose, place, error), "certificate_unfit") from error
    mine = of_pem(certificate)
    if not mine.fits(key_of_pem(key)):
        raise Error("%s is of no use for TLS: the key in %s is not that of the certificate in %s. Put both there anew." % (
            whose, where[1], where[0]), "certificate_unfit")
    return mine


def _public(key: Any) -> bytes:
    return bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def _utc(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(tzinfo=datetime.timezone.utc)
