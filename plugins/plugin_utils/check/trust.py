# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""With what the servers of a release are asked over TLS: by what their pods mount, the Secrets, and the options of a task.

A pod says by itself whether it speaks TLS. So in the middle of an upgrade old and new ones are asked each in its own way.
"""
from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client import certificates, tls
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.client.tls import Tls
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import Object, listed

VOLUME = "tls"  # of the Secret, as the chart calls it
CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"  # of a Secret kubernetes.io/tls, as cert-manager writes it
SOON = datetime.timedelta(days=14)


class Trust:
    """Files and Secrets are read once. options: tls_ca_cert, tls_client_cert, tls_client_key, tls_server_name, tls_client_secret."""

    def __init__(self, api_client: Any, namespace: str, options: Mapping[str, Any]) -> None:
        self._api_client, self._namespace = api_client, namespace
        self._given = tls.of_files(*(options.get("tls_" + name) for name in ("ca_cert", "client_cert", "client_key", "server_name")))
        self._client_secret = options.get("tls_client_secret")
        self._known: dict[str, Tls] = {}  # by the servers' Secret

    def of_pod(self, pod: Object) -> Tls | None:
        """None where its server speaks no TLS."""
        secret = secret_of(pod)
        return self.of_secret(secret) if secret else None

    def of_address(self, host: str, secret: str | None) -> Tls:
        """secret: of the pods behind it. A host name is what a certificate is for; the address of a Service seldom stands in one."""
        if secret is None:
            return self._given
        behind = self.of_secret(secret)
        return behind if re.fullmatch(r"[\d.]+|\[.*\]", host) else dataclasses.replace(behind, server_name=self._given.server_name)

    def of_secret(self, name: str) -> Tls:
        if name not in self._known:
            self._known[name] = self._settled(name)
        return self._known[name]

    def _settled(self, name: str) -> Tls:
        given = self._given
        if self._client_secret and not given.certificate:
            ours = Pair(self._api_client, self._namespace, self._client_secret, "serving_tls_client_secret")
            given = dataclasses.replace(given, certificate=ours.files[CERTIFICATE], key=ours.files[KEY])
        if given.authorities is not None and given.server_name:
            return given
        theirs = Pair(self._api_client, self._namespace, name, "serving_tls_secret")
        return dataclasses.replace(
            given, authorities=theirs.authorities if given.authorities is None else given.authorities,
            server_name=given.server_name or theirs.server_name,
        )


class Pair:
    """A certificate and its key in a Secret; an Error where they are not there, or of no use."""

    def __init__(self, api_client: Any, namespace: str, name: str, variable: str) -> None:
        """variable: what names it."""
        self.title = "Secret %s in namespace %s (%s)" % (name, namespace, variable)
        # By a list, for the plan of a fleet has of all other Secrets only Helm's at hand.
        there = listed(api_client, "api/v1", "secrets", namespace, fieldSelector="metadata.name=" + name)
        if not there:
            raise Error(
                "%s is not there: make it (kubectl create secret tls %s -n %s --cert=FILE --key=FILE), or have cert-manager do so."
                % (self.title, name, namespace), "tls_secret_missing")
        self.files = {file: base64.b64decode(data).decode("ascii", "ignore") for file, data in (there[0].get("data") or {}).items()}
        missing = [file for file in (CERTIFICATE, KEY) if not self.files.get(file)]
        if missing:
            raise Error("%s has no %s (it has: %s). It has to be of the type kubernetes.io/tls." % (
                self.title, " and no ".join(missing), ", ".join(sorted(self.files)) or "nothing"), "certificate_unfit")
        self.certificate = certificates.refuse_pair(self.files[CERTIFICATE], self.files[KEY], self.title, (CERTIFICATE, KEY))

    @property
    def authorities(self) -> str | None:
        """Whom to trust for it: ca.crt; without one itself, where it signed for itself, else the authorities of this machine."""
        itself = self.files[CERTIFICATE] if self.certificate.is_its_own_issuer else None
        return self.files.get(AUTHORITY) or itself

    @property
    def server_name(self) -> str:
        """One for which it is. Of *.example.com any will do."""
        if not self.certificate.names:
            raise Error(
                "%s has a certificate without a name (subjectAltName): clients refuse it. Have one made for the name that they use."
                % self.title, "certificate_unfit")
        return self.certificate.names[0].replace("*", "any", 1)

    def refuse_late(self, warn: Callable[[str], None]) -> None:
        """An Error where it does not count now, a warning where it soon will not."""
        late = self.certificate.out_of_time()
        if late:
            raise Error("The certificate in %s %s: have it renewed." % (self.title, late), "certificate_out_of_time")
        left = self.certificate.ends - datetime.datetime.now(datetime.timezone.utc)
        if left < SOON:
            warn("The certificate in %s ends on %s, in %d days: have it renewed, and run playbooks/site.yml." % (
                self.title, certificates.day(self.certificate.ends), left.days))

    def checksum(self, with_authority: bool) -> str:
        """Of what the servers read; not of the key, which never changes alone."""
        read = self.files[CERTIFICATE] + (self.files[AUTHORITY] if with_authority else "")
        return hashlib.sha256(read.encode()).hexdigest()


def secret_of(pod: Object) -> str | None:
    """The Secret with whose certificate a pod's server speaks TLS."""
    volumes = pod.get("spec", {}).get("volumes") or ()
    return next((volume["secret"]["secretName"] for volume in volumes if volume["name"] == VOLUME and "secret" in volume), None)


def of_the_release(
    api_client: Any, namespace: str, values: Mapping[str, Any], client_secret: str | None, warn: Callable[[str], None],
) -> dict[str, Any]:
    """The chart's values with the checksum of the certificate: another one makes other pods. An Error where a server could not start
    with it, or nobody who has our client certificate would be let in."""
    wanted = values.get("tls")
    if not wanted:
        return dict(values)
    theirs = Pair(api_client, namespace, wanted["secret"], "serving_tls_secret")
    theirs.refuse_late(warn)
    verify = bool(wanted.get("clientVerify"))
    if verify and not theirs.files.get(AUTHORITY):
        raise Error("%s has no %s: add the authority whose clients are to be let in, or set serving_tls_client_verify to false." % (
            theirs.title, AUTHORITY), "certificate_unfit")
    if client_secret:
        Pair(api_client, namespace, client_secret, "serving_tls_client_secret").refuse_late(warn)
    return {**values, "tls": {**wanted, "checksum": theirs.checksum(verify)}}
