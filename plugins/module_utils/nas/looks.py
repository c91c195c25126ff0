# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What publishing would do, for many models: each export is mounted once, and all web servers are asked side by side."""

import collections
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas import mount
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.options import Options, Request, Spec
from ansible_collections.mlops.tf_serving.plugins.module_utils.nas.publish import publish

# Of model_publish_plan.
PLAN: Spec = {
    "models": {"type": "list", "elements": "dict", "required": True},
    "archive_urls": {"type": "dict", "default": {}, "no_log": True},
}

AT_ONCE = 16
# Of what model_publish answers. A tree of files for each of a thousand models would be all that anybody sees.
KEPT = (
    "changed", "version", "path", "versions", "aside", "listed", "up_to_date", "needs", "withdrawn", "pruned", "message", "checked",
    "verified",
)

Answers = Dict[str, Dict[str, Any]]
Place = Tuple[str, str, str, int, int]


def looks(models: List[Options], urls: Dict[str, str], scratch: Optional[str] = None) -> Answers:
    """By name. models: options of model_publish, with `name`. urls: by name the archive_url of those that have one."""
    answers: Answers = {}
    places: Dict[Place, Dict[str, Request]] = collections.OrderedDict()
    for options in models:
        name = options["name"]
        try:
            request = Request(dict(((key, value) for key, value in options.items() if key != "name"), archive_url=urls.get(name)))
            place = (request.server, request.export, request.options, request.mount_timeout, request.timeout)
            places.setdefault(place, collections.OrderedDict())[name] = request
        except Error as error:
            answers[name] = failed(error)
    for (server, path, nas_options, mount_timeout, timeout), requests in places.items():
        export = mount.Export(server, path, nas_options, mount_timeout)
        try:
            look = functools.partial(_side_by_side, requests)
            answers.update(mount.within(export, look, timeout, read_only=True, scratch=scratch))
        except Error as error:
            answers.update((name, failed(error)) for name in requests)
    return answers


def _side_by_side(requests: Dict[str, Request], folder: str) -> Answers:
    def look(name: str) -> Tuple[str, Dict[str, Any]]:
        try:
            answer = publish(folder, requests[name], check_mode=True)
        except Error as error:
            return name, failed(error)
        except OSError as error:
            return name, failed(mount.io_error(error))
        return name, dict((key, answer[key]) for key in KEPT if key in answer)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(threads.map(look, requests))


def failed(error: Error) -> Dict[str, Any]:
    """The answer for a model that cannot be published."""
    return {"failed": True, "msg": error.message, "failure": error.as_dict()}
