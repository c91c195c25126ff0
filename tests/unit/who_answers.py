"""Who may answer in place of a Kubernetes API: web servers, proxies and worse, and the certificates and kubeconfigs that lead there."""
from __future__ import annotations

import contextlib
import datetime
import http.server
import ipaddress
import itertools
import json
import socket
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VERSION = 200, {}, b'{"gitVersion": "v1.34.0"}'


def status(code, message, **headers):
    """As an API server refuses."""
    return code, headers, json.dumps({"kind": "Status", "message": message, "code": code}).encode()


class World:
    """Files in a folder, and servers that end with it. `hosts` are the addresses of those that were started."""

    def __init__(self, folder):
        self.folder, self.hosts, self._stack, self._count = folder, [], contextlib.ExitStack(), itertools.count()

    def close(self):
        self._stack.close()

    # Files

    def file(self, text, name="file", mode=0o600):
        path = self.folder / ("%s%d" % (name, next(self._count)))
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def program(self, script):
        return self.file("#!/bin/sh\n%s\n" % script, "login", 0o755)

    def certificate(self, name, issuer=None, days=(-1, 30), host="127.0.0.1"):
        """(certificate, key), and NAME.crt and NAME.key in the folder. Without an issuer, an authority."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer[1] if issuer else key
        try:
            alternative = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            alternative = x509.DNSName(host)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer[0].subject if issuer else subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0])).not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(issuer is None, None), True)
            .add_extension(x509.SubjectAlternativeName([alternative]), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
            .add_extension(x509.KeyUsage(True, False, False, False, False, issuer is None, issuer is None, False, False), True)
        )
        made = builder.sign(signer, hashes.SHA256())
        (self.folder / (name + ".crt")).write_bytes(made.public_bytes(serialization.Encoding.PEM))
        (self.folder / (name + ".key")).write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return made, key

    def path(self, name):
        return str(self.folder / name)

    def kubeconfig(self, user=None, server="http://127.0.0.1:1", cluster=None, **more):
        return self.file(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
            "users": [{"name": "u", "user": {"token": "t0k3n"} if user is None else user}], **more,
        }), "kubeconfig")

    def by_program(self, script, **more):
        """A kubeconfig whose token a program gives, or whoever it names."""
        command = script if script.startswith("/") or " " not in script else self.program(script)
        return {"kubeconfig": self.kubeconfig({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never", **more}})}

    # Servers

    def serve(self, answer, certificate=None, wants_certificate=False):
        """Its address. answer: (status, headers, body), or what gives that of a request's handler."""
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                code, headers, body = answer(self) if callable(answer) else answer
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_CONNECT = do_POST = do_PATCH = do_GET

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads, server.handle_error = True, lambda *arguments: None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.path(certificate + ".crt"), self.path(certificate + ".key"))
            if wants_certificate:
                context.load_verify_locations(self.path("ca.crt"))
                context.verify_mode = ssl.CERT_REQUIRED
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self._stack.callback(server.server_close)
        self._stack.callback(server.shutdown)
        self.hosts.append("%s://127.0.0.1:%d" % ("https" if certificate else "http", server.server_port))
        return self.hosts[-1]

    def say(self, words):
        """The address of one who says the same to everybody and hangs up; None: says nothing, and waits."""
        listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        waiting = []

        def run():
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                if words is None:
                    waiting.append(connection)
                    continue
                with connection, contextlib.suppress(OSError):
                    connection.recv(1 << 16)
                    connection.sendall(words)
        threading.Thread(target=run, daemon=True).start()
        self._stack.callback(lambda: contextlib.suppress(OSError).__enter__() or listener.shutdown(socket.SHUT_RDWR))
        self.hosts.append("http://127.0.0.1:%d" % listener.getsockname()[1])
        return self.hosts[-1]
