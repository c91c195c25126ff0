"""On the node, with its own Python: what model_publish does once the NAS is mounted. Prints JSON.

publish_on_node.py FOLDER_OF_THE_COLLECTION MOUNT_POINT BASE_PATH URL SHA256
"""
import importlib
import json
import resource
import sys
import types

PACKAGE = "ansible_collections.mlops.tf_serving"


def main(root, export, base_path, url, checksum):
    for depth in range(1, 4):
        name = ".".join(PACKAGE.split(".")[:depth])
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [root] if name == PACKAGE else []
    nas = PACKAGE + ".plugins.module_utils.nas."
    publish, options = importlib.import_module(nas + "publish"), importlib.import_module(nas + "options")
    answer = publish.publish(export, options.Request({
        "nas_server": "mounted", "base_path": base_path, "archive": url, "checksum": checksum}))
    print(json.dumps({
        "changed": answer["changed"], "verified": answer["verified"], "size": answer["size"],
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


main(*sys.argv[1:])
