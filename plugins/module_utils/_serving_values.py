# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the variables of role serving to the values of its chart: checked and typed. Pure, the one place that decides.

Variables come from inventories, -e and surveys, so that a number may be a string, and '' means "not given".
"""
from __future__ import annotations

import re
import shlex

from ansible_collections.mlops.tf_serving.plugins.module_utils._errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils._names import CHART, gpu_wanted, object_names, yes_or_no

# What role serving's defaults/main.yml says too (a test compares them).
DEFAULTS = {
    "namespace": "default",
    "image": "registry.cn-hangzhou.aliyuncs.com/tensorflow-samples/tensorflow-serving:1.4.0-devel",
    "gpu_image": "registry.cn-hangzhou.aliyuncs.com/tensorflow-samples/tensorflow-serving:1.4.0-devel-gpu",
    "gpu_count": 1,
    "gpu_preflight": "fail",
    "image_pull_policy": "IfNotPresent",
    "image_pull_secrets": [],
    "version": None,
    "version_policy": "latest",
    "port": 9090,
    "rest_port": None,
    "service_type": "LoadBalancer",
    "service_annotations": {},
    "batching": {},
    "monitoring": False,
    "gpu_memory_fraction": None,
    "parallelism": None,
    "max_connection_age": None,
    "command": ["/usr/bin/tensorflow_model_server"],
    "args": [],
    "start_timeout": 300,
    "timeout": 600,
    "pending_timeout": 30,
    "address_timeout": 180,
    "max_unavailable": 0,
    "drain": None,
    "resources": {},
    "node_selector": {},
    "tolerations": [],
    "affinity": {},
    "pod_annotations": {},
    "run_as_user": None,
    "pod_security_context": {},
    "security_context": {},
}

# What a variable needs of the server, and since which release of TensorFlow Serving it has that. Batching and
# parallelism: always.
SINCE = {
    "gpu_memory_fraction": ("--per_process_gpu_memory_fraction", (1, 5)),
    "max_connection_age": ("--grpc_channel_arguments", (1, 6)),
    "rest_port": ("--rest_api_port", (1, 8)),
    "monitoring": ("--monitoring_config_file", (1, 11)),
    "version_policy": ("--allow_version_labels_for_unavailable_models", (1, 15)),  # pinned
}
BATCHING = {"max_batch_size": 1, "batch_timeout_micros": 0, "max_enqueued_batches": 1, "num_batch_threads": 1}  # least values
CONNECTION_AGE = 30  # seconds

RELEASE_LENGTH = 63 - len("-" + CHART)
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
RELEASE = re.compile(r"([0-9]+)\.([0-9]+)(\.[0-9]+)?")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(k|[MGTPE]|[KMGTPE]i|[eE][0-9]+)?")


def chart_values(settings):
    """The values of chart acs-tensorflow-serving for a dict of role variables without their prefix `serving_`."""
    check(settings)
    given = _Given(settings)
    gpu = gpu_wanted(settings.get("gpu"))
    pinned = given.text("version_policy") == "pinned"
    port = given.number("port", 1, 65535)
    model_name = given.text("model_name")
    mount_path = given.text("mount_path")
    values = {
        "image": given.image(),
        "imagePullPolicy": given.choice("image_pull_policy", "Always", "IfNotPresent", "Never"),
        "imagePullSecrets": [
            secret if isinstance(secret, dict) else {"name": str(secret)} for secret in given.list("image_pull_secrets")
        ],
        "gpuCount": given.number("gpu_count", 1) if gpu else 0,
        "port": port,
        "restPort": given.number("rest_port", 1, 65535),
        "modelConfig": {"configMap": object_names(given.text("release"))["model_config"]} if pinned else {},
        "batching": given.batching(),
        "monitoring": given.bool("monitoring") or None,
        "gpuMemoryFraction": given.fraction("gpu_memory_fraction") if gpu else None,
        "parallelism": given.number("parallelism"),
        "maxConnectionAgeSeconds": _connection_age(given),
        "serviceType": given.choice("service_type", "ClusterIP", "NodePort", "LoadBalancer"),
        "serviceAnnotations": given.strings("service_annotations"),
        "command": [str(word) for word in given.list("command")],
        "args": ["--port=%d" % port]
        + ([] if pinned else ["--model_name=" + model_name, "--model_base_path=" + mount_path])
        + [str(word) for word in given.list("args")],
        "mountPath": mount_path,
        "persistence": {"pvc": {"storage": given.text("storage"), "matchLabels": given.strings("volume_labels")}},
        "startTimeoutSeconds": given.number("start_timeout", 1),
        "maxUnavailable": given.number("max_unavailable"),
        "drainSeconds": given.number("drain"),
        "resources": given.dict("resources"),
        "nodeSelector": given.strings("node_selector"),
        "tolerations": given.list("tolerations"),
        "affinity": given.dict("affinity"),
        "podAnnotations": given.strings("pod_annotations"),
        "podSecurityContext": {**given.user(), **given.dict("pod_security_context")},
        "securityContext": given.dict("security_context"),
    }
    # What is empty is left to the chart, so that its record in the cluster shows what was chosen.
    return {key: value for key, value in values.items() if value is not None and value not in ({}, [])}


def _connection_age(given):
    """Without it a client stays with the pods that it found first. serving_args may have the flag with other arguments."""
    age, (release, dummy) = given.number("max_connection_age"), given.server()
    flag, since = SINCE["max_connection_age"]
    if age is None and release and release >= since and not any(str(word).startswith(flag) for word in given.list("args")):
        return CONNECTION_AGE
    return age


def check(settings):
    """Raise an Error that names the first variable that cannot work, its value and the way out."""
    given = _Given(settings)
    gpu = gpu_wanted(settings.get("gpu"))
    given.choice("gpu_preflight", "fail", "warn")
    release = given.text("release")
    if not DNS_LABEL.fullmatch(release) or len(release) > RELEASE_LENGTH:
        given.refuse(
            "release", release,
            "use at most %d lower case letters, digits and '-', beginning with a letter: the Service <release>-%s is"
            " named after it" % (RELEASE_LENGTH, CHART),
        )
    namespace = given.text("namespace")
    if not NAMESPACE.fullmatch(namespace) or len(namespace) > 63:
        given.refuse("namespace", namespace, "use at most 63 lower case letters, digits and '-'")
    if not LABEL_VALUE.fullmatch(given.text("model_name")):
        given.refuse("model_name", given.text("model_name"), "use at most 63 letters, digits, '-', '_' and '.'")
    for key, value in given.strings("volume_labels").items():
        if not LABEL_VALUE.fullmatch(value):
            given.refuse("volume_labels", {key: value}, "use at most 63 letters, digits, '-', '_' and '.'")
    for name in ("image", "gpu_image"):
        if re.search(r"\s", given.text(name)):
            given.refuse(name, given.text(name), "an image reference has no spaces")
    if not given.text("mount_path").startswith("/"):
        given.refuse("mount_path", given.text("mount_path"), "use an absolute path inside the container")
    if not QUANTITY.fullmatch(given.text("storage")):
        given.refuse("storage", given.text("storage"), "use a Kubernetes quantity such as 5Gi (its default is volume_size)")
    start, whole = given.number("start_timeout", 1), given.number("timeout", 1)
    if whole < start:
        given.refuse("timeout", whole, "a pod alone may take serving_start_timeout (%d s): use at least that" % start)
    given.number("pending_timeout")
    given.number("address_timeout")
    _check_features(given, gpu)


def _check_features(given, gpu):
    """A server prints "unknown argument" and goes on without: what it does not have is refused here."""
    policy = given.choice("version_policy", "latest", "pinned")
    rest_port, monitoring = given.number("rest_port", 1, 65535), given.bool("monitoring")
    if rest_port is not None and rest_port == given.number("port", 1, 65535):
        given.refuse("rest_port", rest_port, "serving_port, of gRPC, is the same: use another, 8501 for example")
    if monitoring and rest_port is None:
        given.refuse("monitoring", monitoring, "metrics are served on the REST port: set serving_rest_port, to 8501 for example")
    wanted = {
        "version_policy": policy == "pinned",
        "rest_port": rest_port,
        "monitoring": monitoring,
        "gpu_memory_fraction": gpu and given.fraction("gpu_memory_fraction"),
        "max_connection_age": given.number("max_connection_age"),
    }
    release, source = given.server()
    for name, value in wanted.items():
        flag, since = SINCE[name]
        if value and release and release < since:
            given.refuse(
                name, given(name), "TensorFlow Serving has %s since %d.%d, and %s. Use a newer image, leave serving_%s at its"
                " default, or set serving_version if that is not the server's release" % (flag, *since, source, name),
                "feature_missing",
            )


class _Given:
    def __init__(self, settings):
        self.settings = settings

    def __call__(self, name):
        value = self.settings.get(name)
        return DEFAULTS.get(name) if value is None or value == "" else value

    @staticmethod
    def refuse(name, value, way_out, code="setting_invalid"):
        raise Error("serving_%s is %r: %s." % (name, value, way_out), code, variable="serving_" + name)

    def image(self):
        return self.text("gpu_image" if gpu_wanted(self.settings.get("gpu")) else "image")

    def server(self):
        """((major, minor) of the server or None, who says so)."""
        value = self("version")
        if value is not None:
            number = None if isinstance(value, (bool, float)) else RELEASE.fullmatch(str(value).strip())
            if number is None:
                self.refuse("version", value, 'use a release of TensorFlow Serving in quotes, such as "2.15"')
            source = "serving_version"
        else:
            # A registry may have a port, and a digest has digits too: the tag stands after the last / and before the @.
            number = RELEASE.search(self.image().partition("@")[0].rpartition("/")[2].partition(":")[2])
            source = "the tag of " + self.image()
        if number is None:
            return None, ""
        return (int(number[1]), int(number[2])), "%s says %s" % (source, number[0])

    def text(self, name):
        value = self(name)
        if value is None or isinstance(value, (dict, list, bool)):
            self.refuse(name, value, "a text is needed")
        return str(value).strip()

    def number(self, name, least=0, most=None):
        """None where nothing is given and nothing is the default."""
        value = self(name)
        if value is None:
            return None
        wanted = "use a whole number from %d%s" % (least, "" if most is None else " to %d" % most)
        if isinstance(value, (bool, float)) or not re.fullmatch(r"\s*-?[0-9]+\s*", str(value)):
            self.refuse(name, value, wanted)
        value = int(value)
        if value < least or (most is not None and value > most):
            self.refuse(name, value, wanted)
        return value

    def fraction(self, name):
        value = self(name)
        if value is None:
            return None
        try:
            number = 0.0 if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = 0.0
        if not 0 < number <= 1:
            self.refuse(name, value, "use a number above 0, up to 1")
        return number

    def bool(self, name):
        value = yes_or_no(self(name))
        if value is None:
            self.refuse(name, self(name), "use true or false (yes/no, on/off, 1/0)")
        return value

    def batching(self):
        parameters = self.dict("batching")
        for key, value in parameters.items():
            if key not in BATCHING:
                self.refuse("batching", parameters, "its keys are " + ", ".join(BATCHING))
            if isinstance(value, (bool, float)) or not re.fullmatch(r"[0-9]+", str(value)) or int(value) < BATCHING[key]:
                self.refuse("batching", parameters, "%s is a whole number from %d" % (key, BATCHING[key]))
        return {key: int(value) for key, value in parameters.items()}

    def choice(self, name, *choices):
        value = self.text(name)
        if value not in choices:
            self.refuse(name, value, "use one of " + ", ".join(choices))
        return value

    def list(self, name):
        value = self(name)
        if isinstance(value, str):
            return shlex.split(value)
        if not isinstance(value, (list, tuple)):
            self.refuse(name, value, "a list is needed")
        return list(value)

    def dict(self, name):
        value = {} if self(name) is None else self(name)
        if not isinstance(value, dict):
            self.refuse(name, value, "a mapping is needed")
        return dict(value)

    def strings(self, name):
        return {
            str(key): str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in self.dict(name).items()
        }

    def user(self):
        user = self.number("run_as_user")
        if user is None:
            return {}
        return {"runAsUser": user, "runAsGroup": user, **({"runAsNonRoot": True} if user else {})}
