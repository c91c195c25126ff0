"""tensorflow_model_server's command line, parsed the way TensorFlow's own flag parser does it.

Only `--name=value` (and a bare `--name` for booleans) is understood; `--name value` is two unknown arguments.
"""
from __future__ import annotations

from types import SimpleNamespace

# name: (type, default, first release, has an effect in this stand-in)
FLAGS = {
    "port": (int, 8500, (1, 4), True),
    "model_name": (str, "default", (1, 4), True),
    "model_base_path": (str, "", (1, 4), True),
    "file_system_poll_wait_seconds": (int, 1, (1, 4), True),
    "tensorflow_session_parallelism": (int, 0, (1, 4), True),
    "model_config_file": (str, "", (1, 4), True),
    "platform_config_file": (str, "", (1, 4), False),
    "enable_batching": (bool, False, (1, 4), True),
    "batching_parameters_file": (str, "", (1, 4), True),
    "per_process_gpu_memory_fraction": (float, 0.0, (1, 5), False),
    "grpc_channel_arguments": (str, "", (1, 6), True),
    "saved_model_tags": (str, "serve", (1, 6), True),
    "rest_api_port": (int, 0, (1, 8), True),
    "rest_api_num_threads": (int, 8, (1, 8), False),
    "rest_api_timeout_in_ms": (int, 30000, (1, 8), False),
    "flush_filesystem_caches": (bool, True, (1, 8), False),
    "enable_model_warmup": (bool, True, (1, 9), True),
    "version": (bool, False, (1, 9), True),
    "ssl_config_file": (str, "", (1, 10), True),
    "monitoring_config_file": (str, "", (1, 11), True),
    "max_num_load_retries": (int, 5, (1, 11), True),
    "load_retry_interval_micros": (int, 60000000, (1, 11), True),
    "model_config_file_poll_wait_seconds": (int, 0, (1, 15), True),
    "allow_version_labels_for_unavailable_models": (bool, False, (1, 15), True),
    "num_load_threads": (int, 0, (2, 5), True),
    "num_unload_threads": (int, 0, (2, 5), False),
    "enable_serialization_as_tensor_content": (bool, False, (2, 4), True),
    "tensorflow_session_config_file": (str, "", (2, 8), False),
    "enable_grpc_healthcheck_service": (bool, False, (2, 15), False),
}


class UsageError(Exception):
    """A value that does not parse, or --model_base_path is missing: the server prints its usage and leaves."""


def known(release):
    return {name: flag for name, flag in FLAGS.items() if flag[2] <= release[:2]}


def parse(arguments, release):
    """(values, unknown arguments, flags that were given and have no effect here)."""
    flags = known(release)
    values = {name: default for name, (_type, default, _since, _works) in FLAGS.items()}
    unknown, idle = [], []
    for position, argument in enumerate(arguments):
        if argument == "--":
            unknown += arguments[position:]
            break
        name, equals, text = argument[2:].partition("=")
        kind = flags[name][0] if argument.startswith("--") and name in flags else None
        if kind is None or not (equals or kind is bool):
            unknown.append(argument)
            continue
        values[name] = _value(name, kind, text, equals)
        if not flags[name][3]:
            idle.append(name)
    if "--help" in unknown[:1]:
        raise UsageError("")
    if not values["version"] and not values["model_base_path"] and not values["model_config_file"]:
        raise UsageError("")
    return SimpleNamespace(**values), unknown, idle


def _value(name, kind, text, equals):
    if kind is bool:
        if not equals or text in ("true", "false"):
            return text != "false"
    else:
        try:
            return kind(text)
        except ValueError:
            pass
    raise UsageError("Couldn't interpret value %s%s for flag %s." % (equals, text, name))


def usage(release):
    lines = ["usage: tensorflow_model_server", "Flags:"]
    for name, (kind, default, _since, _works) in sorted(known(release).items()):
        shown = {bool: str(default).lower(), str: '"%s"' % default}.get(kind, default)
        type_name = {int: "int32", bool: "bool", str: "string", float: "float"}[kind]
        lines.append("\t%-33s\t%s" % ("--%s=%s" % (name, shown), type_name))
    return "\n".join(lines)


def channel_arguments(text):
    """--grpc_channel_arguments: a comma list of key=value, numbers passed on as numbers."""
    pairs = [item.split("=", 1) for item in text.split(",") if "=" in item]
    return [(key, int(value) if value.lstrip("-").isdigit() else value) for key, value in pairs]
