"""The embedded lab: a real Kubernetes, NAS, node and model server on one Linux machine."""
