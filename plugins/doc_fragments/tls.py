# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    """One to one with TLS_FILES and TLS in plugin_utils/check/options.py."""

    DOCUMENTATION = """
options:
  tls_ca_cert:
    description:
      - File on this host with the certificates (PEM) that are trusted where a model server speaks TLS.
      - Left out, C(ca.crt) of the Secret that the release's pods mount; where that has none, the pods' own certificate if it signed for
        itself, else the authorities of this host.
    type: path
  tls_client_cert:
    description: File on this host with the client certificate (PEM) that model servers are shown. It needs O(tls_client_key).
    type: path
  tls_client_key:
    description: File on this host with the key (PEM, without a passphrase) of O(tls_client_cert).
    type: path
"""

    SERVERS = """
options:
  tls_server_name:
    description:
      - Name for which the servers' certificate has to be. Left out, one that stands in it, for a pod is reached through the Kubernetes
        API and has no name of its own; for an address with a host name, that.
    type: str
  tls_client_secret:
    description:
      - Secret (C(kubernetes.io/tls)) in the release's namespace with the client certificate and its key, instead of O(tls_client_cert)
        and O(tls_client_key). Read where a pod of the release speaks TLS.
    type: str
notes:
  - Whether a replica speaks TLS says its pod, which then mounts the chart's C(tls.secret) as the volume C(tls). The account needs list
    on secrets for that, unless O(tls_ca_cert) and O(tls_server_name) say all.
"""
