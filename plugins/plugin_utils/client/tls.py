# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""TLS with a model server: whom we trust, who we are, and in words what is wrong where it fails.

gRPC tells in some releases only that a connection came to nothing. So the handshake is made once more here, without our key.
"""
from __future__ import annotations

import dataclasses
import os
import re
import socket
import ssl

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import certificates

HANDSHAKE_PATIENCE = 3  # seconds
# OpenSSL's numbers for what is wrong with a certificate.
NOT_YET, EXPIRED, OTHER_NAME = {9}, {10}, {62, 64}

SPEAKS_TLS = "the server speaks TLS on this port: set serving_tls_secret where it is the release's own, else check_tls"
SPEAKS_NONE = "the server does not speak TLS on this port: leave check_tls out"
NO_HTTP2 = "the server's TLS does not offer HTTP/2 (ALPN h2), which gRPC needs"
WANTS_OURS = (
    "the server lets nobody in without a client certificate: set serving_tls_client_secret, or check_tls_client_cert and"
    " check_tls_client_key"
)


@dataclasses.dataclass(frozen=True)
class Tls:
    """All in PEM. authorities: who is trusted; None = those of this machine. server_name: for whom the server's certificate has to
    be; None = for the host that is dialled."""

    authorities: str | None = None
    certificate: str | None = None  # ours
    key: str | None = dataclasses.field(default=None, repr=False)
    server_name: str | None = None


def of_files(ca_cert: str | None, client_cert: str | None, client_key: str | None, server_name: str | None) -> Tls:
    """What files on this controller say; an Error that names the variable where one is of no use."""
    if bool(client_cert) != bool(client_key):
        given, missing = ("cert", "key") if client_cert else ("key", "cert")
        raise Error(
            "check_tls_client_%s is set, and check_tls_client_%s is not: a client certificate needs both." % (given, missing),
            "option_invalid")
    certificate = key = None
    if client_cert and client_key:
        certificate, key = _read(client_cert, "check_tls_client_cert"), _read(client_key, "check_tls_client_key")
        certificates.refuse_pair(certificate, key, "The client certificate", ("check_tls_client_cert", "check_tls_client_key"))
    return Tls(_read(ca_cert, "check_tls_ca_cert") if ca_cert else None, certificate, key, server_name or None)


def _read(path: str, variable: str) -> str:
    try:
        with open(path, encoding="ascii", errors="ignore") as file:
            return file.read()
    except OSError as error:
        raise Error("%s is %s, which cannot be read: %s." % (variable, path, error.strerror), "tls_failed") from error


def trusted(tls: Tls) -> str | None:
    """The certificates that are trusted, in PEM; None where this machine has none: then gRPC's own."""
    text = tls.authorities if tls.authorities is not None else _of_this_machine()
    if text is None:
        return None
    try:
        ssl.create_default_context(cadata=text or "-")
        return text
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise Error(
            "The certificates that are to be trusted (check_tls_ca_cert, else ca.crt of the server's Secret) cannot be read: %s."
            % error, "tls_failed") from error


def _of_this_machine() -> str | None:
    usual = ssl.get_default_verify_paths()
    for path in (usual.cafile, "%s/ca-certificates.crt" % usual.capath):
        if path and os.path.isfile(path):
            return _read(path, "The list of this machine's authorities")
    return None


def problem(target: str, tls: Tls | None, authorities: str | None) -> str | None:
    """A sentence where TLS is what is wrong, or None. target: HOST:PORT or unix:PATH, as gRPC has it."""
    try:
        return _shake_hands(target, tls, authorities)
    except ssl.SSLCertVerificationError as error:
        return _of_the_certificate(error, target, tls)
    except ssl.SSLError as error:
        return _of_the_handshake(error, target, tls)
    except TimeoutError:
        return None
    except OSError:  # the end of the connection
        return None if tls is None or target.startswith("unix:") else SPEAKS_NONE


def _shake_hands(target: str, tls: Tls | None, authorities: str | None) -> str | None:
    context = ssl.create_default_context(cadata=authorities)
    # As gRPC judges: an authority need not be the root, nor have all that RFC 5280 wants of it.
    context.verify_flags = (context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN) & ~ssl.VERIFY_X509_STRICT
    if tls is None:
        _trust_everybody(context)
    connection = _connected(target)
    if connection is None:
        return None
    with connection, _secured(context, connection, target, tls) as secured:
        if tls is None:
            return SPEAKS_TLS
        if secured.selected_alpn_protocol() != "h2":
            return NO_HTTP2
        return _ours(tls) if _ended(secured) else None


def _connected(target: str) -> socket.socket | None:
    path, address = target.removeprefix("unix:"), re.fullmatch(r"\[?([^/\[\]]+?)\]?:(\d+)", target)
    try:
        if path != target:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(HANDSHAKE_PATIENCE)
            connection.connect(path)
            return connection
        return socket.create_connection((address[1], int(address[2])), HANDSHAKE_PATIENCE) if address else None
    except OSError:
        return None


def _secured(context: ssl.SSLContext, connection: socket.socket, target: str, tls: Tls | None) -> ssl.SSLSocket:
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(connection, server_hostname=_name(target, tls))


def _name(target: str, tls: Tls | None) -> str:
    """Whose certificate it has to be."""
    return (tls and tls.server_name) or target.rpartition(":")[0].strip("[]")


def _trust_everybody(context: ssl.SSLContext) -> None:
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE


def _ended(secured: ssl.SSLSocket) -> bool:
    """An HTTP/2 server speaks first. With TLS 1.3 one that misses a client certificate says so, or ends, only now."""
    try:
        return secured.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def _ours(tls: Tls) -> str:
    """Of a server that wants a client certificate, and did not take ours, if we have one."""
    if tls.certificate is None:
        return WANTS_OURS
    mine = certificates.of_pem(tls.certificate)
    late = mine.out_of_time()
    if late:
        return "our client certificate (%s) %s: renew it" % (mine.subject, late)
    return (
        "the server does not take our client certificate (%s, issued by %s): have one made by the authority in ca.crt of"
        " serving_tls_secret, which the servers read when they start" % (mine.subject, mine.issuer)
    )


def _of_the_handshake(error: ssl.SSLError, target: str, tls: Tls | None) -> str | None:
    reason = error.reason or ""
    if "ALERT" in reason:  # before TLS 1.3 a client certificate is wanted during the handshake
        wanted = tls is not None and any(word in reason for word in ("CERTIFICATE", "HANDSHAKE_FAILURE", "UNKNOWN_CA"))
        return _ours(tls) if wanted and tls else "the server ends the TLS handshake: %s" % reason.lower().replace("_", " ")
    if tls is None or (isinstance(error, ssl.SSLEOFError) and target.startswith("unix:")):
        return None  # of a port-forward, the way there may have ended
    return SPEAKS_NONE


def _of_the_certificate(error: ssl.SSLCertVerificationError, target: str, tls: Tls | None) -> str:
    theirs = _presented(target, tls)
    code = error.verify_code
    if code in OTHER_NAME:
        return "the server's certificate is for %s, and not for %s: set check_tls_server_name to a name that it has, or have one made" \
            " that is for this one" % ((theirs and ", ".join(theirs.names)) or "others", _name(target, tls))
    if code in EXPIRED | NOT_YET:
        late = theirs and theirs.out_of_time()
        return "%s: have it renewed, and run playbooks/site.yml, for servers read it only when they start" % (
            "the server's certificate " + late if late else "a certificate on the way to the authority: " + error.verify_message)
    return "the server's certificate%s is not trusted: %s (check_tls_ca_cert says whom to trust, else ca.crt of serving_tls_secret)" % (
        ", issued by %s," % theirs.issuer if theirs else "", error.verify_message)


def _presented(target: str, tls: Tls | None) -> certificates.Certificate | None:
    """The certificate that the server shows, whatever it is worth."""
    context = ssl.create_default_context()
    _trust_everybody(context)
    connection = _connected(target)
    if connection is None:
        return None
    try:
        with connection, _secured(context, connection, target, tls) as secured:
            shown = secured.getpeercert(binary_form=True)
            return certificates.of_der(shown) if shown else None
    except (OSError, ValueError):
        return None
