"""Put the bundles and the label app into a built wheel; an editable install finds them beside the package."""

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BundleHook(BuildHookInterface):
    """Runs when a wheel is built."""

    def initialize(self, version: str, build_data: dict) -> None:
        if version == "standard":
            build_data["force_include"]["monai_bundles"] = "volfuse/monai_bundles"
            build_data["force_include"]["label_app"] = "volfuse/label_app"
