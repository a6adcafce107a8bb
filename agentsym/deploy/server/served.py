"""`Served`: what all routes of one server share, handed to each when it is made."""

from __future__ import annotations

from typing import NamedTuple

from agentsym.deploy.server.admission import Admission
from agentsym.deploy.server.auth import Doorkeeper
from agentsym.deploy.server.metrics import Metrics
from agentsym.deploy.server.settings import Settings
from agentsym.deploy.service import Service


class Served(NamedTuple):
    """The agent, the limits, the places, the tokens and the figures of one server."""

    service: Service
    settings: Settings
    admission: Admission
    doorkeeper: Doorkeeper
    metrics: Metrics
