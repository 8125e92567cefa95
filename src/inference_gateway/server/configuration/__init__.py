"""Where settings come from: the environment, `.env`, a YAML file and the defaults, made into `Settings`."""

from inference_gateway.server.configuration.loading import (
    Loaded,
    Row,
    effective,
    in_effect,
    load,
    load_process_settings,
)
from inference_gateway.server.configuration.report import SettingsError
from inference_gateway.server.configuration.systemd import ServiceManager, process_service_manager

__all__ = [
    "Loaded",
    "Row",
    "ServiceManager",
    "SettingsError",
    "effective",
    "in_effect",
    "load",
    "load_process_settings",
    "process_service_manager",
]
