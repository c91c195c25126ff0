"""What a node does, with the Python that runs this and nothing but its standard library.

on_old_python.py [mount]    mount: with a mount namespace of its own, as root
"""

import glob
import http.server
import importlib
import os
import sys
import tempfile
import threading
import types

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGE = "ansible_collections.mlops.tf_serving"

for depth in range(1, 4):
    name = ".".join(PACKAGE.split(".")[:depth])
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [ROOT] if name == PACKAGE else []

UTILS = os.path.join(ROOT, "plugins", "module_utils")
for path in glob.glob(os.path.join(UTILS, "**", "[a-z]*.py"), recursive=True):
    importlib.import_module("%s.plugins.module_utils.%s" % (PACKAGE, os.path.relpath(path, UTILS)[:-3].replace(os.sep, ".")))

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
saved_models = importlib.import_module("saved_models")
nas = {
    name: sys.modules["%s.plugins.module_utils.nas.%s" % (PACKAGE, name)]
    for name in ("mount", "options", "publish", "lifecycle", "warmup", "download")
}


class Moved(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(308 if self.path == "/old" else 200)
        self.send_header("Location", "/new")
        self.send_header("Content-Length", "7")
        self.end_headers()

    def log_message(self, *args):
        pass


def look_at_what_has_moved():
    """308 is of Python 3.11."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Moved)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    assert nas["download"].head("http://127.0.0.1:%d/old" % server.server_port)["size"] == 7
    server.shutdown()
    server.server_close()


def main(folder):
    export, archive = os.path.join(folder, "export"), os.path.join(folder, "archive")
    os.mkdir(export)

    def request(number=None, **options):
        if number:
            with open(archive, "wb") as file:
                file.write(saved_models.tar(saved_models.under("mnist/%d" % number, saved_models.model_files())))
            options["archive"] = "file://" + archive
        return nas["options"].Request(dict(options, nas_server="nas", base_path="/model/mnist"))

    samples = {"shape": [1, 784], "values": nas["warmup"].base64.b64encode(nas["warmup"].zlib.compress(bytes(4 * 784))).decode()}
    first = nas["publish"].publish(export, request(1, warmup=1, warmup_dataset="x", warmup_samples=samples))
    assert (first["changed"], first["versions"], first["warmup"]) == (True, [1], 1), first
    assert not nas["publish"].publish(export, request(1), check_mode=True)["changed"]
    nas["publish"].publish(export, request(2))
    assert nas["lifecycle"].versions(export, request(withdraw=[2], checked=[1]))["withdrawn"] == [2]
    assert nas["publish"].publish(export, request(2, reinstate=True))["versions"] == [1, 2]
    assert nas["lifecycle"].versions(export, request(keep=1))["pruned"] == [1]
    try:
        nas["publish"].publish(export, request(1, version=0))
        raise AssertionError("0 was taken for a version")
    except sys.modules[PACKAGE + ".plugins.module_utils.errors"].Error as error:
        assert error.code == "version_invalid"
    assert nas["publish"].absent(export, request())["changed"]
    assert os.listdir(os.path.join(export, "model")) == []
    look_at_what_has_moved()
    if sys.argv[1:] == ["mount"]:
        assert nas["mount"]._in_child(lambda: {"answer": 42}, 30) == {"answer": 42}
    print("%d.%d" % sys.version_info[:2])


with tempfile.TemporaryDirectory() as scratch:
    main(scratch)
