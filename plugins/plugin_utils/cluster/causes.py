# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why is there no answer? What libraries raise on the way to the API, one wrapped in another, as a cause and its way out. Pure."""
from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

ADDRESS = "Check K8S_AUTH_HOST, or server in the kubeconfig."
AUTHORITY = "Set K8S_AUTH_SSL_CA_CERT to the file with the cluster's CA, or certificate-authority in the kubeconfig."
CLIENT_CERTIFICATE = "Check K8S_AUTH_CERT_FILE and K8S_AUTH_KEY_FILE, or the user's client-certificate in the kubeconfig."
PROXY = (
    "Check the proxy (HTTPS_PROXY, K8S_AUTH_PROXY, or proxy-url in the kubeconfig), or add the API server to NO_PROXY if it is to"
    " be reached without one."
)
PROXY_LOGIN = "Put them into the proxy's URL, such as HTTPS_PROXY=http://USER:PASSWORD@NAME:PORT."

# By OpenSSL's numbers (X509_V_ERR_...).
NOT_YET, EXPIRED, OTHER_NAME = {9}, {10}, {62, 64}
UNTRUSTED = {2, 18, 19, 20, 21}
TIMEOUTS = ("ReadTimeoutError", "ConnectTimeoutError", "WebSocketTimeoutException")  # of libraries that need not be here
NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")


class Cause(NamedTuple):
    text: str
    way_out: str  # empty where none is known


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it was made of, the outermost first."""
    waiting, known = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) not in known:
            known.add(id(one))
            yield one
            parts = (getattr(one, "reason", None), getattr(one, "original_error", None), *one.args, one.__cause__, one.__context__)
            waiting += [part for part in parts if isinstance(part, BaseException)]


def cause(error: BaseException, plain: bool = False) -> Cause:
    """plain: it was asked by http://."""
    return known(error, plain) or Cause(words(error), "")


def known(error: BaseException, plain: bool = False) -> Cause | None:
    """None where it is none of those that have words of their own."""
    errors = list(chain(error))
    refusal = re.search(
        r"(?:Tunnel connection failed|failed CONNECT via proxy status): (\d+) ?([\w ]*)", " ".join(str(one) for one in errors))
    if refusal and refusal[1] == "407":
        return Cause("the proxy wants user and password (407)", PROXY_LOGIN)
    if refusal:
        return Cause("the proxy does not lead there (it says %s)" % " ".join(refusal.groups()).strip(), PROXY)
    found = next((said for said in (_known(one, plain) for one in errors) if said), None)
    if found and any(type(one).__name__ == "ProxyError" for one in errors):
        return Cause("the proxy does not answer: " + found.text, PROXY)
    return found


def words(error: BaseException) -> str:
    """Without the names of urllib3's objects: <urllib3.connection.HTTPSConnection object at 0x...>: ..."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return "%s: %s" % (error.filename, error.strerror)
    return " ".join(re.sub(r"<[\w.]+ object at \w+>:? ?|^\w+\([^)]*\): ", "", str(error)).split()) or type(error).__name__


def _known(error: BaseException, plain: bool) -> Cause | None:
    """None where another part of the chain may tell more."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error)
    if isinstance(error, ssl.SSLError):
        return _tls(error)
    if isinstance(error, socket.gaierror):
        return Cause("its name is not known here (DNS: %s)" % (error.strerror or error), ADDRESS)
    if isinstance(error, ConnectionRefusedError):
        return Cause("nothing listens there (connection refused)", ADDRESS)
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, http.client.RemoteDisconnected):
        return Cause("what listens there does not speak HTTP (it says %r)" % str(error.args[0]).strip()[:60], ADDRESS)
    if isinstance(error, TimeoutError) or type(error).__name__ in TIMEOUTS:
        return Cause("it does not answer in time", "%s Or a firewall is in the way." % ADDRESS)
    if isinstance(error, (ConnectionError, http.client.RemoteDisconnected)):
        return Cause("it ends the connection without an answer", ADDRESS + (" Does it want https://?" if plain else ""))
    if isinstance(error, OSError) and error.strerror:
        return Cause(error.strerror, ADDRESS)
    return None


def _certificate(error: ssl.SSLCertVerificationError) -> Cause:
    code = getattr(error, "verify_code", None)
    if code in EXPIRED:
        return Cause("its certificate has expired", "Renew it there. Or is this machine's clock wrong?")
    if code in NOT_YET:
        return Cause("its certificate is not valid yet", "Is this machine's clock wrong?")
    if code in OTHER_NAME:
        return Cause("its certificate is for another name", "Use a name or address of the certificate: " + ADDRESS[6:])
    if code in UNTRUSTED:
        return Cause("its certificate is of an authority that is not trusted here", AUTHORITY)
    return Cause("its certificate is not taken (%s)" % getattr(error, "verify_message", error), AUTHORITY)


def _tls(error: ssl.SSLError) -> Cause:
    reason = error.reason or ""
    if reason in NO_TLS:
        return Cause("it does not speak TLS on that port", "Is it another port, or http://? " + ADDRESS)
    if "ALERT" in reason or isinstance(error, ssl.SSLEOFError):
        said = reason.partition("ALERT_")[2].lower().replace("_", " ")
        return Cause("it ends the TLS handshake" + (said and " (%s)" % said), CLIENT_CERTIFICATE)
    return Cause("TLS fails (%s)" % (reason.lower().replace("_", " ") or error), ADDRESS)
