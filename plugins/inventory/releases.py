# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = """
name: releases
author: The mlops.tf_serving developers (@mlops)
version_added: "0.1.0"
short_description: The models that a cluster serves, as hosts
description:
  - Reads the releases of this collection's chart in a cluster, and gives each as a host of group C(models), with the variables of
    the roles that would make it again. So a fleet that is deployed can be compared with the inventory that it should come from, and what
    belongs to no inventory can be found.
  - Asks with one list call for each kind of object, for all namespaces or for each that is named.
  - A host has the name that clients ask the model by. Where that is not known it has the label of its volume or the name of the release,
    and where two would have the same, C(NAME.NAMESPACE) or C(RELEASE.NAMESPACE).
  - What the cluster does not know is not read back, such as C(model_archive), C(model_node) and the variables of the check. A
    variable that has its default may be left out, and one default may stand in another's place (C(serving_max_connection_age) is a
    number, for the chart's values have it).
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - ansible.builtin.constructed
requirements:
  - python >= 3.10
  - kubernetes >= 24.2
  - protobuf >= 4.25
  - PyYAML
options:
  plugin:
    description: Name of this plugin.
    required: true
    choices: [mlops.tf_serving.releases]
  namespaces:
    description:
      - The namespaces to look in; by default all, which takes the right to list Secrets, Deployments and ConfigMaps in the whole
        cluster.
    type: list
    elements: str
    default: []
notes:
  - The file's name has to end in C(tf_serving.yml) or C(tf_serving.yaml).
  - Where PersistentVolumes may not be listed, a warning says so, and the variables of the volume are missing.
"""

EXAMPLES = """
# releases.tf_serving.yml: ansible-inventory -i releases.tf_serving.yml --list
plugin: mlops.tf_serving.releases
namespaces: [models-a, models-b]
keyed_groups:
  - key: serving_namespace
    prefix: namespace
groups:
  pinned: serving_version_policy == 'pinned'
  interrupted: release_status != 'deployed'
compose:
  model_archive: "'https://models.example.com/' ~ model_name ~ '.tar.gz'"
"""

from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable

from ansible_collections.mlops.tf_serving.plugins.module_utils.errors import Error
from ansible_collections.mlops.tf_serving.plugins.plugin_utils import specs
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.cluster.api import connect
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.controller_action import require
from ansible_collections.mlops.tf_serving.plugins.plugin_utils.fleet import releases

NEEDS = ("kubernetes", "google.protobuf", "yaml")
GROUP = "models"


class InventoryModule(BaseInventoryPlugin, Constructable):
    NAME = "mlops.tf_serving.releases"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(("tf_serving.yml", "tf_serving.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            require(NEEDS)
            api_client = connect({name: self.get_option(name) for name in specs.API})
            found = releases.read(api_client, self.get_option("namespaces"), self.display.warning)
        except Error as error:
            raise AnsibleParserError(_told(error)) from None
        self.inventory.add_group(GROUP)
        for host, release in zip(releases.host_names(found), found):
            self._add(host, release)

    def _add(self, host: str, release: releases.Deployed) -> None:
        variables = {
            **releases.variables(release), **{"release_" + key: release.record[key] for key in ("status", "revision", "chart", "updated")}}
        self.inventory.add_host(host, group=GROUP)
        for name, value in variables.items():
            self.inventory.set_variable(host, name, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)


def _told(error: Error) -> str:
    if error.code != "forbidden":
        return error.message
    return "%s. Name the namespaces that this account may look into, in namespaces." % error.message.rstrip(".")
