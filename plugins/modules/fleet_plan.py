#!/usr/bin/python
from __future__ import annotations
DOCUMENTATION = r"""
module: fleet_plan
short_description: x
description: [x]
"""
